/* Which kernels of color_kmeans.h go with the instruction set in use. */
#include "color_kmeans/color_kmeans_dispatch.h"

#include <string.h>

const kmc_color_kernels *kmc_color_kernels_for(const kmc_kernels *kernels) {
#if defined(__x86_64__) || defined(_M_X64)
  if (!strcmp(kernels->name, "avx512")) return &kmc_color_kernels_avx512;
  if (!strcmp(kernels->name, "avx2")) return &kmc_color_kernels_avx2;
#endif
  (void)kernels;
  return &kmc_color_kernels_generic;
}
