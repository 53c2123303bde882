/* k-means of colours with alpha: points in cells, rounds over them, cuts of them. What is done with these is in
 * alpha_kmeans.py.
 *
 * Points are those of dither.h: four int16, of which two differ by less than 2^24 squared. They stand as pairs of
 * channels, as they are multiplied: the first channel and the third in the lower half of an int32. All sums are
 * integers, so they are the same in any order. */
#ifndef KMC_ALPHA_KMEANS_H
#define KMC_ALPHA_KMEANS_H

#include "kmc_kernels.h"

#define KMC_ALPHA_CHANNELS 4
#define KMC_ALPHA_BLOCK 64 /* points whose centroids are looked for together; 32 take a third more time, 16 twice */
#define KMC_ALPHA_LANES 16 /* centroids that are compared with a box at once; their arrays are padded to it */

/* Points, or centroids. */
typedef struct {
  int32_t *xy, *zw;
} kmc_alpha_points;

static inline int32_t kmc_alpha_pair(int32_t low, int32_t high) {
  return (low & 0xffff) | (int32_t)((uint32_t)high << 16);
}
static inline int32_t kmc_alpha_low(int32_t pair) { return (int16_t)(pair & 0xffff); }
static inline int32_t kmc_alpha_high(int32_t pair) { return pair >> 16; }

/* What a block needs: the centroids that can be the nearest to a point of it. */
typedef struct {
  int32_t *xy, *zw, *index; /* (stride) */
  int32_t *dist2;           /* (stride) from the box to each centroid */
} kmc_alpha_near;

typedef struct {
  /* IN n <= KMC_ALPHA_BLOCK points, behind which as many more can be read; centroids (stride), a multiple of
   * KMC_ALPHA_LANES, which the last one fills up. OUT labels (KMC_ALPHA_BLOCK): of those from `least` on the one at the
   * least squared distance, ties to the lowest. */
  void (*nearest)(const int32_t *xy, const int32_t *zw, ptrdiff_t n, const kmc_alpha_points *centroids, ptrdiff_t least,
                  ptrdiff_t stride, const kmc_alpha_near *near, int32_t *labels);
} kmc_alpha_kernels;

extern const kmc_alpha_kernels kmc_alpha_kernels_generic, kmc_alpha_kernels_avx2, kmc_alpha_kernels_avx512;
extern const kmc_alpha_kernels kmc_alpha_kernels_neon;

/* Those of the same instruction set as `kernels`, a table that kmc_available gave. */
const kmc_alpha_kernels *kmc_alpha_kernels_for(const kmc_kernels *kernels);

/* OUT keys (n): of points first .. first + n - 1, the interleaved bits of the point in steps of 8 above low (4), which
 * are the least values, 8 bits for each channel, above the number of the point; sorted, so near points stand together.
 * SCRATCH (n). Returns where they lie: keys or scratch. */
const uint64_t *kmc_alpha_keys(const int16_t *points, ptrdiff_t first, ptrdiff_t n, const int16_t *low, uint64_t *keys,
                               uint64_t *scratch);

/* Adds to splits (32) how many neighbours of keys (n) have this bit of 32 as the highest that differs. */
void kmc_alpha_splits(const uint64_t *keys, ptrdiff_t n, int64_t *splits);

/* Points whose keys agree but for the lowest `shift` bits become one: their rounded mean, and the sum of their weights.
 * IN keys (n), sorted; all points and weights, which keys number. OUT cells (room for n), cell_weights; IN OUT squares:
 * grows by the sum of weights times squared cells. Returns how many cells. */
ptrdiff_t kmc_alpha_join(const uint64_t *keys, ptrdiff_t n, int shift, const int16_t *points, const int64_t *weights,
                         const kmc_alpha_points *cells, int64_t *cell_weights, int64_t *squares);

/* OUT labels (n), as above; IN OUT sums (k, 5): each centroid's grow by its points times their weights, and these. */
void kmc_alpha_round(const kmc_alpha_kernels *kernels, const kmc_alpha_points *points, const int64_t *weights,
                     ptrdiff_t n, const kmc_alpha_points *centroids, ptrdiff_t least, ptrdiff_t stride,
                     const kmc_alpha_near *near, int32_t *labels, int64_t *sums);

/* Points of one group: their weight and mean, how much inertia they have and how much of it along the principal axis.
 */
typedef struct {
  double weight, inertia, spread, mean[KMC_ALPHA_CHANNELS], axis[KMC_ALPHA_CHANNELS];
} kmc_alpha_group;

/* OUT groups (n_groups): of points (n) with labels. SCRATCH moments (n_groups, KMC_ALPHA_MOMENTS). */
#define KMC_ALPHA_MOMENTS 15
void kmc_alpha_measure(const kmc_alpha_points *points, const int64_t *weights, ptrdiff_t n, const int32_t *labels,
                       ptrdiff_t n_groups, double *moments, kmc_alpha_group *groups);

/* OUT parts (k): of points, those before n_soft and the others apart, cut one after another across the principal axis
 * of the one of most inertia where that leaves the least (Wu 1991). Returns how many: k, or fewer if no two points of
 * a part differ. SCRATCH order (n), scratch (n). */
typedef struct {
  kmc_alpha_group group;
  ptrdiff_t first, last; /* of the order of points: from first to last - 1 */
} kmc_alpha_part;
ptrdiff_t kmc_alpha_cuts(const kmc_alpha_points *points, const int64_t *weights, ptrdiff_t n_soft, ptrdiff_t n,
                         ptrdiff_t k, kmc_alpha_part *parts, int32_t *order, int32_t *scratch);

/* For each of k centroids, the last n_opaque of them opaque: what the inertia grows by when its points go to the
 * nearest other one that they may have. IN centroids (k, 4), weights (k). OUT costs (k): infinite where there is none,
 * and partners (k). */
void kmc_alpha_merges(const double *centroids, const double *weights, ptrdiff_t k, ptrdiff_t n_opaque, double *costs,
                      int32_t *partners);

#endif
