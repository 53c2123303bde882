/* k-means on colours, AVX2. Haswell to Ice Lake: vpmaddwd 5 cycles, one or two a cycle. */
#include <math.h>
#include <string.h>

#include "color_kmeans/color_kmeans_level.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx2"
#include "target_push.inc.h"

#define KERNELS kmc_color_kernels_avx2
#define KERNELS_NAME "avx2"

enum { LANES = 8, MOST_VECTORS = 4 };
typedef __m256 vf;
typedef __m256i vi;
static inline unsigned lane_mask(int32_t n) { return n >= LANES ? 0xffu : (1u << n) - 1; }
static inline int lowest_bit(unsigned mask) { return kmc_lowest_bit(mask); }
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
static inline vf vf_set1(float a) { return _mm256_set1_ps(a); }
static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline unsigned vf_le(vf a, vf b) { return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ)); }
/* Lanes from n on become infinite. */
static inline vf vf_tail(vf a, int32_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 inside = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane));
  return _mm256_blendv_ps(_mm256_set1_ps(INFINITY), a, inside);
}
/* The lanes of the mask, one after another. */
static inline void vf_keep(float *to, unsigned mask, const float *from) {
  for (; mask; mask &= mask - 1) *to++ = from[lowest_bit(mask)];
}
/* The same. Returns how many are kept. */
static inline int32_t vi_keep(int32_t *to, unsigned mask, const int32_t *from) {
  int32_t n = 0;
  for (; mask; mask &= mask - 1) to[n++] = from[lowest_bit(mask)];
  return n;
}
static inline float vf_least(vf a) {
  __m128 b = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_min_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_min_ss(b, _mm_movehdup_ps(b)));
}
static inline vi vi_load(const uint32_t *p) { return _mm256_loadu_si256((const void *)p); }
static inline void vi_store(int32_t *p, vi a) { _mm256_storeu_si256((void *)p, a); }
static inline vi vi_load_u16(const uint16_t *p) { return _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)); }
static inline vi vi_set1(int32_t a) { return _mm256_set1_epi32(a); }
static inline vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
static inline vi vi_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
/* Colours of three bytes, each in four, the last of them 0; reads four bytes more. */
static inline vi vi_load_rgb(const uint8_t *p) {
  const __m128i four = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  const __m128i low = _mm_loadu_si128((const void *)p), high = _mm_loadu_si128((const void *)(p + 12));
  return _mm256_shuffle_epi8(_mm256_set_m128i(high, low), _mm256_set_m128i(four, four));
}
static inline vi vi_shift_left_8(vi a) { return _mm256_slli_epi32(a, 8); }
static inline vi vi_min(vi a, vi b) { return _mm256_min_epi32(a, b); }
static inline vi vi_min_bytes(vi a, vi b) { return _mm256_min_epi8(a, b); }
static inline vi vi_max_bytes(vi a, vi b) { return _mm256_max_epi8(a, b); }
static inline vi vi_add_products(vi sum, vi a, vi b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
static inline unsigned vi_differ(vi a, vi b) {
  return ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b))) & 0xff;
}

typedef __m256i vm;
static inline vm vm_load(const kmc_moment *p) { return _mm256_loadu_si256((const void *)p); }
static inline void vm_store(kmc_moment *p, vm a) { _mm256_storeu_si256((void *)p, a); }
static inline vm vm_add(vm a, vm b) { return _mm256_add_epi64(a, b); }
static inline vm vm_sub(vm a, vm b) { return _mm256_sub_epi64(a, b); }
static inline vm vm_set1(uint32_t a) { return _mm256_set1_epi32((int32_t)a); }
static inline vm vm_bytes(uint32_t a) { return _mm256_cvtepi8_epi64(_mm_cvtsi32_si128((int32_t)a)); }
static inline vm vm_times(vm a, vm b) { return _mm256_mul_epi32(a, b); } /* of the low halves */

#include "color_kmeans/color_kmeans_kernels.inc.h"

#include "target_pop.inc.h"
#else
typedef int kmc_not_for_this_processor;
#endif
