/* Vector vocabulary, NEON on AArch64. Neoverse and Apple cores: add, sub, mul 2 to 4 cycles, two to four a cycle. */
#include <arm_neon.h>

#define KMC_NAME "neon"
#define KMC_TABLE kmc_kernels_neon

/* Centroids in flight: with two vectors of points, 16 sums of 32 registers. */
#define KMC_IN_FLIGHT 8

typedef float32x4_t vf32;
typedef uint32x4_t vf32_mask;
enum { vf32_lanes = 4 };
static inline vf32 vf32_load(const float *p) { return vld1q_f32(p); }
static inline void vf32_store(float *p, vf32 a) { vst1q_f32(p, a); }
static inline vf32 vf32_set1(float a) { return vdupq_n_f32(a); }
static inline vf32 vf32_add(vf32 a, vf32 b) { return vaddq_f32(a, b); }
static inline vf32 vf32_sub(vf32 a, vf32 b) { return vsubq_f32(a, b); }
static inline vf32 vf32_mul(vf32 a, vf32 b) { return vmulq_f32(a, b); }
static inline vf32 vf32_muladd(vf32 a, vf32 b, vf32 c) { return vfmaq_f32(c, a, b); }
static inline vf32 vf32_min(vf32 a, vf32 b) { return vminq_f32(a, b); }
static inline vf32 vf32_max(vf32 a, vf32 b) { return vmaxq_f32(a, b); }
static inline vf32 vf32_sqrt(vf32 a) { return vsqrtq_f32(a); }
static inline vf32_mask vf32_lt(vf32 a, vf32 b) { return vcltq_f32(a, b); }
static inline vf32_mask vf32_or(vf32_mask a, vf32_mask b) { return vorrq_u32(a, b); }
static inline vf32 vf32_select(vf32_mask m, vf32 yes, vf32 no) { return vbslq_f32(m, yes, no); }
static inline int vf32_all(vf32_mask m) { return vminvq_u32(m) != 0; }

typedef float64x2_t vf64;
typedef uint64x2_t vf64_mask;
enum { vf64_lanes = 2 };
static inline vf64 vf64_load(const double *p) { return vld1q_f64(p); }
static inline void vf64_store(double *p, vf64 a) { vst1q_f64(p, a); }
static inline vf64 vf64_set1(double a) { return vdupq_n_f64(a); }
static inline vf64 vf64_add(vf64 a, vf64 b) { return vaddq_f64(a, b); }
static inline vf64 vf64_sub(vf64 a, vf64 b) { return vsubq_f64(a, b); }
static inline vf64 vf64_mul(vf64 a, vf64 b) { return vmulq_f64(a, b); }
static inline vf64 vf64_muladd(vf64 a, vf64 b, vf64 c) { return vfmaq_f64(c, a, b); }
static inline vf64 vf64_min(vf64 a, vf64 b) { return vminq_f64(a, b); }
static inline vf64 vf64_max(vf64 a, vf64 b) { return vmaxq_f64(a, b); }
static inline vf64 vf64_sqrt(vf64 a) { return vsqrtq_f64(a); }
static inline vf64_mask vf64_lt(vf64 a, vf64 b) { return vcltq_f64(a, b); }
static inline vf64_mask vf64_or(vf64_mask a, vf64_mask b) { return vorrq_u64(a, b); }
static inline vf64 vf64_select(vf64_mask m, vf64 yes, vf64 no) { return vbslq_f64(m, yes, no); }
static inline int vf64_all(vf64_mask m) { return vminvq_u32(vreinterpretq_u32_u64(m)) != 0; }
