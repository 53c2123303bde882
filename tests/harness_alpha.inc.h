/* Part of neon_harness.c. Which centroid colours with alpha choose. */
#include "alpha_kmeans/alpha_kmeans.h"

typedef struct {
  const int32_t *xy, *zw;
  ptrdiff_t n, least, stride;
  kmc_alpha_points centroids;
} alpha_problem;

static int32_t alpha_dist2(int32_t xy, int32_t zw, int32_t other_xy, int32_t other_zw) {
  const int32_t diff[4] = {kmc_alpha_low(xy) - kmc_alpha_low(other_xy), kmc_alpha_high(xy) - kmc_alpha_high(other_xy),
                           kmc_alpha_low(zw) - kmc_alpha_low(other_zw), kmc_alpha_high(zw) - kmc_alpha_high(other_zw)};
  return diff[0] * diff[0] + diff[1] * diff[1] + diff[2] * diff[2] + diff[3] * diff[3];
}

static void run_alpha_nearest(const kmc_kernels *kernels, const void *problem, record *out) {
  const alpha_problem *p = problem;
  int32_t *labels = new_output(p->n, sizeof *labels), of_block[KMC_ALPHA_BLOCK];
  int32_t *room = new_output(4 * p->stride, sizeof *room);
  const kmc_alpha_near near = {room, room + p->stride, room + 2 * p->stride, room + 3 * p->stride};
  kmc_alpha_kernels_for(kernels)->nearest(p->xy, p->zw, p->n, &p->centroids, p->least, p->stride, &near, of_block);
  memcpy(labels, of_block, (size_t)p->n * sizeof *labels);
  record_output(out, "labels", labels, p->n, sizeof *labels);
  for (ptrdiff_t i = 0; i < p->n && is_generic(kernels); i++) {
    ptrdiff_t nearest = p->least;
    int32_t least = INT32_MAX;
    for (ptrdiff_t j = p->least; j < p->stride; j++) {
      const int32_t dist2 = alpha_dist2(p->xy[i], p->zw[i], p->centroids.xy[j], p->centroids.zw[j]);
      nearest = dist2 < least ? j : nearest;
      least = dist2 < least ? dist2 : least;
    }
    if (labels[i] != nearest) report("generic", "alpha nearest", "not the nearest centroid");
  }
}

/* Points within `spread` of each other, and k centroids on a lattice of `step`, which makes ties. */
static void check_alpha_nearest(ptrdiff_t n, ptrdiff_t k, ptrdiff_t least, ptrdiff_t spread, ptrdiff_t step) {
  const ptrdiff_t stride = (k + KMC_ALPHA_LANES - 1) / KMC_ALPHA_LANES * KMC_ALPHA_LANES;
  int32_t *arrays[4];
  char name[120];
  for (int i = 0; i < 4; i++) {
    const ptrdiff_t size = i < 2 ? KMC_ALPHA_BLOCK : stride, range = i < 2 ? spread : 2041 / step;
    const int32_t low = i < 2 ? (int32_t)random_below(2042 - spread) : 0, times = i < 2 ? 1 : (int32_t)step;
    arrays[i] = new_input(size, sizeof(int32_t));
    for (ptrdiff_t j = 0; j < size; j++) {
      const int32_t x = low + (int32_t)random_below(range) * times, y = low + (int32_t)random_below(range) * times;
      arrays[i][j] = i >= 2 && j >= k ? arrays[i][k - 1] : kmc_alpha_pair(x, y);
    }
  }
  const alpha_problem p = {arrays[0], arrays[1], n, least, stride, {arrays[2], arrays[3]}};
  snprintf(name, sizeof name, "alpha nearest n=%td k=%td least=%td spread=%td step=%td", n, k, least, spread, step);
  check(name, run_alpha_nearest, &p);
  free_down_to(0);
}

static void check_alpha_kmeans(void) {
  static const ptrdiff_t sizes[] = {1, 7, 33, KMC_ALPHA_BLOCK}, clusters[] = {1, 2, 15, 16, 17, 100, 256};
  for (int i = 0; i < COUNT(sizes); i++) {
    for (int j = 0; j < COUNT(clusters); j++) {
      const ptrdiff_t k = clusters[j], leasts[] = {0, k / 3, k - 1};
      for (int l = 0; l < COUNT(leasts); l++) {
        check_alpha_nearest(sizes[i], k, leasts[l], 60, 1);
        check_alpha_nearest(sizes[i], k, leasts[l], 2041, 255);
      }
    }
  }
}
