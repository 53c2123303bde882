/* The kernels for avx2: its vector vocabulary and the bodies that every instruction set shares. */
#include "kmc_kernels.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx2,fma"
#include "target_push.inc.h"

#include "kmeans/simd_avx2.h"

#include "kmeans/kernels.inc.h"

#include "target_pop.inc.h"
#else
typedef int kmc_not_for_this_processor;
#endif
