/* Vector vocabulary, generic C: a vector of one lane. Each simd_*.h defines the same words; compare them with diff. */
#define KMC_NAME "generic"
#define KMC_TABLE kmc_kernels_generic

/* Centroids in flight. */
#define KMC_IN_FLIGHT 8

#define KMC_SCALAR_VOCABULARY(real, V, root)                                   \
  typedef real V;                                                              \
  typedef int V##_mask;                                                        \
  enum { V##_lanes = 1 };                                                      \
  static inline V V##_load(const real *p) { return *p; }                       \
  static inline void V##_store(real *p, V a) { *p = a; }                       \
  static inline V V##_set1(real a) { return a; }                               \
  static inline V V##_add(V a, V b) { return a + b; }                          \
  static inline V V##_sub(V a, V b) { return a - b; }                          \
  static inline V V##_mul(V a, V b) { return a * b; }                          \
  static inline V V##_muladd(V a, V b, V c) { return a * b + c; }              \
  static inline V V##_min(V a, V b) { return a < b ? a : b; }                  \
  static inline V V##_max(V a, V b) { return a > b ? a : b; }                  \
  static inline V V##_sqrt(V a) { return root(a); }                            \
  static inline V##_mask V##_lt(V a, V b) { return a < b; }                    \
  static inline V##_mask V##_or(V##_mask a, V##_mask b) { return a | b; }      \
  static inline V V##_select(V##_mask m, V yes, V no) { return m ? yes : no; } \
  static inline int V##_all(V##_mask m) { return m; }

KMC_SCALAR_VOCABULARY(float, vf32, sqrtf)
KMC_SCALAR_VOCABULARY(double, vf64, sqrt)
