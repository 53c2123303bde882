/* A transposed tile of points and the centroids: the inner loops of assignment and of seeding.
 *
 * A tile is (d, KMC_TILE): coordinate t of point p at tile[t * KMC_TILE + p]. Points lie in lanes, so each lane adds
 * its own coordinates in order and no sum is ever split. Two vectors of points and KMC_IN_FLIGHT centroids are in
 * flight: eight or more sums hide the latency of the additions. */
#define STEP (2 * V(_lanes))

/* The nearest centroid so far of a vector of points, its score and the next lowest one. Labels travel as reals in the
 * lanes (exact: k <= 2^24), so that one mask selects score and label alike. */
typedef struct {
  V() score, second, label;
} NAME(nearest_lanes);

static inline void NAME(keep_nearer)(NAME(nearest_lanes) * nearest, V() score, REAL label) {
  const V(_mask) nearer = V(_lt)(score, nearest->score);
  nearest->second = V(_min)(nearest->second, V(_max)(nearest->score, score));
  nearest->score = V(_min)(nearest->score, score);
  nearest->label = V(_select)(nearer, V(_set1)(label), nearest->label);
}

/* OUT scores[c][0..1] of KMC_IN_FLIGHT centroids for the two vectors of points at `tile`. */
static inline void NAME(tile_scores)(const REAL *tile, ptrdiff_t d, const REAL *panel, const REAL *half_norms,
                                     V() scores[KMC_IN_FLIGHT][2]) {
  for (int c = 0; c < KMC_IN_FLIGHT; c++) scores[c][0] = scores[c][1] = V(_set1)(half_norms[c]);
  for (ptrdiff_t t = 0; t < d; t++) {
    const V() x0 = V(_load)(tile + t * KMC_TILE);
    const V() x1 = V(_load)(tile + t * KMC_TILE + V(_lanes));
    for (int c = 0; c < KMC_IN_FLIGHT; c++) {
      const V() centroid = V(_set1)(panel[t * KMC_PANEL + c]);
      scores[c][0] = V(_muladd)(x0, centroid, scores[c][0]);
      scores[c][1] = V(_muladd)(x1, centroid, scores[c][1]);
    }
  }
}

static inline void NAME(assign_lanes)(const REAL *tile, ptrdiff_t d, const NAME(kmc_centroids) * centroids,
                                      NAME(nearest_lanes) nearest[2]) {
  V() scores[KMC_IN_FLIGHT][2];
  for (ptrdiff_t j = 0; j < centroids->k; j += KMC_IN_FLIGHT) {
    const REAL *panel = centroids->panels + j / KMC_PANEL * KMC_PANEL * d + j % KMC_PANEL;
    NAME(tile_scores)(tile, d, panel, centroids->half_norms + j, scores);
    for (int c = 0; c < KMC_IN_FLIGHT; c++) {
      NAME(keep_nearer)(&nearest[0], scores[c][0], (REAL)(j + c));
      NAME(keep_nearer)(&nearest[1], scores[c][1], (REAL)(j + c));
    }
  }
}

/* OUT labels (KMC_TILE), as reals; -1 where the lowest two scores are too close to call. IN tile: as tile_points. */
static void NAME(assign_tile)(const REAL *tile, ptrdiff_t d, const NAME(kmc_centroids) * centroids, REAL *labels) {
  const V() infinite = V(_set1)((REAL)INFINITY);
  const V() margin = V(_set1)(centroids->margin), per_norm = V(_set1)(centroids->margin_per_norm);
  for (int p = 0; p < KMC_TILE; p += STEP) {
    NAME(nearest_lanes) nearest[2];
    for (int v = 0; v < 2; v++) nearest[v].score = nearest[v].second = infinite, nearest[v].label = V(_set1)(0);
    NAME(assign_lanes)(tile + p, d, centroids, nearest);
    for (int v = 0; v < 2; v++) {
      const V() norm = V(_load)(tile + d * KMC_TILE + p + v * V(_lanes));
      const V() limit = V(_add)(nearest[v].score, V(_muladd)(norm, per_norm, margin));
      const V(_mask) sure = V(_lt)(limit, nearest[v].second);
      V(_store)(labels + p + v * V(_lanes), V(_select)(sure, nearest[v].label, V(_set1)(-1)));
    }
  }
}

/* OUT dist2 (KMC_TILE): squared distances to one centroid. */
static inline void NAME(distances_tile)(const REAL *tile, ptrdiff_t d, const REAL *centroid, REAL *dist2) {
  for (int p = 0; p < KMC_TILE; p += STEP) {
    V() sum0 = V(_set1)(0), sum1 = V(_set1)(0);
    for (ptrdiff_t t = 0; t < d; t++) {
      const V() diff0 = V(_sub)(V(_load)(tile + t * KMC_TILE + p), V(_set1)(centroid[t]));
      const V() diff1 = V(_sub)(V(_load)(tile + t * KMC_TILE + p + V(_lanes)), V(_set1)(centroid[t]));
      sum0 = V(_add)(sum0, V(_mul)(diff0, diff0));
      sum1 = V(_add)(sum1, V(_mul)(diff1, diff1));
    }
    V(_store)(dist2 + p, sum0);
    V(_store)(dist2 + p + V(_lanes), sum1);
  }
}

#undef STEP
