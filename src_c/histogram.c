/* The exact histogram; histogram.h tells the whole way.
 *
 * What is touched at random decides the time. Bits: 1.3 to 1.5 ns for each pixel and 1 to 1.8 for each that is in the
 * list. One-byte counters in Z-order: 2.5 to 3 ns for each pixel of most photographs, 8 where there are very many
 * colours; 0.3 ns of each makes the key. What else was tried, with its times: benchmarks/README.md. */
#include "histogram.h"

#include <string.h>

#include "compiler.h"

enum { MARK_WRAP = 256, TABLE_WRAP = 255 };

void kmc_counter_clear(kmc_counter *counter) {
  counter->n_again = counter->n_blocks = counter->n_wraps = 0;
  if (counter->is_marked) {
    memset(counter->bits, 0, KMC_N_BOXES * sizeof *counter->bits);
  } else {
    memset(counter->block_start, 0xff, KMC_N_BLOCKS * sizeof *counter->block_start);
  }
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
static void count_in_table(kmc_counter *counter, const uint32_t *keys, ptrdiff_t n) {
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

/* Returns 1 if it was marked before. */
static inline uint32_t mark(uint64_t *bits, uint32_t key) {
  const uint64_t word = bits[key / KMC_BOX_COLORS];
  bits[key / KMC_BOX_COLORS] = word | (uint64_t)1 << key % KMC_BOX_COLORS;
  return word >> key % KMC_BOX_COLORS & 1;
}

/* As above, stretches take turns. */
static void mark_keys(kmc_counter *counter, const uint32_t *keys, ptrdiff_t n) {
  uint64_t *const bits = counter->bits;
  uint32_t *again = counter->again + counter->n_again;
  const ptrdiff_t half = n / 2;
  for (ptrdiff_t i = 0; i < half; i++) {
    const uint32_t key0 = keys[i], key1 = keys[i + half];
    *again = key0;
    again += mark(bits, key0);
    *again = key1;
    again += mark(bits, key1);
  }
  if (n % 2) {
    *again = keys[n - 1];
    again += mark(bits, keys[n - 1]);
  }
  counter->n_again = again - counter->again;
}

static void count_keys(kmc_counter *counter, const uint32_t *keys, ptrdiff_t n) {
  if (counter->is_marked) {
    mark_keys(counter, keys, n);
  } else {
    count_in_table(counter, keys, n);
  }
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

/* The bits of one counter's box. */
static inline uint64_t bits_of_box(const kmc_pixel_kernels *kernels, const kmc_counter *counter, uint32_t box) {
  if (counter->is_marked) return counter->bits[box];
  const uint32_t start = counter->block_start[box / KMC_BLOCK_BOXES];
  if (start == KMC_NO_BLOCK) return 0;
  return kernels->nonzero_bits(counter->table + start + box % KMC_BLOCK_BOXES * KMC_BOX_COLORS);
}

/* Tells quickly of most blocks that they are empty. */
static int has_block(const kmc_counter *counter, ptrdiff_t block) {
  if (!counter->is_marked) return counter->block_start[block] != KMC_NO_BLOCK;
  uint64_t any = 0;
  for (ptrdiff_t i = 0; i < KMC_BLOCK_BOXES; i++) any |= counter->bits[block * KMC_BLOCK_BOXES + i];
  return any != 0;
}

void kmc_join_bits(const kmc_pixel_kernels *kernels, const kmc_counter *counters, ptrdiff_t n_counters, ptrdiff_t first,
                   ptrdiff_t last, uint64_t *bits, uint64_t *boxes, uint32_t *before, int32_t *n_colors) {
  for (ptrdiff_t block = first; block < last; block++) {
    const uint32_t first_box = (uint32_t)block * KMC_BLOCK_BOXES;
    uint64_t *const words = bits + first_box;
    int occurs = 0;
    boxes[block] = 0;
    n_colors[block] = 0;
    for (ptrdiff_t c = 0; c < n_counters; c++) {
      if (!has_block(&counters[c], block)) continue;
      if (!occurs) memset(words, 0, KMC_BLOCK_BOXES * sizeof *words);
      occurs = 1;
      for (uint32_t i = 0; i < KMC_BLOCK_BOXES; i++) words[i] |= bits_of_box(kernels, &counters[c], first_box + i);
    }
    if (!occurs) continue;
    for (uint32_t i = 0; i < KMC_BLOCK_BOXES; i++) boxes[block] |= (uint64_t)(words[i] != 0) << i;
    n_colors[block] = (int32_t)kernels->running_bits(words, KMC_BLOCK_BOXES, before + first_box);
  }
}

ptrdiff_t kmc_number_boxes(const int32_t *n_colors, uint32_t *before) {
  uint32_t n_before = 0;
  for (ptrdiff_t block = 0; block < KMC_N_BLOCKS; block++) {
    if (n_colors[block] == 0) continue;
    for (ptrdiff_t i = 0; i < KMC_BLOCK_BOXES; i++) before[block * KMC_BLOCK_BOXES + i] += n_before;
    n_before += (uint32_t)n_colors[block];
  }
  return n_before;
}

void kmc_count_again(const kmc_pixel_kernels *kernels, kmc_counter *counter, const uint64_t *bits,
                     const uint32_t *before, ptrdiff_t n_distinct) {
  if (!counter->is_marked) return;
  uint8_t *const more = counter->more;
  memset(more, 0, (size_t)n_distinct);
  for (ptrdiff_t first = 0; first < counter->n_again; first += KMC_KEY_BATCH) {
    const ptrdiff_t left = counter->n_again - first, batch = left < KMC_KEY_BATCH ? left : KMC_KEY_BATCH;
    uint32_t *const ranks = counter->again + first;
    kernels->ranks_of_keys(bits, before, batch, ranks);
    for (ptrdiff_t i = 0; i < batch; i++) {
      const uint32_t rank = ranks[i];
      const uint8_t sum = (uint8_t)(more[rank] + 1);
      more[rank] = sum;
      if (KMC_RARELY(sum == 0)) counter->wraps[counter->n_wraps++] = rank;
    }
  }
}

/* Four bytes: a colour and, below the alpha of an RGBA row, what the next RGB row overwrites. */
typedef struct {
  uint8_t channel[4];
} four_bytes;

static inline four_bytes joined(four_bytes one, four_bytes other) {
  uint32_t words[2];
  memcpy(&words[0], &one, sizeof one);
  memcpy(&words[1], &other, sizeof other);
  words[0] |= words[1];
  memcpy(&one, words, sizeof one);
  return one;
}

/* How often a counter has color i of the box, whose rank this is; but for its wraps. */
static inline int64_t count_of(const kmc_counter *counter, uint32_t box, uint32_t i, uint32_t rank) {
  if (counter->is_marked) return (int64_t)(counter->bits[box] >> i & 1) + counter->more[rank];
  const uint32_t start = counter->block_start[box / KMC_BLOCK_BOXES];
  return start == KMC_NO_BLOCK ? 0 : counter->table[start + box % KMC_BLOCK_BOXES * KMC_BOX_COLORS + i];
}

/* The row behind the last one of blocks first .. last - 1, or 0: they have none. */
static uint32_t end_of_rows(const uint64_t *bits, const uint64_t *boxes, const uint32_t *before, ptrdiff_t first,
                            ptrdiff_t last) {
  while (last > first && boxes[last - 1] == 0) last--;
  if (last == first) return 0;
  ptrdiff_t box = last * KMC_BLOCK_BOXES - 1;
  while (bits[box] == 0) box--;
  return before[box] + (uint32_t)kmc_count_bits(bits[box]);
}

/* One loop for colours and counts: most boxes have few colours, and the end of each loop is hard to foretell. */
void kmc_emit_colors(const kmc_counter *counters, ptrdiff_t n_counters, const uint64_t *bits, const uint64_t *boxes,
                     const uint32_t *before, ptrdiff_t first, ptrdiff_t last, ptrdiff_t channels, uint8_t *colors,
                     int64_t *counts) {
  const uint32_t end = end_of_rows(bits, boxes, before, first, last);
  four_bytes low_bits[KMC_BOX_COLORS], corner = {{0, 0, 0, 255}};
  for (uint32_t i = 0; i < KMC_BOX_COLORS; i++) {
    low_bits[i].channel[3] = 0;
    kmc_rgb_of_key(i, low_bits[i].channel);
  }
  for (ptrdiff_t block = first; block < last; block++) {
    for (uint64_t left = boxes[block]; left; left &= left - 1) {
      const uint32_t box = (uint32_t)block * KMC_BLOCK_BOXES + (uint32_t)kmc_lowest_bit(left);
      uint32_t rank = before[box];
      kmc_rgb_of_key(box * KMC_BOX_COLORS, corner.channel);
      for (uint64_t word = bits[box]; word; word &= word - 1, rank++) {
        const uint32_t i = (uint32_t)kmc_lowest_bit(word);
        const four_bytes color = joined(corner, low_bits[i]);
        if (rank + 1 < end) {
          memcpy(colors + rank * channels, &color, sizeof color);
        } else { /* the next row may be another thread's */
          memcpy(colors + rank * channels, &color, (size_t)channels);
        }
        int64_t count = 0;
        for (ptrdiff_t c = 0; c < n_counters; c++) count += count_of(&counters[c], box, i, rank);
        counts[rank] = count;
      }
    }
  }
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

void kmc_add_wraps(const kmc_counter *counter, const uint64_t *bits, const uint32_t *before, int64_t *counts) {
  for (ptrdiff_t i = 0; i < counter->n_wraps; i++) {
    if (counter->is_marked) {
      counts[counter->wraps[i]] += MARK_WRAP;
    } else {
      counts[kmc_rank_of_key(bits, before, counter->wraps[i])] += TABLE_WRAP;
    }
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
