/* Brute-force assignment of a range of points, and distances. Contracts in kmc_kernels.h. */

/* Lanes past the last point repeat it, so that none computes with garbage. */
static void POINT_NAME(load_tile)(const POINT *points, ptrdiff_t n, ptrdiff_t d, REAL *tile) {
  for (ptrdiff_t p = 0; p < KMC_TILE; p++) {
    const POINT *point = points + (p < n ? p : n - 1) * d;
    for (ptrdiff_t t = 0; t < d; t++) tile[t * KMC_TILE + p] = (REAL)point[t];
  }
}

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

static void POINT_NAME(distances)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const REAL *centroids, ptrdiff_t m,
                                  REAL *tile, REAL *dist2, ptrdiff_t out_stride) {
  REAL tile_dist2[KMC_TILE];
  for (ptrdiff_t start = 0; start < n; start += KMC_TILE) {
    const ptrdiff_t count = n - start < KMC_TILE ? n - start : KMC_TILE;
    POINT_NAME(load_tile)(points + start * d, count, d, tile);
    for (ptrdiff_t j = 0; j < m; j++) {
      NAME(distances_tile)(tile, d, centroids + j * d, tile_dist2);
      for (ptrdiff_t p = 0; p < count; p++) dist2[j * out_stride + start + p] = tile_dist2[p];
    }
  }
}
