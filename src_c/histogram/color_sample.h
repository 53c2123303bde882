/* The colours of a sample of pixels, joined in small boxes.
 *
 * A box has 2^bits levels a side, and one word of four bytes: its count, and the sums of what its pixels' red, green
 * and blue are above its corner. So a pixel is one addition, whichever box it falls in. Words stand in blocks (16x16x16
 * colours), of which only those that occur are cleared and read.
 *
 *   1. once           kmc_sampler_clear
 *   2. any number     kmc_sample_rgb
 *   3. once           kmc_emit_sample  -> colors, counts
 */
#ifndef KMC_COLOR_SAMPLE_H
#define KMC_COLOR_SAMPLE_H

#include "histogram/color_keys.h"

#define KMC_MOST_JOINED_BITS 2

typedef struct {
  int bits; /* 0 .. KMC_MOST_JOINED_BITS */
  ptrdiff_t n_blocks, n_full;
  uint32_t *block_start; /* (KMC_N_BLOCKS): where in `words` the block's boxes start, or KMC_NO_WORDS */
  uint32_t *words;       /* (capacity, KMC_BLOCK_COLORS >> 3 * bits), may be uninitialized; capacity:
                            min(KMC_N_BLOCKS, pixels) */
  uint64_t *full;        /* (2, capacity): words that another pixel could overflow, below the number of the box;
                            capacity: pixels / 85 + 1 */
} kmc_sampler;

#define KMC_NO_WORDS UINT32_MAX

void kmc_sampler_clear(kmc_sampler *sampler);

/* IN pixels (n, 3). */
void kmc_sample_rgb(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, kmc_sampler *sampler);

/* OUT colors (boxes, 3): the means, rounded to whole levels, in the order of their keys; counts (boxes). There are at
 * most as many boxes as pixels. Returns how many. */
ptrdiff_t kmc_emit_sample(const kmc_pixel_kernels *kernels, kmc_sampler *sampler, uint8_t *colors, int64_t *counts);

#endif
