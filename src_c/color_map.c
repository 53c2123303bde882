/* The final map; color_map.h tells the ways.
 *
 * Nearest entries are found for whole boxes. An entry can be the nearest to some colour of a box only if its least
 * distance to the box is at most the smallest greatest distance of any entry. Of 256 entries 10 to 30 remain for a
 * block and about 7 for a cell. */
#include "color_map.h"

static inline float squared(float x) { return x * x; }
static inline float larger(float a, float b) { return a > b ? a : b; }

/* OUT nearest, farthest: squared distances between the entry and the box of the given side at `corner`. All values are
 * integers below 2^24, so float is exact. */
static inline void box_dist2(const uint8_t *entry, const float *corner, float side, float *nearest, float *farthest) {
  *nearest = *farthest = 0;
  for (int t = 0; t < 3; t++) {
    const float below = corner[t] - (float)entry[t], above = (float)entry[t] - (corner[t] + side - 1);
    *nearest += squared(larger(larger(below, above), 0));
    *farthest += squared(larger(-below, -above));
  }
}

/* IN among (n): indices into the palette, or NULL for 0 .. n - 1. OUT found: those that can be nearest, in order. */
static ptrdiff_t candidates_of_box(const kmc_palette *palette, const int32_t *among, ptrdiff_t n, uint32_t key,
                                   int side, int32_t *found) {
  uint8_t low[3];
  kmc_rgb_of_key(key, low);
  const float corner[3] = {low[0], low[1], low[2]};
  float bound = 1e9f;
  for (ptrdiff_t i = 0; i < n; i++) {
    const ptrdiff_t entry = among == NULL ? i : among[i];
    float farthest;
    box_dist2(palette->colors + 3 * entry, corner, (float)side, &palette->distances[i], &farthest);
    bound = farthest < bound ? farthest : bound;
  }
  ptrdiff_t n_found = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    found[n_found] = among == NULL ? (int32_t)i : among[i];
    n_found += palette->distances[i] <= bound;
  }
  return n_found;
}

static ptrdiff_t candidates_of_block(const kmc_palette *palette, uint32_t block) {
  return candidates_of_box(palette, NULL, palette->k, block * KMC_BLOCK_COLORS, 16, palette->candidates);
}

static inline int32_t dist2_of(const uint8_t *a, const uint8_t *b) {
  const int32_t red = a[0] - b[0], green = a[1] - b[1], blue = a[2] - b[2];
  return red * red + green * green + blue * blue;
}

static int32_t least_dist2(const kmc_palette *palette, const int32_t *candidates, ptrdiff_t n, const uint8_t *color) {
  int32_t least = INT32_MAX;
  for (ptrdiff_t c = 0; c < n; c++) {
    const int32_t dist2 = dist2_of(palette->colors + 3 * (ptrdiff_t)candidates[c], color);
    least = dist2 < least ? dist2 : least;
  }
  return least;
}

/* OUT scores (KMC_CELL_COLORS): the squared distance of the entry to each colour of the cell, less what does not depend
 * on the entry and less `nearest`, the least squared distance of a candidate to the corner.
 *
 * A score is |e - corner|^2 - nearest - 2 (e - corner) . x with 0 <= x <= 7, linear in x and so in the bits of the key:
 * each bit doubles the table. 16 bits hold it: with D = 7 sqrt(3), the diameter of a cell, a candidate is at most 2 D
 * farther from the corner than the nearest, at most 255 sqrt(3) away: 4 D 255 sqrt(3) + 4 D^2 < 22009; the product is
 * at most 2 * 255 * 7 * 3 = 10710. Their sum is below 2^15. */
static void score_cell(const uint8_t *entry, const uint8_t *corner, int32_t nearest, int16_t *scores) {
  scores[0] = (int16_t)(dist2_of(entry, corner) - nearest);
  for (int bit = 0; bit < 9; bit++) {
    const int channel = 2 - bit % 3, size = 1 << bit;
    const int16_t step = (int16_t)(-2 * (entry[channel] - corner[channel]) * (1 << bit / 3));
    for (int i = 0; i < size; i++) scores[size + i] = (int16_t)(scores[i] + step);
  }
}

/* The keys of the entry's alpha halve until one is left; without branches that a processor would have to guess. */
static inline int64_t position_of_key(const uint32_t *keys, const int64_t *alpha_start, uint32_t key) {
  int64_t first = alpha_start[key >> 24], length = alpha_start[(key >> 24) + 1] - first;
  while (length > 1) {
    const int64_t half = length / 2;
    first += keys[first + half] <= key ? half : 0;
    length -= half;
  }
  return first;
}

void kmc_index_alphas(const uint8_t *colors, ptrdiff_t n, uint32_t *keys, int64_t *alpha_start) {
  ptrdiff_t row = 0;
  for (int alpha = 0; alpha <= 256; alpha++) {
    for (; row < n && colors[4 * row + 3] < alpha; row++) {
      keys[row] = (uint32_t)colors[4 * row + 3] << 24 | kmc_key_of_rgb(colors + 4 * row);
    }
    alpha_start[alpha] = row;
  }
}

#define LABEL uint8_t
#define LABEL_NAME(word) word##_u8
#include "color_map.inc.h"
#undef LABEL
#undef LABEL_NAME

#define LABEL uint16_t
#define LABEL_NAME(word) word##_u16
#include "color_map.inc.h"
