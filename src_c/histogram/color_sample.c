/* The colours of a sample; color_sample.h tells the way. */
#include "histogram/color_sample.h"

#include <string.h>

#include "compiler.h"

enum { COUNT_SHIFT = 24, COUNT_ONE = 1 << COUNT_SHIFT };

/* What a box holds, in more bits. */
typedef struct {
  int64_t count, sum[3];
} moment;

static inline ptrdiff_t block_boxes(const kmc_sampler *sampler) { return KMC_BLOCK_COLORS >> 3 * sampler->bits; }

/* The count at which a word is put aside: one more pixel could take a sum beyond a byte. */
static inline uint32_t most_counted(int bits) { return bits ? 255u / ((1u << bits) - 1) : 255u; }

void kmc_sampler_clear(kmc_sampler *sampler) {
  sampler->n_blocks = sampler->n_full = 0;
  memset(sampler->block_start, 0xff, KMC_N_BLOCKS * sizeof *sampler->block_start);
}

static uint32_t take_block(kmc_sampler *sampler, uint32_t block) {
  const ptrdiff_t n = block_boxes(sampler);
  const uint32_t start = (uint32_t)(sampler->n_blocks++ * n);
  memset(sampler->words + start, 0, (size_t)n * sizeof *sampler->words);
  return sampler->block_start[block] = start;
}

void kmc_sample_rgb(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, kmc_sampler *sampler) {
  const uint32_t *const block_start = sampler->block_start;
  uint32_t *const words = sampler->words;
  const int key_bits = 3 * sampler->bits;
  const uint32_t n_offsets = 1u << key_bits, full = most_counted(sampler->bits) << COUNT_SHIFT;
  const uint32_t in_block = (uint32_t)block_boxes(sampler) - 1;
  uint32_t keys[KMC_KEY_BATCH], pixel_word[1 << 3 * KMC_MOST_JOINED_BITS];
  for (uint32_t i = 0; i < n_offsets; i++) {
    uint8_t rgb[3];
    kmc_rgb_of_key(i, rgb);
    pixel_word[i] = COUNT_ONE | (uint32_t)rgb[0] | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2] << 16;
  }
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    kernels->keys_of_rgb(pixels + 3 * first, batch, keys);
    for (ptrdiff_t i = 0; i < batch; i++) {
      const uint32_t key = keys[i], box = key >> key_bits;
      uint32_t start = block_start[key / KMC_BLOCK_COLORS];
      if (KMC_RARELY(start == KMC_NO_WORDS)) start = take_block(sampler, key / KMC_BLOCK_COLORS);
      uint32_t *const word = words + start + (box & in_block);
      const uint32_t sum = *word + pixel_word[key & (n_offsets - 1)];
      *word = sum;
      if (KMC_RARELY(sum >= full)) {
        sampler->full[sampler->n_full++] = (uint64_t)box << 32 | sum;
        *word = 0;
      }
    }
  }
}

static inline void add_word(moment *moment, uint32_t word) {
  moment->count += word >> COUNT_SHIFT;
  for (int t = 0; t < 3; t++) moment->sum[t] += word >> 8 * t & 255;
}

/* The mean of what pixels are above the corner, rounded to the nearest level, halves up: without a division. */
static inline uint8_t mean_offset(int64_t sum, int64_t count, int bits) {
  int offset = 0;
  for (int level = 1; level < 1 << bits; level++) offset += 2 * sum >= (2 * level - 1) * count;
  return (uint8_t)offset;
}

/* Radix sort by the number of the box, lowest byte first; returns where the result lies. */
static const uint64_t *sort_full(uint64_t *full, uint64_t *scratch, ptrdiff_t n) {
  for (int shift = 32; shift < 56; shift += 8) {
    ptrdiff_t ends[256] = {0}, sum = 0;
    for (ptrdiff_t i = 0; i < n; i++) ends[full[i] >> shift & 0xff]++;
    for (int v = 0; v < 256; v++) {
      const ptrdiff_t count = ends[v];
      ends[v] = sum;
      sum += count;
    }
    for (ptrdiff_t i = 0; i < n; i++) scratch[ends[full[i] >> shift & 0xff]++] = full[i];
    uint64_t *const sorted = scratch;
    scratch = full;
    full = sorted;
  }
  return full;
}

/* Colours in four bytes, red first, so that a box's colour is the sum of its block's corner, its own in the block and
 * the mean above that. */
static inline uint32_t packed_color(uint32_t key) {
  uint8_t rgb[3];
  kmc_rgb_of_key(key, rgb);
  return (uint32_t)rgb[0] | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2] << 16;
}

static inline void write_row(const moment *moment, uint32_t corner, int bits, uint8_t *color, int64_t *count) {
  for (int t = 0; t < 3; t++)
    color[t] = (uint8_t)((corner >> 8 * t) + mean_offset(moment->sum[t], moment->count, bits));
  *count = moment->count;
}

/* A word that was put aside leaves 0 behind, if no pixel came after it: such boxes are marked. */
static void mark_full(const uint64_t *full, const uint64_t *full_end, uint32_t first_box, ptrdiff_t n_boxes,
                      uint32_t *words) {
  for (; full < full_end && *full >> 32 < first_box + (uint64_t)n_boxes; full++) {
    uint32_t *const word = words + (*full >> 32) - first_box;
    if (*word == 0) *word = UINT32_MAX;
  }
}

ptrdiff_t kmc_emit_sample(const kmc_pixel_kernels *kernels, kmc_sampler *sampler, uint8_t *colors, int64_t *counts) {
  enum { WORDS = KMC_BOX_COLORS / sizeof(uint32_t) }; /* whose bytes nonzero_bits looks at */
  const ptrdiff_t n_boxes = block_boxes(sampler);
  const uint64_t *full = sort_full(sampler->full, sampler->full + sampler->n_full, sampler->n_full);
  const uint64_t *const full_end = full + sampler->n_full;
  uint32_t corner_in_block[KMC_BLOCK_COLORS];
  for (ptrdiff_t i = 0; i < n_boxes; i++) corner_in_block[i] = packed_color((uint32_t)i << 3 * sampler->bits);
  ptrdiff_t row = 0;
  for (uint32_t block = 0; block < KMC_N_BLOCKS; block++) {
    if (sampler->block_start[block] == KMC_NO_WORDS) continue;
    uint32_t *const words = sampler->words + sampler->block_start[block];
    const uint32_t first_box = block * (uint32_t)n_boxes, corner = packed_color(block * KMC_BLOCK_COLORS);
    mark_full(full, full_end, first_box, n_boxes, words);
    for (ptrdiff_t first = 0; first < n_boxes; first += WORDS) {
      uint64_t left = kernels->nonzero_bits((const uint8_t *)(words + first));
      while (left) {
        const int byte = kmc_lowest_bit(left) & ~3; /* of the word's four the first */
        const ptrdiff_t i = first + byte / 4;
        left &= ~((uint64_t)15 << byte);
        moment moment = {0};
        if (words[i] != UINT32_MAX) add_word(&moment, words[i]);
        for (; full < full_end && *full >> 32 == first_box + (uint64_t)i; full++) add_word(&moment, (uint32_t)*full);
        write_row(&moment, corner + corner_in_block[i], sampler->bits, colors + 3 * row, counts + row);
        row++;
      }
    }
  }
  return row;
}
