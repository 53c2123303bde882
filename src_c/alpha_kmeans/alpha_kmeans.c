/* k-means of colours with alpha: cells and rounds. See alpha_kmeans.h. */
#include "alpha_kmeans/alpha_kmeans.h"

#include <string.h>

#include "compiler.h"
#include "histogram/histogram.h"

enum { CHANNELS = KMC_ALPHA_CHANNELS, STEP_BITS = 3 };

const kmc_alpha_kernels *kmc_alpha_kernels_for(const kmc_kernels *kernels) {
#if defined(__x86_64__) || defined(_M_X64)
  if (!strcmp(kernels->name, "avx512")) return &kmc_alpha_kernels_avx512;
  if (!strcmp(kernels->name, "avx2")) return &kmc_alpha_kernels_avx2;
#elif defined(__aarch64__) || defined(_M_ARM64)
  if (!strcmp(kernels->name, "neon")) return &kmc_alpha_kernels_neon;
#endif
  (void)kernels;
  return &kmc_alpha_kernels_generic;
}

/* Bit i goes to bit 4 i. */
static uint32_t spread(uint32_t level) {
  level = (level | level << 12) & 0x000f000fu;
  level = (level | level << 6) & 0x03030303u;
  return (level | level << 3) & 0x11111111u;
}

const uint64_t *kmc_alpha_keys(const int16_t *points, ptrdiff_t first, ptrdiff_t n, const int16_t *low, uint64_t *keys,
                               uint64_t *scratch) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const int16_t *point = points + (first + i) * CHANNELS;
    uint32_t key = 0;
    for (int t = 0; t < CHANNELS; t++) {
      key |= spread((uint32_t)(point[t] - low[t]) >> STEP_BITS) << (CHANNELS - 1 - t);
    }
    keys[i] = (uint64_t)key << 32 | (uint64_t)(first + i);
  }
  return kmc_sort_pairs(keys, scratch, n);
}

void kmc_alpha_splits(const uint64_t *keys, ptrdiff_t n, int64_t *splits) {
  for (ptrdiff_t i = 1; i < n; i++) {
    const uint32_t differ = (uint32_t)((keys[i - 1] ^ keys[i]) >> 32);
    if (differ) splits[kmc_highest_bit(differ)]++;
  }
}

static int16_t rounded_mean(int64_t sum, int64_t weight) {
  const int64_t twice = 2 * sum + weight, mean = twice / (2 * weight);
  return (int16_t)(mean - (twice < mean * 2 * weight)); /* down, where the division went up to 0 */
}

ptrdiff_t kmc_alpha_join(const uint64_t *keys, ptrdiff_t n, int shift, const int16_t *points, const int64_t *weights,
                         const kmc_alpha_points *cells, int64_t *cell_weights, int64_t *squares) {
  ptrdiff_t n_cells = 0, i = 0;
  while (i < n) {
    const uint64_t cell = keys[i] >> shift;
    int64_t sums[CHANNELS] = {0}, weight = 0;
    for (; i < n && keys[i] >> shift == cell; i++) {
      const ptrdiff_t from = (ptrdiff_t)(keys[i] & UINT32_MAX);
      for (int t = 0; t < CHANNELS; t++) sums[t] += weights[from] * points[from * CHANNELS + t];
      weight += weights[from];
    }
    int32_t mean[CHANNELS];
    for (int t = 0; t < CHANNELS; t++) {
      mean[t] = rounded_mean(sums[t], weight);
      *squares += weight * mean[t] * mean[t];
    }
    cells->xy[n_cells] = kmc_alpha_pair(mean[0], mean[1]);
    cells->zw[n_cells] = kmc_alpha_pair(mean[2], mean[3]);
    cell_weights[n_cells++] = weight;
  }
  return n_cells;
}

void kmc_alpha_round(const kmc_alpha_kernels *kernels, const kmc_alpha_points *points, const int64_t *weights,
                     ptrdiff_t n, const kmc_alpha_points *centroids, ptrdiff_t least, ptrdiff_t stride,
                     const kmc_alpha_near *near, int32_t *labels, int64_t *sums) {
  int32_t found[KMC_ALPHA_BLOCK];
  for (ptrdiff_t start = 0; start < n; start += KMC_ALPHA_BLOCK) {
    const ptrdiff_t size = n - start < KMC_ALPHA_BLOCK ? n - start : KMC_ALPHA_BLOCK;
    const int32_t *xy = points->xy + start, *zw = points->zw + start;
    kernels->nearest(xy, zw, size, centroids, least, stride, near, found);
    memcpy(labels + start, found, (size_t)size * sizeof *labels);
    for (ptrdiff_t i = 0; i < size; i++) {
      int64_t *sum = sums + (CHANNELS + 1) * (ptrdiff_t)found[i];
      const int64_t weight = weights[start + i];
      sum[0] += weight * kmc_alpha_low(xy[i]);
      sum[1] += weight * kmc_alpha_high(xy[i]);
      sum[2] += weight * kmc_alpha_low(zw[i]);
      sum[3] += weight * kmc_alpha_high(zw[i]);
      sum[4] += weight;
    }
  }
}
