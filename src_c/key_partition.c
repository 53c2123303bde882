/* Pixels dealt to buckets of neighbouring colours.
 *
 * A loop that reads and writes counters waits for itself in two ways. An increment of the counter that was incremented
 * just before takes 5 cycles: four streams of pixels have their own counters. And a load that may hit an earlier store
 * waits until that store's address is known: so no loop stores to an address that it has just read from a counter, as
 * a plain counting sort does (2.0 ns a pixel, these two loops 1.3). */
#include "key_partition.h"

#include <string.h>

enum { STREAMS = 4 };

typedef struct {
  ptrdiff_t n_singles, n_runs;
} lengths;

static inline int all_equal(const uint32_t *keys) {
  uint32_t differ = 0;
  for (int i = 1; i < KMC_RUN; i++) differ |= keys[i] ^ keys[0];
  return differ == 0;
}

/* keys (n) lie at the end of `singles`; those of runs leave it. */
static void take_runs(kmc_partition_scratch *scratch, lengths *taken, ptrdiff_t n) {
  const uint32_t *const keys = scratch->singles + taken->n_singles;
  uint32_t *singles = scratch->singles + taken->n_singles, *runs = scratch->runs + taken->n_runs;
  ptrdiff_t i = 0;
  for (; i + KMC_RUN <= n; i += KMC_RUN) {
    if (keys[i] == keys[i + KMC_RUN - 1] && all_equal(keys + i)) {
      *runs++ = keys[i];
    } else {
      if (singles != keys + i) memmove(singles, keys + i, KMC_RUN * sizeof *keys);
      singles += KMC_RUN;
    }
  }
  memmove(singles, keys + i, (size_t)(n - i) * sizeof *keys);
  taken->n_singles = singles + (n - i) - scratch->singles;
  taken->n_runs = runs - scratch->runs;
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
    take_runs(scratch, &taken, batch);
  }
  deal_all(scratch, taken, buckets, places);
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
    take_runs(scratch, &taken, opaque);
    n_opaque += opaque;
  }
  deal_all(scratch, taken, buckets, places);
  *n_transparent = n - n_opaque - n_translucent;
  return n_translucent;
}
