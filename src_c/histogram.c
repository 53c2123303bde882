/* The exact histogram; histogram.h tells the whole way.
 *
 * One byte, not four, for each counter and blocks along a Z-order curve keep what neighbouring pixels touch in few
 * cache lines: 1.6 to 2.4 ns for each pixel of most photographs, of which 0.35 make the key. What else was tried, with
 * its times: benchmarks/README.md. */
#include "histogram.h"

#include <string.h>

#include "compiler.h"

#define BLOCK_CELLS (KMC_BLOCK_COLORS / KMC_CELL_COLORS)

void kmc_counter_clear(kmc_counter *counter) {
  memset(counter->block_start, 0xff, KMC_N_BLOCKS * sizeof *counter->block_start);
  counter->n_blocks = counter->n_wraps = 0;
}

static uint32_t take_block(kmc_counter *counter, uint32_t block) {
  const uint32_t start = (uint32_t)(counter->n_blocks++ * KMC_BLOCK_COLORS);
  memset(counter->table + start, 0, KMC_BLOCK_COLORS);
  return counter->block_start[block] = start;
}

/* The counter's pointers come as arguments, in registers: a byte that is written may be any part of a struct. */
static inline void count_key(kmc_counter *counter, const uint32_t *block_start, uint8_t *table, uint32_t key) {
  uint32_t start = block_start[key / KMC_BLOCK_COLORS];
  if (KMC_RARELY(start == KMC_NO_BLOCK)) start = take_block(counter, key / KMC_BLOCK_COLORS);
  uint8_t *count = table + start + key % KMC_BLOCK_COLORS;
  const uint8_t sum = (uint8_t)(*count + 1);
  *count = sum;
  if (KMC_RARELY(sum == 0)) {
    *count = 1; /* never 0 again, so that the counter tells that the colour occurs */
    counter->wraps[counter->n_wraps++] = key;
  }
}

/* Neighbouring pixels often have the same colour, and an increment has to wait for the one before it on the same
 * counter (5 cycles). So four stretches of the batch take turns. */
static void count_keys(kmc_counter *counter, const uint32_t *keys, ptrdiff_t n) {
  const uint32_t *const block_start = counter->block_start;
  uint8_t *const table = counter->table;
  const ptrdiff_t quarter = n / 4;
  for (ptrdiff_t i = 0; i < quarter; i++) {
    const uint32_t key0 = keys[i], key1 = keys[i + quarter], key2 = keys[i + 2 * quarter], key3 = keys[i + 3 * quarter];
    count_key(counter, block_start, table, key0);
    count_key(counter, block_start, table, key1);
    count_key(counter, block_start, table, key2);
    count_key(counter, block_start, table, key3);
  }
  for (ptrdiff_t i = 4 * quarter; i < n; i++) count_key(counter, block_start, table, keys[i]);
}

void kmc_count_rgb(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, kmc_counter *counter) {
  uint32_t keys[KMC_KEY_BATCH];
  for (ptrdiff_t start = 0; start < n; start += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - start < KMC_KEY_BATCH ? n - start : KMC_KEY_BATCH;
    kernels->keys_of_rgb(pixels + 3 * start, batch, keys);
    count_keys(counter, keys, batch);
  }
}

ptrdiff_t kmc_count_rgba(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, kmc_counter *counter,
                         uint32_t *translucent, int64_t *n_transparent) {
  uint32_t keys[KMC_KEY_BATCH];
  ptrdiff_t n_translucent = 0, n_opaque = 0;
  for (ptrdiff_t start = 0; start < n; start += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - start < KMC_KEY_BATCH ? n - start : KMC_KEY_BATCH;
    const uint8_t *alphas = pixels + 4 * start + 3;
    kernels->keys_of_rgba(pixels + 4 * start, batch, keys);
    ptrdiff_t opaque = 0;
    for (ptrdiff_t i = 0; i < batch; i++) {
      const uint32_t key = keys[i], alpha = alphas[4 * i];
      keys[opaque] = key;
      opaque += alpha == 255;
      translucent[n_translucent] = alpha << 24 | key;
      n_translucent += alpha - 1 < 254;
    }
    count_keys(counter, keys, opaque);
    n_opaque += opaque;
  }
  *n_transparent += n - n_opaque - n_translucent;
  return n_translucent;
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

void kmc_join_blocks(kmc_counter *counters, ptrdiff_t n_counters) {
  for (uint32_t block = 0; block < KMC_N_BLOCKS; block++) {
    for (ptrdiff_t i = 1; i < n_counters && counters->block_start[block] == KMC_NO_BLOCK; i++) {
      if (counters[i].block_start[block] != KMC_NO_BLOCK) take_block(counters, block);
    }
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

void kmc_counter_finish(kmc_counter *counter, uint32_t *scratch) {
  if (counter->n_wraps > 0) sort_keys(counter->wraps, scratch, counter->n_wraps);
}

#define CELL_WORDS (KMC_CELL_COLORS / 64)

/* OUT bits: bit i % 64 of word i / 64 is set where a counter has the cell's colour i. */
static void occupied(const kmc_pixel_kernels *kernels, const kmc_counter *counters, ptrdiff_t n_counters, uint32_t cell,
                     uint64_t *bits) {
  memset(bits, 0, CELL_WORDS * sizeof *bits);
  for (ptrdiff_t i = 0; i < n_counters; i++) {
    const uint32_t start = counters[i].block_start[cell / BLOCK_CELLS];
    if (start == KMC_NO_BLOCK) continue;
    const uint8_t *table = counters[i].table + start + cell % BLOCK_CELLS * KMC_CELL_COLORS;
    for (int word = 0; word < CELL_WORDS; word++) bits[word] |= kernels->nonzero_bits(table + 64 * word);
  }
}

void kmc_count_distinct(const kmc_pixel_kernels *kernels, const kmc_counter *counters, ptrdiff_t n_counters,
                        ptrdiff_t first_block, ptrdiff_t last_block, int32_t *n_colors) {
  for (uint32_t cell = (uint32_t)first_block * BLOCK_CELLS; cell < last_block * BLOCK_CELLS; cell++) {
    n_colors[cell] = 0;
    if (counters->block_start[cell / BLOCK_CELLS] == KMC_NO_BLOCK) continue;
    uint64_t bits[CELL_WORDS];
    occupied(kernels, counters, n_counters, cell, bits);
    for (int word = 0; word < CELL_WORDS; word++) n_colors[cell] += kmc_count_bits(bits[word]);
  }
}

/* OUT found: the places of the bits that are set, in order. Returns how many. */
static ptrdiff_t places_of(const uint64_t *bits, uint16_t *found) {
  ptrdiff_t n_found = 0;
  for (int word = 0; word < CELL_WORDS; word++) {
    for (uint64_t left = bits[word]; left; left &= left - 1) {
      found[n_found++] = (uint16_t)(64 * word + kmc_lowest_bit(left));
    }
  }
  return n_found;
}

/* Adds what the counter's wraps stand for to the counts of the cell's colours. Wraps and found are both in order. */
static void add_wraps(const kmc_counter *counter, uint32_t cell, const uint16_t *found, int64_t *counts) {
  ptrdiff_t first = 0, last = counter->n_wraps;
  while (first < last) {
    const ptrdiff_t middle = first + (last - first) / 2;
    if (counter->wraps[middle] < cell * KMC_CELL_COLORS) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  ptrdiff_t row = 0;
  for (; first < counter->n_wraps && counter->wraps[first] / KMC_CELL_COLORS == cell; first++) {
    while (found[row] < counter->wraps[first] % KMC_CELL_COLORS) row++;
    counts[row] += KMC_WRAP;
  }
}

/* Bits 2, 5 and 8 of a key: three bits of red. */
static inline uint32_t red_of_key(uint32_t key) { return (key >> 2 & 1) | (key >> 4 & 2) | (key >> 6 & 4); }

static void colors_of_keys(uint32_t cell, const uint16_t *found, ptrdiff_t n, ptrdiff_t channels, uint8_t *colors) {
  uint8_t corner[3];
  kmc_rgb_of_key(cell * KMC_CELL_COLORS, corner);
  for (ptrdiff_t j = 0; j < n; j++) {
    const uint32_t i = found[j];
    uint8_t *const color = colors + j * channels;
    color[0] = (uint8_t)(corner[0] | red_of_key(i));
    color[1] = (uint8_t)(corner[1] | red_of_key(i << 1));
    color[2] = (uint8_t)(corner[2] | red_of_key(i << 2));
    if (channels == 4) color[3] = 255;
  }
}

static void emit_cell(const kmc_pixel_kernels *kernels, const kmc_counter *counters, ptrdiff_t n_counters,
                      uint32_t cell, ptrdiff_t channels, uint8_t *colors, int64_t *counts) {
  uint64_t bits[CELL_WORDS];
  uint16_t found[KMC_CELL_COLORS];
  occupied(kernels, counters, n_counters, cell, bits);
  const ptrdiff_t n_found = places_of(bits, found);
  colors_of_keys(cell, found, n_found, channels, colors);
  memset(counts, 0, (size_t)n_found * sizeof *counts);
  for (ptrdiff_t i = 0; i < n_counters; i++) {
    const uint32_t start = counters[i].block_start[cell / BLOCK_CELLS];
    if (start == KMC_NO_BLOCK) continue;
    const uint8_t *table = counters[i].table + start + cell % BLOCK_CELLS * KMC_CELL_COLORS;
    for (ptrdiff_t j = 0; j < n_found; j++) counts[j] += table[found[j]];
    add_wraps(&counters[i], cell, found, counts);
  }
}

void kmc_emit_colors(const kmc_pixel_kernels *kernels, const kmc_counter *counters, ptrdiff_t n_counters,
                     ptrdiff_t first_block, ptrdiff_t last_block, const int64_t *offsets, ptrdiff_t channels,
                     uint8_t *colors, int64_t *counts) {
  for (uint32_t cell = (uint32_t)first_block * BLOCK_CELLS; cell < last_block * BLOCK_CELLS; cell++) {
    if (offsets[cell + 1] == offsets[cell]) continue;
    emit_cell(kernels, counters, n_counters, cell, channels, colors + offsets[cell] * channels, counts + offsets[cell]);
  }
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

/* Radix sort by the bytes of the upper half, which holds the key; returns where the result lies. */
static const uint64_t *sort_pairs(uint64_t *pairs, uint64_t *scratch, ptrdiff_t n) {
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
  const uint64_t *pairs = sort_pairs(sorted, scratch, n);
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

void kmc_cell_offsets(const uint8_t *colors, ptrdiff_t n, ptrdiff_t channels, int64_t *offsets) {
  ptrdiff_t row = 0;
  for (uint32_t cell = 0; cell <= KMC_N_CELLS; cell++) {
    while (row < n && kmc_key_of_rgb(colors + row * channels) < cell * KMC_CELL_COLORS) row++;
    offsets[cell] = row;
  }
}
