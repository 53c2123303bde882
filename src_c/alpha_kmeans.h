/* k-means of colours with alpha: which entry each colour chooses. The rest is in alpha_kmeans.py. */
#ifndef KMC_ALPHA_KMEANS_H
#define KMC_ALPHA_KMEANS_H

#include <stddef.h>
#include <stdint.h>

#define KMC_ALPHA_BLOCK 32 /* centroids that are compared at once */

/* IN points (n, 4); centroids (4, stride), of which those from `first` to k - 1 are compared; behind them stand at
 * least KMC_ALPHA_BLOCK - 1 more columns, which are infinite. OUT labels (n): of the least squared distance in float,
 * the four squares added in order; ties to the lowest. */
void kmc_alpha_labels(const float *points, ptrdiff_t n, const float *centroids, ptrdiff_t stride, ptrdiff_t first,
                      ptrdiff_t k, int32_t *labels);

#endif
