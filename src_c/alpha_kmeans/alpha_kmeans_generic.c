/* k-means of colours with alpha, plain C: vectors of one lane. */
#include "alpha_kmeans/alpha_kmeans.h"
#include "compiler.h"

#define KERNELS kmc_alpha_kernels_generic

enum { LANES = 1 };
typedef int32_t vi;
static inline vi vi_load(const int32_t *p) { return *p; }
static inline void vi_store(int32_t *p, vi a) { *p = a; }
static inline vi vi_set1(int32_t a) { return a; }
static inline vi vi_add(vi a, vi b) { return a + b; }
static inline vi vi_min(vi a, vi b) { return a < b ? a : b; }
static inline vi vi_sub16(vi a, vi b) {
  return kmc_alpha_pair(kmc_alpha_low(a) - kmc_alpha_low(b), kmc_alpha_high(a) - kmc_alpha_high(b));
}
static inline vi vi_min16(vi a, vi b) {
  return kmc_alpha_pair(vi_min(kmc_alpha_low(a), kmc_alpha_low(b)), vi_min(kmc_alpha_high(a), kmc_alpha_high(b)));
}
static inline vi vi_max16(vi a, vi b) {
  return kmc_alpha_pair(-vi_min(-kmc_alpha_low(a), -kmc_alpha_low(b)), -vi_min(-kmc_alpha_high(a), -kmc_alpha_high(b)));
}
static inline vi vi_square(vi a) { return kmc_alpha_low(a) * kmc_alpha_low(a) + kmc_alpha_high(a) * kmc_alpha_high(a); }
static inline vi vi_least(vi a) { return a; }
static inline unsigned vi_le(vi a, vi b) { return a <= b; }
static inline vi vi_where_less(vi a, vi b, vi yes, vi no) { return a < b ? yes : no; }

#include "alpha_kmeans/alpha_kmeans_kernels.inc.h"
