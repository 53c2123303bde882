/* What the files of color_kmeans share: points in blocks, centroids in fixed point, the kernels.
 *
 * Coordinates are centred: a channel of 8 bits becomes the signed byte value - 128, unused channels are 0.
 *
 * How a label is decided: centroids are rounded to 1/64 (`KMC_CENTROID_ONE`), and the score of a centroid for a point
 * is |c|^2 / 2 - x.c in units of 2^-14, with |c|^2 / 2 rounded to units of 2^-6 and the centroid's tag (0 .. 255) in
 * the 8 bits that this leaves free: points have 8 zero bits below the value. The least score wins, so ties go to the
 * lowest tag. Bound: |x.c| <= 3 * 2^15 * 2^13 < 2^30 and |c|^2 / 2 <= 2^29, so 32 bits hold every score. */
#ifndef KMC_COLOR_KMEANS_LEVEL_H
#define KMC_COLOR_KMEANS_LEVEL_H

#include "color_kmeans/color_kmeans.h"
#include "color_kmeans/color_kmeans_team.h"
#include "compiler.h"

#define KMC_CHANNELS 3
#define KMC_CENTROID_ONE 64  /* fixed-point one of a centroid's coordinate */
#define KMC_BLOCK_POINTS 512 /* most points in a block; see benchmarks/README.md */
#define KMC_PADDING 64       /* readable elements that follow every array of points and of centroids */
#define KMC_MAX_CANDIDATES 256
#define KMC_NO_LABEL 0xffff
/* Blocks that are listed before any of them is assigned, so that one does not wait for the other. */
#define KMC_BATCH 8

/* Sums over pixels: 2^38 pixels times 128 is far below 2^63. One vector of four, whose last is the count. */
typedef struct {
  int64_t sum[KMC_CHANNELS], count;
} kmc_moment;

/* A tight box around points: twice the coordinates of its faces. */
typedef struct {
  float low2[KMC_CHANNELS], high2[KMC_CHANNELS];
} kmc_box;

typedef struct {
  int32_t begin, end; /* points */
  int32_t uniform;    /* the label that all points have, or -1: not known */
  kmc_box box;
} kmc_block;

/* Blocks whose lists are chosen from one common list: those in 32x32x32 colours. */
typedef struct {
  int32_t begin, end; /* blocks */
  int32_t touched;    /* its labels were looked at since this was cleared */
  kmc_box box;
} kmc_group;

/* Groups in 64x64x64 colours, for the same purpose. */
typedef struct {
  int32_t begin, end; /* groups */
  kmc_box box;
} kmc_region;

typedef struct {
  int32_t n, n_groups, n_regions;
  int32_t block_points; /* most in a block, 64 .. KMC_BLOCK_POINTS */
  uint32_t *color;      /* (n) signed bytes, channel 0 lowest; the fourth: the count, 0 where `count` has to be read */
  const int64_t *count; /* (n) pixels, or NULL where moments are given */
  kmc_moment *moment;   /* (n) or NULL */
  int32_t *first;       /* (n + 1) first colour, or NULL */
  uint16_t *label;      /* (n) */
  kmc_block *block;
  kmc_group *group;
  kmc_region *region;
} kmc_level;

/* Centroids among which candidates are chosen. */
typedef struct {
  int32_t n;
  float *at[KMC_CHANNELS]; /* (n) where they stand, exactly what the fixed point says */
  float *square;           /* (n) |c|^2 */
  int32_t *index;          /* (n) */
} kmc_list;

typedef struct {
  int32_t k, channels;
  kmc_list all, before;            /* before: at the last assignment */
  kmc_list moved;                  /* both places of those that moved since then; n is -1 if many did */
  int32_t *minus_even, *minus_odd; /* (k) fixed point, negated: channels 0 and 2, channel 1, as pairs of int16 */
  int32_t *bias;                   /* (k) |c|^2 / 2; the low 8 bits are the tag for k <= 256, else free for one */
  uint8_t *has_moved;              /* (k) since the last assignment */
} kmc_centroids;

/* Scratch of one thread: the lists of a region, of a group, and of KMC_BATCH blocks; who moved in reach of the group.
 */
typedef struct {
  kmc_list region, group, moved;
  int32_t *chosen; /* (KMC_BATCH, k + KMC_PADDING) */
} kmc_list_scratch;

struct kmc_color_kernels {
  const char *name;
  /* IN OUT labels of the points in groups [begin, end); blocks whose candidates all stand still are skipped; moments
   * (k): what moved is taken from the old label's and added to the new one's. Returns how many points moved. */
  int32_t (*assign)(const kmc_level *level, const kmc_centroids *centroids, int32_t begin, int32_t end,
                    kmc_list_scratch *scratch, kmc_moment *moments);
  /* IN rgb (n, 3), nothing is written or read beyond LANES; OUT colors (n) centred. */
  void (*pack_colors)(const uint8_t *rgb, int32_t n, uint32_t *colors);
  /* Returns the sum of count * |x|^2; IN OUT any: the bits that are set in any count; color: the fourth byte becomes
   * the count if that is below 256, else 0. */
  uint64_t (*measure)(uint32_t *color, const int64_t *count, int32_t n, uint64_t *any);
  /* Colours [begin, end); neighbours with the same `bits`, and `last` before the first of them, are one node. OUT for
   * each node where it ends and the moment of all colours up to there, at [-1] of the one that `last` is in; IN OUT
   * sum: that moment. Returns how many nodes begin. */
  int32_t (*join_colors)(const kmc_level *level, int32_t begin, int32_t end, uint32_t bits, uint32_t last,
                         kmc_moment *sum, int32_t *node_end, kmc_moment *through);
  /* OUT boxes of n > 0 blocks. */
  void (*find_boxes)(const uint32_t *color, kmc_block *block, int32_t n);
  /* OUT color (n): the means, rounded. */
  void (*find_means)(const kmc_moment *moment, int32_t n, uint32_t *color);
  /* IN mean (KMC_CHANNELS, k), weight (k) > 0 of clusters; SCRATCH row (k); OUT cost (k): the least inertia that
   * joining each to another adds (Ward), partner (k): to which, -1 for k = 1; ties go to the lowest. In a fixed order.
   */
  void (*merge_costs)(float *const *mean, const float *weight, int32_t k, float *row, float *cost, int32_t *partner);
};

/* Runs of colours: nodes of one size. */
typedef struct {
  int32_t n;
  int32_t *end; /* where each ends among the nodes of the next finer size: colours, boxes, cells; [-1]: where the first
                 * begins */
} kmc_nodes;

/* Bins of nodes by their scatter, which goes with the pixels times the square of the side: quarters of an octave. */
#define KMC_BINS (4 * 64)

/* Whole cubes of the colours, which a thread makes. */
typedef struct {
  int32_t begin, end;            /* colours */
  kmc_nodes boxes, cells, cubes; /* of 4x4x4, 8x8x8, 16x16x16 colours; boxes and cells count from those of the part */
  kmc_moment *through;           /* (boxes) of the part's colours up to the end of the box; [-1] is 0 */
  kmc_moment sum;
  uint64_t square, any;   /* the sum of |x|^2 over all pixels; the bits that are set in any count */
  int32_t more[KMC_BINS]; /* points that dividing the nodes of a bin adds */
  int32_t n_groups[3];    /* on each level */
} kmc_part;

typedef struct {
  kmc_level level[3]; /* [0] few points, [1] more, [2] the colours */
  int32_t most[2];    /* points in the first two */
  int32_t n_parts;
  kmc_part *part;
  kmc_nodes boxes, cells, cubes; /* room for those of all parts */
  kmc_moment *through;
  int64_t square; /* the sum of |x|^2 over all pixels */
} kmc_points;

/* Points of a coarse level: at most LEVEL_POINTS for each cluster, at most that share of the colours, but that many at
 * least; and never fewer than there are cubes. */
static const int32_t LEVEL_POINTS[2] = {16, 48}, LEVEL_SHARE[2] = {24, 4}, LEAST_POINTS[2] = {4096, 8192};
enum { MOST_CUBES = 1 << 12 };

/* Scratch that is handed out from the front; with no base only its size is counted. */
typedef struct {
  uint8_t *base;
  size_t used;
} kmc_arena;

/* 64-byte aligned, NULL without a base. */
void *kmc_take(kmc_arena *arena, size_t bytes);

/* color_kmeans_points.c: takes the arrays; fills the colours and their nodes, and their blocks if they are asked for.
 * Returns whether the counts are within the bounds of color_kmeans.h. */
void kmc_take_points(int32_t u, const kmc_color_kmeans_options *options, kmc_arena *arena, kmc_points *points);
int kmc_make_points(const uint8_t *colors, const int64_t *counts, int32_t u, int32_t channels, int with_blocks,
                    const kmc_color_kernels *kernels, kmc_team *team, kmc_points *points);

/* color_kmeans_levels.c */
void kmc_take_levels(int32_t u, const kmc_color_kmeans_options *options, kmc_arena *arena, kmc_points *points);
void kmc_count_divisions(kmc_part *part);
void kmc_make_coarse_levels(kmc_points *points, const kmc_color_kernels *kernels, kmc_team *team);
void kmc_make_blocks_of_colors(kmc_points *points, const kmc_color_kernels *kernels, kmc_team *team);

/* color_kmeans_blocks.c: blocks and groups of part i, which has the points [begin, end) of level l; then the groups of
 * all parts together, and regions. */
void kmc_take_blocks(kmc_level *level, int32_t n, int32_t n_parts, kmc_arena *arena);
void kmc_cut_blocks(kmc_points *points, int l, int32_t i, int32_t begin, int32_t end, const kmc_color_kernels *kernels);
void kmc_join_groups(kmc_points *points, int l);

/* A fit under way. Positions are where the centroids stand (k, KMC_CHANNELS); totals the moments of their clusters. */
typedef struct {
  const kmc_color_kmeans_options *options;
  const kmc_color_kernels *kernels;
  kmc_team *team;
  kmc_points points;
  kmc_centroids centroids;
  int32_t k;
  double *position;
  const kmc_level *placed_level; /* that labels are of */
  double *velocity;              /* (k, KMC_CHANNELS) the last step, 0 after a plain round */
  double *mean;                  /* (k, KMC_CHANNELS) 8-bit coordinates, for labels in double */
  kmc_moment *total;             /* (k) */
  kmc_moment *part_moment;       /* (parts, k) */
  int32_t *part_moved;           /* (parts) */
  kmc_list_scratch *scratch;     /* (parts) */
  const kmc_level *level;        /* of the step that runs in parallel */
  int32_t searching;             /* steps are small: one thread */
  int32_t in_double;             /* labels are decided in double, see assign_in_double */
} kmc_fit;

/* Kodak, k=256, 0 to 0.9: mean MSE .993 to .982 times that of k-means++, with 12.5 to 17 rounds on colours. */
static const double MOMENTUM = 0.8;

static const float SEARCH_HOPE = 1, SEARCH_STEP = 0.25f;
enum { SEARCH_ROUNDS = 3, SEARCH_SWAPS = 8 };
/* Rounds of a trial where it learns: three say less, eight take more time, for the same error. */
enum { LEARNING_ROUNDS = 5 };

/* Trials that run side by side, on levels of fewer points than this: on more of them each has all threads. */
enum { KMC_RUNNERS = 2, KMC_PAIR_POINTS = 131072 };

/* color_kmeans.c: room for what a fit of its own changes on a copy of a level, whose points it shares. */
void kmc_take_copy(const kmc_fit *fit, const kmc_level *level, kmc_arena *arena, kmc_fit *own, kmc_level *own_level);
/* Fills the room: both stand at the same positions, with the same labels. */
void kmc_copy_fit(const kmc_fit *fit, const kmc_level *level, kmc_fit *own, kmc_level *own_level);

/* color_kmeans_rounds.c */
/* Parts that a step on the level is cut into. */
int32_t kmc_tasks_for(const kmc_fit *fit, const kmc_level *level);
static inline int32_t kmc_part_begin(int32_t n, int32_t i, int32_t n_tasks) {
  return (int32_t)((int64_t)n * i / n_tasks);
}

/* One round; centroids stay where they are if they would move by less than least_step. Returns how many points moved.
 */
int32_t kmc_color_round(kmc_fit *fit, const kmc_level *level, double relaxation, double least_step);
int32_t kmc_color_lloyd(kmc_fit *fit, const kmc_level *level, double tol, int32_t max_rounds, int32_t *rounds);
/* Plain rounds in double until no label moves. Returns whether that came within max_rounds. */
int32_t kmc_settle(kmc_fit *fit, const kmc_level *level, int32_t max_rounds, int32_t *rounds);
double kmc_fit_inertia(const kmc_fit *fit);

int32_t kmc_assign_moved_centroids(kmc_fit *fit, const kmc_level *level);
void kmc_place_centroids(kmc_fit *fit);
/* The labels are those of where the centroids are placed. */
void kmc_note_assigned(kmc_fit *fit);

/* color_kmeans_cuts.c */
void kmc_seed_by_cuts(kmc_fit *fit, const kmc_level *level, kmc_arena arena);

/* color_kmeans_noise.c: whether a level has few enough points for noisy rounds; some of them. */
int kmc_takes_noise(const kmc_fit *fit, const kmc_level *level);
void kmc_noisy_rounds(kmc_fit *fit, const kmc_level *level);

/* color_kmeans_search.c: bytes for levels of up to n points. */
size_t kmc_search_scratch(const kmc_fit *fit, int32_t n);
/* At most `trials` trials, each some rounds on the level. */
void kmc_search(kmc_fit *fit, kmc_level *level, int32_t trials, kmc_arena arena);

/* Label of the nearest centroid by the fixed-point score; ties go to the lowest. */
static inline int kmc_channel(uint32_t color, int t);
static inline int32_t kmc_nearest(const kmc_centroids *centroids, uint32_t color) {
  int32_t nearest = 0;
  int64_t least = INT64_MAX;
  for (int32_t j = 0; j < centroids->k; j++) {
    int64_t score = centroids->bias[j] & ~255;
    for (int t = 0; t < KMC_CHANNELS; t++) {
      const int32_t pair = t & 1 ? centroids->minus_odd[j] : centroids->minus_even[j];
      score += (int64_t)256 * kmc_channel(color, t) * (int16_t)(pair >> (t & 2 ? 16 : 0));
    }
    if (score >= least) continue;
    least = score;
    nearest = j;
  }
  return nearest;
}

static inline int kmc_channel(uint32_t color, int t) { return (int8_t)(color >> 8 * t); }

static inline kmc_moment kmc_moment_of(const kmc_level *level, int32_t p) {
  if (level->moment) return level->moment[p];
  kmc_moment moment = {.count = level->count[p]};
  for (int t = 0; t < KMC_CHANNELS; t++) moment.sum[t] = moment.count * kmc_channel(level->color[p], t);
  return moment;
}

static inline void kmc_add_moment(kmc_moment *sum, const kmc_moment *moment, int64_t sign) {
  sum->count += sign * moment->count;
  for (int t = 0; t < KMC_CHANNELS; t++) sum->sum[t] += sign * moment->sum[t];
}

#endif
