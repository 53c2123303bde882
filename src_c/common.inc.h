/* Included by common.c for each type of points, POINT and NAME(word). Contracts in kmc_kernels.h. */

static inline double NAME(dist2)(const POINT *point, const double *centroid, ptrdiff_t d) {
  double sum = 0;
  for (ptrdiff_t t = 0; t < d; t++) {
    const double diff = (double)point[t] - centroid[t];
    sum += diff * diff;
  }
  return sum;
}

int32_t NAME(kmc_nearest)(const POINT *point, ptrdiff_t d, const double *centroids, ptrdiff_t k, double *dist2) {
  int32_t label = 0;
  *dist2 = NAME(dist2)(point, centroids, d);
  for (ptrdiff_t j = 1; j < k; j++) {
    const double other = NAME(dist2)(point, centroids + j * d, d);
    if (other < *dist2) {
      *dist2 = other;
      label = (int32_t)j;
    }
  }
  return label;
}

void NAME(kmc_own_dist2)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const double *centroids, const int32_t *labels,
                         double *dist2) {
  for (ptrdiff_t i = 0; i < n; i++) dist2[i] = NAME(dist2)(points + i * d, centroids + labels[i] * d, d);
}

static inline void NAME(join)(const POINT *point, ptrdiff_t d, double weight, int32_t label, double *sums,
                              double *weight_sums) {
  double *sum = sums + label * d;
  for (ptrdiff_t t = 0; t < d; t++) sum[t] += weight * (double)point[t];
  weight_sums[label] += weight;
}

ptrdiff_t NAME(kmc_update)(const POINT *points, ptrdiff_t n, ptrdiff_t d, const double *weights,
                           const int32_t *old_labels, const int32_t *new_labels, double *sums, double *weight_sums) {
  ptrdiff_t changed = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    if (old_labels && old_labels[i] == new_labels[i]) continue;
    const double weight = weights ? weights[i] : 1.0;
    if (old_labels) NAME(join)(points + i * d, d, -weight, old_labels[i], sums, weight_sums);
    NAME(join)(points + i * d, d, weight, new_labels[i], sums, weight_sums);
    changed++;
  }
  return changed;
}
