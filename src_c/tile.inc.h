/* Distances of a transposed tile of points to the centroids: the inner loop of assignment and of seeding.
 *
 * A tile is (d, KMC_TILE): coordinate t of point p at tile[t * KMC_TILE + p]. Points lie in lanes, so each lane adds
 * its own coordinates in order and no sum is ever split. Two vectors of points and four centroids are in flight: eight
 * accumulators hide the latency of the additions and, with two points, one centroid and a temporary, fit the sixteen
 * registers of AVX2. */
#define STEP (2 * V(_lanes))
#define IS_EXACT (sizeof(REAL) == sizeof(double))

/* The nearest centroid so far of a vector of points, and the squared distance to the second nearest. Labels travel as
 * reals in the lanes (exact: k <= 2^24), so that one mask selects distance and label alike. */
typedef struct {
  V() dist2, second, label;
} NAME(nearest_lanes);

static inline void NAME(keep_nearer)(NAME(nearest_lanes) * nearest, V() dist2, REAL label) {
  const V(_mask) nearer = V(_lt)(dist2, nearest->dist2);
  if (!IS_EXACT) nearest->second = V(_min)(nearest->second, V(_max)(nearest->dist2, dist2));
  nearest->dist2 = V(_min)(nearest->dist2, dist2);
  nearest->label = V(_select)(nearer, V(_set1)(label), nearest->label);
}

/* OUT dist2[c][0..1] for `m` <= 4 centroids (rows of d) and the two vectors of points at `tile`. */
static inline void NAME(tile_dist2)(const REAL *tile, ptrdiff_t d, const REAL *centroids, int m, V() dist2[4][2]) {
  for (int c = 0; c < m; c++) dist2[c][0] = dist2[c][1] = V(_set1)(0);
  for (ptrdiff_t t = 0; t < d; t++) {
    const V() x0 = V(_load)(tile + t * KMC_TILE);
    const V() x1 = V(_load)(tile + t * KMC_TILE + V(_lanes));
    for (int c = 0; c < m; c++) {
      const V() centroid = V(_set1)(centroids[c * d + t]);
      const V() diff0 = V(_sub)(x0, centroid);
      const V() diff1 = V(_sub)(x1, centroid);
      dist2[c][0] = V(_add)(dist2[c][0], V(_mul)(diff0, diff0));
      dist2[c][1] = V(_add)(dist2[c][1], V(_mul)(diff1, diff1));
    }
  }
}

static inline void NAME(assign_lanes)(const REAL *tile, ptrdiff_t d, const REAL *centroids, ptrdiff_t k,
                                      NAME(nearest_lanes) nearest[2]) {
  V() dist2[4][2];
  ptrdiff_t j = 0;
  for (; j + 4 <= k; j += 4) {
    NAME(tile_dist2)(tile, d, centroids + j * d, 4, dist2);
    for (int c = 0; c < 4; c++) {
      NAME(keep_nearer)(&nearest[0], dist2[c][0], (REAL)(j + c));
      NAME(keep_nearer)(&nearest[1], dist2[c][1], (REAL)(j + c));
    }
  }
  for (; j < k; j++) {
    NAME(tile_dist2)(tile, d, centroids + j * d, 1, dist2);
    NAME(keep_nearer)(&nearest[0], dist2[0][0], (REAL)j);
    NAME(keep_nearer)(&nearest[1], dist2[0][1], (REAL)j);
  }
}

/* OUT labels (KMC_TILE), as reals; -1 where the nearest two are too close to call in real. */
static void NAME(assign_tile)(const REAL *tile, ptrdiff_t d, const NAME(kmc_centroids) * centroids, REAL *labels) {
  const V() infinite = V(_set1)((REAL)INFINITY);
  const V() widen = V(_set1)(1 + centroids->relative), shrink = V(_set1)(1 - centroids->relative);
  for (int p = 0; p < KMC_TILE; p += STEP) {
    NAME(nearest_lanes) nearest[2];
    for (int v = 0; v < 2; v++) nearest[v].dist2 = nearest[v].second = infinite, nearest[v].label = V(_set1)(0);
    NAME(assign_lanes)(tile + p, d, centroids->rounded, centroids->k, nearest);
    for (int v = 0; v < 2; v++) {
      V() label = nearest[v].label;
      if (!IS_EXACT) {
        const V() upper = V(_add)(V(_mul)(V(_sqrt)(nearest[v].dist2), widen), V(_set1)(centroids->absolute));
        const V() lower = V(_mul)(V(_sqrt)(nearest[v].second), shrink);
        label = V(_select)(V(_lt)(upper, lower), label, V(_set1)(-1));
      }
      V(_store)(labels + p + v * V(_lanes), label);
    }
  }
}

/* OUT dist2 (KMC_TILE): squared distances to one centroid. */
static inline void NAME(distances_tile)(const REAL *tile, ptrdiff_t d, const REAL *centroid, REAL *dist2) {
  for (int p = 0; p < KMC_TILE; p += STEP) {
    V() found[4][2];
    NAME(tile_dist2)(tile + p, d, centroid, 1, found);
    V(_store)(dist2 + p, found[0][0]);
    V(_store)(dist2 + p + V(_lanes), found[0][1]);
  }
}

#undef STEP
