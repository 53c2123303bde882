/* Colour keys: one integer for each colour, in an order in which neighbouring colours lie together.
 *
 * The key of (r, g, b) interleaves the bits of the channels (a Z-order, or Morton, curve): bit 3i+2 is bit i of r, bit
 * 3i+1 bit i of g, bit 3i bit i of b. So every box of side 2^s at a multiple of 2^s is one run of 8^s keys:
 *
 *   key >> 12   block: a box of 16x16x16 colours, 4096 of them
 *   key >> 9    cell:  a box of 8x8x8 colours, 32768 of them; its number is the key of (r >> 3, g >> 3, b >> 3)
 *   key >> 6    a box of 4x4x4 colours: 64 keys, which is one cache line of byte counters
 *
 * With alpha the key has 32 bits, alpha << 24 | key(r, g, b), and all of alpha 0 has the one key 0.
 */
#ifndef KMC_COLOR_KEYS_H
#define KMC_COLOR_KEYS_H

#include "kmc_kernels.h"

#define KMC_BLOCK_COLORS 4096
#define KMC_N_BLOCKS 4096
#define KMC_CELL_COLORS 512
#define KMC_N_CELLS 32768

/* Keys are made for this many pixels at a time: 4 KiB, a small part of the first-level cache. */
#define KMC_KEY_BATCH 1024

static inline uint32_t kmc_spread_bits(uint32_t value) {
  value = (value | value << 8) & 0x00f00fu;
  value = (value | value << 4) & 0x0c30c3u;
  return (value | value << 2) & 0x249249u;
}

static inline uint32_t kmc_gather_bits(uint32_t value) {
  value &= 0x249249u;
  value = (value | value >> 2) & 0x0c30c3u;
  value = (value | value >> 4) & 0x00f00fu;
  return (value | value >> 8) & 0x0000ffu;
}

static inline uint32_t kmc_key_of_rgb(const uint8_t *rgb) {
  return kmc_spread_bits(rgb[0]) << 2 | kmc_spread_bits(rgb[1]) << 1 | kmc_spread_bits(rgb[2]);
}

static inline void kmc_rgb_of_key(uint32_t key, uint8_t *rgb) {
  rgb[0] = (uint8_t)kmc_gather_bits(key >> 2);
  rgb[1] = (uint8_t)kmc_gather_bits(key >> 1);
  rgb[2] = (uint8_t)kmc_gather_bits(key);
}

static inline int32_t kmc_squared_error_of_pixel(const uint8_t *pixel, uint32_t entry) {
  const int32_t r = pixel[0] - (int32_t)(entry & 255), g = pixel[1] - (int32_t)(entry >> 8 & 255);
  const int32_t b = pixel[2] - (int32_t)(entry >> 16);
  return r * r + g * g + b * b;
}

/* Palette entries as coordinates (exact integers) and indices into the palette, 0 to 65535. */
typedef struct {
  float *red, *green, *blue;
  int32_t *index;
} kmc_entries;

/* A palette whose nearest entry is looked for: squared Euclidean distance in sRGB, exact; ties to the lowest index. */
typedef struct {
  ptrdiff_t k;                   /* 1 .. 65536 */
  kmc_entries entries;           /* IN: (k) each, in order of index, which is 0 .. k - 1 */
  const uint32_t *packed;        /* IN: (k) red, green and blue from the lowest byte on; the highest is 0 */
  kmc_entries of_block, of_cell; /* SCRATCH of one thread: (k) each */
  float *distances;              /* SCRATCH of one thread: (k) */
} kmc_palette;

/* keys_of_rgb, keys_of_rgba   IN pixels (n, 3) or (n, 4), n <= KMC_KEY_BATCH; OUT keys (n), of 24 bits: alpha is not
 *                             looked at. 0.3 ns for each pixel with AVX2.
 * nonzero_bits                bit i is set where counters[i] is not 0: of 64 counters.
 * squared_error               Sum of the squared differences of pixels (n, 3) and entries (n), packed as in
 * kmc_palette; n <= KMC_KEY_BATCH. nearest_in_block            OUT labels (KMC_BLOCK_COLORS): the nearest palette entry
 * of each colour of the block. With `offsets` (those of kmc_emit_colors, else NULL) cells that have no colours are left
 * as they are. */
typedef struct {
  void (*keys_of_rgb)(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys);
  void (*keys_of_rgba)(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys);
  uint64_t (*nonzero_bits)(const uint8_t *counters);
  int64_t (*squared_error)(const uint8_t *pixels, const uint32_t *entries, ptrdiff_t n);
  void (*nearest_in_block)(const kmc_palette *palette, uint32_t block, const int64_t *offsets, uint16_t *labels);
} kmc_pixel_kernels;

extern const kmc_pixel_kernels kmc_pixel_kernels_generic;
extern const kmc_pixel_kernels kmc_pixel_kernels_avx2; /* x86-64 builds only */

/* The pixel kernels of the same instruction set as `kernels`, a table that kmc_available gave. */
const kmc_pixel_kernels *kmc_pixel_kernels_for(const kmc_kernels *kernels);

#endif
