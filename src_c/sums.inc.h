/* Included by common.c for each type of values, REAL and NAME(word). Contracts in kmc_kernels.h. */

static inline double NAME(add_up)(const double sums[8]) {
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

double NAME(kmc_weighted_sum)(const REAL *values, const double *weights, ptrdiff_t n) {
  double sums[8] = {0};
  for (ptrdiff_t i = 0; i < n; i++) sums[i % 8] += (weights ? weights[i] : 1.0) * (double)values[i];
  return NAME(add_up)(sums);
}

double NAME(kmc_capped_sum)(const REAL *values, const REAL *cap, const double *weights, ptrdiff_t n) {
  double sums[8] = {0};
  for (ptrdiff_t i = 0; i < n; i++) {
    const REAL value = values[i] < cap[i] ? values[i] : cap[i];
    sums[i % 8] += (weights ? weights[i] : 1.0) * (double)value;
  }
  return NAME(add_up)(sums);
}
