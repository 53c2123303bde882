/* k-means of colours with alpha, AVX2. Haswell to Ice Lake: vpmaddwd 5 cycles, one or two a cycle. */
#include "alpha_kmeans/alpha_kmeans.h"
#include "compiler.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx2"
#include "target_push.inc.h"

#define KERNELS kmc_alpha_kernels_avx2

enum { LANES = 8 };
typedef __m256i vi;
static inline vi vi_load(const int32_t *p) { return _mm256_loadu_si256((const void *)p); }
static inline void vi_store(int32_t *p, vi a) { _mm256_storeu_si256((void *)p, a); }
static inline vi vi_set1(int32_t a) { return _mm256_set1_epi32(a); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_min(vi a, vi b) { return _mm256_min_epi32(a, b); }
static inline vi vi_sub16(vi a, vi b) { return _mm256_sub_epi16(a, b); }
static inline vi vi_min16(vi a, vi b) { return _mm256_min_epi16(a, b); }
static inline vi vi_max16(vi a, vi b) { return _mm256_max_epi16(a, b); }
static inline vi vi_square(vi a) { return _mm256_madd_epi16(a, a); }
static inline int32_t vi_least(vi a) {
  __m128i b = _mm_min_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  b = _mm_min_epi32(b, _mm_shuffle_epi32(b, 0x4e));
  return _mm_cvtsi128_si32(_mm_min_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}
static inline unsigned vi_le(vi a, vi b) {
  return ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b))) & 0xffu;
}
static inline vi vi_where_less(vi a, vi b, vi yes, vi no) {
  return _mm256_blendv_epi8(no, yes, _mm256_cmpgt_epi32(b, a));
}

#include "alpha_kmeans/alpha_kmeans_kernels.inc.h"

#include "target_pop.inc.h"
#else
typedef int kmc_not_for_this_processor;
#endif
