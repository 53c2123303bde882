/* Which kernels of color_kmeans.h go with the instruction set in use. */
#ifndef KMC_COLOR_KMEANS_DISPATCH_H
#define KMC_COLOR_KMEANS_DISPATCH_H

#include "color_kmeans/color_kmeans.h"
#include "kmc_kernels.h"

/* Those of the same instruction set as `kernels`, a table that kmc_available gave; generic ones where there are none.
 */
const kmc_color_kernels *kmc_color_kernels_for(const kmc_kernels *kernels);

#endif
