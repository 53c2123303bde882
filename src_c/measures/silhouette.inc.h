/* Sums of distances: included by kernels.inc.h after tile.inc.h, for float and for double. Contract in kmc_kernels.h.
 *
 * A square root is most of the work (AVX-512: 12 cycles for 16 floats), so two vectors of rows and four targets are in
 * flight. Sums of SUM_BLOCK distances are kept in real, longer ones in double: at most SUM_BLOCK roundings of 2^-24
 * each, in a fixed order. */
#define STEP (2 * V(_lanes))

#ifndef SUM_BLOCK
#define SUM_BLOCK 32
#endif

/* Adds to `sums` the weighted distances of two vectors of rows at `tile` to `m` <= 4 targets. */
static inline void NAME(add_distances)(const REAL *tile, ptrdiff_t d, const REAL *targets, const REAL *weights, int m,
                                       V() sums[2]) {
  V() dist2[4][2];
  NAME(tile_dist2)(tile, d, targets, m, dist2);
  for (int c = 0; c < m; c++) {
    const V() weight = V(_set1)(weights[c]);
    sums[0] = V(_add)(sums[0], V(_mul)(weight, V(_sqrt)(dist2[c][0])));
    sums[1] = V(_add)(sums[1], V(_mul)(weight, V(_sqrt)(dist2[c][1])));
  }
}

static void NAME(distance_sums)(const REAL *tile, ptrdiff_t d, const REAL *targets, const REAL *weights, ptrdiff_t n,
                                double *sums) {
  REAL found[KMC_TILE];
  for (int p = 0; p < KMC_TILE; p++) sums[p] = 0;
  for (ptrdiff_t start = 0; start < n; start += SUM_BLOCK) {
    const ptrdiff_t end = n - start < SUM_BLOCK ? n : start + SUM_BLOCK;
    for (int p = 0; p < KMC_TILE; p += STEP) {
      V() partial[2] = {V(_set1)(0), V(_set1)(0)};
      ptrdiff_t j = start;
      for (; j + 4 <= end; j += 4) NAME(add_distances)(tile + p, d, targets + j * d, weights + j, 4, partial);
      for (; j < end; j++) NAME(add_distances)(tile + p, d, targets + j * d, weights + j, 1, partial);
      V(_store)(found + p, partial[0]);
      V(_store)(found + p + V(_lanes), partial[1]);
    }
    for (int p = 0; p < KMC_TILE; p++) sums[p] += (double)found[p];
  }
}

#undef STEP
