/* The exact histogram; histogram.h tells the whole way.
 *
 * What was tried, with its times: benchmarks/README.md. */
#include "histogram/histogram.h"

#include <string.h>

#include "compiler.h"

/* Each place stands for `weight` pixels. An increment waits for the one before it on the same counter (5 cycles), and
 * neighbours often have the same colour: four stretches take turns. */
static KMC_ALWAYS_INLINE void count_places(const uint16_t *places, ptrdiff_t n, uint32_t weight, uint32_t bucket_key,
                                           uint8_t *counters, kmc_wraps *wraps) {
  const ptrdiff_t quarter = n / 4;
  for (ptrdiff_t i = 0; i < quarter; i++) {
    const uint32_t place0 = places[i], place1 = places[i + quarter];
    const uint32_t place2 = places[i + 2 * quarter], place3 = places[i + 3 * quarter];
    kmc_add_to_counter(counters + place0, weight, bucket_key | place0, wraps);
    kmc_add_to_counter(counters + place1, weight, bucket_key | place1, wraps);
    kmc_add_to_counter(counters + place2, weight, bucket_key | place2, wraps);
    kmc_add_to_counter(counters + place3, weight, bucket_key | place3, wraps);
  }
  for (ptrdiff_t i = 4 * quarter; i < n; i++) {
    kmc_add_to_counter(counters + places[i], weight, bucket_key | places[i], wraps);
  }
}

void kmc_count_bucket(const kmc_buckets *buckets, const uint16_t *places, ptrdiff_t n_parts, ptrdiff_t bucket,
                      uint8_t *counters, kmc_wraps *wraps) {
  const uint32_t bucket_key = (uint32_t)(bucket * KMC_BUCKET_COLORS);
  for (ptrdiff_t part = 0; part < n_parts; part++, places += KMC_PART_PIXELS) {
    const uint32_t *const singles = buckets[part].singles + bucket, *const runs = buckets[part].runs + bucket;
    count_places(places + singles[0], singles[1] - singles[0], 1, bucket_key, counters, wraps);
    count_places(places + runs[0], runs[1] - runs[0], KMC_RUN, bucket_key, counters, wraps);
  }
}

static void add_box(const uint8_t *more, uint32_t key, uint8_t *counters, kmc_wraps *wraps) {
  uint64_t words[KMC_BOX_COLORS / 8], any = 0;
  memcpy(words, more, sizeof words);
  for (int i = 0; i < KMC_BOX_COLORS / 8; i++) any |= words[i];
  if (any == 0) return;
  uint8_t passed = 0;
  for (uint32_t i = 0; i < KMC_BOX_COLORS; i++) passed |= (uint8_t)(counters[i] + more[i]) < more[i];
  for (uint32_t i = 0; i < KMC_BOX_COLORS && passed; i++) kmc_add_to_counter(counters + i, more[i], key | i, wraps);
  for (uint32_t i = 0; i < KMC_BOX_COLORS && !passed; i++) counters[i] = (uint8_t)(counters[i] + more[i]);
}

ptrdiff_t kmc_blocks_of_bucket(const kmc_table *table, ptrdiff_t bucket) {
  const uint32_t *const block_start = table->block_start + bucket * KMC_BUCKET_BLOCKS;
  ptrdiff_t n = 0;
  for (ptrdiff_t block = 0; block < KMC_BUCKET_BLOCKS; block++) n += block_start[block] != KMC_NO_BLOCK;
  return n;
}

void kmc_add_table(const kmc_table *table, ptrdiff_t bucket, uint8_t *counters, kmc_wraps *wraps) {
  for (ptrdiff_t block = 0; block < KMC_BUCKET_BLOCKS; block++) {
    const uint32_t start = table->block_start[bucket * KMC_BUCKET_BLOCKS + block];
    if (start == KMC_NO_BLOCK) continue;
    for (uint32_t i = 0; i < KMC_BLOCK_COLORS; i += KMC_BOX_COLORS) {
      const uint32_t place = (uint32_t)(block * KMC_BLOCK_COLORS) + i;
      add_box(table->counters + start + i, (uint32_t)(bucket * KMC_BUCKET_COLORS) | place, counters + place, wraps);
    }
  }
}

void kmc_take_bucket(const kmc_pixel_kernels *kernels, ptrdiff_t bucket, uint8_t *counters, uint64_t *bits,
                     uint32_t *before, uint64_t *boxes, kmc_bucket_colors *taken) {
  uint64_t *const words = bits + bucket * KMC_BUCKET_BOXES;
  taken->n = kernels->take_counters(counters, KMC_BUCKET_BOXES, words, before + bucket * KMC_BUCKET_BOXES,
                                    taken->places, taken->counts);
  for (ptrdiff_t block = 0; block < KMC_BUCKET_BLOCKS; block++) {
    uint64_t occur = 0;
    for (int i = 0; i < KMC_BLOCK_BOXES; i++) occur |= (uint64_t)(words[block * KMC_BLOCK_BOXES + i] != 0) << i;
    boxes[bucket * KMC_BUCKET_BLOCKS + block] = occur;
  }
}

/* The lowest six bits of a key are two of each channel, the next six the next two. In four bytes, of which a row of
 * three channels gives the last to the next row. */
static inline uint32_t color_of_place(const uint32_t *color_of_bits, uint32_t place) {
  return color_of_bits[place & 63] | color_of_bits[place >> 6 & 63] << 2 | color_of_bits[place >> 12] << 4;
}

static void emit_colors(const kmc_bucket_colors *taken, const uint32_t *color_of_bits, uint32_t corner,
                        ptrdiff_t channels, uint8_t *colors) {
  for (ptrdiff_t i = 0; i < taken->n; i++) {
    const uint32_t color = corner | color_of_place(color_of_bits, taken->places[i]);
    if (i + 1 < taken->n) {
      memcpy(colors + i * channels, &color, sizeof color);
    } else { /* the next row may be another thread's */
      memcpy(colors + i * channels, &color, (size_t)channels);
    }
  }
}

void kmc_emit_buckets(const kmc_bucket_colors *taken, ptrdiff_t first_bucket, ptrdiff_t last_bucket, ptrdiff_t first,
                      ptrdiff_t channels, uint32_t *before, uint8_t *colors, int64_t *counts) {
  uint32_t color_of_bits[64], corner;
  uint8_t rgb[4] = {0};
  for (uint32_t i = 0; i < 64; i++) {
    kmc_rgb_of_key(i, rgb);
    memcpy(&color_of_bits[i], rgb, sizeof rgb);
  }
  rgb[3] = 255;
  for (ptrdiff_t bucket = first_bucket; bucket < last_bucket; bucket++) {
    if (taken[bucket].n == 0) continue;
    kmc_rgb_of_key((uint32_t)(bucket * KMC_BUCKET_COLORS), rgb);
    memcpy(&corner, rgb, sizeof rgb);
    emit_colors(&taken[bucket], color_of_bits, corner, channels, colors + first * channels);
    for (ptrdiff_t i = 0; i < taken[bucket].n; i++) counts[first + i] = taken[bucket].counts[i];
    for (ptrdiff_t i = 0; i < KMC_BUCKET_BOXES; i++) before[bucket * KMC_BUCKET_BOXES + i] += (uint32_t)first;
    first += taken[bucket].n;
  }
}

/* 32-bit counters, four for each grey that take turns, emptied before they can overflow. */
void kmc_count_grey(const uint8_t *pixels, ptrdiff_t n, int64_t *counts) {
  const ptrdiff_t most = (ptrdiff_t)1 << 30;
  for (ptrdiff_t start = 0; start < n; start += most) {
    const ptrdiff_t end = n - start < most ? n : start + most;
    uint32_t partial[4][256] = {{0}};
    ptrdiff_t i = start;
    for (; i + 4 <= end; i += 4) {
      for (int j = 0; j < 4; j++) partial[j][pixels[i + j]]++;
    }
    for (; i < end; i++) partial[0][pixels[i]]++;
    for (int v = 0; v < 256; v++) counts[v] += (int64_t)partial[0][v] + partial[1][v] + partial[2][v] + partial[3][v];
  }
}

/* Radix sort by bytes, lowest first; a byte in which all keys agree is passed over. */
static void sort_keys(uint32_t *keys, uint32_t *scratch, ptrdiff_t n) {
  uint32_t *from = keys, *to = scratch;
  for (int shift = 0; shift < 32; shift += 8) {
    ptrdiff_t ends[256] = {0}, sum = 0;
    for (ptrdiff_t i = 0; i < n; i++) ends[from[i] >> shift & 0xff]++;
    if (ends[from[0] >> shift & 0xff] == n) continue;
    for (int v = 0; v < 256; v++) {
      const ptrdiff_t count = ends[v];
      ends[v] = sum;
      sum += count;
    }
    for (ptrdiff_t i = 0; i < n; i++) to[ends[from[i] >> shift & 0xff]++] = from[i];
    uint32_t *const sorted = to;
    to = from;
    from = sorted;
  }
  if (from != keys) memcpy(keys, from, (size_t)n * sizeof *keys);
}

void kmc_sum_counts(const kmc_pixel_kernels *kernels, const uint8_t *colors, ptrdiff_t n, const uint64_t *bits,
                    const uint32_t *before, const int64_t *counts, int64_t *sums) {
  uint32_t ranks[KMC_KEY_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    kernels->keys_of_rgb(colors + 3 * first, batch, ranks);
    kernels->ranks_of_keys(bits, before, batch, ranks);
    for (ptrdiff_t i = 0; i < batch; i++) sums[ranks[i]] += counts[first + i];
  }
}

void kmc_add_wraps(const kmc_wraps *wraps, const uint64_t *bits, const uint32_t *before, int64_t *counts) {
  for (ptrdiff_t i = 0; i < wraps->n; i++) counts[kmc_rank_of_key(bits, before, wraps->keys[i])] += KMC_WRAP;
}

ptrdiff_t kmc_sort_keys(uint32_t *keys, ptrdiff_t n, uint32_t *counts) {
  if (n == 0) return 0;
  sort_keys(keys, counts, n);
  ptrdiff_t last = 0;
  counts[0] = 1;
  for (ptrdiff_t i = 1; i < n; i++) {
    if (keys[i] == keys[last]) {
      counts[last]++;
    } else {
      keys[++last] = keys[i];
      counts[last] = 1;
    }
  }
  return last + 1;
}

ptrdiff_t kmc_merge_keys(const uint32_t *keys, const uint32_t *key_counts, const ptrdiff_t *starts,
                         const ptrdiff_t *lengths, ptrdiff_t n_lists, ptrdiff_t *positions, uint8_t *colors,
                         int64_t *counts) {
  for (ptrdiff_t i = 0; i < n_lists; i++) positions[i] = 0;
  for (ptrdiff_t row = 0;; row++) {
    uint32_t least = UINT32_MAX; /* no key: alpha 255 is never in a list */
    for (ptrdiff_t i = 0; i < n_lists; i++) {
      if (positions[i] == lengths[i]) continue;
      const uint32_t key = keys[starts[i] + positions[i]];
      if (key < least) least = key;
    }
    if (least == UINT32_MAX) return row;
    int64_t count = 0;
    for (ptrdiff_t i = 0; i < n_lists; i++) {
      const ptrdiff_t at = starts[i] + positions[i];
      if (positions[i] == lengths[i] || keys[at] != least) continue;
      count += key_counts[at];
      positions[i]++;
    }
    if (colors == NULL) continue;
    kmc_rgb_of_key(least, colors + 4 * row);
    colors[4 * row + 3] = (uint8_t)(least >> 24);
    counts[row] = count;
  }
}

const uint64_t *kmc_sort_pairs(uint64_t *pairs, uint64_t *scratch, ptrdiff_t n) {
  uint32_t ends[4][256] = {{0}};
  for (ptrdiff_t i = 0; i < n; i++) {
    for (int byte = 0; byte < 4; byte++) ends[byte][pairs[i] >> (32 + 8 * byte) & 0xff]++;
  }
  for (int byte = 0; byte < 4; byte++) {
    const int shift = 32 + 8 * byte;
    if (ends[byte][pairs[0] >> shift & 0xff] == (uint32_t)n) continue;
    uint32_t sum = 0;
    for (int v = 0; v < 256; v++) {
      const uint32_t count = ends[byte][v];
      ends[byte][v] = sum;
      sum += count;
    }
    for (ptrdiff_t i = 0; i < n; i++) scratch[ends[byte][pairs[i] >> shift & 0xff]++] = pairs[i];
    uint64_t *const sorted = scratch;
    scratch = pairs;
    pairs = sorted;
  }
  return pairs;
}

static void pair_keys_with_pixels(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                                  ptrdiff_t channels, uint64_t *pairs) {
  uint32_t keys[KMC_KEY_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    if (channels == 3) {
      kernels->keys_of_rgb(pixels + 3 * first, batch, keys);
    } else {
      kernels->keys_of_rgba(pixels + 4 * first, batch, keys);
    }
    for (ptrdiff_t i = 0; i < batch; i++) {
      const uint32_t alpha = channels == 4 ? pixels[4 * (first + i) + 3] : 255;
      const uint32_t key = alpha == 0 ? 0 : alpha << 24 | keys[i];
      pairs[first + i] = (uint64_t)key << 32 | (uint32_t)(first + i);
    }
  }
}

ptrdiff_t kmc_rank_pixels(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels,
                          uint64_t *sorted, uint64_t *scratch, uint8_t *colors, int64_t *counts, uint32_t *ranks) {
  pair_keys_with_pixels(kernels, pixels, n, channels, sorted);
  const uint64_t *pairs = kmc_sort_pairs(sorted, scratch, n);
  ptrdiff_t row = -1;
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint32_t key = (uint32_t)(pairs[i] >> 32);
    if (i == 0 || key != pairs[i - 1] >> 32) {
      row += 1;
      counts[row] = 0;
      kmc_rgb_of_key(key, colors + row * channels);
      if (channels == 4) colors[4 * row + 3] = (uint8_t)(key >> 24);
    }
    counts[row]++;
    ranks[(uint32_t)pairs[i]] = (uint32_t)row;
  }
  return row + 1;
}
