/* The silhouette of points whose distances to clusters are known (Rousseeuw, "Silhouettes", 1987). */
#ifndef KMC_SILHOUETTE_H
#define KMC_SILHOUETTE_H

#include <stddef.h>
#include <stdint.h>

/* IN sums (k, KMC_TILE): of each of n <= KMC_TILE points the distances to all members of each cluster, added up; weight
 * (k): how many members; others (k): how many besides the point itself, of its own cluster; label (n). k is at least 2.
 * OUT silhouette (n): (b - a) / max(a, b) of the mean distance a to the others of the own cluster and the least mean
 * distance b to another one; 0 where there are no others, or a and b are 0. */
void kmc_silhouettes(const double *sums, ptrdiff_t k, const double *weight, const double *others, const int32_t *label,
                     ptrdiff_t n, double *silhouette);

#endif
