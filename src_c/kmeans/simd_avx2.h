/* Vector vocabulary, AVX2 with FMA. Skylake and Zen: add, sub, mul 4 cycles, two a cycle; blendv 2 cycles, one a cycle.
 */
#include <immintrin.h>

#define KMC_NAME "avx2"
#define KMC_TABLE kmc_kernels_avx2

/* Centroids in flight: with two vectors of points, 8 sums of 16 registers. */
#define KMC_IN_FLIGHT 4

typedef __m256 vf32;
typedef __m256 vf32_mask;
enum { vf32_lanes = 8 };
static inline vf32 vf32_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf32_store(float *p, vf32 a) { _mm256_storeu_ps(p, a); }
static inline vf32 vf32_set1(float a) { return _mm256_set1_ps(a); }
static inline vf32 vf32_add(vf32 a, vf32 b) { return _mm256_add_ps(a, b); }
static inline vf32 vf32_sub(vf32 a, vf32 b) { return _mm256_sub_ps(a, b); }
static inline vf32 vf32_mul(vf32 a, vf32 b) { return _mm256_mul_ps(a, b); }
static inline vf32 vf32_muladd(vf32 a, vf32 b, vf32 c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf32 vf32_min(vf32 a, vf32 b) { return _mm256_min_ps(a, b); }
static inline vf32 vf32_max(vf32 a, vf32 b) { return _mm256_max_ps(a, b); }
static inline vf32 vf32_sqrt(vf32 a) { return _mm256_sqrt_ps(a); }
static inline vf32_mask vf32_lt(vf32 a, vf32 b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vf32_mask vf32_or(vf32_mask a, vf32_mask b) { return _mm256_or_ps(a, b); }
static inline vf32 vf32_select(vf32_mask m, vf32 yes, vf32 no) { return _mm256_blendv_ps(no, yes, m); }
static inline int vf32_all(vf32_mask m) { return _mm256_movemask_ps(m) == 0xff; }

typedef __m256d vf64;
typedef __m256d vf64_mask;
enum { vf64_lanes = 4 };
static inline vf64 vf64_load(const double *p) { return _mm256_loadu_pd(p); }
static inline void vf64_store(double *p, vf64 a) { _mm256_storeu_pd(p, a); }
static inline vf64 vf64_set1(double a) { return _mm256_set1_pd(a); }
static inline vf64 vf64_add(vf64 a, vf64 b) { return _mm256_add_pd(a, b); }
static inline vf64 vf64_sub(vf64 a, vf64 b) { return _mm256_sub_pd(a, b); }
static inline vf64 vf64_mul(vf64 a, vf64 b) { return _mm256_mul_pd(a, b); }
static inline vf64 vf64_muladd(vf64 a, vf64 b, vf64 c) { return _mm256_fmadd_pd(a, b, c); }
static inline vf64 vf64_min(vf64 a, vf64 b) { return _mm256_min_pd(a, b); }
static inline vf64 vf64_max(vf64 a, vf64 b) { return _mm256_max_pd(a, b); }
static inline vf64 vf64_sqrt(vf64 a) { return _mm256_sqrt_pd(a); }
static inline vf64_mask vf64_lt(vf64 a, vf64 b) { return _mm256_cmp_pd(a, b, _CMP_LT_OQ); }
static inline vf64_mask vf64_or(vf64_mask a, vf64_mask b) { return _mm256_or_pd(a, b); }
static inline vf64 vf64_select(vf64_mask m, vf64 yes, vf64 no) { return _mm256_blendv_pd(no, yes, m); }
static inline int vf64_all(vf64_mask m) { return _mm256_movemask_pd(m) == 0xf; }
