/* Brute-force assignment of a range of points. Contracts in kmc_kernels.h. */

static void POINT_NAME(assign)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const REAL *tiles,
                               const NAME(kmc_centroids) * centroids, REAL *dist2, int32_t *labels) {
  REAL tile_labels[KMC_TILE];
  double nearest;
  for (ptrdiff_t start = 0; start < n; start += KMC_TILE, tiles += (d + 1) * KMC_TILE) {
    const ptrdiff_t end = n - start < KMC_TILE ? n : start + KMC_TILE;
    NAME(assign_tile)(tiles, d, centroids, tile_labels);
    for (ptrdiff_t i = start; i < end; i++) {
      const REAL label = tile_labels[i - start];
      labels[i] = label >= 0 ? (int32_t)label : POINT_NAME(settle)(points + i * d, d, centroids, dist2, &nearest);
    }
  }
}
