/* The final map; color_map.h tells the ways. */
#include "color_map.h"

/* The key's alpha leaves a range of keys, which is halved until one is left, without a branch that cannot be guessed.
 */
static inline int64_t position_of_key(const uint32_t *keys, const int64_t *alpha_start, uint32_t key) {
  int64_t first = alpha_start[key >> 24], length = alpha_start[(key >> 24) + 1] - first;
  while (length > 1) {
    const int64_t half = length / 2;
    first += keys[first + half] <= key ? half : 0;
    length -= half;
  }
  return first;
}

void kmc_index_alphas(const uint8_t *colors, ptrdiff_t n, uint32_t *keys, int64_t *alpha_start) {
  ptrdiff_t row = 0;
  for (int alpha = 0; alpha <= 256; alpha++) {
    for (; row < n && colors[4 * row + 3] < alpha; row++) {
      keys[row] = (uint32_t)colors[4 * row + 3] << 24 | kmc_key_of_rgb(colors + 4 * row);
    }
    alpha_start[alpha] = row;
  }
}

void kmc_mark_blocks(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, uint8_t *marks) {
  uint32_t keys[KMC_KEY_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    kernels->keys_of_rgb(pixels + 3 * first, batch, keys);
    for (ptrdiff_t i = 0; i < batch; i++) marks[keys[i] / KMC_BLOCK_COLORS] = 1;
  }
}

#define LABEL uint8_t
#define LABEL_NAME(word) word##_u8
#include "color_map.inc.h"
#undef LABEL
#undef LABEL_NAME

#define LABEL uint16_t
#define LABEL_NAME(word) word##_u16
#include "color_map.inc.h"
