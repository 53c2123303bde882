/* Pixel kernels for every processor, and which table goes with which instruction set. */
#include <math.h>
#include <string.h>

#include "color_keys.h"

#define KMC_PIXEL_TABLE kmc_pixel_kernels_generic

static void keys_of_pixels(const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels, uint32_t *keys) {
  for (ptrdiff_t i = 0; i < n; i++) keys[i] = kmc_key_of_rgb(pixels + i * channels);
}

static void keys_of_rgb(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) { keys_of_pixels(pixels, n, 3, keys); }

static void keys_of_rgba(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) { keys_of_pixels(pixels, n, 4, keys); }

static void ranks_of_keys(const uint64_t *bits, const uint32_t *before, ptrdiff_t n, uint32_t *keys) {
  for (ptrdiff_t i = 0; i < n; i++) keys[i] = kmc_rank_of_key(bits, before, keys[i]);
}

static uint64_t nonzero_bits(const uint8_t *counters) {
  uint64_t bits = 0;
  for (int i = 0; i < 64; i++) bits |= (uint64_t)(counters[i] != 0) << i;
  return bits;
}

static inline int count_bits(uint64_t word) { return kmc_count_bits(word); }

#include "take_counters.inc.h"

static int64_t squared_error(const uint8_t *pixels, const uint32_t *entries, ptrdiff_t n) {
  int64_t sum = 0;
  for (ptrdiff_t i = 0; i < n; i++) sum += kmc_squared_error_of_pixel(pixels + 3 * i, entries[i]);
  return sum;
}

/* Coordinates are halves of integers and squared distances below 2^20: float is exact. */
static void keep_in_octants(const kmc_node *node, const uint8_t *corner, int32_t side) {
  const float half = 0.25f * (float)side - 0.5f;
  memset(node->keep, 0, (size_t)node->n);
  for (int octant = 0; octant < 8; octant++) {
    const float red = (float)(corner[0] + (octant >> 2) * side / 2) + half;
    const float green = (float)(corner[1] + (octant >> 1 & 1) * side / 2) + half;
    const float blue = (float)(corner[2] + (octant & 1) * side / 2) + half;
    float least = INFINITY;
    ptrdiff_t near = 0;
    for (ptrdiff_t i = 0; i < node->n; i++) {
      const float r = node->red[i] - red, g = node->green[i] - green, b = node->blue[i] - blue;
      const float dist2 = r * r + g * g + b * b;
      if (dist2 >= least) continue;
      least = dist2;
      near = i;
    }
    for (ptrdiff_t i = 0; i < node->n; i++) {
      const float r = node->red[i] - red, g = node->green[i] - green, b = node->blue[i] - blue;
      const float apart = fabsf(node->red[i] - node->red[near]) + fabsf(node->green[i] - node->green[near]) +
                          fabsf(node->blue[i] - node->blue[near]);
      const int keep = r * r + g * g + b * b - least <= 2 * half * apart;
      node->keep[i] |= (uint8_t)(keep << octant);
    }
  }
}

#include "nearest_in_box.inc.h"

const kmc_pixel_kernels *kmc_pixel_kernels_for(const kmc_kernels *kernels) {
#if defined(__x86_64__) || defined(_M_X64)
  extern const kmc_kernels kmc_kernels_generic;
  if (kernels != &kmc_kernels_generic) return &kmc_pixel_kernels_avx2; /* AVX-512 implies it */
#else
  (void)kernels;
#endif
  return &kmc_pixel_kernels_generic;
}
