/* k-means on colours, AVX-512 with BW and VNNI. Ice Lake: vpdpwssd 5 cycles, one a cycle at 512 bits. */
#include <math.h>
#include <string.h>

#include "color_kmeans/color_kmeans_level.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx512f,avx512bw,avx512vnni"
#include "target_push.inc.h"

#define KERNELS kmc_color_kernels_avx512
#define KERNELS_NAME "avx512"

enum { LANES = 16, MOST_VECTORS = 4 };
typedef __m512 vf;
typedef __m512i vi;
static inline unsigned lane_mask(int32_t n) { return n >= LANES ? 0xffffu : (1u << n) - 1; }
static inline int lowest_bit(unsigned mask) { return kmc_lowest_bit(mask); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
static inline vf vf_set1(float a) { return _mm512_set1_ps(a); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline unsigned vf_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
/* Lanes from n on become infinite. */
static inline vf vf_tail(vf a, int32_t n) {
  return _mm512_mask_blend_ps((__mmask16)lane_mask(n), _mm512_set1_ps(INFINITY), a);
}
/* The lanes of the mask, one after another; whole vectors are written. */
static inline void vf_keep(float *to, unsigned mask, const float *from) {
  _mm512_storeu_ps(to, _mm512_maskz_compress_ps((__mmask16)mask, _mm512_loadu_ps(from)));
}
/* The same. Returns how many are kept. */
static inline int32_t vi_keep(int32_t *to, unsigned mask, const int32_t *from) {
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)mask, _mm512_loadu_si512(from)));
  return _mm_popcnt_u32(mask);
}
static inline float vf_least(vf a) { return _mm512_reduce_min_ps(a); }
static inline vi vi_load(const uint32_t *p) { return _mm512_loadu_si512(p); }
static inline void vi_store(int32_t *p, vi a) { _mm512_storeu_si512(p, a); }
static inline vi vi_load_u16(const uint16_t *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)); }
static inline vi vi_set1(int32_t a) { return _mm512_set1_epi32(a); }
static inline vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
static inline vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
/* Colours of three bytes, each in four, the last of them 0; reads four bytes more. */
static inline vi vi_load_rgb(const uint8_t *p) {
  const __m512i four = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  __m512i bytes = _mm512_castsi128_si512(_mm_loadu_si128((const void *)p));
  bytes = _mm512_inserti32x4(bytes, _mm_loadu_si128((const void *)(p + 12)), 1);
  bytes = _mm512_inserti32x4(bytes, _mm_loadu_si128((const void *)(p + 24)), 2);
  bytes = _mm512_inserti32x4(bytes, _mm_loadu_si128((const void *)(p + 36)), 3);
  return _mm512_shuffle_epi8(bytes, four);
}
static inline vi vi_shift_left_8(vi a) { return _mm512_slli_epi32(a, 8); }
static inline vi vi_min(vi a, vi b) { return _mm512_min_epi32(a, b); }
static inline vi vi_min_bytes(vi a, vi b) { return _mm512_min_epi8(a, b); }
static inline vi vi_max_bytes(vi a, vi b) { return _mm512_max_epi8(a, b); }
static inline vi vi_add_products(vi sum, vi a, vi b) { return _mm512_dpwssd_epi32(sum, a, b); }
static inline unsigned vi_differ(vi a, vi b) { return _mm512_cmpneq_epi32_mask(a, b); }

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
