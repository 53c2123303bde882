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

/* OUT dist2[c][0..1] of `m` <= 4 centroids (rows of d) for the two vectors of points at `tile`. */
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

/* OUT found (m, KMC_TILE): squared distances of a tile to `m` <= 4 centroids, or `most` (KMC_TILE) where less. */
static inline void NAME(distances_tile)(const REAL *tile, ptrdiff_t d, const REAL *centroids, int m, const REAL *most,
                                        REAL *found) {
  for (int p = 0; p < KMC_TILE; p += STEP) {
    V() dist2[4][2];
    NAME(tile_dist2)(tile + p, d, centroids, m, dist2);
    for (int c = 0; c < m; c++) {
      for (int v = 0; v < 2; v++) {
        const int first = p + v * V(_lanes);
        V(_store)(found + c * KMC_TILE + first, V(_min)(V(_load)(most + first), dist2[c][v]));
      }
    }
  }
}

static void NAME(distances)(const REAL *tiles, ptrdiff_t n, ptrdiff_t d, const REAL *centroids, ptrdiff_t m,
                            const REAL *most, REAL *dist2, ptrdiff_t out_stride) {
  REAL tile_most[KMC_TILE] = {0}, found[4 * KMC_TILE];
  for (ptrdiff_t start = 0; start < n; start += KMC_TILE, tiles += (d + 1) * KMC_TILE) {
    const size_t count = (size_t)(n - start < KMC_TILE ? n - start : KMC_TILE);
    memcpy(tile_most, most + start, count * sizeof *most);
    for (ptrdiff_t j = 0; j < m; j += 4) {
      const ptrdiff_t together = m - j < 4 ? m - j : 4;
      if (together == 4) {
        NAME(distances_tile)(tiles, d, centroids + j * d, 4, tile_most, found);
      } else {
        for (ptrdiff_t c = 0; c < together; c++) {
          NAME(distances_tile)(tiles, d, centroids + (j + c) * d, 1, tile_most, found + c * KMC_TILE);
        }
      }
      for (ptrdiff_t c = 0; c < together; c++) {
        memcpy(dist2 + (j + c) * out_stride + start, found + c * KMC_TILE, count * sizeof *dist2);
      }
    }
  }
}

#undef STEP
