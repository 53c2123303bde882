/* Brute-force assignment of a range of points: transpose a tile, then tile.inc.h. Contracts in kmc_kernels.h. */

/* Lanes past the last point repeat it, so that none computes with garbage. */
static void POINT_NAME(load_tile)(const POINT *points, ptrdiff_t n, ptrdiff_t d, REAL *tile) {
  for (ptrdiff_t p = 0; p < KMC_TILE; p++) {
    const POINT *point = points + (p < n ? p : n - 1) * d;
    for (ptrdiff_t t = 0; t < d; t++) tile[t * KMC_TILE + p] = (REAL)point[t];
  }
}

static void POINT_NAME(assign)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const NAME(kmc_centroids) * centroids,
                               REAL *tile, int32_t *labels) {
  REAL tile_labels[KMC_TILE];
  double dist2;
  for (ptrdiff_t start = 0; start < n; start += KMC_TILE) {
    const ptrdiff_t count = n - start < KMC_TILE ? n - start : KMC_TILE;
    POINT_NAME(load_tile)(points + start * d, count, d, tile);
    NAME(assign_tile)(tile, d, centroids, tile_labels);
    for (ptrdiff_t i = start; i < start + count; i++) {
      const REAL label = tile_labels[i - start];
      labels[i] = label >= 0 ? (int32_t)label
                             : POINT_NAME(kmc_nearest)(points + i * d, d, centroids->exact, centroids->k, &dist2);
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
