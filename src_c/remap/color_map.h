/* The final map: every pixel of a picture gets the label (palette index) of its colour.
 *
 * RGB pixels and a palette, nearest in sRGB. Few entries: each pixel is compared with each entry (nearest_entry.h).
 * Else the labels of boxes of 4x4x4 colours are found first (box_labels.h), and a pixel costs one access at random.
 * Which boxes occur is known where the pixels were counted; else they are marked first.
 *
 *   1. for ranges of pixels     kmc_mark_boxes: which boxes occur
 *   2. for ranges of blocks     kmc_join_marks, if they were marked; kmc_fill_boxes: each range has its own lines
 *   3. for ranges of pixels     kmc_map_rgb_*
 *
 * Other spaces, and pixels with alpha: a label for each distinct colour of a histogram, kmc_map_counted_*; of a small
 * picture, kmc_map_ranks_*.
 *
 * Labels are uint8 (suffix u8, up to 256 entries) or uint16 (u16, up to 65536). No two pointers of a call overlap.
 */
#ifndef KMC_COLOR_MAP_H
#define KMC_COLOR_MAP_H

#include "remap/box_labels.h"
#include "histogram/histogram.h"

/* IN pixels (n, channels), entries (k, channels), k <= 256, indices (n) below k. Returns the sum of the squared
 * differences; of RGBA pixels with alpha 0 the colour counts as 0. At most 2^63: 4 * 255^2 for each of 2^45 pixels. */
int64_t kmc_error_of_indices(const kmc_label_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels,
                             const uint8_t *entries, ptrdiff_t k, const uint8_t *indices);

/* Translucent colours of an RGBA picture: `keys` (n) ascending with labels in the same order. alpha_start (257): those
 * of alpha a are alpha_start[a] .. alpha_start[a + 1] - 1; kmc_index_alphas writes it. */
void kmc_index_alphas(const uint8_t *colors, ptrdiff_t n, uint32_t *keys, int64_t *alpha_start);

/* IN pixels (n, 3). IN OUT marks (KMC_N_BOXES): becomes 1 for each box that occurs. */
void kmc_mark_boxes(const kmc_label_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, uint8_t *marks);

/* IN OUT boxes (KMC_N_BLOCKS), of blocks first .. last - 1: bit i of word b becomes 1 where box i of block b is
 * marked. */
void kmc_join_marks(const kmc_pixel_kernels *kernels, const uint8_t *marks, ptrdiff_t first, ptrdiff_t last,
                    uint64_t *boxes);

/* IN pixels (n, 3), map; entries (256, of which k are used; or k): red, green and blue from the lowest byte on. OUT
 * indices (n). Returns the sum of the squared differences to the entries. */
int64_t kmc_map_rgb_u8(const kmc_label_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, const kmc_box_map *map,
                       const uint32_t *entries, ptrdiff_t k, uint8_t *indices);
int64_t kmc_map_rgb_u16(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, const kmc_box_map *map,
                        const uint32_t *entries, uint16_t *indices);

/* map_counted: IN pixels (n, channels), channels 3 or 4; bits and before as for ranks_of_keys, of the opaque colours,
 * and their labels by rank. Of RGBA also keys, alpha_start and translucent_labels of the translucent colours, and
 * transparent_label: of alpha 0.
 *
 * map_grey: IN pixels (n), labels (256). map_ranks: IN ranks (n) from kmc_rank_pixels, labels, one for each colour. */
#define KMC_DECLARE_COLOR_MAP(label_t, suffix)                                                                   \
  void kmc_map_counted_##suffix(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,            \
                                ptrdiff_t channels, const uint64_t *bits, const uint32_t *before,                \
                                const label_t *labels, const uint32_t *keys, const int64_t *alpha_start,         \
                                const label_t *translucent_labels, label_t transparent_label, label_t *indices); \
  void kmc_map_grey_##suffix(const uint8_t *pixels, ptrdiff_t n, const label_t *labels, label_t *indices);       \
  void kmc_map_ranks_##suffix(const uint32_t *ranks, ptrdiff_t n, const label_t *labels, label_t *indices);

KMC_DECLARE_COLOR_MAP(uint8_t, u8)
KMC_DECLARE_COLOR_MAP(uint16_t, u16)

#endif
