/* The exact histogram of a picture's colours.
 *
 * RGB. Pixels are counted in one byte for each colour, in a table of blocks (16x16x16 colours, see color_keys.h) that
 * holds only the blocks that occur: small pictures touch little memory, and neighbouring pixels, which have
 * neighbouring colours, find their counters in the same few cache lines. A counter that would pass 255 falls back to 1
 * and leaves its key in a list; each entry stands for 255 pixels. The pixels are cut into parts, one counter each,
 * which are then added:
 *
 *   1. for each part, in parallel      kmc_counter_clear, kmc_count_rgb (as often as wanted, on any runs of pixels),
 *                                      kmc_counter_finish
 *   2. once                            kmc_join_blocks
 *   3. for ranges of blocks            kmc_count_distinct -> n_colors; then the caller sums: offsets
 *   4. for ranges of blocks            kmc_emit_colors   -> colors, counts
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
#define KMC_WRAP 255
#define KMC_SMALL_PICTURE 65536 /* one thread sorts them in 0.9 ms; two threads with tables of blocks need as long */

typedef struct {
  uint32_t *block_start; /* (KMC_N_BLOCKS): where in `table` the block's colours start, or KMC_NO_BLOCK */
  uint8_t *table;        /* (capacity, KMC_BLOCK_COLORS), may be uninitialized: blocks are cleared as they are taken.
                            capacity: min(KMC_N_BLOCKS, pixels of the part); of the whole picture for the first part,
                            which kmc_join_blocks extends. At most 16 MiB; only blocks that occur are touched. */
  uint32_t *wraps;       /* (pixels of the part / 255 + 1): keys whose counter wrapped around */
  ptrdiff_t n_blocks, n_wraps;
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

/* Sorts the wraps. SCRATCH (as many as wraps). */
void kmc_counter_finish(kmc_counter *counter, uint32_t *scratch);

/* Gives the first counter an empty block for every block that only others have. */
void kmc_join_blocks(kmc_counter *counters, ptrdiff_t n_counters);

/* OUT n_colors (KMC_N_CELLS), of which the cells of blocks first .. last - 1 are written: the distinct colours of each
 * cell. Their running sum from 0 is the `offsets` below. */
void kmc_count_distinct(const kmc_pixel_kernels *kernels, const kmc_counter *counters, ptrdiff_t n_counters,
                        ptrdiff_t first_block, ptrdiff_t last_block, int32_t *n_colors);

/* IN offsets (KMC_N_CELLS + 1): the colours of cell c are offsets[c] .. offsets[c + 1] - 1, ordered by key.
 * OUT colors (n_distinct, channels), counts (n_distinct): the rows of blocks first .. last - 1. channels is 3 or 4; 4
 * writes alpha 255. A count is at most the number of pixels. */
void kmc_emit_colors(const kmc_pixel_kernels *kernels, const kmc_counter *counters, ptrdiff_t n_counters,
                     ptrdiff_t first_block, ptrdiff_t last_block, const int64_t *offsets, ptrdiff_t channels,
                     uint8_t *colors, int64_t *counts);

/* IN OUT keys (n): in any order; then the distinct ones, ascending. OUT counts (n): scratch, then how often each
 * occurred (n < 2^32). Returns how many are distinct. */
ptrdiff_t kmc_sort_keys(uint32_t *keys, ptrdiff_t n, uint32_t *counts);

/* Adds lists that kmc_sort_keys made: list i is keys[starts[i]] .. with lengths[i] entries. IN OUT positions
 * (n_lists): scratch. OUT colors (n_distinct, 4), counts (n_distinct); with colors NULL they are only counted.
 * Returns n_distinct. */
ptrdiff_t kmc_merge_keys(const uint32_t *keys, const uint32_t *key_counts, const ptrdiff_t *starts,
                         const ptrdiff_t *lengths, ptrdiff_t n_lists, ptrdiff_t *positions, uint8_t *colors,
                         int64_t *counts);

/* Small pictures: sorting is cheaper than clearing and reading a table of blocks (up to KMC_SMALL_PICTURE pixels).
 *
 * IN pixels (n, channels), channels 3 or 4. SCRATCH sorted, scratch (n). OUT colors (capacity n, channels), counts
 * (capacity n), in the order of the other way; ranks (n): the row of each pixel's colour. Returns how many rows. */
ptrdiff_t kmc_rank_pixels(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels,
                          uint64_t *sorted, uint64_t *scratch, uint8_t *colors, int64_t *counts, uint32_t *ranks);

/* IN colors (n, channels): opaque, ordered by key. OUT offsets (KMC_N_CELLS + 1) as above. */
void kmc_cell_offsets(const uint8_t *colors, ptrdiff_t n, ptrdiff_t channels, int64_t *offsets);

#endif
