/* The colours of a sample of pixels, joined in boxes of the colour space: small ones where there are many pixels, large
 * ones where there are few.
 *
 * The sampled pixels are dealt to buckets (key_partition.h). Of a bucket the pixels in each box of 8x8x8 colours are
 * counted. A box whose count times its side squared is above a bound is divided in eight, and so are these, down to
 * boxes of 2^bits levels a side: so all that are left have about as much scatter. Each gives its mean, and where the
 * bound would have it divided further, the levels below and above the mean: rounding would move dense colours. Counts
 * and sums are made together: a pixel is one addition of four integers.
 *
 *   1. for each part, in parallel       kmc_partition_sample     -> buckets, places
 *   2. for each bucket, in parallel     kmc_join_bucket          -> its boxes
 *   3. for each bucket                  kmc_emit_joined          -> colors, counts
 */
#ifndef KMC_COLOR_SAMPLE_H
#define KMC_COLOR_SAMPLE_H

#include "histogram/key_partition.h"

#define KMC_JOINED_BITS 3      /* of the widest boxes, which are those of flatness.h */
#define KMC_MOST_JOINED_BITS 2 /* of the smallest */
#define KMC_BUCKET_JOINED (KMC_BUCKET_COLORS >> 3 * KMC_JOINED_BITS)

/* Pixels in a box: how many, then the sums of what their red, green and blue are above the corner of the widest box.
 * Of up to 2^28 pixels they are below 2^31. */
typedef struct {
  uint32_t sums[4];
} kmc_moment;

typedef struct {
  uint32_t color, count; /* red in the lowest byte */
} kmc_joined_color;

typedef struct {
  kmc_joined_color *colors; /* (n), of room for as many as the bucket has pixels */
  ptrdiff_t n;
} kmc_joined_bucket;

/* What one thread needs. */
typedef struct {
  int bits;            /* 0 .. KMC_MOST_JOINED_BITS */
  uint64_t bound;      /* on a box that is not divided; 0: to the smallest, of which each gives its mean */
  kmc_moment *moments; /* (KMC_BUCKET_COLORS >> 3 * bits) of the smallest boxes; 0 between two buckets */
  kmc_moment steps[1 << 3 * KMC_JOINED_BITS]; /* what a pixel adds, by where in the widest box it is */
} kmc_joiner;

/* IN of joiner: bits, bound, moments. */
void kmc_joiner_prepare(kmc_joiner *joiner);

/* IN buckets (n_parts), places (n_parts, KMC_PART_PIXELS). OUT joined, in the order of their keys; means are
 * rounded to whole levels, halves up. */
void kmc_join_bucket(const kmc_buckets *buckets, const uint16_t *places, ptrdiff_t n_parts, ptrdiff_t bucket,
                     kmc_joiner *joiner, kmc_joined_bucket *joined);

/* OUT colors (n, 3), counts (n). */
void kmc_emit_joined(const kmc_joined_bucket *joined, uint8_t *colors, int64_t *counts);

#endif
