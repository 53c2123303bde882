/* The exact histogram of a picture's colours.
 *
 * RGB. The pixels are dealt to buckets of neighbouring colours (key_partition.h), and each bucket is counted: one byte
 * for each of its colours, which stays within the cache; a counter that would pass 255 leaves its key in `wraps`. A
 * bucket belongs to one thread at a time, so nothing is counted twice and joined. What is needed in the end is a bit
 * for each colour that occurs, in words of boxes (4x4x4 colours, see color_keys.h): with the number of colours in all
 * earlier boxes it gives a colour's rank, which is its row in the result.
 *
 *   1. for each part of a batch, in parallel     kmc_partition_rgb  -> buckets, places
 *   2. for each bucket, in parallel              kmc_count_bucket   -> counters, wraps
 *   3. with that, once all batches are counted   kmc_take_bucket    -> bits, boxes, before, and the bucket's colours
 *   4. for ranges of buckets, in parallel        kmc_emit_bucket    -> colors, counts
 *   5. once                                      kmc_add_wraps      -> counts
 *
 * A picture of few blocks of colours is counted as its pixels come, in a table for each thread, which kmc_add_table
 * adds to the counters before step 3; only what the tables have no room for is dealt.
 *
 * Batches bound the memory. The counters of a picture of one batch are those of the buckets at hand; of a larger one,
 * those of all buckets, 16 MiB.
 *
 * RGBA. Opaque pixels go the same way. Pixels of alpha 0 are only counted. The keys of all others go to a list, which
 * kmc_sort_keys turns into distinct keys and counts (for each part, in parallel), and kmc_merge_keys adds the lists.
 * Their order is transparent, translucent by key, opaque by key.
 *
 * Everything is integers, so parts and ranges cannot change the result. No two pointers of one call may overlap.
 */
#ifndef KMC_HISTOGRAM_H
#define KMC_HISTOGRAM_H

#include "histogram/key_partition.h"

#define KMC_SMALL_PICTURE 65536 /* one thread sorts them in 0.9 ms */

/* The colours of one bucket. */
typedef struct {
  uint16_t *places; /* (n) ascending */
  uint8_t *counts;  /* (n) but for wraps */
  ptrdiff_t n;
} kmc_bucket_colors;

/* IN pixels (n); IN OUT counts (256), to which the pixels are added. */
void kmc_count_grey(const uint8_t *pixels, ptrdiff_t n, int64_t *counts);

/* Adds the pixels of one bucket to its counters (KMC_BUCKET_COLORS). IN buckets (n_parts), places (n_parts,
 * KMC_PART_PIXELS). */
void kmc_count_bucket(const kmc_buckets *buckets, const uint16_t *places, ptrdiff_t n_parts, ptrdiff_t bucket,
                      uint8_t *counters, kmc_wraps *wraps);

/* How many blocks of the bucket a table has. */
ptrdiff_t kmc_blocks_of_bucket(const kmc_table *table, ptrdiff_t bucket);

/* Adds what a table has of the bucket. */
void kmc_add_table(const kmc_table *table, ptrdiff_t bucket, uint8_t *counters, kmc_wraps *wraps);

/* IN OUT counters (KMC_BUCKET_COLORS), which become 0. OUT, of this bucket only: bits (KMC_N_BOXES); before
 * (KMC_N_BOXES): the number of colours in earlier boxes of the bucket; boxes (KMC_N_BLOCKS): bit i of word b is set
 * where box i of block b has colours; the bucket's colours, for which there must be room. */
void kmc_take_bucket(const kmc_pixel_kernels *kernels, ptrdiff_t bucket, uint8_t *counters, uint64_t *bits,
                     uint32_t *before, uint64_t *boxes, kmc_bucket_colors *taken);

/* OUT colors (n_distinct, channels), counts (n_distinct): rows first .. first + n - 1, of buckets first_bucket ..
 * last_bucket - 1, ordered by key. IN OUT before (KMC_N_BOXES): from then on the number of colours in all earlier
 * boxes. channels is 3 or 4; 4 writes alpha 255. */
void kmc_emit_buckets(const kmc_bucket_colors *taken, ptrdiff_t first_bucket, ptrdiff_t last_bucket, ptrdiff_t first,
                      ptrdiff_t channels, uint32_t *before, uint8_t *colors, int64_t *counts);

/* IN OUT counts (n_distinct): adds what the wraps stand for. */
void kmc_add_wraps(const kmc_wraps *wraps, const uint64_t *bits, const uint32_t *before, int64_t *counts);

/* IN OUT keys (n): in any order; then the distinct ones, ascending. OUT counts (n): scratch, then how often each
 * occurred (n < 2^32). Returns how many are distinct. */
ptrdiff_t kmc_sort_keys(uint32_t *keys, ptrdiff_t n, uint32_t *counts);

/* Adds lists that kmc_sort_keys made: list i is keys[starts[i]] .. with lengths[i] entries. IN OUT positions
 * (n_lists): scratch. OUT colors (n_distinct, 4), counts (n_distinct); with colors NULL they are only counted.
 * Returns n_distinct. */
ptrdiff_t kmc_merge_keys(const uint32_t *keys, const uint32_t *key_counts, const ptrdiff_t *starts,
                         const ptrdiff_t *lengths, ptrdiff_t n_lists, ptrdiff_t *positions, uint8_t *colors,
                         int64_t *counts);

/* Sorts by the upper half, which holds the key. Returns where the result lies: pairs (n) or scratch (n). */
const uint64_t *kmc_sort_pairs(uint64_t *pairs, uint64_t *scratch, ptrdiff_t n);

/* Small pictures: sorting is cheaper than clearing and reading a table of blocks (up to KMC_SMALL_PICTURE pixels).
 *
 * IN pixels (n, channels), channels 3 or 4. SCRATCH sorted, scratch (n). OUT colors (capacity n, channels), counts
 * (capacity n), in the order of the other way; ranks (n): the row of each pixel's colour. Returns how many rows. */
ptrdiff_t kmc_rank_pixels(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels,
                          uint64_t *sorted, uint64_t *scratch, uint8_t *colors, int64_t *counts, uint32_t *ranks);

/* sums (u) += counts (n) of each color (n, 3), by its rank among those that occur. */
void kmc_sum_counts(const kmc_pixel_kernels *kernels, const uint8_t *colors, ptrdiff_t n, const uint64_t *bits,
                    const uint32_t *before, const int64_t *counts, int64_t *sums);

#endif
