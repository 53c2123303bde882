/* What dithering does besides its vector kernels: targets, flat areas, noise, blur, normal equations. */
#include "dither.h"

#include <math.h>
#include <string.h>

#include "compiler.h"

typedef struct {
  int16_t low[KMC_POINT], high[KMC_POINT], least_side;
} space_box;

/* The gamut of sRGB, and the side of the smallest cell: smaller ones would be too many to clear. */
static space_box box_of(int space, int has_alpha) {
  const int16_t alpha = has_alpha ? 255 * (space == KMC_SPACE_OKLAB ? KMC_OKLAB_ALPHA : KMC_SRGB_ALPHA) : 0;
  if (space == KMC_SPACE_OKLAB) return (space_box){{0, -480, -640, 0}, {2040, 568, 408, alpha}, has_alpha ? 64 : 16};
  return (space_box){{0, 0, 0, 0}, {2040, 2040, 2040, alpha}, has_alpha ? 64 : 32};
}

/* Cells as wide as entries are apart, on average: then the lists of photographs hold four entries or so, and are few.
 */
static int16_t side_of_cells(const space_box *box, const int16_t *entries, int32_t k) {
  double spacing = 0;
  for (int32_t i = 0; i < k; i++) {
    int32_t nearest = INT32_MAX;
    for (int32_t j = 0; j < k; j++) {
      int32_t dist2 = 0;
      for (int t = 0; t < KMC_POINT; t++) {
        const int32_t diff = entries[i * KMC_POINT + t] - entries[j * KMC_POINT + t];
        dist2 += diff * diff;
      }
      nearest = i != j && dist2 < nearest ? dist2 : nearest;
    }
    spacing += sqrt((double)nearest) / k;
  }
  int16_t side = box->least_side;
  while (side < 128 && side <= spacing) side *= 2;
  return side;
}

/* So few entries are compared faster than a list is found. */
enum { FEW_ENTRIES = 16, WHOLE_LIST = KMC_MOST_ENTRIES / KMC_CHUNK };

enum { ALPHA_SIDE = 256 };

static int32_t cells_along(const space_box *box, int t, int16_t side) {
  return (box->high[t] - box->low[t]) / (t == 3 ? ALPHA_SIDE : side) + 1;
}

int32_t kmc_targets_cells(int space, int has_alpha, int32_t k, int is_small) {
  const space_box box = box_of(space, has_alpha);
  int32_t n = 1;
  for (int t = 0; t < KMC_POINT && k > FEW_ENTRIES && !is_small; t++) n *= cells_along(&box, t, box.least_side);
  return n * (has_alpha ? 3 : 1);
}

/* Whether a pixel of this class may become the entry; kind: 0 translucent, 1 opaque, 2 transparent. */
static int is_allowed(kmc_targets *targets, int32_t kind, const int16_t *entry) {
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
static uint32_t finished_list(kmc_targets *targets, int32_t first_chunk, int32_t n, int32_t last) {
  kmc_chunk *chunks = targets->chunks + first_chunk;
  for (int32_t i = n; i % KMC_CHUNK; i++) put_in_chunk(chunks, i, targets->entries[last], last);
  return (uint32_t)first_chunk * (uint32_t)sizeof(kmc_chunk) | (uint32_t)((n - 1) / KMC_CHUNK);
}

/* The list of all that a class may become: of all entries if there is none. */
static uint32_t whole_list(kmc_targets *targets, int32_t kind) {
  const int32_t first_chunk = 1 + kind * WHOLE_LIST; /* chunk 0 is empty: no list is 0 */
  int32_t n = 0, last = 0;
  for (int any = 0; any < 2 && n == 0; any++) {
    for (int32_t j = 0; j < targets->k; j++) {
      if (!any && !is_allowed(targets, kind, targets->entries[j])) continue;
      put_in_chunk(targets->chunks + first_chunk, n++, targets->entries[j], j);
      last = j;
    }
  }
  return finished_list(targets, first_chunk, n, last);
}

static unsigned hash_of_point(const int16_t *point) {
  return (unsigned)(point[0] * 5 + point[1] * 3 + point[2]) / 8 % 256;
}

void kmc_targets_init(kmc_targets *targets, int space, int has_alpha, const int16_t *entries, int32_t k, int is_small) {
  const space_box box = box_of(space, has_alpha);
  const int has_cells = k > FEW_ENTRIES && !is_small;
  targets->has_alpha = has_alpha;
  targets->k = k;
  targets->n_classes = has_alpha ? 3 : 1;
  targets->n_cells = 1;
  targets->n_chunks = 1 + targets->n_classes * WHOLE_LIST;
  memset(targets->entries, 0, sizeof targets->entries);
  memset(targets->marks, 0, sizeof targets->marks);
  for (int32_t j = 0; j < k; j++) {
    for (int t = 0; t < 3 + has_alpha; t++) targets->entries[j][t] = entries[j * KMC_POINT + t];
    targets->marks[hash_of_point(targets->entries[j])] = 1;
  }
  const int16_t side = has_cells ? side_of_cells(&box, &targets->entries[0][0], k) : 0;
  for (int t = KMC_POINT - 1; t >= 0; t--) {
    targets->low[t] = box.low[t];
    targets->high[t] = box.high[t];
    targets->side[t] = t == 3 ? ALPHA_SIDE : side;
    targets->factor[t] = (int16_t)(has_cells ? 65536 / targets->side[t] : 0);
    targets->stride[t] = (int16_t)targets->n_cells;
    if (has_cells) targets->n_cells *= cells_along(&box, t, side);
  }
  const size_t n = (size_t)(targets->n_classes * targets->n_cells) * sizeof *targets->list;
  memset(targets->list, 0, n);
  memset(targets->group, 0, n);
  for (int32_t kind = 0; kind < targets->n_classes; kind++) {
    targets->whole[kind] = whole_list(targets, kind);
    if (!has_cells) targets->list[kind] = targets->whole[kind];
  }
}

/* OUT kept: of the n entries `found`, in order, those to which the entry nearest to the middle of the box is not
 * preferred in all of it. How much nearer that one is to a point is linear in the point, so the corner where that is
 * least decides. */
static int32_t without_outdone(kmc_targets *targets, const int32_t *found, int32_t n, const int16_t *corner,
                               const int16_t *side, int32_t *kept) {
  int32_t best = found[0], least = INT32_MAX, n_kept = 0;
  for (int32_t i = 0; i < n; i++) {
    int32_t dist2 = 0;
    for (int t = 0; t < KMC_POINT; t++) {
      const int32_t diff = targets->entries[found[i]][t] - (corner[t] + side[t] / 2);
      dist2 += diff * diff;
    }
    best = dist2 < least ? found[i] : best;
    least = dist2 < least ? dist2 : least;
  }
  for (int32_t i = 0; i < n; i++) {
    int64_t lead = 0;
    for (int t = 0; t < KMC_POINT; t++) {
      const int64_t entry = targets->entries[found[i]][t], rival = targets->entries[best][t];
      const int64_t place = corner[t] + (rival > entry ? 0 : side[t] - 1);
      lead += (entry - rival) * (entry + rival - 2 * place);
    }
    const int is_outdone = lead > 0 || (lead == 0 && best < found[i]);
    if (!is_outdone && (n_kept == 0 || kept[n_kept - 1] != found[i])) kept[n_kept++] = found[i];
  }
  return n_kept;
}

/* The list of a box, made from another list. */
static uint32_t list_of_box(const kmc_dither_kernels *kernels, kmc_targets *targets, uint32_t from,
                            const int16_t *corner, const int16_t *side) {
  uint8_t places[KMC_MOST_ENTRIES];
  const kmc_chunk *chunks = kmc_chunks_of(targets, from);
  const ptrdiff_t n_near = kernels->candidates(chunks, kmc_length_of(from), corner, side, places);
  int32_t near[KMC_MOST_ENTRIES], kept[KMC_MOST_ENTRIES];
  for (ptrdiff_t i = 0; i < n_near; i++) near[i] = (int32_t)chunks[places[i] / KMC_CHUNK].index[places[i] % KMC_CHUNK];
  const int32_t n = without_outdone(targets, near, (int32_t)n_near, corner, side, kept);
  const int32_t first = targets->n_chunks, n_chunks = (n + KMC_CHUNK - 1) / KMC_CHUNK;
  if (first + n_chunks > targets->most_chunks) return from;
  targets->n_chunks += n_chunks;
  for (int32_t i = 0; i < n; i++) put_in_chunk(targets->chunks + first, i, targets->entries[kept[i]], kept[i]);
  return finished_list(targets, first, n, kept[n - 1]);
}

uint32_t kmc_make_list(const kmc_dither_kernels *kernels, kmc_targets *targets, int32_t cell) {
  const int32_t kind = cell / targets->n_cells;
  int16_t corner[KMC_POINT], group_corner[KMC_POINT], group_side[KMC_POINT];
  int32_t rest = cell % targets->n_cells, group_cell = kind * targets->n_cells;
  for (int t = 0; t < KMC_POINT; t++) {
    const int32_t place = rest / targets->stride[t], first = t < 3 ? place & ~3 : place;
    rest %= targets->stride[t];
    corner[t] = (int16_t)(targets->low[t] + place * targets->side[t]);
    group_corner[t] = (int16_t)(targets->low[t] + first * targets->side[t]);
    group_side[t] = (int16_t)(t < 3 ? 4 * targets->side[t] : targets->side[t]);
    group_cell += first * targets->stride[t];
  }
  uint32_t *group = targets->group + group_cell;
  if (!*group) *group = list_of_box(kernels, targets, targets->whole[kind], group_corner, group_side);
  targets->list[cell] = list_of_box(kernels, targets, *group, corner, targets->side);
  return targets->list[cell];
}

static int is_entry(kmc_targets *targets, const int16_t *point) {
  if (!targets->marks[hash_of_point(point)]) return 0;
  for (int32_t j = 0; j < targets->k; j++) {
    const int16_t *entry = targets->entries[j];
    if (targets->has_alpha && point[3] != entry[3]) continue;
    if (point[0] == entry[0] && point[1] == entry[1] && point[2] == entry[2]) return 1;
  }
  return 0;
}

static int all_equal(const uint8_t *a, const uint8_t *b, ptrdiff_t n) {
  int differ = 0;
  for (ptrdiff_t t = 0; t < n; t++) differ |= a[t] ^ b[t];
  return !differ;
}

/* OUT flat (n): 1 where bytes [i - channels], [i + channels], above[i] and below[i] are those of the row, for the
 * `channels` bytes from i on. */
static void find_flat(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t channels, ptrdiff_t n,
                      uint8_t *flat) {
  for (ptrdiff_t i = 0; i < n; i++) {
    flat[i] =
        (row[i] == row[i - channels]) & (row[i] == row[i + channels]) & (row[i] == above[i]) & (row[i] == below[i]);
  }
  for (ptrdiff_t i = 0; i + 2 < n && channels > 1; i++) flat[i] &= flat[i + 1] & flat[i + 2];
  for (ptrdiff_t i = 0; i + 3 < n && channels > 3; i++) flat[i] &= flat[i + 1];
}

static int all_zero(const uint8_t *bytes, ptrdiff_t n) {
  uint64_t any = 0;
  for (ptrdiff_t i = 0; i < n; i += 8) {
    uint64_t part;
    memcpy(&part, bytes + i, sizeof part);
    any |= part;
  }
  return !any;
}

/* Inside areas of one colour that the palette holds, so that they stay free of dots: gain 0, or alpha with KMC_FLAT. */
static void flat_gains(kmc_targets *targets, const uint8_t *above, const uint8_t *row, const uint8_t *below,
                       ptrdiff_t width, ptrdiff_t channels, int16_t *points) {
  enum { BATCH = 512, GROUP = 16 };
  uint8_t flat[KMC_POINT * BATCH] = {0};
  const uint8_t *known = NULL; /* the last pixel whose colour was looked for */
  int held = 0;
  for (ptrdiff_t start = 1; start < width - 1; start += BATCH) {
    const ptrdiff_t n = start + BATCH < width - 1 ? BATCH : width - 1 - start, first = start * channels;
    find_flat(above + first, row + first, below + first, channels, n * channels, flat);
    for (ptrdiff_t x = 0; x < n; x++) {
      if (x % GROUP == 0 && all_zero(flat + x * channels, GROUP * channels)) x += GROUP - 1;
      if (x >= n || !flat[x * channels]) continue;
      const uint8_t *pixel = row + first + x * channels;
      int16_t *point = points + (start + x) * KMC_POINT;
      if (!known || !all_equal(known, pixel, channels)) held = is_entry(targets, point);
      known = pixel;
      if (held) point[3] = (int16_t)(channels == 4 ? point[3] + KMC_FLAT : 0);
    }
  }
}

/* points + noise: ordered dithering of one row. */
static void add_noise(kmc_targets *targets, const uint16_t *mask, ptrdiff_t y, ptrdiff_t width,
                      const int16_t *amplitude, int16_t *points) {
  /* Each channel sees the mask from another place, far from the others. */
  static const int shift_y[3] = {0, 21, 43}, shift_x[3] = {0, 37, 15};
  for (ptrdiff_t x = 0; x < width; x++) {
    int16_t *point = points + x * KMC_POINT;
    if (targets->has_alpha ? point[3] == 0 || point[3] >= KMC_FLAT : point[3] < KMC_GAIN_ONE / 2) continue;
    for (int t = 0; t < 3; t++) {
      const int32_t noise = 2 * mask[(y + shift_y[t]) % 64 * 64 + (x + shift_x[t]) % 64] - 4095;
      const int32_t value = point[t] + noise * amplitude[t] / 8192;
      point[t] = (int16_t)(value < targets->low[t]    ? targets->low[t]
                           : value > targets->high[t] ? targets->high[t]
                                                      : value);
    }
  }
}

/* Points of one row, from pixels or given. */
static const int16_t *points_of_row(const kmc_dither_kernels *kernels, kmc_targets *targets,
                                    const kmc_dithered *picture, ptrdiff_t y, int16_t *scratch) {
  const ptrdiff_t width = picture->width, channels = picture->channels;
  if (picture->points) return picture->points + y * width * KMC_POINT;
  const uint8_t *row = picture->pixels + y * width * channels;
  const uint8_t *above = y > 0 ? row - width * channels : row;
  const uint8_t *below = y + 1 < picture->height ? row + width * channels : row;
  kernels->points(row, width, picture->channels, picture->space, picture->linear, picture->gain, scratch);
  flat_gains(targets, above, row, below, width, channels, scratch);
  return scratch;
}

void kmc_points_rows(const kmc_dither_kernels *kernels, kmc_targets *targets, const kmc_dithered *picture,
                     ptrdiff_t first, ptrdiff_t last, int16_t *points) {
  for (ptrdiff_t y = first; y < last; y++) {
    points_of_row(kernels, targets, picture, y, points + y * picture->width * KMC_POINT);
  }
}

/* A band of points, the errors of the row above it, and a row of indices that nobody needs. */
ptrdiff_t kmc_stripe_scratch(ptrdiff_t width) { return (KMC_BAND + 1) * width * KMC_POINT + 2 * KMC_POINT + width; }

void kmc_diffuse_stripe(const kmc_dither_kernels *kernels, kmc_targets *targets, const kmc_dithered *picture,
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

void kmc_noise_stripe(const kmc_dither_kernels *kernels, kmc_targets *targets, const kmc_dithered *picture,
                      const uint16_t *mask, const int16_t *amplitude, ptrdiff_t first, ptrdiff_t last, int16_t *scratch,
                      uint8_t *indices) {
  for (ptrdiff_t y = first; y < last; y++) {
    points_of_row(kernels, targets, picture, y, scratch);
    add_noise(targets, mask, y, picture->width, amplitude, scratch);
    kernels->nearest(targets, scratch, picture->width, indices + y * picture->width);
  }
}

void kmc_polish_stripe(const kmc_dither_kernels *kernels, kmc_targets *targets, const kmc_window *window,
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

void kmc_blur_rows(const kmc_dither_kernels *kernels, const kmc_dithered *picture, const int32_t *weights,
                   ptrdiff_t first, ptrdiff_t last, int16_t *blurred) {
  const ptrdiff_t stride = picture->width * KMC_POINT;
  for (ptrdiff_t y = first; y < last; y++) {
    const int16_t *rows[2 * KMC_POLISH_REACH + 1];
    for (ptrdiff_t r = 0; r <= 2 * KMC_POLISH_REACH; r++) {
      const ptrdiff_t from = y + r - KMC_POLISH_REACH;
      rows[r] = from >= 0 && from < picture->height ? picture->points + from * stride : NULL;
    }
    kernels->blur_row(rows, weights, picture->width, blurred + y * stride);
  }
}

/* Counts the pairs of the pixel at x with those beside it from x + first to x + last, and the n_below rows below it.
 * Each pair is counted once, and the pair of a pixel with itself is its own transpose: hence weights[1], of the others,
 * that are twice as large as weights[0]. */
static KMC_ALWAYS_INLINE void count_pairs(const uint8_t *const *rows, ptrdiff_t x, int first, int last, int n_below,
                                          uint32_t weights[2][KMC_POLISH_REACH + 1][KMC_POLISH_REACH + 1],
                                          uint32_t *meets) {
  meets[rows[0][x]] += weights[0][0][0];
  for (int dx = 1; dx <= last; dx++) meets[rows[0][x + dx]] += weights[1][0][dx];
  for (int dy = 1; dy <= n_below; dy++) {
    for (int dx = first; dx <= last; dx++) meets[rows[dy][x + dx]] += weights[1][dy][dx < 0 ? -dx : dx];
  }
}

/* Rows: the one and those below it, of which there are up to two. */
static void count_meetings(const uint8_t *const *rows, int n_below, ptrdiff_t width, const int32_t *weights, int32_t k,
                           uint32_t *table) {
  enum { REACH = KMC_POLISH_REACH };
  uint32_t products[2][REACH + 1][REACH + 1];
  for (int i = 0; i < 2 * (REACH + 1) * (REACH + 1); i++) {
    const int twice = i / ((REACH + 1) * (REACH + 1)), dy = i / (REACH + 1) % (REACH + 1), dx = i % (REACH + 1);
    products[twice][dy][dx] = (uint32_t)((1 + twice) * weights[REACH + dy] * weights[REACH + dx]);
  }
  for (ptrdiff_t x = 0; x < width; x++) {
    uint32_t *meets = table + (ptrdiff_t)rows[0][x] * k;
    if (n_below == REACH && x >= REACH && x + REACH < width) {
      count_pairs(rows, x, -REACH, REACH, REACH, products, meets);
    } else {
      const int first = x < REACH ? (int)-x : -REACH, last = x + REACH < width ? REACH : (int)(width - 1 - x);
      count_pairs(rows, x, first, last, n_below, products, meets);
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
                     const kmc_normal_sums *sums) {
  const ptrdiff_t width = picture->width;
  ptrdiff_t counted = 0;
  memset(table, 0, (size_t)k * (size_t)k * sizeof *table);
  for (ptrdiff_t y = first; y < last; y++) {
    const uint8_t *rows[KMC_POLISH_REACH + 1];
    const int n_below = picture->height - 1 - y < KMC_POLISH_REACH ? (int)(picture->height - 1 - y) : KMC_POLISH_REACH;
    for (int r = 0; r <= n_below; r++) rows[r] = indices + (y + r) * width;
    /* A pixel adds at most KMC_BLUR_ONE^2 to one counter of 32 bits. */
    if (counted + width >= UINT32_MAX / (KMC_BLUR_ONE * KMC_BLUR_ONE)) {
      flush_table(table, k, sums->meetings);
      counted = 0;
    }
    counted += width;
    count_meetings(rows, n_below, width, weights, k, table);
    for (ptrdiff_t x = 0; x < width; x++) {
      const ptrdiff_t label = rows[0][x], entry = label * KMC_POINT;
      const int16_t *point = picture->points + (y * width + x) * KMC_POINT;
      const int16_t *seen = blurred + (y * width + x) * KMC_POINT;
      sums->counts[label]++;
      sums->still[label] += point[3] == 0;
      for (int t = 0; t < KMC_POINT; t++) {
        sums->blurred[entry + t] += seen[t];
        sums->points[entry + t] += point[t];
      }
    }
  }
  flush_table(table, k, sums->meetings);
}
