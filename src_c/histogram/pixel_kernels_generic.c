/* Pixel kernels for every processor, and which table goes with which instruction set. */
#include "histogram/color_keys.h"

#include <string.h>

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

#include "histogram/take_counters.inc.h"

static int64_t squared_error(const uint8_t *pixels, const uint32_t *entries, ptrdiff_t n) {
  int64_t sum = 0;
  for (ptrdiff_t i = 0; i < n; i++) sum += kmc_squared_error_of_pixel(pixels + 3 * i, entries[i]);
  return sum;
}

const kmc_pixel_kernels kmc_pixel_kernels_generic = {keys_of_rgb,  keys_of_rgba,  ranks_of_keys,
                                                     nonzero_bits, take_counters, squared_error};

const kmc_pixel_kernels *kmc_pixel_kernels_for(const kmc_kernels *kernels) {
#if defined(__x86_64__) || defined(_M_X64)
  extern const kmc_kernels kmc_kernels_generic;
  if (kernels != &kmc_kernels_generic) return &kmc_pixel_kernels_avx2; /* AVX-512 implies it */
#else
  (void)kernels;
#endif
  return &kmc_pixel_kernels_generic;
}
