/* Vector vocabulary, AVX-512F. Ice Lake: add, sub, mul 4 cycles, one or two a cycle; compares write mask registers. */
#include <immintrin.h>

#define KMC_NAME "avx512"
#define KMC_TABLE kmc_kernels_avx512

/* Centroids in flight: with two vectors of points, 16 sums of 32 registers. */
#define KMC_IN_FLIGHT 8

typedef __m512 vf32;
typedef __mmask16 vf32_mask;
enum { vf32_lanes = 16 };
static inline vf32 vf32_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf32_store(float *p, vf32 a) { _mm512_storeu_ps(p, a); }
static inline vf32 vf32_set1(float a) { return _mm512_set1_ps(a); }
static inline vf32 vf32_add(vf32 a, vf32 b) { return _mm512_add_ps(a, b); }
static inline vf32 vf32_sub(vf32 a, vf32 b) { return _mm512_sub_ps(a, b); }
static inline vf32 vf32_mul(vf32 a, vf32 b) { return _mm512_mul_ps(a, b); }
static inline vf32 vf32_muladd(vf32 a, vf32 b, vf32 c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf32 vf32_min(vf32 a, vf32 b) { return _mm512_min_ps(a, b); }
static inline vf32 vf32_max(vf32 a, vf32 b) { return _mm512_max_ps(a, b); }
static inline vf32 vf32_sqrt(vf32 a) { return _mm512_sqrt_ps(a); }
static inline vf32_mask vf32_lt(vf32 a, vf32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vf32_mask vf32_or(vf32_mask a, vf32_mask b) { return (vf32_mask)(a | b); }
static inline vf32 vf32_select(vf32_mask m, vf32 yes, vf32 no) { return _mm512_mask_blend_ps(m, no, yes); }
static inline int vf32_all(vf32_mask m) { return m == 0xffff; }

typedef __m512d vf64;
typedef __mmask8 vf64_mask;
enum { vf64_lanes = 8 };
static inline vf64 vf64_load(const double *p) { return _mm512_loadu_pd(p); }
static inline void vf64_store(double *p, vf64 a) { _mm512_storeu_pd(p, a); }
static inline vf64 vf64_set1(double a) { return _mm512_set1_pd(a); }
static inline vf64 vf64_add(vf64 a, vf64 b) { return _mm512_add_pd(a, b); }
static inline vf64 vf64_sub(vf64 a, vf64 b) { return _mm512_sub_pd(a, b); }
static inline vf64 vf64_mul(vf64 a, vf64 b) { return _mm512_mul_pd(a, b); }
static inline vf64 vf64_muladd(vf64 a, vf64 b, vf64 c) { return _mm512_fmadd_pd(a, b, c); }
static inline vf64 vf64_min(vf64 a, vf64 b) { return _mm512_min_pd(a, b); }
static inline vf64 vf64_max(vf64 a, vf64 b) { return _mm512_max_pd(a, b); }
static inline vf64 vf64_sqrt(vf64 a) { return _mm512_sqrt_pd(a); }
static inline vf64_mask vf64_lt(vf64 a, vf64 b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
static inline vf64_mask vf64_or(vf64_mask a, vf64_mask b) { return (vf64_mask)(a | b); }
static inline vf64 vf64_select(vf64_mask m, vf64 yes, vf64 no) { return _mm512_mask_blend_pd(m, no, yes); }
static inline int vf64_all(vf64_mask m) { return m == 0xff; }
