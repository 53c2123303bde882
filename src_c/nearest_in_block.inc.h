/* Included by pixel_kernels_<isa>.c: the nearest palette entry of each colour of a block, and the table of kernels.
 *
 * An entry can be the nearest to some colour of a box only if its least distance to the box is at most the smallest
 * greatest distance of any entry. Of 256 entries 10 to 30 remain for a block, and of those about 7 for one of its
 * cells, whose 512 colours are then compared with each. Plain loops over arrays: compilers make vectors of them. */

#include <math.h>

static inline float squared(float x) { return x * x; }

/* max(x, 0), exact for integers below 2^23, and without a comparison, which GCC takes for a branch. */
static inline float positive_part(float x) { return 0.5f * (x + fabsf(x)); }

/* IN entries: n of them. OUT found: those that can be nearest in the box, in order, of which the number is returned.
 * SCRATCH distances (n). All values are halves of integers below 2^24, so float is exact. */
static ptrdiff_t candidates_of_box(const kmc_entries *entries, ptrdiff_t n, const uint8_t *corner, float side,
                                   float *distances, kmc_entries *found) {
  const float *red = entries->red, *green = entries->green, *blue = entries->blue;
  const float half = 0.5f * (side - 1);
  const float r0 = corner[0] + half, g0 = corner[1] + half, b0 = corner[2] + half;
  int32_t bound = INT32_MAX; /* the least of integers can be found in vectors, of floats only with -ffast-math */
  for (ptrdiff_t i = 0; i < n; i++) {
    const float r = fabsf(red[i] - r0), g = fabsf(green[i] - g0), b = fabsf(blue[i] - b0);
    const int32_t farthest = (int32_t)(squared(r + half) + squared(g + half) + squared(b + half));
    distances[i] =
        squared(positive_part(r - half)) + squared(positive_part(g - half)) + squared(positive_part(b - half));
    bound = farthest < bound ? farthest : bound;
  }
  ptrdiff_t n_found = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    found->red[n_found] = red[i];
    found->green[n_found] = green[i];
    found->blue[n_found] = blue[i];
    found->index[n_found] = entries->index[i];
    n_found += distances[i] <= (float)bound;
  }
  return n_found;
}

/* IN OUT best (KMC_CELL_COLORS): score << 16 | index of the entry, whose least one is kept: the nearest entry and, of
 * equally near ones, that with the lowest index. (r, g, b): the entry less the cell's corner.
 *
 * The score is the squared distance less what does not depend on the entry and less `nearest`, the least squared
 * distance of a candidate to the corner: r^2 + g^2 + b^2 - nearest - 2 (r, g, b) . x with 0 <= x <= 7. It is linear in
 * x and so in the bits of the key: each bit doubles the table of scores. 16 bits hold it: with D = 7 sqrt(3), the
 * diameter of a cell, a candidate is at most 2 D farther from the corner than the nearest one, which is at most 255
 * sqrt(3) away: 4 D 255 sqrt(3) + 4 D^2 < 22009; the product is at most 2 * 255 * 7 * 3 = 10710; their sum is below
 * 2^15. */
static void keep_nearer(int32_t r, int32_t g, int32_t b, int32_t nearest, int32_t index, int32_t *best) {
  int32_t scores[64];
  scores[0] = (r * r + g * g + b * b - nearest) * 65536 + index;
  for (int shift = 0; shift < 2; shift++) {
    const int32_t steps[3] = {-2 * 65536 * b * (1 << shift), -2 * 65536 * g * (1 << shift),
                              -2 * 65536 * r * (1 << shift)};
    for (int t = 0; t < 3; t++) {
      const int size = 1 << (3 * shift + t);
      for (int i = 0; i < size; i++) scores[size + i] = scores[i] + steps[t];
    }
  }
  for (int high = 0; high < 8; high++) {
    const int32_t step = -8 * 65536 * ((high >> 2) * r + (high >> 1 & 1) * g + (high & 1) * b);
    for (int i = 0; i < 64; i++) {
      const int32_t score = scores[i] + step;
      best[64 * high + i] = score < best[64 * high + i] ? score : best[64 * high + i];
    }
  }
}

static void nearest_in_cell(const kmc_entries *candidates, ptrdiff_t n, const uint8_t *corner, uint16_t *labels) {
  int32_t best[KMC_CELL_COLORS];
  if (n == 1) {
    for (int i = 0; i < KMC_CELL_COLORS; i++) labels[i] = (uint16_t)candidates->index[0];
    return;
  }
  float nearest = 1e9f;
  for (ptrdiff_t i = 0; i < n; i++) {
    const float dist2 = squared(candidates->red[i] - corner[0]) + squared(candidates->green[i] - corner[1]) +
                        squared(candidates->blue[i] - corner[2]);
    nearest = dist2 < nearest ? dist2 : nearest;
  }
  for (int i = 0; i < KMC_CELL_COLORS; i++) best[i] = INT32_MAX;
  for (ptrdiff_t i = 0; i < n; i++) {
    keep_nearer((int32_t)candidates->red[i] - corner[0], (int32_t)candidates->green[i] - corner[1],
                (int32_t)candidates->blue[i] - corner[2], (int32_t)nearest, candidates->index[i], best);
  }
  for (int i = 0; i < KMC_CELL_COLORS; i++) labels[i] = (uint16_t)(best[i] & 0xffff);
}

static void nearest_in_block(const kmc_palette *palette, uint32_t block, const int64_t *offsets, uint16_t *labels) {
  kmc_entries of_block = palette->of_block, of_cell = palette->of_cell;
  uint8_t corner[3];
  kmc_rgb_of_key(block * KMC_BLOCK_COLORS, corner);
  const ptrdiff_t n_of_block =
      candidates_of_box(&palette->entries, palette->k, corner, 16, palette->distances, &of_block);
  for (uint32_t i = 0; i < KMC_BLOCK_COLORS; i += KMC_CELL_COLORS) {
    const uint32_t cell = (block * KMC_BLOCK_COLORS + i) / KMC_CELL_COLORS;
    if (offsets && offsets[cell] == offsets[cell + 1]) continue;
    kmc_rgb_of_key(block * KMC_BLOCK_COLORS + i, corner);
    const ptrdiff_t n = candidates_of_box(&of_block, n_of_block, corner, 8, palette->distances, &of_cell);
    nearest_in_cell(&of_cell, n, corner, labels + i);
  }
}

const kmc_pixel_kernels KMC_PIXEL_TABLE = {keys_of_rgb, keys_of_rgba, nonzero_bits, squared_error, nearest_in_block};
