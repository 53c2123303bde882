/* Included by common.c for each type of values, REAL and NAME(word). Contracts in kmc_kernels.h. */

static inline double NAME(add_up)(const double sums[8]) {
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

double NAME(kmc_weighted_sum)(const REAL *values, const double *weights, ptrdiff_t n) {
  double sums[8] = {0};
  ptrdiff_t i = 0;
  for (; i + 8 <= n; i += 8) {
    if (weights) {
      for (int l = 0; l < 8; l++) sums[l] += weights[i + l] * (double)values[i + l];
    } else {
      for (int l = 0; l < 8; l++) sums[l] += (double)values[i + l];
    }
  }
  for (; i < n; i++) sums[i % 8] += (weights ? weights[i] : 1.0) * (double)values[i];
  return NAME(add_up)(sums);
}
