/* The exact histogram; histogram.h tells the whole way.
 *
 * Measured and not kept (10 megapixels, 2 threads): see benchmarks/README.md. */
#include "histogram.h"

#include <string.h>

#if defined(__GNUC__)
#define RARELY(condition) __builtin_expect(condition, 0)
static inline uint32_t lowest_bit(uint64_t bits) { return (uint32_t)__builtin_ctzll(bits); }
#else
#define RARELY(condition) (condition)
static inline uint32_t lowest_bit(uint64_t bits) { /* of bit 8i + 7: multiples of 8 are what the caller looks at */
  uint32_t bit = 0;
  for (; (bits & 0xff) == 0; bits >>= 8) bit += 8;
  return bit;
}
#endif

#define KMC_BLOCK_CELLS (KMC_BLOCK_COLORS / KMC_CELL_COLORS)

void kmc_counter_clear(kmc_counter *counter) {
  memset(counter->block_start, 0xff, KMC_N_BLOCKS * sizeof *counter->block_start);
  counter->n_blocks = counter->n_wraps = 0;
}

static uint32_t take_block(kmc_counter *counter, uint32_t block) {
  const uint32_t start = (uint32_t)(counter->n_blocks++ * KMC_BLOCK_COLORS);
  memset(counter->table + start, 0, KMC_BLOCK_COLORS);
  return counter->block_start[block] = start;
}

static inline void count_key(kmc_counter *counter, uint32_t key) {
  uint32_t start = counter->block_start[key / KMC_BLOCK_COLORS];
  if (RARELY(start == KMC_NO_BLOCK)) start = take_block(counter, key / KMC_BLOCK_COLORS);
  uint8_t *count = counter->table + start + key % KMC_BLOCK_COLORS;
  *count = (uint8_t)(*count + 1);
  if (RARELY(*count == 0)) {
    *count = 1; /* never 0 again, so that the counter tells that the colour occurs */
    counter->wraps[counter->n_wraps++] = key;
  }
}

/* Neighbouring pixels often have the same colour, and an increment has to wait for the one before it on the same
 * counter (5 cycles). So four stretches of the batch take turns. */
static void count_keys(kmc_counter *counter, const uint32_t *keys, ptrdiff_t n) {
  const ptrdiff_t quarter = n / 4;
  for (ptrdiff_t i = 0; i < quarter; i++) {
    count_key(counter, keys[i]);
    count_key(counter, keys[i + quarter]);
    count_key(counter, keys[i + 2 * quarter]);
    count_key(counter, keys[i + 3 * quarter]);
  }
  for (ptrdiff_t i = 4 * quarter; i < n; i++) count_key(counter, keys[i]);
}

void kmc_count_rgb(const kmc_key_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, kmc_counter *counter) {
  uint32_t keys[KMC_KEY_BATCH];
  kmc_counter local = *counter; /* so that the compiler knows that no counter overlaps it */
  for (ptrdiff_t start = 0; start < n; start += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - start < KMC_KEY_BATCH ? n - start : KMC_KEY_BATCH;
    kernels->keys_of_rgb(pixels + 3 * start, batch, keys);
    count_keys(&local, keys, batch);
  }
  *counter = local;
}

ptrdiff_t kmc_count_rgba(const kmc_key_kernels *kernels, const uint8_t *pixels, ptrdiff_t n, kmc_counter *counter,
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

/* Eight neighbouring colours (2x2x2) at once. OUT bit 8i + 7: whether colour i of the eight occurs in any counter. */
static inline uint64_t occurring(const kmc_counter *counters, ptrdiff_t n_counters, uint32_t key) {
  uint64_t any = 0;
  for (ptrdiff_t i = 0; i < n_counters; i++) {
    const uint32_t start = counters[i].block_start[key / KMC_BLOCK_COLORS];
    if (start == KMC_NO_BLOCK) continue;
    uint64_t eight;
    memcpy(&eight, counters[i].table + start + key % KMC_BLOCK_COLORS, 8);
    any |= eight;
  }
  const uint64_t low_bits = UINT64_C(0x7f7f7f7f7f7f7f7f);
  return (((any & low_bits) + low_bits) | any) & ~low_bits;
}

void kmc_count_distinct(const kmc_counter *counters, ptrdiff_t n_counters, ptrdiff_t first_block,
                        ptrdiff_t last_block, int32_t *n_colors) {
  for (uint32_t cell = (uint32_t)first_block * KMC_BLOCK_CELLS; cell < last_block * KMC_BLOCK_CELLS; cell++) {
    n_colors[cell] = 0;
    if (counters->block_start[cell / KMC_BLOCK_CELLS] == KMC_NO_BLOCK) continue;
    uint64_t sums = 0; /* in each byte: at most 64 */
    for (uint32_t i = 0; i < KMC_CELL_COLORS; i += 8) {
      sums += occurring(counters, n_counters, cell * KMC_CELL_COLORS + i) >> 7;
    }
    for (; sums != 0; sums >>= 8) n_colors[cell] += sums & 0xff;
  }
}

static inline int64_t count_of_key(const kmc_counter *counters, ptrdiff_t n_counters, uint32_t key) {
  int64_t count = 0;
  for (ptrdiff_t i = 0; i < n_counters; i++) {
    const uint32_t start = counters[i].block_start[key / KMC_BLOCK_COLORS];
    if (start != KMC_NO_BLOCK) count += counters[i].table[start + key % KMC_BLOCK_COLORS];
  }
  return count;
}

void kmc_emit_colors(const kmc_counter *counters, ptrdiff_t n_counters, ptrdiff_t first_block, ptrdiff_t last_block,
                     const int64_t *offsets, ptrdiff_t channels, uint8_t *colors, int64_t *counts) {
  int64_t row = offsets[first_block * KMC_BLOCK_CELLS];
  for (uint32_t block = (uint32_t)first_block; block < last_block; block++) {
    if (counters->block_start[block] == KMC_NO_BLOCK) continue;
    for (uint32_t key = block * KMC_BLOCK_COLORS; key < (block + 1) * KMC_BLOCK_COLORS; key += 8) {
      uint64_t which = occurring(counters, n_counters, key);
      if (which == 0) continue;
      uint8_t corner[3];
      kmc_rgb_of_key(key, corner);
      for (; which != 0; which &= which - 1) {
        const uint32_t i = lowest_bit(which) / 8;
        uint8_t *color = colors + row * channels;
        color[0] = (uint8_t)(corner[0] | i >> 2);
        color[1] = (uint8_t)(corner[1] | (i >> 1 & 1));
        color[2] = (uint8_t)(corner[2] | (i & 1));
        if (channels == 4) color[3] = 255;
        counts[row++] = count_of_key(counters, n_counters, key + i);
      }
    }
  }
}

void kmc_add_wraps(const kmc_counter *counters, ptrdiff_t n_counters, ptrdiff_t first_cell, ptrdiff_t last_cell,
                   const int64_t *offsets, ptrdiff_t channels, const uint8_t *colors, int64_t *counts) {
  for (ptrdiff_t i = 0; i < n_counters; i++) {
    for (ptrdiff_t j = 0; j < counters[i].n_wraps; j++) {
      const uint32_t key = counters[i].wraps[j];
      const ptrdiff_t cell = key / KMC_CELL_COLORS;
      if (cell < first_cell || cell >= last_cell) continue;
      int64_t row = offsets[cell], length = offsets[cell + 1] - row;
      while (length > 1) {
        const int64_t half = length / 2;
        if (kmc_key_of_rgb(colors + (row + half) * channels) <= key) row += half;
        length -= half;
      }
      counts[row] += KMC_WRAP;
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
