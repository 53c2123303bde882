/* The kernels of kmc for points of any dimension: what each takes, what it gives, and the table that holds them.
 *
 * Every kernel is plain C11: no Python, no OpenMP, no allocation. A caller runs one kernel on several ranges of points
 * in parallel; ranges never share an output. Points are row-major (n, d), of uint8, float or double.
 *
 * The same labels everywhere: a squared distance is, by definition, the double sum over t = 0 .. d-1, in this order, of
 * (x[t] - c[t])^2 with one rounding for each operation and no fused multiply-add; ties go to the lowest centroid index.
 *
 * Assignment decides in three steps, each only where the one before is too close to call for its bound of the error:
 * by scores |c|^2 / 2 - x.c in "real" (float for uint8 and float points), one multiply-add for each coordinate, fused
 * where the processor can; by sums of squared differences in real; by the definition. So scores may differ from one
 * instruction set to the next, but labels cannot. Vector kernels put points or centroids in lanes and never split the
 * sum over t.
 */
#ifndef KMC_KERNELS_H
#define KMC_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Points that are transposed and assigned together: two AVX-512 vectors of float. */
#define KMC_TILE 32

/* Where centroids lie in lanes, they are looked at in blocks of this many; rows are padded to it. */
#define KMC_BLOCK 16

/* Centroids whose scores are computed together. */
#define KMC_PANEL 8

/* Of the window of structural similarity: 3.5 times its sigma of 1.5. */
#define KMC_SSIM_RADIUS 5

/* Doubles that follow each row of its scratch. */
#define KMC_SSIM_PADDING 8

#define KMC_DECLARE_CENTROIDS(real, suffix)                                                                        \
  /* k <= 2^24 centroids. `stride` is k rounded up to KMC_BLOCK.                                                   \
   *                                                                                                               \
   * A distance computed from differences in real may be off by `relative` times itself and by `absolute`, which   \
   * counts for both of two distances that are compared. Of two scores, the lower is the nearer centroid's if they \
   * are more than `margin` + `margin_per_norm` * |point - origin| apart. */                                       \
  typedef struct {                                                                                                 \
    const double *exact;    /* (k, d) */                                                                           \
    const real *transposed; /* (d, stride): the same in real, one column each; infinite in the padding */          \
    const real *panels;     /* (stride / KMC_PANEL, d, KMC_PANEL): origin less centroid; 0 in the padding */       \
    const real *half_norms; /* (stride): half of |centroid - origin|^2; infinite in the padding */                 \
    ptrdiff_t k, stride;                                                                                           \
    real relative, absolute, margin, margin_per_norm;                                                              \
  } kmc_centroids_##suffix;                                                                                        \
                                                                                                                   \
  /* What Elkan's assignment knows besides. In the padding `half_distances` are infinite and `travelled` is 0. */  \
  typedef struct {                                                                                                 \
    kmc_centroids_##suffix centroids;                                                                              \
    const real *half_distances; /* (k, stride): at most half the distance of two centroids; infinite to itself */  \
    const real *half_nearest;   /* (k): at most half the distance to the nearest other centroid */                 \
    const real *travelled;      /* (stride): at least how far each has moved since the start, in all */            \
  } kmc_elkan_##suffix;

KMC_DECLARE_CENTROIDS(float, f32)
KMC_DECLARE_CENTROIDS(double, f64)

/* For each type of points (T) with the arithmetic that is tried first (real, suffix):
 *
 * assign        nearest centroid of each point. IN tiles, from tile_points; SCRATCH dist2 (stride); OUT labels (n).
 * elkan         nearest centroid, skipping those that the triangle inequality rules out (Elkan 2003).
 *               IN OUT labels (n); upper (n): bound on the distance to the own centroid less that centroid's
 *               `travelled`; lower (n, stride): bounds on the distance to each plus its `travelled`. SCRATCH dist2
 *               (stride). First round: labels 0, upper +infinity, lower 0. Gives the labels of assign.
 *
 * And for each real:
 *
 * distances     squared distances, in real. IN tiles of n points, from tile_points; centroids (m, d) less the same
 *               origin; most (n); OUT dist2 (m, out_stride >= n): row j holds those to centroids[j], or `most` where
 *               that is less.
 *
 * distance_sums sums of distances. IN tile, of KMC_TILE points, from tile_points with the origin 0; targets (n, d),
 *               weights (n); OUT sums (KMC_TILE): of weight times distance to the targets. In a fixed order.
 *
 * ssim          structural similarity (Wang et al. 2004). IN x, y (height, width * channels) from 0 to 255, height and
 *               width above 2 * KMC_SSIM_RADIUS; SCRATCH (5 * height + 1) rows of width * channels + KMC_SSIM_PADDING;
 *               OUT similarity, contrast ((width - 2 * KMC_SSIM_RADIUS) * channels): over the rows, the sums of the
 *               local similarity and of its part for contrast and structure, wherever the window lies in the tile.
 *               Identical tiles give exactly 1 for each row.
 */
#define KMC_DECLARE_KERNELS(T, real, points_suffix, suffix)                                                 \
  void (*assign_##points_suffix)(const T *points, ptrdiff_t n, ptrdiff_t d, const real *tiles,              \
                                 const kmc_centroids_##suffix *centroids, real *dist2, int32_t *labels);    \
  void (*elkan_##points_suffix)(const T *points, ptrdiff_t n, ptrdiff_t d, const kmc_elkan_##suffix *known, \
                                int32_t *labels, real *upper, real *lower, real *dist2);

#define KMC_DECLARE_DISTANCES(real, suffix)                                                                   \
  void (*distances_##suffix)(const real *tiles, ptrdiff_t n, ptrdiff_t d, const real *centroids, ptrdiff_t m, \
                             const real *most, real *dist2, ptrdiff_t out_stride);

#define KMC_DECLARE_DISTANCE_SUMS(real, suffix)                                                                        \
  void (*distance_sums_##suffix)(const real *tile, ptrdiff_t d, const real *targets, const real *weights, ptrdiff_t n, \
                                 double *sums);

typedef struct {
  const char *name;
  KMC_DECLARE_KERNELS(uint8_t, float, u8, f32)
  KMC_DECLARE_KERNELS(float, float, f32, f32)
  KMC_DECLARE_KERNELS(double, double, f64, f64)
  KMC_DECLARE_DISTANCES(float, f32)
  KMC_DECLARE_DISTANCES(double, f64)
  KMC_DECLARE_DISTANCE_SUMS(float, f32)
  KMC_DECLARE_DISTANCE_SUMS(double, f64)
  void (*ssim)(const double *x, const double *y, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, double *scratch,
               double *similarity, double *contrast);
} kmc_kernels;

/* Kernels that need no vectors of their own: the same code serves every instruction set.
 *
 * dist2        squared distance of one point to one centroid (d) by the definition above.
 * tile_points  OUT tiles (n / KMC_TILE rounded up, d + 1, KMC_TILE): of each KMC_TILE points the differences to
 *              origin (d), coordinate by coordinate, and at least their lengths. The last point fills up.
 * own_dist2    OUT dist2 (n): squared distance of each point to centroids[labels[i]].
 * update       The in-place centroid update: for each point whose label changed, its weighted coordinates leave the
 *              sums of the old cluster and join those of the new one. old_labels NULL: every point joins. weights NULL:
 *              each is 1. IN OUT sums (k, d), weight_sums (k). Returns how many points changed.
 */
#define KMC_DECLARE_COMMON(T, real, suffix)                                                                  \
  double kmc_dist2_##suffix(const T *point, const double *centroid, ptrdiff_t d);                            \
  void kmc_tile_points_##suffix(const T *points, ptrdiff_t n, ptrdiff_t d, const real *origin, real *tiles); \
  void kmc_own_dist2_##suffix(const T *points, ptrdiff_t n, ptrdiff_t d, const double *centroids,            \
                              const int32_t *labels, double *dist2);                                         \
  ptrdiff_t kmc_update_##suffix(const T *points, ptrdiff_t n, ptrdiff_t d, const double *weights,            \
                                const int32_t *old_labels, const int32_t *new_labels, double *sums,          \
                                double *weight_sums);

KMC_DECLARE_COMMON(uint8_t, float, u8)
KMC_DECLARE_COMMON(float, float, f32)
KMC_DECLARE_COMMON(double, double, f64)

/* Sum of weights[i] * values[i], in eight interleaved partial sums: a fixed order that still fills a vector.
 * weights NULL: each is 1. */
double kmc_weighted_sum_f32(const float *values, const double *weights, ptrdiff_t n);
double kmc_weighted_sum_f64(const double *values, const double *weights, ptrdiff_t n);

/* dispatch.c: the tables that this build has and this processor can run, best first; NULL past the last. */
const kmc_kernels *kmc_available(int index);

#endif
