/* Pixels dealt to buckets of neighbouring colours, so that each bucket can be counted within the cache.
 *
 * A bucket holds the colours that share the upper 8 of the 24 bits of their keys (color_keys.h): a box of 32x64x64.
 * What is written for a pixel are the lower 16 bits, its place in the bucket. Pixels are taken in parts, which threads
 * share out; a part is small enough for the second-level cache.
 */
#ifndef KMC_KEY_PARTITION_H
#define KMC_KEY_PARTITION_H

#include "histogram/color_keys.h"

#define KMC_PART_PIXELS 65536
#define KMC_N_BUCKETS 256
#define KMC_BUCKET_COLORS 65536
#define KMC_BUCKET_BOXES (KMC_BUCKET_COLORS / KMC_BOX_COLORS)
#define KMC_BUCKET_BLOCKS (KMC_BUCKET_COLORS / KMC_BLOCK_COLORS)
#define KMC_RUN 8 /* equal pixels side by side that are written once */

/* The buckets of one part. Where bucket b's places lie: those of single pixels from singles[b] to singles[b + 1], those
 * that stand for KMC_RUN pixels each from runs[b] to runs[b + 1]. */
typedef struct {
  uint32_t singles[KMC_N_BUCKETS + 1], runs[KMC_N_BUCKETS + 1];
} kmc_buckets;

/* Keys of colours whose counter passed 255. A counter goes on from what is left above 255, so it is never 0 again; each
 * key stands for 255 pixels. */
typedef struct {
  uint32_t *keys; /* (pixels / 255 + 1) */
  ptrdiff_t n;
} kmc_wraps;

enum { KMC_WRAP = 255 };

static inline void kmc_add_to_counter(uint8_t *counter, uint32_t n, uint32_t key, kmc_wraps *wraps) {
  const uint32_t sum = *counter + n;
  *counter = (uint8_t)sum;
  if (KMC_RARELY(sum > KMC_WRAP)) {
    *counter = (uint8_t)(sum - KMC_WRAP);
    wraps->keys[wraps->n++] = key;
  }
}

/* Counters of one thread for the first blocks that it meets. Where a picture has few blocks, their counters lie in the
 * cache as they are, and pixels of these need not be dealt. */
typedef struct {
  uint32_t *block_start; /* (KMC_N_BLOCKS): where in `counters` the block's colours start, or KMC_NO_BLOCK */
  uint8_t *counters;     /* (KMC_TABLE_BLOCKS, KMC_BLOCK_COLORS), may be uninitialized: blocks are cleared as they are
                            taken */
  ptrdiff_t n_blocks;
} kmc_table;

#define KMC_NO_BLOCK UINT32_MAX
#define KMC_TABLE_BLOCKS 1024

/* Scratch of one thread. */
typedef struct {
  uint32_t singles[KMC_PART_PIXELS], runs[KMC_PART_PIXELS / KMC_RUN];
  uint16_t order[KMC_PART_PIXELS];
  kmc_wraps wraps;
  kmc_table table; /* with no block_start every pixel is dealt */
} kmc_partition_scratch;

/* A part of pixels (n, 3): a run of KMC_SAMPLE_RUN, anywhere in each of n_runs equal stretches. */
typedef struct {
  const uint8_t *pixels;
  ptrdiff_t n, n_runs;
} kmc_sample;

/* Pixels of a sample that lie side by side. Neighbours are alike: of 131072 sampled pixels in runs of 64, 16, 8
 * and 4 the MSE of k=256 is 1.054, 1.037, 1.032 and 1.025 times that of all pixels (mean of five photographs). */
#define KMC_SAMPLE_RUN 4

#define KMC_BOX_SAMPLE 8192

/* How many boxes of 8x8x8 colours KMC_BOX_SAMPLE of pixels (n, 3), spread evenly, lie in. */
ptrdiff_t kmc_sampled_boxes(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n);

/* How many blocks 4096 pixels of pixels (n, channels), evenly spread, lie in. */
ptrdiff_t kmc_sampled_blocks(const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels);

void kmc_table_clear(kmc_table *table);

/* IN pixels (n, 3), n <= KMC_PART_PIXELS. OUT buckets, places (n) of pixels that the table has no block for. */
void kmc_partition_rgb(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                       kmc_partition_scratch *scratch, kmc_buckets *buckets, uint16_t *places);

/* The same of runs first .. end - 1 of a sample, which have at most KMC_PART_PIXELS. */
void kmc_partition_sample(const kmc_pixel_kernels *kernels, const kmc_sample *sample, ptrdiff_t first, ptrdiff_t end,
                          kmc_partition_scratch *scratch, kmc_buckets *buckets, uint16_t *places);

/* IN pixels (n, 4), n <= KMC_PART_PIXELS. OUT buckets, places (n) of opaque pixels; translucent (n + 1): keys of pixels
 * of alpha 1 to 254, in the order of the pixels (the last element is scratch). Returns how many those are and sets
 * n_transparent to the number of pixels of alpha 0. */
ptrdiff_t kmc_partition_rgba(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                             kmc_partition_scratch *scratch, kmc_buckets *buckets, uint16_t *places,
                             uint32_t *translucent, int64_t *n_transparent);

#endif
