/* The kernels for avx2: its vector vocabulary and the bodies that every instruction set shares. */
#include "kmc_kernels.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#include "kmeans/simd_avx2.h"

#include "kmeans/kernels.inc.h"

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#else
typedef int kmc_not_for_this_processor;
#endif
