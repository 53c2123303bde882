/* A point of four float channels in one vector register. Without fused multiply-adds (-ffp-contract=off) every compiler
 * gives the same bits. */
#ifndef KMC_POINT4_H
#define KMC_POINT4_H

#include <stdint.h>

#if defined(__GNUC__)
typedef float point4 __attribute__((vector_size(16)));
static inline point4 point4_add(point4 a, point4 b) { return a + b; }
static inline point4 point4_sub(point4 a, point4 b) { return a - b; }
static inline point4 point4_times(point4 a, float b) { return a * b; }
static inline float point4_norm2(point4 a) {
  a *= a;
  return (a[0] + a[1]) + (a[2] + a[3]);
}
static inline point4 point4_of(const int16_t *p) { return (point4){p[0], p[1], p[2], p[3]}; }
static inline float point4_lane(point4 a, int t) { return a[t]; }
#else
typedef struct {
  float lane[4];
} point4;
static inline point4 point4_add(point4 a, point4 b) {
  for (int t = 0; t < 4; t++) a.lane[t] += b.lane[t];
  return a;
}
static inline point4 point4_sub(point4 a, point4 b) {
  for (int t = 0; t < 4; t++) a.lane[t] -= b.lane[t];
  return a;
}
static inline point4 point4_times(point4 a, float b) {
  for (int t = 0; t < 4; t++) a.lane[t] *= b;
  return a;
}
static inline float point4_norm2(point4 a) {
  for (int t = 0; t < 4; t++) a.lane[t] *= a.lane[t];
  return (a.lane[0] + a.lane[1]) + (a.lane[2] + a.lane[3]);
}
static inline point4 point4_of(const int16_t *p) {
  point4 a;
  for (int t = 0; t < 4; t++) a.lane[t] = p[t];
  return a;
}
static inline float point4_lane(point4 a, int t) { return a.lane[t]; }
#endif

#endif
