/* Distances of one point to a block of centroids, which lie in lanes, and the labels that they settle. */
#define IS_EXACT (sizeof(POINT) == sizeof(double))                  /* then real is the arithmetic of the definition */
#define ROUNDING (sizeof(REAL) == 4 ? (REAL)4.8e-7 : (REAL)8.9e-16) /* 4 epsilon, for the bounds' own arithmetic */

/* OUT sums: squared distances to the KMC_BLOCK centroids from `first` on. */
static inline void POINT_NAME(block_dist2)(const POINT *point, ptrdiff_t d, const NAME(kmc_centroids) * centroids,
                                           ptrdiff_t first, V() sums[KMC_BLOCK / V(_lanes)]) {
  for (int v = 0; v < KMC_BLOCK / V(_lanes); v++) sums[v] = V(_set1)(0);
  for (ptrdiff_t t = 0; t < d; t++) {
    const V() x = V(_set1)((REAL)point[t]);
    const REAL *row = centroids->transposed + t * centroids->stride + first;
    for (int v = 0; v < KMC_BLOCK / V(_lanes); v++) {
      const V() diff = V(_sub)(x, V(_load)(row + v * V(_lanes)));
      sums[v] = V(_add)(sums[v], V(_mul)(diff, diff));
    }
  }
}

static inline REAL POINT_NAME(upper_bound)(double dist2, const NAME(kmc_centroids) * centroids) {
  return (REAL)sqrt(dist2) * (1 + centroids->relative) + centroids->absolute;
}

/* The label by the definition, of the centroids that may be nearest by dist2 (k). OUT nearest: its squared distance. */
static int32_t POINT_NAME(settle_among)(const POINT *point, ptrdiff_t d, const NAME(kmc_centroids) * centroids,
                                        const REAL *dist2, double *nearest) {
  REAL least = (REAL)INFINITY;
  int32_t label = 0;
  for (ptrdiff_t j = 0; j < centroids->k; j++) least = dist2[j] < least ? dist2[j] : least;
  const REAL limit = POINT_NAME(upper_bound)(least, centroids) / (1 - centroids->relative);
  const REAL limit2 = limit * limit * (1 + ROUNDING);
  *nearest = INFINITY;
  for (ptrdiff_t j = 0; j < centroids->k; j++) {
    if (dist2[j] > limit2) continue;
    const double exact = IS_EXACT ? (double)dist2[j] : POINT_NAME(kmc_dist2)(point, centroids->exact + j * d, d);
    if (exact < *nearest) *nearest = exact, label = (int32_t)j;
  }
  return label;
}

/* The same with all distances in real computed first. SCRATCH dist2 (stride). */
static int32_t POINT_NAME(settle)(const POINT *point, ptrdiff_t d, const NAME(kmc_centroids) * centroids, REAL *dist2,
                                  double *nearest) {
  V() sums[KMC_BLOCK / V(_lanes)];
  for (ptrdiff_t first = 0; first < centroids->stride; first += KMC_BLOCK) {
    POINT_NAME(block_dist2)(point, d, centroids, first, sums);
    for (int v = 0; v < KMC_BLOCK / V(_lanes); v++) V(_store)(dist2 + first + v * V(_lanes), sums[v]);
  }
  return POINT_NAME(settle_among)(point, d, centroids, dist2, nearest);
}
