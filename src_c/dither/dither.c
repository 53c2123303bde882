/* What dithering does besides its vector kernels: flat areas, stripes, noise, blur, normal equations. */
#include "dither/dither.h"

#include <string.h>

#include "color_kmeans/flatness.h"
#include "compiler.h"
#include "colorspace/oklab.inc.h"

void kmc_cones_init(kmc_cones *cones, const float *linear) {
  for (int channel = 0; channel < 3; channel++) {
    for (int value = 0; value < 256; value++) {
      cones->light[channel][value] = 0;
      for (int t = 0; t < 3; t++) {
        const double light = (double)kmc_oklab_shares[channel][t] * linear[value] * KMC_CONE_ONE;
        cones->light[channel][value] |= (uint64_t)(light + 0.5) << t * KMC_CONE_BITS;
      }
    }
  }
}

static int is_entry(kmc_targets *targets, const int16_t *point) {
  if (!targets->marks[kmc_hash_of_point(point)]) return 0;
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

/* Inside areas of one colour that the palette holds, so that they stay free of dots: gain 0, or alpha with KMC_FLAT. */
static void flat_gains(const kmc_dither_kernels *kernels, kmc_targets *targets, const uint8_t *above,
                       const uint8_t *row, const uint8_t *below, ptrdiff_t width, int channels, int16_t *points) {
  enum { BATCH = 960 };
  uint16_t found[BATCH];
  const uint8_t *known = NULL; /* the last pixel whose colour was looked for */
  int held = 0;
  for (ptrdiff_t start = 1; start < width - 1; start += BATCH) {
    const ptrdiff_t n = start + BATCH < width - 1 ? BATCH : width - 1 - start, first = start * channels;
    const ptrdiff_t n_found = kernels->flat(above + first, row + first, below + first, channels, n, found);
    for (ptrdiff_t i = 0; i < n_found; i++) {
      const uint8_t *pixel = row + first + found[i] * channels;
      int16_t *point = points + (start + found[i]) * KMC_POINT;
      if (!known || !all_equal(known, pixel, channels)) held = is_entry(targets, point);
      known = pixel;
      if (held) point[3] = (int16_t)(channels == 4 ? point[3] + KMC_FLAT : 0);
    }
  }
}

void kmc_mark_busy(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t width,
                   const uint8_t *less_of, int16_t *points) {
  uint16_t contrast[KMC_CONTRASTS * KMC_MOST_CHANNELS];
  for (ptrdiff_t first = 0; first < width; first += KMC_CONTRASTS) {
    const ptrdiff_t n = kmc_contrasts(above, row, below, first, width, 4, contrast);
    const uint8_t *pixels = row + first * 4;
    int16_t *fourth = points + first * KMC_POINT + 3;
    for (ptrdiff_t i = 0; i < n; i++, fourth += KMC_POINT) {
      const uint16_t *of = contrast + 4 * i;
      const uint32_t seen = (uint32_t)(of[0] + of[1] + of[2]) * pixels[4 * i + 3] / 255;
      const int is_marked = *fourth > 0 && *fourth < KMC_FLAT;
      *fourth = (int16_t)(*fourth + (is_marked ? KMC_LESS * less_of[seen + of[3]] : 0));
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
  kernels->points(row, width, picture->channels, picture->space, picture->cones, picture->gain, scratch);
  flat_gains(kernels, targets, above, row, below, width, picture->channels, scratch);
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
