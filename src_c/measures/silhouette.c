/* The silhouette of points; see silhouette.h. The distances are what costs time: silhouette.inc.h. */
#include "measures/silhouette.h"

#include <math.h>

#include "kmc_kernels.h"

void kmc_silhouettes(const double *sums, ptrdiff_t k, const double *weight, const double *others, const int32_t *label,
                     ptrdiff_t n, double *silhouette) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const int32_t own = label[i];
    double nearest = INFINITY;
    for (ptrdiff_t j = 0; j < k; j++) {
      const double mean = sums[j * KMC_TILE + i] / weight[j];
      if (j != own && mean < nearest) nearest = mean;
    }
    const double within = others[own] > 0 ? sums[own * KMC_TILE + i] / others[own] : 0;
    const double larger = within > nearest ? within : nearest;
    silhouette[i] = others[own] > 0 && larger > 0 ? (nearest - within) / larger : 0;
  }
}
