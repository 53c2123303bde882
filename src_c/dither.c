/* What dithering does besides its vector kernels: targets, flat areas, noise, blur, normal equations. */
#include "dither.h"

#include <math.h>
#include <string.h>

typedef struct {
  int16_t low[KMC_POINT], high[KMC_POINT], side[KMC_POINT];
} space_box;

/* The gamut of sRGB and, of each channel, the side of a cell: the least that is worth its lists. Cells of half that side
 * take 1.2 times as long in all, of twice that side 1.1 times. */
static space_box box_of(int space, int has_alpha) {
  const int16_t alpha = has_alpha ? 2040 : 0;
  if (space == KMC_SPACE_OKLAB) {
    const int16_t side = has_alpha ? 64 : 32;
    return (space_box){{0, -480, -640, 0}, {2040, 568, 408, alpha}, {side, side, side, 256}};
  }
  const int16_t side = has_alpha ? 128 : 64;
  return (space_box){{0, 0, 0, 0}, {2040, 2040, 2040, alpha}, {side, side, side, 256}};
}

/* So few entries are compared faster than a list is found. */
enum { FEW_ENTRIES = 16 };

static int32_t cells_along(const space_box *box, int t) { return (box->high[t] - box->low[t]) / box->side[t] + 1; }

int32_t kmc_targets_cells(int space, int has_alpha, int32_t k) {
  const space_box box = box_of(space, has_alpha);
  int32_t n = 1;
  for (int t = 0; t < KMC_POINT && k > FEW_ENTRIES; t++) n *= cells_along(&box, t);
  return n * (has_alpha ? 3 : 1);
}

/* Whether a pixel of this class may become the entry; kind: 0 translucent, 1 opaque, 2 transparent. */
static int is_allowed(const kmc_targets *targets, int32_t kind, const int16_t *entry) {
  if (kind == 0) return 1;
  return entry[3] == (kind == 1 ? targets->high[3] : 0);
}

static void put_in_chunk(kmc_chunk *chunks, int32_t place, const int16_t *entry, int32_t index) {
  kmc_chunk *chunk = chunks + place / KMC_CHUNK;
  const int i = place % KMC_CHUNK;
  chunk->xy[2 * i] = entry[0];
  chunk->xy[2 * i + 1] = entry[1];
  chunk->zw[2 * i] = entry[2];
  chunk->zw[2 * i + 1] = entry[3];
  chunk->index[i] = (uint32_t)index;
}

/* Fills up the last chunk with its last entry, and returns what stands for the list. */
static uint32_t finished_list(kmc_chunk *chunks, int32_t first_chunk, int32_t n, const kmc_targets *targets,
                              int32_t last) {
  for (int32_t i = n; i % KMC_CHUNK; i++) put_in_chunk(chunks, i, targets->entries[last], last);
  return (uint32_t)first_chunk << 6 | (uint32_t)((n + KMC_CHUNK - 1) / KMC_CHUNK);
}

/* The list of all that a class may become: of all entries if there is none. */
static uint32_t whole_list(kmc_targets *targets, int32_t kind) {
  const int32_t first_chunk = kind * (KMC_MOST_ENTRIES / KMC_CHUNK);
  int32_t n = 0, last = 0;
  for (int any = 0; any < 2 && n == 0; any++) {
    for (int32_t j = 0; j < targets->k; j++) {
      if (!any && !is_allowed(targets, kind, targets->entries[j])) continue;
      put_in_chunk(targets->chunks + first_chunk, n++, targets->entries[j], j);
      last = j;
    }
  }
  return finished_list(targets->chunks + first_chunk, first_chunk, n, targets, last);
}

void kmc_targets_init(kmc_targets *targets, int space, int has_alpha, const int16_t *entries, int32_t k) {
  const space_box box = box_of(space, has_alpha);
  targets->has_alpha = has_alpha;
  targets->k = k;
  targets->n_classes = has_alpha ? 3 : 1;
  targets->n_cells = 1;
  memset(targets->entries, 0, sizeof targets->entries);
  for (int32_t j = 0; j < k; j++) {
    for (int t = 0; t < 3 + has_alpha; t++) targets->entries[j][t] = entries[j * KMC_POINT + t];
  }
  for (int t = KMC_POINT - 1; t >= 0; t--) {
    targets->low[t] = box.low[t];
    targets->high[t] = box.high[t];
    targets->factor[t] = (int16_t)(k > FEW_ENTRIES ? 65536 / box.side[t] : 0);
    targets->stride[t] = (int16_t)targets->n_cells;
    if (k > FEW_ENTRIES) targets->n_cells *= cells_along(&box, t);
  }
  for (int32_t kind = 0; kind < targets->n_classes; kind++) {
    const uint32_t list = whole_list(targets, kind);
    for (int32_t cell = 0; cell < targets->n_cells; cell++) targets->list[kind * targets->n_cells + cell] = list;
  }
}

void kmc_mark_cells(const kmc_targets *targets, const int16_t *points, ptrdiff_t n, uint8_t *marks) {
  for (ptrdiff_t i = 0; i < n; i++) {
    int32_t cell = 0;
    for (int t = 0; t < 3 + targets->has_alpha; t++) {
      const int32_t offset = points[i * KMC_POINT + t] - targets->low[t];
      cell += (offset * targets->factor[t] >> 16) * targets->stride[t];
    }
    if (targets->has_alpha) {
      const int16_t alpha = points[i * KMC_POINT + 3];
      cell += (alpha == targets->high[3] ? 1 : alpha == 0 ? 2 : 0) * targets->n_cells;
    }
    marks[cell] = 1;
  }
}

int32_t kmc_find_cells(const kmc_targets *targets, const uint8_t *marks, int32_t *found) {
  const int32_t n = targets->n_classes * targets->n_cells;
  int32_t n_found = 0;
  for (int32_t cell = 0; cell < n; cell++) {
    const int32_t begin = cell / targets->n_cells * targets->n_cells, end = begin + targets->n_cells;
    int is_near = 0;
    for (int32_t step = 0; step < 27 && !is_near; step++) {
      const int32_t near = cell + (step / 9 - 1) * targets->stride[0] + (step / 3 % 3 - 1) * targets->stride[1] +
                           (step % 3 - 1) * targets->stride[2];
      is_near = near >= begin && near < end && marks[near];
    }
    found[n_found] = cell;
    n_found += is_near;
  }
  return n_found;
}

static int32_t squared(int32_t x) { return x * x; }

void kmc_list_cell(kmc_targets *targets, int32_t cell, int32_t first_chunk) {
  const int32_t kind = cell / targets->n_cells;
  const kmc_chunk *all = targets->chunks + kind * (KMC_MOST_ENTRIES / KMC_CHUNK);
  const int32_t n_all = (int32_t)(targets->list[cell] & 63) * KMC_CHUNK;
  kmc_chunk *chunks = targets->chunks + first_chunk;
  int32_t nearest[KMC_MOST_ENTRIES], corner[KMC_POINT], side[KMC_POINT], bound = INT32_MAX;
  int32_t rest = cell % targets->n_cells;
  for (int t = 0; t < KMC_POINT; t++) {
    const int32_t place = rest / targets->stride[t];
    rest %= targets->stride[t];
    side[t] = 65536 / targets->factor[t];
    corner[t] = targets->low[t] + place * side[t];
  }
  for (int32_t i = 0; i < n_all; i++) {
    const kmc_chunk *chunk = all + i / KMC_CHUNK;
    const int j = i % KMC_CHUNK;
    const int32_t entry[KMC_POINT] = {chunk->xy[2 * j], chunk->xy[2 * j + 1], chunk->zw[2 * j], chunk->zw[2 * j + 1]};
    int32_t farthest = 0;
    nearest[i] = 0;
    for (int t = 0; t < KMC_POINT; t++) {
      const int32_t below = corner[t] - entry[t], above = entry[t] - (corner[t] + side[t] - 1);
      nearest[i] += squared(below > 0 ? below : above > 0 ? above : 0);
      farthest += squared(below < above ? above + side[t] - 1 : below + side[t] - 1);
    }
    bound = farthest < bound ? farthest : bound;
  }
  int32_t n = 0, last = 0;
  for (int32_t i = 0; i < n_all; i++) {
    if (nearest[i] > bound) continue;
    if (n == KMC_LIST_CHUNKS * KMC_CHUNK) return;
    last = (int32_t)all[i / KMC_CHUNK].index[i % KMC_CHUNK];
    put_in_chunk(chunks, n++, targets->entries[last], last);
  }
  targets->list[cell] = finished_list(chunks, first_chunk, n, targets, last);
}

static int is_entry(const kmc_targets *targets, const int16_t *point) {
  for (int32_t j = 0; j < targets->k; j++) {
    const int16_t *entry = targets->entries[j];
    if (point[0] == entry[0] && point[1] == entry[1] && point[2] == entry[2]) return 1;
  }
  return 0;
}

static int all_equal(const uint8_t *a, const uint8_t *b, ptrdiff_t n) { return memcmp(a, b, (size_t)n) == 0; }

/* Gains of a row: 0 where it and its neighbours have one colour and the palette holds that colour, so that flat areas
 * stay free of dots. `above` and `below` are NULL where the picture ends. */
static void flat_gains(const kmc_targets *targets, const uint8_t *above, const uint8_t *pixels, const uint8_t *below,
                    ptrdiff_t width, ptrdiff_t channels, int16_t *points) {
  ptrdiff_t known = -1; /* the last pixel whose colour was looked for */
  int held = 0;
  for (ptrdiff_t x = 0; x < width; x++) {
    const uint8_t *pixel = pixels + x * channels;
    if (x > 0 && !all_equal(pixel - channels, pixel, channels)) continue;
    if (x + 1 < width && !all_equal(pixel + channels, pixel, channels)) continue;
    if (above && !all_equal(above + x * channels, pixel, channels)) continue;
    if (below && !all_equal(below + x * channels, pixel, channels)) continue;
    if (known < 0 || !all_equal(pixels + known * channels, pixel, channels)) {
      held = is_entry(targets, points + x * KMC_POINT);
      known = x;
    }
    if (held) points[x * KMC_POINT + 3] = 0;
  }
}

/* points + noise: ordered dithering of one row. */
static void add_noise(const kmc_targets *targets, const uint16_t *mask, ptrdiff_t y, ptrdiff_t width,
                   const int16_t *amplitude, int16_t *points) {
  /* Each channel sees the mask from another place, far from the others. */
  static const int shift_y[3] = {0, 21, 43}, shift_x[3] = {0, 37, 15};
  for (ptrdiff_t x = 0; x < width; x++) {
    int16_t *point = points + x * KMC_POINT;
    if (targets->has_alpha ? point[3] == 0 : point[3] < KMC_GAIN_ONE / 2) continue;
    for (int t = 0; t < 3; t++) {
      const int32_t noise = 2 * mask[(y + shift_y[t]) % 64 * 64 + (x + shift_x[t]) % 64] - 4095;
      const int32_t value = point[t] + noise * amplitude[t] / 8192;
      point[t] = (int16_t)(value < targets->low[t] ? targets->low[t] : value > targets->high[t] ? targets->high[t] : value);
    }
  }
}

/* Points of one row, from pixels or given. */
static const int16_t *points_of_row(const kmc_dither_kernels *kernels, const kmc_targets *targets,
                                    const kmc_dithered *picture, ptrdiff_t y, int16_t *scratch) {
  const ptrdiff_t width = picture->width, channels = picture->channels;
  if (picture->points) return picture->points + y * width * KMC_POINT;
  const uint8_t *row = picture->pixels + y * width * channels;
  const uint8_t *above = y > 0 ? row - width * channels : NULL;
  const uint8_t *below = y + 1 < picture->height ? row + width * channels : NULL;
  kernels->points(row, width, picture->channels, picture->space, picture->linear, picture->gain, scratch);
  if (channels < 4) flat_gains(targets, above, row, below, width, channels, scratch);
  return scratch;
}

/* A band of points, the errors of the row above it, and a row of indices that nobody needs. */
ptrdiff_t kmc_stripe_scratch(ptrdiff_t width) { return (KMC_BAND + 1) * width * KMC_POINT + 2 * KMC_POINT + width; }

void kmc_diffuse_stripe(const kmc_dither_kernels *kernels, const kmc_targets *targets, const kmc_dithered *picture,
                        ptrdiff_t first, ptrdiff_t last, int16_t *scratch, uint8_t *indices) {
  const ptrdiff_t width = picture->width;
  int16_t *errors = scratch + KMC_BAND * width * KMC_POINT;
  uint8_t *unused = (uint8_t *)(errors + (width + 2) * KMC_POINT);
  memset(errors, 0, (size_t)(width + 2) * KMC_POINT * sizeof *errors);
  for (ptrdiff_t top = first >= KMC_WARM_UP ? first - KMC_WARM_UP : 0; top < last; top += KMC_BAND) {
    const int16_t *rows[KMC_BAND];
    uint8_t *outputs[KMC_BAND];
    for (ptrdiff_t r = 0; r < KMC_BAND; r++) {
      const ptrdiff_t y = top + r;
      rows[r] = y < last ? points_of_row(kernels, targets, picture, y, scratch + r * width * KMC_POINT) : rows[r - 1];
      outputs[r] = y >= first && y < last ? indices + y * width : unused;
    }
    kernels->diffuse(targets, rows, width, picture->gain, errors, outputs);
  }
}

void kmc_noise_stripe(const kmc_dither_kernels *kernels, const kmc_targets *targets, const kmc_dithered *picture,
                      const uint16_t *mask, const int16_t *amplitude, ptrdiff_t first, ptrdiff_t last,
                      int16_t *scratch, uint8_t *indices) {
  for (ptrdiff_t y = first; y < last; y++) {
    points_of_row(kernels, targets, picture, y, scratch);
    add_noise(targets, mask, y, picture->width, amplitude, scratch);
    kernels->nearest(targets, scratch, picture->width, indices + y * picture->width);
  }
}

void kmc_polish_stripe(const kmc_dither_kernels *kernels, const kmc_targets *targets, const kmc_window *window,
                       const kmc_dithered *picture, ptrdiff_t first, ptrdiff_t last, int16_t *scratch,
                       uint8_t *indices) {
  enum { ROWS = KMC_BAND + 2 * KMC_POLISH_REACH };
  for (ptrdiff_t top = first; top < last; top += KMC_BAND) {
    const int16_t *rows[ROWS];
    uint8_t *labels[ROWS];
    for (ptrdiff_t r = 0; r < ROWS; r++) {
      const ptrdiff_t y = top + r - KMC_POLISH_REACH;
      const int is_inside = y >= 0 && y < picture->height;
      rows[r] = is_inside ? picture->points + y * picture->width * KMC_POINT : NULL;
      labels[r] = is_inside ? indices + y * picture->width : NULL;
    }
    kernels->polish(targets, window, rows, picture->width, scratch, labels);
  }
}

static void blur_row(const int16_t *const *rows, const int32_t *weights, ptrdiff_t width, int16_t *blurred) {
  enum { BATCH = 64, REACH = KMC_POLISH_REACH };
  for (ptrdiff_t start = 0; start < width; start += BATCH) {
    int32_t column[(BATCH + 2 * REACH) * KMC_POINT] = {0};
    const ptrdiff_t end = start + BATCH < width ? start + BATCH : width;
    const ptrdiff_t first = start > REACH ? start - REACH : 0, last = end + REACH < width ? end + REACH : width;
    for (int r = 0; r <= 2 * REACH; r++) {
      if (!rows[r]) continue;
      int32_t *to = column + (first - start + REACH) * KMC_POINT;
      const int16_t *from = rows[r] + first * KMC_POINT;
      for (ptrdiff_t i = 0; i < (last - first) * KMC_POINT; i++) to[i] += from[i] * weights[r];
    }
    for (ptrdiff_t i = 0; i < (end - start) * KMC_POINT; i++) {
      int32_t sum = KMC_BLUR_ONE * KMC_BLUR_ONE / 2;
      for (int r = 0; r <= 2 * REACH; r++) sum += column[i + r * KMC_POINT] * weights[r];
      blurred[start * KMC_POINT + i] = (int16_t)(sum >> 12);
    }
  }
}

void kmc_blur_rows(const kmc_dithered *picture, const int32_t *weights, ptrdiff_t first, ptrdiff_t last,
                   int16_t *blurred) {
  const ptrdiff_t stride = picture->width * KMC_POINT;
  for (ptrdiff_t y = first; y < last; y++) {
    const int16_t *rows[2 * KMC_POLISH_REACH + 1];
    for (ptrdiff_t r = 0; r <= 2 * KMC_POLISH_REACH; r++) {
      const ptrdiff_t from = y + r - KMC_POLISH_REACH;
      rows[r] = from >= 0 && from < picture->height ? picture->points + from * stride : NULL;
    }
    blur_row(rows, weights, picture->width, blurred + y * stride);
  }
}

/* Rows: the one and the two below it, NULL where the picture ends. */
static void count_meetings(const uint8_t *const *rows, ptrdiff_t width, const int32_t *weights, int32_t k,
                           uint32_t *table) {
  enum { REACH = KMC_POLISH_REACH };
  for (ptrdiff_t x = 0; x < width; x++) {
    uint32_t *meets = table + (ptrdiff_t)rows[0][x] * k;
    const ptrdiff_t first = x < REACH ? -x : -REACH, last = x + REACH < width ? REACH : width - 1 - x;
    /* The pair of a pixel with itself is its own transpose: hence weights twice as large for the others. */
    meets[rows[0][x]] += (uint32_t)(weights[REACH] * weights[REACH]);
    for (int dy = 0; dy <= REACH && rows[dy]; dy++) {
      for (ptrdiff_t dx = dy ? first : 1; dx <= last; dx++) {
        meets[rows[dy][x + dx]] += (uint32_t)(2 * weights[REACH + dy] * weights[REACH + dx]);
      }
    }
  }
}

static void flush_table(uint32_t *table, int32_t k, int64_t *meetings) {
  for (ptrdiff_t i = 0; i < (ptrdiff_t)k * k; i++) {
    meetings[i] += table[i];
    table[i] = 0;
  }
}

void kmc_normal_rows(const kmc_dithered *picture, const int16_t *blurred, const uint8_t *indices,
                     const int32_t *weights, int32_t k, ptrdiff_t first, ptrdiff_t last, uint32_t *table,
                     int64_t *meetings, int64_t *blurred_sums, int64_t *sums, int64_t *counts) {
  const ptrdiff_t width = picture->width;
  ptrdiff_t counted = 0;
  memset(table, 0, (size_t)k * (size_t)k * sizeof *table);
  for (ptrdiff_t y = first; y < last; y++) {
    const uint8_t *rows[KMC_POLISH_REACH + 1];
    for (ptrdiff_t r = 0; r <= KMC_POLISH_REACH; r++) rows[r] = y + r < picture->height ? indices + (y + r) * width : NULL;
    /* A pixel adds at most KMC_BLUR_ONE^2 to one counter of 32 bits. */
    if (counted + width >= UINT32_MAX / (KMC_BLUR_ONE * KMC_BLUR_ONE)) {
      flush_table(table, k, meetings);
      counted = 0;
    }
    counted += width;
    count_meetings(rows, width, weights, k, table);
    for (ptrdiff_t x = 0; x < width; x++) {
      const ptrdiff_t entry = rows[0][x] * KMC_POINT, point = (y * width + x) * KMC_POINT;
      counts[rows[0][x]]++;
      for (int t = 0; t < KMC_POINT; t++) {
        blurred_sums[entry + t] += blurred[point + t];
        sums[entry + t] += picture->points[point + t];
      }
    }
  }
  flush_table(table, k, meetings);
}

/* The inner loops run along rows, without sums, so that they are the same in vectors. */
void kmc_solve(double *matrix, double *right, int32_t k) {
  for (ptrdiff_t i = 0; i < k; i++) {
    double *row = matrix + i * k;
    const double scale = 1.0 / row[i];
    for (ptrdiff_t j = i + 1; j < k; j++) {
      double *other = matrix + j * k;
      const double factor = row[j] * scale;
      if (factor == 0) continue;
      for (ptrdiff_t m = j; m < k; m++) other[m] -= factor * row[m];
      for (int t = 0; t < KMC_POINT; t++) right[j * KMC_POINT + t] -= factor * right[i * KMC_POINT + t];
    }
  }
  for (ptrdiff_t i = k - 1; i >= 0; i--) {
    for (int t = 0; t < KMC_POINT; t++) {
      double value = right[i * KMC_POINT + t];
      for (ptrdiff_t j = i + 1; j < k; j++) value -= matrix[i * k + j] * right[j * KMC_POINT + t];
      right[i * KMC_POINT + t] = value / matrix[i * k + i];
    }
  }
}
