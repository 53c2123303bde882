/* Colour keys: one integer for each colour, in an order in which neighbouring colours lie together.
 *
 * The key of (r, g, b) interleaves the bits of the channels (a Z-order, or Morton, curve): bit 3i+2 is bit i of r, bit
 * 3i+1 bit i of g, bit 3i bit i of b. So every box of side 2^s at a multiple of 2^s is one run of 8^s keys:
 *
 *   key >> 12   block: a box of 16x16x16 colours, 4096 of them
 *   key >> 6    box:   a box of 4x4x4 colours, 262144 of them: 64 keys, which are the bits of one word or the bytes of
 *                      one cache line
 *
 * With alpha the key has 32 bits, alpha << 24 | key(r, g, b), and all of alpha 0 has the one key 0.
 */
#ifndef KMC_COLOR_KEYS_H
#define KMC_COLOR_KEYS_H

#include "compiler.h"
#include "kmc_kernels.h"

#define KMC_BLOCK_COLORS 4096
#define KMC_N_BLOCKS 4096
#define KMC_BOX_COLORS 64
#define KMC_N_BOXES 262144
#define KMC_BLOCK_BOXES (KMC_BLOCK_COLORS / KMC_BOX_COLORS)

/* Keys are made for this many pixels at a time: 4 KiB, a small part of the first-level cache. */
#define KMC_KEY_BATCH 1024

#define KMC_MOST_TAKEN 1024 /* boxes of one call of take_counters */
#define KMC_TAKEN_SLACK 3   /* colours that it may write behind the last one */

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

static inline uint32_t kmc_rank_of_key(const uint64_t *bits, const uint32_t *before, uint32_t key) {
  const uint32_t box = key / KMC_BOX_COLORS;
  const uint64_t lower = ((uint64_t)1 << key % KMC_BOX_COLORS) - 1;
  return before[box] + (uint32_t)kmc_count_bits(bits[box] & lower);
}

static inline int32_t kmc_squared_error_of_pixel(const uint8_t *pixel, uint32_t entry) {
  const int32_t r = pixel[0] - (int32_t)(entry & 255), g = pixel[1] - (int32_t)(entry >> 8 & 255);
  const int32_t b = pixel[2] - (int32_t)(entry >> 16);
  return r * r + g * g + b * b;
}

/* keys_of_rgb, keys_of_rgba  IN pixels (n, 3) or (n, 4), n <= KMC_KEY_BATCH; OUT keys (n), of 24 bits: alpha is not
 *                            looked at. 0.3 ns for each pixel with AVX2.
 * ranks_of_keys              IN OUT keys (n), which become ranks: how many colours occur that have a lower key. IN
 *                            bits (KMC_N_BOXES) which colours occur, before (KMC_N_BOXES): how many in earlier boxes.
 * nonzero_bits               bit i is set where counters[i] is not 0: of KMC_BOX_COLORS counters.
 * take_counters              IN OUT counters (n boxes of KMC_BOX_COLORS), n <= KMC_MOST_TAKEN, which become 0. OUT bits
 *                            (n): which were not 0; places, counts (how many those are, and KMC_TAKEN_SLACK): where
 *                            they are, ascending, and what they were; before (n): how many in earlier boxes, written
 *                            for boxes that have any. Returns how many.
 * squared_error              Sum of the squared differences of pixels (n, 3) and entries (n), red, green and blue from
 *                            the lowest byte on, the highest 0; n <= KMC_KEY_BATCH. */
typedef struct {
  void (*keys_of_rgb)(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys);
  void (*keys_of_rgba)(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys);
  void (*ranks_of_keys)(const uint64_t *bits, const uint32_t *before, ptrdiff_t n, uint32_t *keys);
  uint64_t (*nonzero_bits)(const uint8_t *counters);
  uint32_t (*take_counters)(uint8_t *counters, ptrdiff_t n, uint64_t *bits, uint32_t *before, uint16_t *places,
                            uint8_t *counts);
  int64_t (*squared_error)(const uint8_t *pixels, const uint32_t *entries, ptrdiff_t n);
} kmc_pixel_kernels;

extern const kmc_pixel_kernels kmc_pixel_kernels_generic;
extern const kmc_pixel_kernels kmc_pixel_kernels_avx2; /* x86-64 builds only */

/* The pixel kernels of the same instruction set as `kernels`, a table that kmc_available gave. */
const kmc_pixel_kernels *kmc_pixel_kernels_for(const kmc_kernels *kernels);

#endif
