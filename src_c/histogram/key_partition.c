/* Pixels dealt to buckets of neighbouring colours.
 *
 * A loop that reads and writes counters waits for itself in two ways. An increment of the counter that was incremented
 * just before takes 5 cycles: four streams of pixels have their own counters. And a load that may hit an earlier store
 * waits until that store's address is known: so no loop stores to an address that it has just read from a counter, as
 * a plain counting sort does (2.0 ns a pixel, these two loops 1.3). */
#include "histogram/key_partition.h"

#include <string.h>

enum { STREAMS = 4, FRACTION = 24 };

typedef struct {
  ptrdiff_t n_singles, n_runs;
} lengths;

ptrdiff_t kmc_sampled_blocks(const uint8_t *pixels, ptrdiff_t n, ptrdiff_t channels) {
  enum { SAMPLED = 4096 };
  uint8_t occurs[KMC_N_BLOCKS] = {0};
  ptrdiff_t n_blocks = 0;
  for (ptrdiff_t i = 0; i < SAMPLED; i++) occurs[kmc_key_of_rgb(pixels + n * i / SAMPLED * channels) >> 12] = 1;
  for (ptrdiff_t block = 0; block < KMC_N_BLOCKS; block++) n_blocks += occurs[block];
  return n_blocks;
}

static inline int all_equal(const uint32_t *keys) {
  uint32_t differ = 0;
  for (int i = 1; i < KMC_RUN; i++) differ |= keys[i] ^ keys[0];
  return differ == 0;
}

/* keys (n) lie at the end of `singles`; those of runs leave it. Where runs are few they stay: a branch that cannot be
 * foretold costs more than what is saved. */
static void take_runs(kmc_partition_scratch *scratch, lengths *taken, ptrdiff_t n) {
  const uint32_t *const keys = scratch->singles + taken->n_singles;
  uint32_t *singles = scratch->singles + taken->n_singles, *runs = scratch->runs + taken->n_runs;
  ptrdiff_t i = 0, n_equal = 0;
  for (ptrdiff_t j = 0; j + KMC_RUN <= n; j += KMC_RUN) n_equal += (keys[j] == keys[j + 3]) & (keys[j] == keys[j + 7]);
  for (; n_equal > n / KMC_RUN / 2 && i + KMC_RUN <= n; i += KMC_RUN) {
    if (all_equal(keys + i)) {
      *runs++ = keys[i];
    } else {
      if (singles != keys + i) memmove(singles, keys + i, KMC_RUN * sizeof *keys);
      singles += KMC_RUN;
    }
  }
  if (singles != keys + i) memmove(singles, keys + i, (size_t)(n - i) * sizeof *keys);
  taken->n_singles = singles + (n - i) - scratch->singles;
  taken->n_runs = runs - scratch->runs;
}

void kmc_table_clear(kmc_table *table) {
  table->n_blocks = 0;
  memset(table->block_start, 0xff, KMC_N_BLOCKS * sizeof *table->block_start);
}

static uint32_t take_block(kmc_table *table, uint32_t block) {
  if (table->n_blocks == KMC_TABLE_BLOCKS) return KMC_NO_BLOCK;
  const uint32_t start = (uint32_t)(table->n_blocks++ * KMC_BLOCK_COLORS);
  memset(table->counters + start, 0, KMC_BLOCK_COLORS);
  return table->block_start[block] = start;
}

/* Keys that the table has no room for. */
typedef struct {
  uint32_t keys[KMC_KEY_BATCH];
  ptrdiff_t n;
} left_keys;

/* The table's pointers come as arguments, in registers: a byte that is written may be any part of a struct. */
static inline void count_key(kmc_partition_scratch *scratch, const uint32_t *block_start, uint8_t *counters,
                             uint32_t key, left_keys *left) {
  uint32_t start = block_start[key / KMC_BLOCK_COLORS];
  if (KMC_RARELY(start == KMC_NO_BLOCK)) {
    start = take_block(&scratch->table, key / KMC_BLOCK_COLORS);
    if (start == KMC_NO_BLOCK) {
      left->keys[left->n++] = key;
      return;
    }
  }
  kmc_add_to_counter(counters + start + key % KMC_BLOCK_COLORS, 1, key, &scratch->wraps);
}

/* Counts what the table has blocks for of the keys from `singles[first]` on; four stretches take turns. */
static void count_in_table(kmc_partition_scratch *scratch, ptrdiff_t first, lengths *taken) {
  const uint32_t *const block_start = scratch->table.block_start;
  uint8_t *const counters = scratch->table.counters;
  uint32_t *const keys = scratch->singles + first;
  const ptrdiff_t n = taken->n_singles - first, quarter = n / 4;
  left_keys left;
  left.n = 0;
  for (ptrdiff_t i = 0; i < quarter; i++) {
    const uint32_t key0 = keys[i], key1 = keys[i + quarter], key2 = keys[i + 2 * quarter], key3 = keys[i + 3 * quarter];
    count_key(scratch, block_start, counters, key0, &left);
    count_key(scratch, block_start, counters, key1, &left);
    count_key(scratch, block_start, counters, key2, &left);
    count_key(scratch, block_start, counters, key3, &left);
  }
  for (ptrdiff_t i = 4 * quarter; i < n; i++) count_key(scratch, block_start, counters, keys[i], &left);
  memcpy(keys, left.keys, (size_t)left.n * sizeof *keys);
  taken->n_singles = first + left.n;
}

/* keys (n) lie at the end of `singles`: counted or left there, but for runs. */
static void take_keys(kmc_partition_scratch *scratch, lengths *taken, ptrdiff_t n) {
  const ptrdiff_t first = taken->n_singles;
  take_runs(scratch, taken, n);
  if (scratch->table.block_start) count_in_table(scratch, first, taken);
}

/* OUT order (n): how many keys of the same bucket and stream came before; counts: how many there are. */
static void count_buckets(const uint32_t *keys, ptrdiff_t n, uint16_t *order, uint32_t (*counts)[KMC_N_BUCKETS]) {
  memset(counts, 0, STREAMS * sizeof *counts);
  ptrdiff_t i = 0;
  for (; i + STREAMS <= n; i += STREAMS) {
    for (int s = 0; s < STREAMS; s++) order[i + s] = (uint16_t)counts[s][keys[i + s] >> 16]++;
  }
  for (; i < n; i++) order[i] = (uint16_t)counts[0][keys[i] >> 16]++;
}

/* The keys of one bucket lie side by side, stream after stream. */
static void deal(const uint32_t *keys, ptrdiff_t n, uint16_t *order, uint32_t first, uint32_t *starts,
                 uint16_t *places) {
  uint32_t counts[STREAMS][KMC_N_BUCKETS];
  count_buckets(keys, n, order, counts);
  for (int bucket = 0; bucket < KMC_N_BUCKETS; bucket++) {
    starts[bucket] = first;
    for (int s = 0; s < STREAMS; s++) {
      const uint32_t count = counts[s][bucket];
      counts[s][bucket] = first;
      first += count;
    }
  }
  starts[KMC_N_BUCKETS] = first;
  ptrdiff_t i = 0;
  for (; i + STREAMS <= n; i += STREAMS) {
    for (int s = 0; s < STREAMS; s++) places[counts[s][keys[i + s] >> 16] + order[i + s]] = (uint16_t)keys[i + s];
  }
  for (; i < n; i++) places[counts[0][keys[i] >> 16] + order[i]] = (uint16_t)keys[i];
}

static void deal_all(kmc_partition_scratch *scratch, lengths taken, kmc_buckets *buckets, uint16_t *places) {
  deal(scratch->singles, taken.n_singles, scratch->order, 0, buckets->singles, places);
  deal(scratch->runs, taken.n_runs, scratch->order, (uint32_t)taken.n_singles, buckets->runs, places);
}

void kmc_partition_rgb(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                       kmc_partition_scratch *scratch, kmc_buckets *buckets, uint16_t *places) {
  lengths taken = {0, 0};
  for (ptrdiff_t start = 0; start < n; start += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - start < KMC_KEY_BATCH ? n - start : KMC_KEY_BATCH;
    kernels->keys_of_rgb(pixels + 3 * start, batch, scratch->singles + taken.n_singles);
    take_keys(scratch, &taken, batch);
  }
  deal_all(scratch, taken, buckets, places);
}

/* Where in its stretch a run lies is scattered, so that no pattern of the picture falls in with it. */
static inline ptrdiff_t first_of_run(const kmc_sample *sample, uint64_t stretch, ptrdiff_t run) {
  const ptrdiff_t start = (ptrdiff_t)((uint64_t)run * stretch >> FRACTION);
  const ptrdiff_t end = (ptrdiff_t)(((uint64_t)run + 1) * stretch >> FRACTION);
  const uint64_t n_places = (uint64_t)(end - start - KMC_SAMPLE_RUN + 1);
  return start + (ptrdiff_t)(n_places * ((uint32_t)run * 0x9e3779b1u) >> 32);
}

enum { BATCH_RUNS = KMC_KEY_BATCH / KMC_SAMPLE_RUN };

/* OUT keys (n_runs * KMC_SAMPLE_RUN), n_runs <= BATCH_RUNS. */
static void keys_of_runs(const kmc_pixel_kernels *kernels, const kmc_sample *sample, uint64_t stretch, ptrdiff_t first,
                         ptrdiff_t n_runs, uint32_t *keys) {
  enum { RUN_BYTES = 3 * KMC_SAMPLE_RUN };
  uint8_t batch[BATCH_RUNS * RUN_BYTES];
  for (ptrdiff_t i = 0; i < n_runs; i++) {
    memcpy(batch + i * RUN_BYTES, sample->pixels + 3 * first_of_run(sample, stretch, first + i), RUN_BYTES);
  }
  kernels->keys_of_rgb(batch, n_runs * KMC_SAMPLE_RUN, keys);
}

static uint64_t stretch_of(const kmc_sample *sample) {
  return ((uint64_t)sample->n << FRACTION) / (uint64_t)sample->n_runs;
}

void kmc_partition_sample(const kmc_pixel_kernels *kernels, const kmc_sample *sample, ptrdiff_t first, ptrdiff_t end,
                          kmc_partition_scratch *scratch, kmc_buckets *buckets, uint16_t *places) {
  const uint64_t stretch = stretch_of(sample);
  lengths taken = {0, 0};
  for (; first < end; first += BATCH_RUNS) {
    const ptrdiff_t n_runs = end - first < BATCH_RUNS ? end - first : BATCH_RUNS;
    keys_of_runs(kernels, sample, stretch, first, n_runs, scratch->singles + taken.n_singles);
    taken.n_singles += n_runs * KMC_SAMPLE_RUN;
  }
  deal_all(scratch, taken, buckets, places);
}

ptrdiff_t kmc_sampled_boxes(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n) {
  enum { BATCHES = KMC_BOX_SAMPLE / KMC_KEY_BATCH, BOX_COLORS = 512, N_BOXES = 1 << 15 };
  const kmc_sample sample = {pixels, n, BATCHES * BATCH_RUNS};
  uint64_t occurs[N_BOXES / 64] = {0};
  uint32_t keys[KMC_KEY_BATCH];
  for (ptrdiff_t batch = 0; batch < BATCHES; batch++) {
    keys_of_runs(kernels, &sample, stretch_of(&sample), batch * BATCH_RUNS, BATCH_RUNS, keys);
    for (ptrdiff_t i = 0; i < KMC_KEY_BATCH; i++) {
      const uint32_t box = keys[i] / BOX_COLORS;
      occurs[box / 64] |= (uint64_t)1 << box % 64;
    }
  }
  ptrdiff_t n_boxes = 0;
  for (ptrdiff_t i = 0; i < N_BOXES / 64; i++) n_boxes += kmc_count_bits(occurs[i]);
  return n_boxes;
}

ptrdiff_t kmc_partition_rgba(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                             kmc_partition_scratch *scratch, kmc_buckets *buckets, uint16_t *places,
                             uint32_t *translucent, int64_t *n_transparent) {
  lengths taken = {0, 0};
  ptrdiff_t n_translucent = 0, n_opaque = 0;
  for (ptrdiff_t start = 0; start < n; start += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - start < KMC_KEY_BATCH ? n - start : KMC_KEY_BATCH;
    const uint8_t *const alphas = pixels + 4 * start + 3;
    uint32_t *const keys = scratch->singles + taken.n_singles;
    kernels->keys_of_rgba(pixels + 4 * start, batch, keys);
    ptrdiff_t opaque = 0;
    for (ptrdiff_t i = 0; i < batch; i++) {
      const uint32_t key = keys[i], alpha = alphas[4 * i];
      keys[opaque] = key;
      opaque += alpha == 255;
      translucent[n_translucent] = alpha << 24 | key;
      n_translucent += alpha - 1 < 254;
    }
    take_keys(scratch, &taken, opaque);
    n_opaque += opaque;
  }
  deal_all(scratch, taken, buckets, places);
  *n_transparent = n - n_opaque - n_translucent;
  return n_translucent;
}
