/* The kernels for generic: its vector vocabulary and the bodies that every instruction set shares. */
#include "kmc_kernels.h"

#include <math.h>
#include <string.h>

#include "kmeans/simd_generic.h"

#include "kmeans/kernels.inc.h"
