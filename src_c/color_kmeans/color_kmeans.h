/* Exact k-means on the distinct colours of a picture.
 *
 * IN   u distinct colours with counts: of three 8-bit channels, in Z-order (ascending keys of color_keys.h, as the
 *      histogram gives them), or of one, ascending.
 * OUT  k centroids, the label of every colour, inertia, rounds, whether it converged.
 *
 * Lloyd's algorithm, coarse to fine: first on the moments of some thousand cells of the colour space, smaller where
 * there are more pixels (color_kmeans_levels.c), where a round costs microseconds and a search for better minima is
 * cheap (color_kmeans_search.c), then on more cells, then on the colours themselves. Threads: color_kmeans_team.h.
 * On each level points are kept in blocks of neighbours; in each round a block is compared only with the few centroids
 * that can be nearest to a point in its box (its candidates), and not at all if none of them moved. Rounds go beyond
 * the means, with momentum: that finds better minima than plain ones do.
 *
 * The same answer everywhere: labels are decided in integers (see color_kmeans_level.h), sums are 64-bit integers, and
 * the rest is double arithmetic in one thread, without contraction. Threads, chunks and instruction sets do not matter.
 */
#ifndef KMC_COLOR_KMEANS_H
#define KMC_COLOR_KMEANS_H

#include <stddef.h>
#include <stdint.h>

/* Runs task(context, i) for every i in [0, n_tasks), in any order and on any threads, and returns when all are done. */
typedef void (*kmc_task)(void *context, int32_t i);
typedef void (*kmc_parallel_for)(void *threads, kmc_task task, void *context, int32_t n_tasks);

typedef enum {
  KMC_SEEDS_SEARCHED, /* variance cuts on cells, then the split and merge search */
  KMC_SEEDS_CUT,      /* variance cuts only */
  KMC_SEEDS_GIVEN     /* centroids holds them; plain Lloyd rounds on the colours from there */
} kmc_seeding;

typedef struct {
  int32_t k;             /* 1 .. 65535, at most u */
  int32_t channels;      /* 1 or 3 */
  int32_t max_rounds;    /* rounds on the colours */
  int32_t search_trials; /* most trials of the search; 0 with KMC_SEEDS_CUT */
  int32_t polish_trials; /* the same on more cells */
  int32_t fine_trials;   /* the same on the colours, after their rounds */
  int32_t thorough;      /* more points, noisy rounds, and a search that learns: not with KMC_SEEDS_GIVEN */
  double tol;            /* stop when a plain round lowers the inertia by at most tol times itself; 0: a fixed point
                          * (labels by double distances). Measured default: 5e-4 */
  double coarse_tol;     /* the same for rounds on cells, above 0; default 1e-3 */
  kmc_seeding seeding;
  int32_t on_cells; /* end on cells of colours, where there are far more colours than clusters */
  int32_t n_tasks;  /* that take part: threads, at least 1; does not change the result */
} kmc_color_kmeans_options;

typedef struct {
  double inertia; /* sum of count * squared distance to the nearest centroid, all channels */
  int32_t rounds; /* on the colours */
  int32_t coarse_rounds;
  int32_t converged;
  int32_t out_of_bounds; /* the counts are, and nothing else was done */
} kmc_color_kmeans_result;

typedef struct kmc_color_kernels kmc_color_kernels;
extern const kmc_color_kernels kmc_color_kernels_generic, kmc_color_kernels_avx2, kmc_color_kernels_avx512;

/* Bytes of scratch that kmc_color_kmeans needs for u colours: 64-byte aligned, contents do not matter. */
size_t kmc_color_kmeans_scratch(int32_t u, const kmc_color_kmeans_options *options);

/* IN colors (u, channels) in the order above, counts (u) > 0 each below 2^31, their sum below 2^38; IN OUT centroids
 * (k, channels); OUT labels (u), or NULL; not written where it ends on cells. No two arrays overlap. */
kmc_color_kmeans_result kmc_color_kmeans(const uint8_t *colors, const int64_t *counts, int32_t u,
                                         const kmc_color_kmeans_options *options, const kmc_color_kernels *kernels,
                                         kmc_parallel_for parallel_for, void *threads, void *scratch, double *centroids,
                                         uint16_t *labels);

#endif
