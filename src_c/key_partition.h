/* Pixels dealt to buckets of neighbouring colours, so that each bucket can be counted within the cache.
 *
 * A bucket holds the colours that share the upper 8 of the 24 bits of their keys (color_keys.h): a box of 32x64x64. What is
 * written for a pixel are the lower 16 bits, its place in the bucket. Pixels are taken in parts, which threads
 * share out; a part is small enough for the second-level cache.
 */
#ifndef KMC_KEY_PARTITION_H
#define KMC_KEY_PARTITION_H

#include "color_keys.h"

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

/* Scratch of one thread. */
typedef struct {
  uint32_t singles[KMC_PART_PIXELS], runs[KMC_PART_PIXELS / KMC_RUN];
  uint16_t order[KMC_PART_PIXELS];
} kmc_partition_scratch;

/* IN pixels (n, 3), n <= KMC_PART_PIXELS. OUT buckets, places (n). */
void kmc_partition_rgb(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                       kmc_partition_scratch *scratch, kmc_buckets *buckets, uint16_t *places);

/* IN pixels (n, 4), n <= KMC_PART_PIXELS. OUT buckets, places (n) of opaque pixels; translucent (n + 1): keys of pixels of
 * alpha 1 to 254, in the order of the pixels (the last element is scratch). Returns how many those are and sets
 * n_transparent to the number of pixels of alpha 0. */
ptrdiff_t kmc_partition_rgba(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                             kmc_partition_scratch *scratch, kmc_buckets *buckets, uint16_t *places,
                             uint32_t *translucent, int64_t *n_transparent);

#endif
