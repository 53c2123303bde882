/* k-means of colours with alpha, AVX-512 F, BW. Ice Lake: vpmaddwd 5 cycles, one a cycle. */
#include "alpha_kmeans/alpha_kmeans.h"
#include "compiler.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx512f,avx512bw"
#include "target_push.inc.h"

#define KERNELS kmc_alpha_kernels_avx512

enum { LANES = 16 };
typedef __m512i vi;
static inline vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline void vi_store(int32_t *p, vi a) { _mm512_storeu_si512(p, a); }
static inline vi vi_set1(int32_t a) { return _mm512_set1_epi32(a); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_min(vi a, vi b) { return _mm512_min_epi32(a, b); }
static inline vi vi_sub16(vi a, vi b) { return _mm512_sub_epi16(a, b); }
static inline vi vi_min16(vi a, vi b) { return _mm512_min_epi16(a, b); }
static inline vi vi_max16(vi a, vi b) { return _mm512_max_epi16(a, b); }
static inline vi vi_square(vi a) { return _mm512_madd_epi16(a, a); }
static inline int32_t vi_least(vi a) { return _mm512_reduce_min_epi32(a); }
static inline unsigned vi_le(vi a, vi b) { return _mm512_cmple_epi32_mask(a, b); }
static inline vi vi_where_less(vi a, vi b, vi yes, vi no) {
  return _mm512_mask_mov_epi32(no, _mm512_cmplt_epi32_mask(a, b), yes);
}

#include "alpha_kmeans/alpha_kmeans_kernels.inc.h"

#include "target_pop.inc.h"
#else
typedef int kmc_not_for_this_processor;
#endif
