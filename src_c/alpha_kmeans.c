/* Which entry each colour with alpha chooses: see alpha_kmeans.h.
 *
 * Every operation stands alone, lane by lane, so whatever vectors the compiler makes of the loops, the labels are the
 * same. Squared distances are compared as the integers that their bits are: these have the same order, and a least
 * integer is found in vectors without leave to reorder floats. */
#include "alpha_kmeans.h"

#include <string.h>

enum { BLOCK = KMC_ALPHA_BLOCK };

/* OUT keys: the bits of the squared distances from a point to BLOCK centroids; returns the least. */
static inline int32_t least_of_block(const float *point, const float *centroids, ptrdiff_t stride, int32_t *keys) {
  const float *x = centroids, *y = x + stride, *z = y + stride, *w = z + stride;
  float dist2[BLOCK];
  for (int j = 0; j < BLOCK; j++) {
    const float dx = point[0] - x[j], dy = point[1] - y[j], dz = point[2] - z[j], dw = point[3] - w[j];
    dist2[j] = dx * dx + dy * dy + dz * dz + dw * dw;
  }
  memcpy(keys, dist2, sizeof dist2);
  int32_t least = INT32_MAX;
  for (int j = 0; j < BLOCK; j++) least = keys[j] < least ? keys[j] : least;
  return least;
}

void kmc_alpha_labels(const float *points, ptrdiff_t n, const float *centroids, ptrdiff_t stride, ptrdiff_t first,
                      ptrdiff_t k, int32_t *labels) {
  for (ptrdiff_t i = 0; i < n; i++) {
    int32_t best = INT32_MAX, keys[BLOCK];
    for (ptrdiff_t start = first; start < k; start += BLOCK) {
      const int32_t least = least_of_block(points + 4 * i, centroids + start, stride, keys);
      if (least >= best) continue;
      best = least;
      int j = 0;
      while (keys[j] != least) j++;
      labels[i] = (int32_t)(start + j);
    }
  }
}
