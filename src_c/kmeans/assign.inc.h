/* Brute-force assignment of a range of points. Contracts in kmc_kernels.h. */

/* OUT labels (n). Returns whether any is too close to call, and so negative. A loop without branches. */
static inline int POINT_NAME(copy_labels)(const REAL *tile_labels, ptrdiff_t n, int32_t *labels) {
  int32_t signs = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    labels[i] = (int32_t)tile_labels[i];
    signs |= labels[i];
  }
  return signs < 0;
}

static void POINT_NAME(assign)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const REAL *tiles,
                               const NAME(kmc_centroids) * centroids, REAL *dist2, int32_t *labels) {
  REAL tile_labels[KMC_TILE];
  double nearest;
  for (ptrdiff_t start = 0; start < n; start += KMC_TILE, tiles += (d + 1) * KMC_TILE) {
    const ptrdiff_t end = n - start < KMC_TILE ? n : start + KMC_TILE;
    NAME(assign_tile)(tiles, d, centroids, tile_labels);
    if (!POINT_NAME(copy_labels)(tile_labels, end - start, labels + start)) continue;
    for (ptrdiff_t i = start; i < end; i++) {
      if (labels[i] < 0) labels[i] = POINT_NAME(settle)(points + i * d, d, centroids, dist2, &nearest);
    }
  }
}
