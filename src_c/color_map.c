/* The final map; color_map.h tells the ways. */
#include "color_map.h"

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

static int64_t error_of_rgb(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                            const uint8_t *entries, ptrdiff_t k, const uint8_t *indices) {
  uint32_t packed[256], chosen[KMC_KEY_BATCH];
  int64_t sum = 0;
  for (ptrdiff_t j = 0; j < k; j++) {
    packed[j] = entries[3 * j] | (uint32_t)entries[3 * j + 1] << 8 | (uint32_t)entries[3 * j + 2] << 16;
  }
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    for (ptrdiff_t i = 0; i < batch; i++) chosen[i] = packed[indices[first + i]];
    sum += kernels->squared_error(pixels + 3 * first, chosen, batch);
  }
  return sum;
}

int64_t kmc_error_of_indices(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels,
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

void kmc_mark_boxes(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, ptrdiff_t of_batch,
                    uint8_t *marks) {
  uint32_t keys[KMC_KEY_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    const ptrdiff_t marked = batch < of_batch ? batch : of_batch;
    const uint32_t scattered = (uint32_t)(first / KMC_KEY_BATCH) * 0x9e3779b1u;
    const ptrdiff_t start = first + (ptrdiff_t)((uint64_t)scattered * (uint64_t)(batch - marked + 1) >> 32);
    kernels->keys_of_rgb(pixels + 3 * start, marked, keys);
    for (ptrdiff_t i = 0; i < marked; i++) marks[keys[i] / KMC_BOX_COLORS] = 1;
  }
}

void kmc_join_marks(const kmc_pixel_kernels *kernels, const uint8_t *marks, uint64_t *boxes) {
  for (ptrdiff_t block = 0; block < KMC_N_BLOCKS; block++) {
    boxes[block] |= kernels->nonzero_bits(marks + block * KMC_BLOCK_BOXES);
  }
}

/* IN OUT keys (n), which become places in the lines. OUT unfilled (n): those that are in no box that is filled. Returns
 * how many these are. */
static ptrdiff_t places_of_keys(const uint32_t *line_of_box, ptrdiff_t n, uint32_t *keys, uint16_t *unfilled) {
  ptrdiff_t n_unfilled = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint32_t line = line_of_box[keys[i] / KMC_BOX_COLORS];
    keys[i] = line * KMC_BOX_COLORS + keys[i] % KMC_BOX_COLORS;
    unfilled[n_unfilled] = (uint16_t)i;
    n_unfilled += line == 0;
  }
  return n_unfilled;
}

/* OUT indices (n): the nearest entries of these among the pixels. */
static void compare_unfilled(const kmc_comparison *comparison, const uint8_t *pixels, const uint16_t *unfilled,
                             ptrdiff_t n, uint8_t *indices) {
  uint8_t own[3 * KMC_KEY_BATCH];
  for (ptrdiff_t i = 0; i < n; i++) memcpy(own + 3 * i, pixels + 3 * unfilled[i], 3);
  if (n) comparison->kernels->nearest(own, n, comparison->entries, indices);
}

/* Bits of a key below those of the number of a box on the path. */
static inline int key_bits(int level) { return 3 * (8 - level); }

/* Makes the next box on the path: an octant of `node`, whose level this is. */
static void enter_octant(const kmc_pixel_kernels *kernels, const kmc_node *node, int level, uint32_t octant,
                         kmc_node *next) {
  uint8_t corner[3];
  ptrdiff_t n = 0;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    next->red[n] = node->red[i];
    next->green[n] = node->green[i];
    next->blue[n] = node->blue[i];
    next->index[n] = node->index[i];
    n += node->n == 1 || node->keep[i] >> octant & 1;
  }
  next->n = n;
  next->number = node->number << 3 | octant;
  kmc_rgb_of_key(next->number << key_bits(level + 1), corner);
  if (n > 1) kernels->keep_in_octants(next, corner, 256 >> (level + 1));
}

/* Boxes come in the order of their keys, or near each other, so most of the path stays. */
static const kmc_node *node_around(const kmc_pixel_kernels *kernels, kmc_palette *palette, uint32_t box) {
  const uint32_t key = box * KMC_BOX_COLORS;
  int level = KMC_TREE_LEVELS - 1;
  while (level > 0 && palette->path[level].number != key >> key_bits(level)) level--;
  if (palette->path[0].number != 0) { /* nothing was looked at: the whole space has all entries, as the caller wrote */
    const uint8_t corner[3] = {0};
    palette->path[0].number = 0;
    if (palette->k > 1) kernels->keep_in_octants(&palette->path[0], corner, 256);
  }
  for (; level < KMC_TREE_LEVELS - 1; level++) {
    enter_octant(kernels, &palette->path[level], level, key >> key_bits(level + 1) & 7, &palette->path[level + 1]);
  }
  return &palette->path[KMC_TREE_LEVELS - 1];
}

/* Returns the one entry that can be the nearest in an octant, or -1: there are more. */
static int32_t only_entry(const kmc_node *node, int octant) {
  int32_t index = -1;
  if (node->n == 1) return node->index[0];
  for (ptrdiff_t i = 0; i < node->n; i++) {
    if (!(node->keep[i] >> octant & 1)) continue;
    if (index >= 0) return -1;
    index = node->index[i];
  }
  return index;
}

#define LABEL uint8_t
#define LABEL_NAME(word) word##_u8
#include "color_map.inc.h"
#undef LABEL
#undef LABEL_NAME

#define LABEL uint16_t
#define LABEL_NAME(word) word##_u16
#include "color_map.inc.h"
