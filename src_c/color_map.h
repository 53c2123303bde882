/* The final map: every pixel of a picture gets the label (palette index) of its colour.
 *
 * RGB pixels are looked up in a table of blocks like that of the histogram: block_start (KMC_N_BLOCKS) and `table`,
 * with one label for each colour. After a histogram the first counter's block_start and, for uint8 labels, its table
 * are used again: they hold all blocks that occur, and their memory is warm.
 *
 *   from a histogram: kmc_place_labels_* for ranges of colours, then kmc_map_*_* for ranges of pixels
 *   from a palette:   kmc_map_rgb_* with a kmc_palette: a block is filled when the first pixel of it comes. Then each
 *                     range that runs in parallel needs its own block_start (memset 0xff) and table. Also
 *                     kmc_fill_block_*, for blocks known to come.
 *
 * Labels are uint8 (suffix u8, up to 256 entries) or uint16 (u16, up to 65536). No two pointers of a call overlap.
 */
#ifndef KMC_COLOR_MAP_H
#define KMC_COLOR_MAP_H

#include "histogram.h"

/* A palette whose nearest entry is looked for (squared Euclidean distance in sRGB, exact; ties to the lowest index). */
typedef struct {
  const uint8_t *colors; /* (k, 3) */
  int32_t *candidates;   /* (2, k) SCRATCH of one thread */
  float *distances;      /* (k) SCRATCH of one thread */
  ptrdiff_t k;           /* 1 .. 65536 */
} kmc_palette;

/* Translucent colours of an RGBA picture: `keys` (n) ascending with labels in the same order. alpha_start (257): those
 * of alpha a are alpha_start[a] .. alpha_start[a + 1] - 1; kmc_index_alphas writes it. */
void kmc_index_alphas(const uint8_t *colors, ptrdiff_t n, uint32_t *keys, int64_t *alpha_start);

/* place_labels  IN colors (n, channels) opaque, labels (n). OUT table: one label for each of the colours. Their blocks
 *               must be in block_start.
 * fill_block    OUT table[start ..]: the nearest palette entries of all colours of the block. 2 to 3 us for k=256.
 * map_rgb       IN pixels (n, 3); OUT indices (n). Pixels must lie in blocks of block_start, unless `palette` is given:
 *               then missing blocks are filled at *n_blocks, which counts them (capacity as in histogram.h).
 * map_rgba      IN pixels (n, 4), of whose colours the table has the opaque ones and keys, alpha_start,
 *               translucent_labels the translucent ones; transparent_label: of alpha 0.
 * map_grey      IN pixels (n), labels (256). */
#define KMC_DECLARE_COLOR_MAP(label_t, suffix)                                                                         \
  void kmc_place_labels_##suffix(const uint8_t *colors, ptrdiff_t channels, const label_t *labels, ptrdiff_t n,        \
                                 const uint32_t *block_start, label_t *table);                                         \
  void kmc_fill_block_##suffix(const kmc_palette *palette, uint32_t block, label_t *labels);                           \
  void kmc_map_rgb_##suffix(const kmc_key_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, uint32_t *block_start, \
                            label_t *table, const kmc_palette *palette, ptrdiff_t *n_blocks, label_t *indices);        \
  void kmc_map_rgba_##suffix(const kmc_key_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,                       \
                             const uint32_t *block_start, const label_t *table, const uint32_t *keys,                  \
                             const int64_t *alpha_start, const label_t *translucent_labels, label_t transparent_label, \
                             label_t *indices);                                                                        \
  void kmc_map_grey_##suffix(const uint8_t *pixels, ptrdiff_t n, const label_t *labels, label_t *indices);

KMC_DECLARE_COLOR_MAP(uint8_t, u8)
KMC_DECLARE_COLOR_MAP(uint16_t, u16)

#endif
