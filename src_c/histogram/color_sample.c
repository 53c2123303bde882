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
      *word += pixel_word[key & (n_offsets - 1)];
      if (KMC_RARELY(*word >= full)) {
        sampler->full[sampler->n_full++] = (uint64_t)box << 32 | *word;
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

static void write_row(const moment *moment, uint32_t box, int bits, uint8_t *color, int64_t *count) {
  kmc_rgb_of_key(box << 3 * bits, color);
  for (int t = 0; t < 3; t++) color[t] = (uint8_t)(color[t] + mean_offset(moment->sum[t], moment->count, bits));
  *count = moment->count;
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

/* Boxes that have pixels in `words`, or only a word that was put aside, are marked by a word that is not 0. */
static ptrdiff_t list_boxes(const uint32_t *words, ptrdiff_t n, uint16_t *list) {
  ptrdiff_t n_listed = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    list[n_listed] = (uint16_t)i;
    n_listed += words[i] != 0;
  }
  return n_listed;
}

ptrdiff_t kmc_emit_sample(kmc_sampler *sampler, uint8_t *colors, int64_t *counts) {
  const ptrdiff_t n_boxes = block_boxes(sampler), n_full = sampler->n_full;
  const uint64_t *full = sort_full(sampler->full, sampler->full + n_full, n_full);
  uint16_t list[KMC_BLOCK_COLORS];
  ptrdiff_t row = 0, next = 0;
  for (uint32_t block = 0; block < KMC_N_BLOCKS; block++) {
    if (sampler->block_start[block] == KMC_NO_WORDS) continue;
    uint32_t *const words = sampler->words + sampler->block_start[block];
    const uint32_t first_box = block * (uint32_t)n_boxes;
    /* A word that was put aside leaves 0 behind, if no pixel came after it. */
    for (ptrdiff_t i = next; i < n_full && full[i] >> 32 < first_box + (uint32_t)n_boxes; i++) {
      uint32_t *const word = words + (full[i] >> 32) - first_box;
      if (*word == 0) *word = UINT32_MAX;
    }
    const ptrdiff_t n_listed = list_boxes(words, n_boxes, list);
    for (ptrdiff_t i = 0; i < n_listed; i++, row++) {
      const uint32_t box = first_box + list[i], word = words[list[i]];
      moment moment = {0};
      if (word != UINT32_MAX) add_word(&moment, word);
      for (; next < n_full && full[next] >> 32 == box; next++) add_word(&moment, (uint32_t)full[next]);
      write_row(&moment, box, sampler->bits, colors + 3 * row, counts + row);
    }
  }
  return row;
}
