/* The final map; color_map.h tells the ways. */
#include "color_map.h"

#include <string.h>

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

int64_t kmc_error_of_indices(const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels, const uint8_t *entries,
                             const uint8_t *indices) {
  int64_t sum = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint8_t *pixel = pixels + i * channels, *entry = entries + indices[i] * channels;
    const int seen = channels < 4 || pixel[3] > 0;
    int32_t square = 0;
    for (ptrdiff_t t = 0; t < channels; t++) {
      const int32_t difference = seen * pixel[t] - entry[t];
      square += difference * difference;
    }
    sum += square;
  }
  return sum;
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

/* IN OUT places (n): keys, which become places in the table. Returns 0 if a block is missing. */
static int places_of_keys(const uint32_t *block_start, ptrdiff_t n, uint32_t *places) {
  int missing = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint32_t start = block_start[places[i] / KMC_BLOCK_COLORS];
    missing |= start == KMC_NO_BLOCK;
    places[i] = start + places[i] % KMC_BLOCK_COLORS;
  }
  return !missing;
}

#define LABEL uint8_t
#define LABEL_NAME(word) word##_u8
#include "color_map.inc.h"
#undef LABEL
#undef LABEL_NAME

#define LABEL uint16_t
#define LABEL_NAME(word) word##_u16
#include "color_map.inc.h"
