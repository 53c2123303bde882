/* Elkan's assignment (Elkan, "Using the triangle inequality to accelerate k-means", ICML 2003).
 *
 * Two changes to the paper. The bounds are not touched each round: a centroid's whole path (`travelled`) is added when
 * a bound is stored and taken off when it is read, so a point that is skipped costs one comparison and no write. And
 * centroids lie in lanes: if one of a block of KMC_BLOCK may be nearer, the whole block is computed, which costs
 * no more and tightens every bound in it.
 *
 * Each bound is widened by the error of what it was computed from, so a centroid is skipped only where its distance in
 * double is strictly greater; where that leaves two, the point is decided in double. So the labels are those of
 * assign. */

typedef struct {
  REAL dist2, second; /* squared distances to the nearest and the second nearest so far */
  REAL upper;         /* at least the distance to the nearest, and `absolute` more */
  int32_t label;
} POINT_NAME(nearest);

/* OUT dist2 (KMC_BLOCK) to the centroids from `first` on, and new lower bounds for them. */
static inline void POINT_NAME(elkan_block)(const POINT *point, ptrdiff_t d, const NAME(kmc_elkan) * known,
                                           ptrdiff_t first, REAL *dist2, REAL *lower) {
  V() sums[KMC_BLOCK / V(_lanes)];
  POINT_NAME(block_dist2)(point, d, &known->centroids, first, sums);
  const V() shrink = V(_set1)(1 - known->centroids.relative), round_down = V(_set1)(1 - ROUNDING);
  for (int v = 0; v < KMC_BLOCK / V(_lanes); v++) {
    const ptrdiff_t column = first + v * V(_lanes);
    const V() bound = V(_add)(V(_mul)(V(_sqrt)(sums[v]), shrink), V(_load)(known->travelled + column));
    V(_store)(dist2 + v * V(_lanes), sums[v]);
    V(_store)(lower + column, V(_mul)(bound, round_down));
  }
}

static inline void POINT_NAME(elkan_visit)(const POINT *point, ptrdiff_t d, const NAME(kmc_elkan) * known,
                                           ptrdiff_t first, POINT_NAME(nearest) * nearest, REAL *lower) {
  REAL dist2[KMC_BLOCK];
  POINT_NAME(elkan_block)(point, d, known, first, dist2, lower);
  for (int c = 0; c < KMC_BLOCK; c++) {
    const int32_t label = (int32_t)(first + c);
    if (dist2[c] < nearest->dist2 || (dist2[c] == nearest->dist2 && label < nearest->label)) {
      nearest->second = nearest->dist2;
      nearest->dist2 = dist2[c];
      nearest->label = label;
    } else if (dist2[c] < nearest->second) {
      nearest->second = dist2[c];
    }
  }
  nearest->upper = POINT_NAME(upper_bound)(nearest->dist2, &known->centroids);
}

/* Whether any centroid of the block may be as near as the nearest so far. */
static inline int POINT_NAME(elkan_may_win)(const NAME(kmc_elkan) * known, ptrdiff_t first,
                                            const POINT_NAME(nearest) * nearest, const REAL *lower) {
  const V() upper = V(_set1)(nearest->upper);
  const REAL *half = known->half_distances + nearest->label * known->centroids.stride + first;
  for (int v = 0; v < KMC_BLOCK; v += V(_lanes)) {
    const V() bound = V(_sub)(V(_load)(lower + first + v), V(_load)(known->travelled + first + v));
    const V(_mask) too_far = V(_or)(V(_lt)(upper, bound), V(_lt)(upper, V(_load)(half + v)));
    if (!V(_all)(too_far)) return 1;
  }
  return 0;
}

static void POINT_NAME(elkan)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const NAME(kmc_elkan) * known,
                              int32_t *labels, REAL *upper, REAL *lower, REAL *dist2) {
  const NAME(kmc_centroids) *centroids = &known->centroids;
  for (ptrdiff_t i = 0; i < n; i++, points += d, lower += centroids->stride) {
    const REAL travelled = known->travelled[labels[i]];
    const REAL drifted = upper[i] + travelled + ((REAL)fabs(upper[i]) + travelled) * ROUNDING;
    POINT_NAME(nearest) nearest = {(REAL)INFINITY, (REAL)INFINITY, drifted, labels[i]};
    if (drifted < known->half_nearest[labels[i]]) continue;

    const ptrdiff_t own_block = labels[i] / KMC_BLOCK * KMC_BLOCK;
    POINT_NAME(elkan_visit)(points, d, known, own_block, &nearest, lower);
    for (ptrdiff_t first = 0; first < centroids->stride; first += KMC_BLOCK) {
      if (first != own_block && POINT_NAME(elkan_may_win)(known, first, &nearest, lower)) {
        POINT_NAME(elkan_visit)(points, d, known, first, &nearest, lower);
      }
    }
    if (!IS_EXACT && !(nearest.upper < (REAL)sqrt(nearest.second) * (1 - centroids->relative))) {
      double settled;
      nearest.label = POINT_NAME(settle)(points, d, centroids, dist2, &settled);
      nearest.upper = POINT_NAME(upper_bound)(settled, centroids);
    }
    labels[i] = nearest.label;
    upper[i] = nearest.upper - known->travelled[nearest.label];
    upper[i] += (nearest.upper + known->travelled[nearest.label]) * ROUNDING;
  }
}

#undef ROUNDING
#undef IS_EXACT
