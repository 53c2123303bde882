/* Included by common.c for each type of points, POINT, with the arithmetic that is tried first, REAL, and NAME(word).
 * Contracts in kmc_kernels.h. */

double NAME(kmc_dist2)(const POINT *point, const double *centroid, ptrdiff_t d) {
  double sum = 0;
  for (ptrdiff_t t = 0; t < d; t++) {
    const double diff = (double)point[t] - centroid[t];
    sum += diff * diff;
  }
  return sum;
}

/* The lengths are rounded up by more than what d <= 4096 additions in double and one rounding to real can lose. */
void NAME(kmc_tile_points)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const REAL *origin, REAL *tiles) {
  const double round_up = sizeof(REAL) == sizeof(double) ? 1 + 1e-12 : 1 + 2e-7;
  for (ptrdiff_t start = 0; start < n; start += KMC_TILE, tiles += (d + 1) * KMC_TILE) {
    for (ptrdiff_t p = 0; p < KMC_TILE; p++) {
      const POINT *point = points + (start + p < n ? start + p : n - 1) * d;
      double norm2 = 0;
      for (ptrdiff_t t = 0; t < d; t++) {
        const REAL diff = (REAL)point[t] - origin[t];
        tiles[t * KMC_TILE + p] = diff;
        norm2 += (double)diff * (double)diff;
      }
      tiles[d * KMC_TILE + p] = (REAL)(sqrt(norm2) * round_up);
    }
  }
}

void NAME(kmc_own_dist2)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const double *centroids, const int32_t *labels,
                         double *dist2) {
  for (ptrdiff_t i = 0; i < n; i++) dist2[i] = NAME(kmc_dist2)(points + i * d, centroids + labels[i] * d, d);
}

static inline void NAME(join)(const POINT *point, ptrdiff_t d, double weight, int32_t label, double *sums,
                              double *weight_sums) {
  double *sum = sums + label * d;
  for (ptrdiff_t t = 0; t < d; t++) sum[t] += weight * (double)point[t];
  weight_sums[label] += weight;
}

/* The first point from `start` on whose label changed, or n: as many at a time as compilers make vectors of. */
static inline ptrdiff_t NAME(next_changed)(const int32_t *old_labels, const int32_t *new_labels, ptrdiff_t start,
                                           ptrdiff_t n) {
  enum { AT_ONCE = 16 };
  ptrdiff_t i = start;
  for (int32_t differences = 0; i + AT_ONCE <= n; i += AT_ONCE) {
    for (int j = 0; j < AT_ONCE; j++) differences |= old_labels[i + j] ^ new_labels[i + j];
    if (differences) break;
  }
  while (i < n && old_labels[i] == new_labels[i]) i++;
  return i;
}

ptrdiff_t NAME(kmc_update)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const double *weights,
                           const int32_t *old_labels, const int32_t *new_labels, double *sums, double *weight_sums) {
  ptrdiff_t changed = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    if (old_labels && (i = NAME(next_changed)(old_labels, new_labels, i, n)) == n) break;
    const double weight = weights ? weights[i] : 1.0;
    if (old_labels) NAME(join)(points + i * d, d, -weight, old_labels[i], sums, weight_sums);
    NAME(join)(points + i * d, d, weight, new_labels[i], sums, weight_sums);
    changed++;
  }
  return changed;
}
