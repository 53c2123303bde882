/* The exact histogram of a picture's colours.
 *
 * RGB. The pixels are cut into parts, one counter each, which are then joined. What is needed in the end is a bit for
 * each colour that occurs, in words of boxes (4x4x4 colours, see color_keys.h): with the number of colours in all
 * earlier boxes it gives a colour's rank, which is its row in the result. There are two kinds of counters.
 *
 *   Up to KMC_MARKED_PIXELS pixels, most colours occur once or twice: a pixel sets its bit, and where that is set
 * already its key goes to a list. 2 MiB of bits, of which a photograph touches a quarter. When the ranks are known, the
 * list is counted by rank, in one byte for each colour; a counter that overflows leaves its rank in `wraps`.
 *
 *   Above, colours occur often: one byte for each colour, in a table of blocks (16x16x16 colours) that holds only those
 *   that occur, so that neighbouring pixels find their counters in the same few cache lines. A counter that would pass
 *   255 falls back to 1 and leaves its key in `wraps`; each entry stands for 255 pixels.
 *
 *   1. for each part, in parallel      kmc_counter_clear, kmc_count_rgb (as often as wanted, on any runs of pixels)
 *   2. for ranges of blocks            kmc_join_bits      -> bits, boxes
 *   3. once                            kmc_number_boxes   -> before
 *   4. for each part, in parallel      kmc_count_again
 *   5. for ranges of blocks            kmc_emit_colors    -> colors, counts
 *   6. once                            kmc_add_wraps      -> counts
 *
 * RGBA. Opaque pixels go the same way. Pixels of alpha 0 are only counted. The keys of all others go to a list, which
 * kmc_sort_keys turns into distinct keys and counts (for each part, in parallel), and kmc_merge_keys adds the lists.
 * Their order is transparent, translucent by key, opaque by key.
 *
 * Everything is integers, so parts and ranges cannot change the result. No two pointers of one call may overlap.
 */
#ifndef KMC_HISTOGRAM_H
#define KMC_HISTOGRAM_H

#include "color_keys.h"

#define KMC_NO_BLOCK UINT32_MAX
#define KMC_SMALL_PICTURE 65536 /* one thread sorts them in 0.9 ms; two threads with tables of blocks need as long */
#define KMC_MARKED_PIXELS 4194304

typedef struct {
  int is_marked; /* which kind it is */
  /* Marked. */
  uint64_t *bits;  /* (KMC_N_BOXES) */
  uint32_t *again; /* (pixels of the part + 1) keys of pixels whose bit was set; the last one is scratch */
  uint8_t *more;   /* (distinct colours of the picture): how often each rank is in `again` */
  /* Not marked. */
  uint32_t *block_start; /* (KMC_N_BLOCKS): where in `table` the block's colours start, or KMC_NO_BLOCK */
  uint8_t *table;        /* (capacity, KMC_BLOCK_COLORS), may be uninitialized: blocks are cleared as they are taken.
                            capacity: min(KMC_N_BLOCKS, pixels of the part): at most 16 MiB, of which only blocks that
                            occur are touched. */
  uint32_t *wraps;       /* (pixels of the part / 255 + 1): ranks or keys whose counter wrapped around */
  ptrdiff_t n_again, n_blocks, n_wraps;
} kmc_counter;

void kmc_counter_clear(kmc_counter *counter);

/* IN pixels (n, 3). A counter may take any number of pixels that its `wraps` has room for. */
void kmc_count_rgb(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, kmc_counter *counter);

/* IN pixels (n, 4); OUT translucent (n + 1): keys of pixels of alpha 1 to 254, in the order of the pixels (the last
 * element is scratch). Returns how many those are and adds the number of pixels of alpha 0 to *n_transparent. */
ptrdiff_t kmc_count_rgba(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, kmc_counter *counter,
                         uint32_t *translucent, int64_t *n_transparent);

/* IN pixels (n); IN OUT counts (256), to which the pixels are added. */
void kmc_count_grey(const uint8_t *pixels, ptrdiff_t n, int64_t *counts);

/* Of blocks first .. last - 1: OUT boxes (KMC_N_BLOCKS): bit i of word b is set where box i of block b has colours;
 * n_colors (KMC_N_BLOCKS): how many colours each block has; where there are any, bits (KMC_N_BOXES) and before
 * (KMC_N_BOXES): the number of colours in earlier boxes of the block. */
void kmc_join_bits(const kmc_pixel_kernels *kernels, const kmc_counter *counters, ptrdiff_t n_counters, ptrdiff_t first,
                   ptrdiff_t last, uint64_t *bits, uint64_t *boxes, uint32_t *before, int32_t *n_colors);

/* IN OUT before: from then on the number of colours in all earlier boxes. Returns the number of all colours. */
ptrdiff_t kmc_number_boxes(const int32_t *n_colors, uint32_t *before);

/* Counts what the counter has seen again, if it is marked: OUT more (n_distinct). */
void kmc_count_again(const kmc_pixel_kernels *kernels, kmc_counter *counter, const uint64_t *bits,
                     const uint32_t *before, ptrdiff_t n_distinct);

/* OUT colors (n_distinct, channels), counts (n_distinct): the rows of blocks first .. last - 1, ordered by key.
 * channels is 3 or 4; 4 writes alpha 255. A count is at most the number of pixels. */
void kmc_emit_colors(const kmc_counter *counters, ptrdiff_t n_counters, const uint64_t *bits, const uint64_t *boxes,
                     const uint32_t *before, ptrdiff_t first, ptrdiff_t last, ptrdiff_t channels, uint8_t *colors,
                     int64_t *counts);

/* IN OUT counts (n_distinct): adds what the counter's wraps stand for. */
void kmc_add_wraps(const kmc_counter *counter, const uint64_t *bits, const uint32_t *before, int64_t *counts);

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
