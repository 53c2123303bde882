/* Pixel kernels for every processor, and which table goes with which instruction set. */
#include "color_keys.h"

#define KMC_PIXEL_TABLE kmc_pixel_kernels_generic

static void keys_of_pixels(const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels, uint32_t *keys) {
  for (ptrdiff_t i = 0; i < n; i++) keys[i] = kmc_key_of_rgb(pixels + i * channels);
}

static void keys_of_rgb(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) { keys_of_pixels(pixels, n, 3, keys); }

static void keys_of_rgba(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) { keys_of_pixels(pixels, n, 4, keys); }

static uint64_t nonzero_bits(const uint8_t *counters) {
  uint64_t bits = 0;
  for (int i = 0; i < 64; i++) bits |= (uint64_t)(counters[i] != 0) << i;
  return bits;
}

static int64_t squared_error(const uint8_t *pixels, const uint32_t *entries, ptrdiff_t n) {
  int64_t sum = 0;
  for (ptrdiff_t i = 0; i < n; i++) sum += kmc_squared_error_of_pixel(pixels + 3 * i, entries[i]);
  return sum;
}

#include "nearest_in_block.inc.h"

const kmc_pixel_kernels *kmc_pixel_kernels_for(const kmc_kernels *kernels) {
#if defined(__x86_64__) || defined(_M_X64)
  extern const kmc_kernels kmc_kernels_generic;
  if (kernels != &kmc_kernels_generic) return &kmc_pixel_kernels_avx2; /* AVX-512 implies it */
#else
  (void)kernels;
#endif
  return &kmc_pixel_kernels_generic;
}
