/* The kernels for neon: its vector vocabulary and the bodies that every instruction set shares. */
#include "kmc_kernels.h"

#include <math.h>
#include <string.h>

#if defined(__aarch64__) || defined(_M_ARM64)
#include "kmeans/simd_neon.h"

#include "kmeans/kernels.inc.h"
#else
typedef int kmc_not_for_this_processor;
#endif
