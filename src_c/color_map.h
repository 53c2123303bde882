/* The final map: every pixel of a picture gets the label (palette index) of its colour.
 *
 * RGB pixels are looked up in a table of blocks like that of the histogram: block_start (KMC_N_BLOCKS) and `table`,
 * with one label for each colour. After a histogram the first counter's block_start and, for uint8 labels, its table
 * are used again: they hold all blocks that occur, and their memory is warm.
 *
 *   from a histogram: kmc_place_labels_* for ranges of colours, then kmc_map_rgb_* or _rgba_* for ranges of pixels
 *   from a palette:   kmc_apply_rgb_*, which fills a block when the first pixel of it comes. Each range that runs in
 *                     parallel has its own block_start, kmc_palette scratch and room in the table. To fill most blocks
 *                     only once: kmc_fill_block_* for those of a sample, and a copy of that block_start for each range.
 *   from ranks:       kmc_map_ranks_*
 *
 * Labels are uint8 (suffix u8, up to 256 entries) or uint16 (u16, up to 65536). No two pointers of a call overlap.
 */
#ifndef KMC_COLOR_MAP_H
#define KMC_COLOR_MAP_H

#include "histogram.h"

/* IN pixels (n, channels), entries (k, channels), indices (n) below k. Returns the sum of the squared differences; of
 * RGBA pixels with alpha 0 the colour counts as 0. At most 2^63: 4 * 255^2 for each of 2^45 pixels. */
int64_t kmc_error_of_indices(const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels, const uint8_t *entries,
                             const uint8_t *indices);

/* Translucent colours of an RGBA picture: `keys` (n) ascending with labels in the same order. alpha_start (257): those
 * of alpha a are alpha_start[a] .. alpha_start[a + 1] - 1; kmc_index_alphas writes it. */
void kmc_index_alphas(const uint8_t *colors, ptrdiff_t n, uint32_t *keys, int64_t *alpha_start);

/* place_labels   IN colors (n, channels) opaque, labels (n). OUT table: one label for each of the colours. Their blocks
 *                must be in block_start.
 * fill_block     OUT labels (KMC_BLOCK_COLORS): the nearest palette entries of the block's colours, 0 in cells that
 * have none; offsets as for nearest_in_block. 2 to 3 us for k=256 with AVX2. squared_error  IN colors (n, 3), counts
 * (n), whose labels the table has; entries (k, 3): the palette. Returns the sum of count * squared distance, at most
 * 2^63: 195075 for each of 2^45 pixels. map_rgb        IN pixels (n, 3); OUT indices (n). Pixels must lie in blocks of
 * block_start, unless `palette` is given: then missing blocks are filled; the next starts at *n_blocks *
 * KMC_BLOCK_COLORS. map_rgba       IN pixels (n, 4), of whose colours the table has the opaque ones and keys,
 * alpha_start, translucent_labels the translucent ones; transparent_label: of alpha 0. map_grey       IN pixels (n),
 * labels (256). map_ranks      IN ranks (n) from kmc_rank_pixels, labels: one for each distinct colour. */
#define KMC_DECLARE_COLOR_MAP(label_t, suffix)                                                                         \
  void kmc_place_labels_##suffix(const uint8_t *colors, ptrdiff_t channels, const label_t *labels, ptrdiff_t n,        \
                                 const uint32_t *block_start, label_t *table);                                         \
  void kmc_fill_block_##suffix(const kmc_pixel_kernels *kernels, const kmc_palette *palette, uint32_t block,           \
                               const int64_t *offsets, label_t *labels);                                               \
  int64_t kmc_squared_error_##suffix(const kmc_pixel_kernels *kernels, const uint8_t *colors, const int64_t *counts,   \
                                     ptrdiff_t n, const uint32_t *block_start, const label_t *table,                   \
                                     const uint8_t *entries);                                                          \
  void kmc_map_rgb_##suffix(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,                      \
                            const uint32_t *block_start, const label_t *table, label_t *indices);                      \
  int64_t kmc_apply_rgb_##suffix(const kmc_pixel_kernels *kernels, const kmc_palette *palette, const uint8_t *pixels,  \
                                 ptrdiff_t n, uint32_t *block_start, label_t *table, ptrdiff_t *n_blocks,              \
                                 label_t *indices);                                                                    \
  void kmc_map_rgba_##suffix(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,                     \
                             const uint32_t *block_start, const label_t *table, const uint32_t *keys,                  \
                             const int64_t *alpha_start, const label_t *translucent_labels, label_t transparent_label, \
                             label_t *indices);                                                                        \
  void kmc_map_grey_##suffix(const uint8_t *pixels, ptrdiff_t n, const label_t *labels, label_t *indices);             \
  void kmc_map_ranks_##suffix(const uint32_t *ranks, ptrdiff_t n, const label_t *labels, label_t *indices);

KMC_DECLARE_COLOR_MAP(uint8_t, u8)
KMC_DECLARE_COLOR_MAP(uint16_t, u16)

#endif
