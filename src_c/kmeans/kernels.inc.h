/* Included by kernels_<isa>.c after simd_<isa>.h: every kernel once for float and once for double, then the table. */
#define REAL float
#define V(word) vf32##word
#define NAME(word) word##_f32
#include "kmeans/tile.inc.h"
#include "measures/silhouette.inc.h"

#define POINT uint8_t
#define POINT_NAME(word) word##_u8
#include "kmeans/block.inc.h"
#include "kmeans/assign.inc.h"
#include "kmeans/elkan.inc.h"
#undef POINT
#undef POINT_NAME

#define POINT float
#define POINT_NAME(word) word##_f32
#include "kmeans/block.inc.h"
#include "kmeans/assign.inc.h"
#include "kmeans/elkan.inc.h"
#undef POINT
#undef POINT_NAME

#undef REAL
#undef V
#undef NAME

#define REAL double
#define V(word) vf64##word
#define NAME(word) word##_f64
#include "kmeans/tile.inc.h"
#include "measures/silhouette.inc.h"

#define POINT double
#define POINT_NAME(word) word##_f64
#include "kmeans/block.inc.h"
#include "kmeans/assign.inc.h"
#include "kmeans/elkan.inc.h"
#undef POINT
#undef POINT_NAME

#undef REAL
#undef V
#undef NAME

#include "measures/similarity.inc.h"

extern const kmc_kernels KMC_TABLE;
const kmc_kernels KMC_TABLE = {
    KMC_NAME,  assign_u8,     elkan_u8,      assign_f32,        elkan_f32,         assign_f64,
    elkan_f64, distances_f32, distances_f64, distance_sums_f32, distance_sums_f64, ssim,
};
