/* k-means of colours with alpha, NEON on AArch64. */
#include "alpha_kmeans/alpha_kmeans.h"
#include "compiler.h"

#if defined(__aarch64__) || defined(_M_ARM64)
#include <arm_neon.h>

#define KERNELS kmc_alpha_kernels_neon

enum { LANES = 4 };
typedef int32x4_t vi;
static inline vi vi_load(const int32_t *p) { return vld1q_s32(p); }
static inline void vi_store(int32_t *p, vi a) { vst1q_s32(p, a); }
static inline vi vi_set1(int32_t a) { return vdupq_n_s32(a); }
static inline vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
static inline vi vi_min(vi a, vi b) { return vminq_s32(a, b); }
static inline int16x8_t pairs(vi a) { return vreinterpretq_s16_s32(a); }
static inline vi vi_sub16(vi a, vi b) { return vreinterpretq_s32_s16(vsubq_s16(pairs(a), pairs(b))); }
static inline vi vi_min16(vi a, vi b) { return vreinterpretq_s32_s16(vminq_s16(pairs(a), pairs(b))); }
static inline vi vi_max16(vi a, vi b) { return vreinterpretq_s32_s16(vmaxq_s16(pairs(a), pairs(b))); }
static inline vi vi_square(vi a) {
  const int16x4_t low = vget_low_s16(pairs(a)), high = vget_high_s16(pairs(a));
  return vpaddq_s32(vmull_s16(low, low), vmull_s16(high, high));
}
static inline int32_t vi_least(vi a) { return vminvq_s32(a); }
static inline unsigned vi_le(vi a, vi b) {
  static const uint32_t bits[LANES] = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vcleq_s32(a, b), vld1q_u32(bits)));
}
static inline vi vi_where_less(vi a, vi b, vi yes, vi no) { return vbslq_s32(vcltq_s32(a, b), yes, no); }

#include "alpha_kmeans/alpha_kmeans_kernels.inc.h"

#else
typedef int kmc_not_for_this_processor;
#endif
