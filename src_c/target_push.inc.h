/* From here to target_pop.inc.h functions are compiled for KMC_TARGET, such as "avx2"; its intrinsics are declared. */
#define KMC_TEXT_PRAGMA(text) _Pragma(#text)
#define KMC_PRAGMA(text) KMC_TEXT_PRAGMA(text)
#if defined(__clang__)
KMC_PRAGMA(clang attribute push(__attribute__((target(KMC_TARGET))), apply_to = function))
#elif defined(__GNUC__)
#pragma GCC push_options
KMC_PRAGMA(GCC target(KMC_TARGET))
#endif
#include <immintrin.h>
