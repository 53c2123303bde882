/* The final map; color_map.h tells the ways. */
#include "remap/color_map.h"

#include <string.h>

#include "compiler.h"

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

static int64_t error_of_rgb(const kmc_label_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                            const uint8_t *entries, ptrdiff_t k, const uint8_t *indices) {
  uint32_t packed[256] = {0};
  int64_t sum = 0;
  for (ptrdiff_t j = 0; j < k; j++) {
    packed[j] = entries[3 * j] | (uint32_t)entries[3 * j + 1] << 8 | (uint32_t)entries[3 * j + 2] << 16;
  }
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    sum += kernels->squared_error(pixels + 3 * first, indices + first, batch, packed, k);
  }
  return sum;
}

int64_t kmc_error_of_indices(const kmc_label_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels,
                             const uint8_t *entries, ptrdiff_t k, const uint8_t *indices) {
  if (channels == 3) return error_of_rgb(kernels, pixels, n, entries, k, indices);
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

void kmc_mark_boxes(const kmc_label_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, uint8_t *marks) {
  uint32_t keys[KMC_KEY_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    kernels->keys_of_rgb(pixels + 3 * first, batch, keys);
    for (ptrdiff_t i = 0; i < batch; i++) marks[keys[i] / KMC_BOX_COLORS] = 1;
  }
}

void kmc_join_marks(const kmc_pixel_kernels *kernels, const uint8_t *marks, ptrdiff_t first, ptrdiff_t last,
                    uint64_t *boxes) {
  for (ptrdiff_t block = first; block < last; block++) {
    boxes[block] |= kernels->nonzero_bits(marks + block * KMC_BLOCK_BOXES);
  }
}

/* OUT indices of the keys at places `others`: their cells have another label first. */
static void label_others(const kmc_box_map *map, const uint32_t *keys, const uint32_t *others, ptrdiff_t n,
                         uint8_t *indices) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint32_t key = keys[others[i]];
    const size_t line = map->line_of[key / KMC_BOX_COLORS];
    indices[others[i]] = map->lines[line * KMC_BOX_COLORS + key % KMC_BOX_COLORS];
  }
}

int64_t kmc_map_rgb_u8(const kmc_label_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, const kmc_box_map *map,
                       const uint32_t *entries, ptrdiff_t k, uint8_t *indices) {
  uint32_t keys[KMC_KEY_BATCH], others[KMC_KEY_BATCH + KMC_OTHERS_SLACK];
  int64_t sum = 0;
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    uint8_t *const own = indices + first;
    kernels->keys_of_rgb(pixels + 3 * first, batch, keys);
    label_others(map, keys, others, kernels->label_keys(map->cells, keys, batch, own, others), own);
    sum += kernels->squared_error(pixels + 3 * first, own, batch, entries, k);
  }
  return sum;
}

int64_t kmc_map_rgb_u16(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, const kmc_box_map *map,
                        const uint32_t *entries, uint16_t *indices) {
  uint32_t keys[KMC_KEY_BATCH], own[KMC_KEY_BATCH];
  int64_t sum = 0;
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    kernels->keys_of_rgb(pixels + 3 * first, batch, keys);
    for (ptrdiff_t i = 0; i < batch; i++) {
      const size_t line = map->line_of[keys[i] / KMC_BOX_COLORS];
      const uint16_t label = map->wide_lines[line * KMC_BOX_COLORS + keys[i] % KMC_BOX_COLORS];
      indices[first + i] = label;
      own[i] = entries[label];
    }
    sum += kernels->squared_error(pixels + 3 * first, own, batch);
  }
  return sum;
}

#define LABEL uint8_t
#define LABEL_NAME(word) word##_u8
#include "remap/color_map.inc.h"
#undef LABEL
#undef LABEL_NAME

#define LABEL uint16_t
#define LABEL_NAME(word) word##_u16
#include "remap/color_map.inc.h"
