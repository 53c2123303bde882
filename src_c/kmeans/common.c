/* The kernels that need no vectors of their own, for every type of points. */
#include "kmc_kernels.h"

#include <math.h>

#define POINT uint8_t
#define REAL float
#define NAME(word) word##_u8
#include "kmeans/common.inc.h"
#undef POINT
#undef REAL
#undef NAME

#define POINT float
#define REAL float
#define NAME(word) word##_f32
#include "kmeans/common.inc.h"
#include "kmeans/sums.inc.h"
#undef POINT
#undef REAL
#undef NAME

#define POINT double
#define REAL double
#define NAME(word) word##_f64
#include "kmeans/common.inc.h"
#include "kmeans/sums.inc.h"
#undef POINT
#undef REAL
#undef NAME
