/* k-means on colours, plain C: vectors of one lane. */
#include <math.h>
#include <string.h>

#include "color_kmeans/color_kmeans_level.h"

#define KERNELS kmc_color_kernels_generic
#define KERNELS_NAME "generic"

enum { LANES = 1, MOST_VECTORS = 4 };
typedef float vf;
typedef int32_t vi;
static inline unsigned lane_mask(int32_t n) { return n >= 1; }
static inline int lowest_bit(unsigned mask) { return (int)mask - 1; }
static inline vf vf_load(const float *p) { return *p; }
static inline void vf_store(float *p, vf a) { *p = a; }
static inline vf vf_set1(float a) { return a; }
static inline vf vf_add(vf a, vf b) { return a + b; }
static inline vf vf_sub(vf a, vf b) { return a - b; }
static inline vf vf_mul(vf a, vf b) { return a * b; }
static inline vf vf_div(vf a, vf b) { return a / b; }
static inline vf vf_min(vf a, vf b) { return b < a ? b : a; }
static inline vf vf_max(vf a, vf b) { return b > a ? b : a; }
static inline unsigned vf_le(vf a, vf b) { return a <= b; }
static inline vf vf_tail(vf a, int32_t n) { return n >= 1 ? a : INFINITY; }
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
static inline float vf_least(vf a) { return a; }
static inline vi vi_load(const uint32_t *p) { return (int32_t)*p; }
static inline void vi_store(int32_t *p, vi a) { *p = a; }
static inline vi vi_load_u16(const uint16_t *p) { return *p; }
static inline vi vi_set1(int32_t a) { return a; }
static inline vi vi_and(vi a, vi b) { return a & b; }
static inline vi vi_or(vi a, vi b) { return a | b; }
static inline vi vi_xor(vi a, vi b) { return a ^ b; }
static inline vi vi_load_rgb(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16; }
static inline vi vi_shift_left_8(vi a) { return (int32_t)((uint32_t)a << 8); }
static inline vi vi_min(vi a, vi b) { return b < a ? b : a; }
static inline vi vi_min_bytes(vi a, vi b) {
  uint32_t least = 0;
  for (int t = 0; t < 4; t++) {
    const int8_t x = (int8_t)(a >> 8 * t), y = (int8_t)(b >> 8 * t);
    least |= (uint32_t)(uint8_t)(y < x ? y : x) << 8 * t;
  }
  return (vi)least;
}
static inline vi vi_max_bytes(vi a, vi b) { return ~vi_min_bytes(~a, ~b); }
static inline vi vi_add_products(vi sum, vi a, vi b) {
  return sum + (int16_t)a * (int16_t)b + (int16_t)(a >> 16) * (int16_t)(b >> 16);
}
static inline unsigned vi_differ(vi a, vi b) { return a != b; }

typedef kmc_moment vm;
static inline vm vm_load(const kmc_moment *p) { return *p; }
static inline void vm_store(kmc_moment *p, vm a) { *p = a; }
static inline vm vm_add(vm a, vm b) {
  kmc_add_moment(&a, &b, 1);
  return a;
}
static inline vm vm_sub(vm a, vm b) {
  kmc_add_moment(&a, &b, -1);
  return a;
}
static inline vm vm_set1(uint32_t a) { return (vm){{a, a, a}, a}; }
static inline vm vm_bytes(uint32_t a) {
  return (vm){{kmc_channel(a, 0), kmc_channel(a, 1), kmc_channel(a, 2)}, kmc_channel(a, 3)};
}
static inline vm vm_times(vm a, vm b) {
  for (int t = 0; t < KMC_CHANNELS; t++) a.sum[t] *= b.sum[t];
  a.count *= b.count;
  return a;
}

#include "color_kmeans/color_kmeans_kernels.inc.h"
