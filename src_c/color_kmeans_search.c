/* Seeds by variance cuts, and a search that splits clusters with much error and merges those that are worth little.
 *
 * Cuts: the cluster whose variance along its principal axis times its weight is greatest is cut at its mean across that
 * axis, until there are k (in the manner of Wu, "Efficient statistical computations for optimal color quantization",
 * Graphics Gems II, 1991). Search: after Fritzke, "The breathing k-means algorithm", arXiv 2006.15666. */
#include <math.h>
#include <string.h>

#include "color_kmeans_level.h"

typedef struct {
  double weight, mean[KMC_CHANNELS], axis[KMC_CHANNELS];
  double spread; /* weight times variance along the axis */
} shape;

typedef struct {
  double weight, sum[KMC_CHANNELS], product[KMC_CHANNELS][KMC_CHANNELS];
} second_moments;

static int64_t weight_of(const kmc_level *level, int32_t p) {
  return level->moment ? level->moment[p].count : level->count[p];
}

static inline void add_to(second_moments *sums, uint32_t color, double weight, int channels) {
  double x[KMC_CHANNELS];
  sums->weight += weight;
  for (int t = 0; t < channels; t++) {
    x[t] = kmc_channel(color, t);
    sums->sum[t] += weight * x[t];
    for (int s = 0; s <= t; s++) sums->product[t][s] += weight * x[t] * x[s];
  }
}

/* The principal axis by power iteration from the channel of greatest variance. */
static shape shape_of(const second_moments *sums, int channels) {
  enum { STEPS = 8 };
  shape shape = {.weight = sums->weight};
  double covariance[KMC_CHANNELS][KMC_CHANNELS], most = -1;
  int widest = 0;
  for (int t = 0; t < channels; t++) shape.mean[t] = sums->sum[t] / sums->weight;
  for (int t = 0; t < channels; t++) {
    for (int s = 0; s <= t; s++) {
      covariance[t][s] = covariance[s][t] = sums->product[t][s] - sums->sum[t] * shape.mean[s];
    }
    if (covariance[t][t] > most) {
      most = covariance[t][t];
      widest = t;
    }
  }
  shape.axis[widest] = 1;
  for (int step = 0; step < STEPS; step++) {
    double next[KMC_CHANNELS] = {0}, length2 = 0;
    for (int t = 0; t < channels; t++) {
      for (int s = 0; s < channels; s++) next[t] += covariance[t][s] * shape.axis[s];
      length2 += next[t] * next[t];
    }
    if (length2 <= 0) break;
    shape.spread = sqrt(length2);
    for (int t = 0; t < channels; t++) shape.axis[t] = next[t] / shape.spread;
  }
  return shape;
}

typedef struct {
  int32_t begin, end; /* of the permutation */
  shape shape;
} segment;

static inline void measure_in(const kmc_level *level, const int32_t *order, segment *segment, int channels) {
  second_moments sums = {0};
  for (int32_t i = segment->begin; i < segment->end; i++) {
    add_to(&sums, level->color[order[i]], (double)weight_of(level, order[i]), channels);
  }
  segment->shape = shape_of(&sums, channels);
}

/* A copy for three channels, in which the compiler knows the length of the short loops. */
static void measure(const kmc_level *level, const int32_t *order, segment *segment, int channels) {
  if (channels == 3)
    measure_in(level, order, segment, 3);
  else
    measure_in(level, order, segment, channels);
}

/* Moves the points below the mean along the axis to the front; returns where the others begin. */
static int32_t cut(const kmc_level *level, int32_t *order, const segment *segment, int channels) {
  double threshold = 0, axis[KMC_CHANNELS] = {0};
  for (int t = 0; t < channels; t++) {
    axis[t] = segment->shape.axis[t];
    threshold += axis[t] * segment->shape.mean[t];
  }
  int32_t low = segment->begin, high = segment->end;
  while (low < high) {
    double projection = 0;
    const uint32_t color = level->color[order[low]];
    for (int t = 0; t < KMC_CHANNELS; t++) projection += axis[t] * kmc_channel(color, t);
    if (projection < threshold) {
      low++;
    } else {
      const int32_t swapped = order[--high];
      order[high] = order[low];
      order[low] = swapped;
    }
  }
  if (low == segment->begin) low++;
  return low == segment->end ? low - 1 : low;
}

static void label_segments(kmc_fit *fit, const kmc_level *level, const int32_t *order, const segment *segments) {
  for (int32_t j = 0; j < fit->k; j++) {
    kmc_moment *total = &fit->total[j];
    for (int32_t i = segments[j].begin; i < segments[j].end; i++) {
      const int32_t p = order[i];
      level->label[p] = (uint16_t)j;
      const kmc_moment moment = kmc_moment_of(level, p);
      kmc_add_moment(total, &moment, 1);
    }
    for (int t = 0; t < KMC_CHANNELS; t++) {
      fit->position[j * KMC_CHANNELS + t] = (double)total->sum[t] / (double)total->count;
    }
  }
}

void kmc_seed_by_cuts(kmc_fit *fit, const kmc_level *level, kmc_arena arena) {
  const int channels = fit->centroids.channels;
  int32_t *order = kmc_take(&arena, (size_t)level->n * sizeof *order);
  segment *segments = kmc_take(&arena, (size_t)fit->k * sizeof *segments);
  for (int32_t p = 0; p < level->n; p++) order[p] = p;
  segments[0] = (segment){.begin = 0, .end = level->n};
  measure(level, order, &segments[0], channels);
  for (int32_t n = 1; n < fit->k; n++) {
    int32_t widest = -1;
    for (int32_t j = 0; j < n; j++) {
      if (segments[j].end - segments[j].begin < 2) continue;
      if (widest < 0 || segments[j].shape.spread > segments[widest].shape.spread) widest = j;
    }
    const int32_t middle = cut(level, order, &segments[widest], channels);
    segments[n] = (segment){.begin = middle, .end = segments[widest].end};
    segments[widest].end = middle;
    measure(level, order, &segments[n], channels);
    measure(level, order, &segments[widest], channels);
  }
  label_segments(fit, level, order, segments);
}

/* What the search needs to go back to. */
typedef struct {
  double *position;
  kmc_moment *total;
  uint16_t *label;
} state;

static void save_state(const kmc_fit *fit, const kmc_level *level, const state *saved) {
  const size_t k = (size_t)fit->k;
  memcpy(saved->position, fit->position, k * KMC_CHANNELS * sizeof(double));
  memcpy(saved->total, fit->total, k * sizeof(kmc_moment));
  memcpy(saved->label, level->label, (size_t)level->n * sizeof *level->label);
  for (int32_t g = 0; g < level->n_groups; g++) level->group[g].touched = 0;
}

static void restore_state(kmc_fit *fit, const kmc_level *level, const state *saved) {
  const size_t k = (size_t)fit->k;
  memcpy(fit->position, saved->position, k * KMC_CHANNELS * sizeof(double));
  memcpy(fit->total, saved->total, k * sizeof(kmc_moment));
  for (int32_t g = 0; g < level->n_groups; g++) {
    const kmc_group *group = &level->group[g];
    if (!group->touched) continue;
    const int32_t begin = level->block[group->begin].begin, end = level->block[group->end - 1].end;
    memcpy(level->label + begin, saved->label + begin, (size_t)(end - begin) * sizeof *level->label);
    for (int32_t b = group->begin; b < group->end; b++) level->block[b].uniform = -1;
  }
  kmc_place_centroids(fit);
  kmc_note_assigned(fit);
}

typedef struct {
  float *cost;          /* (k) inertia that joining the cluster to its best partner would add */
  int32_t *partner;     /* (k) */
  double *error;        /* (k) the cluster's inertia */
  shape *shape;         /* (k) of those that may be split */
  second_moments *sums; /* (n_wide) */
  int32_t *wide;        /* (k) number in sums, or -1 */
  uint8_t *used;        /* (k) takes part in this trial */
  uint8_t tried[64];
  double *key;                              /* (k) */
  float *mean[KMC_CHANNELS], *weight, *row; /* (k) */
} plan;

static void find_merges(const kmc_fit *fit, plan *plan) {
  for (int32_t j = 0; j < fit->k; j++) {
    const kmc_moment *total = &fit->total[j];
    plan->weight[j] = (float)total->count;
    for (int t = 0; t < KMC_CHANNELS; t++) plan->mean[t][j] = (float)((double)total->sum[t] / (double)total->count);
  }
  fit->kernels->merge_costs(plan->mean, plan->weight, fit->k, plan->row, plan->cost, plan->partner);
}

/* Shapes of the clusters with most error, n_wide of them. */
static void find_splits(const kmc_fit *fit, const kmc_level *level, plan *plan, int32_t n_wide) {
  const int channels = fit->centroids.channels;
  for (int32_t j = 0; j < fit->k; j++) {
    const kmc_moment *total = &fit->total[j];
    double sum2 = 0;
    for (int t = 0; t < channels; t++) sum2 += (double)total->sum[t] * (double)total->sum[t];
    plan->error[j] = -sum2 / (double)total->count;
    plan->wide[j] = -1;
    plan->shape[j].spread = 0;
  }
  for (int32_t p = 0; p < level->n; p++) plan->error[level->label[p]] += (double)kmc_square_of(level, p);
  for (int32_t i = 0; i < n_wide; i++) {
    int32_t worst = -1;
    for (int32_t j = 0; j < fit->k; j++) {
      if (plan->wide[j] < 0 && (worst < 0 || plan->error[j] > plan->error[worst])) worst = j;
    }
    if (worst < 0) break;
    plan->wide[worst] = i;
    memset(&plan->sums[i], 0, sizeof plan->sums[i]);
  }
  for (int32_t p = 0; p < level->n; p++) {
    const int32_t i = plan->wide[level->label[p]];
    if (i >= 0) add_to(&plan->sums[i], level->color[p], (double)weight_of(level, p), channels);
  }
  for (int32_t j = 0; j < fit->k; j++) {
    if (plan->wide[j] >= 0) plan->shape[j] = shape_of(&plan->sums[plan->wide[j]], channels);
  }
}

/* A split at the mean of a uniform distribution saves 3/4 of the spread, of a normal one 2/pi. */
static const double SPLIT_SAVES = 0.7;

/* Gives the cluster `cheap`, merged away, to the cluster `wide` as its second half. */
static void apply_swap(kmc_fit *fit, plan *plan, int32_t cheap, int32_t wide) {
  const shape *shape = &plan->shape[wide];
  const double offset = sqrt(shape->spread / shape->weight) * 0.8;
  plan->used[wide] = plan->used[cheap] = 1;
  for (int t = 0; t < KMC_CHANNELS; t++) {
    fit->position[wide * KMC_CHANNELS + t] = shape->mean[t] - offset * shape->axis[t];
    fit->position[cheap * KMC_CHANNELS + t] = shape->mean[t] + offset * shape->axis[t];
  }
}

/* Up to n swaps that promise to save most, no cluster or best partner in two of them. */
static int32_t apply_swaps(kmc_fit *fit, plan *plan, int32_t n) {
  int32_t done = 0;
  memset(plan->used, 0, (size_t)fit->k);
  for (; done < n; done++) {
    int32_t wide = -1, cheap = -1;
    for (int32_t j = 0; j < fit->k; j++) {
      if (plan->used[j] || plan->wide[j] < 0) continue;
      if (wide < 0 || plan->shape[j].spread > plan->shape[wide].spread) wide = j;
    }
    if (wide < 0) break;
    for (int32_t j = 0; j < fit->k; j++) {
      if (plan->used[j] || j == wide || plan->partner[j] == wide ||
          (plan->partner[j] >= 0 && plan->used[plan->partner[j]]))
        continue;
      if (cheap < 0 || plan->cost[j] < plan->cost[cheap]) cheap = j;
    }
    if (cheap < 0 || plan->cost[cheap] > SPLIT_SAVES * plan->shape[wide].spread) break;
    apply_swap(fit, plan, cheap, wide);
  }
  return done;
}

enum { RANKS = 8 }; /* single swaps are tried among the RANKS cheapest and the RANKS widest clusters */

/* Clusters in rising order of key, the first `n` of them. */
static int32_t rank(const double *key, int32_t k, int32_t n, int32_t *ranked) {
  int32_t found = 0;
  for (int32_t j = 0; j < k; j++) {
    int32_t at = found < n ? found++ : n;
    if (at == n && !(key[j] < key[ranked[n - 1]])) continue;
    if (at == n) at--;
    for (; at > 0 && key[j] < key[ranked[at - 1]]; at--) ranked[at] = ranked[at - 1];
    ranked[at] = j;
  }
  return found;
}

/* The most promising single swap that was not tried since the last success; 0 if there is none. */
static int32_t apply_one(kmc_fit *fit, plan *plan) {
  int32_t cheap[RANKS], wide[RANKS], best = -1;
  double least = INFINITY;
  for (int32_t j = 0; j < fit->k; j++) plan->key[j] = plan->cost[j];
  const int32_t n_cheap = rank(plan->key, fit->k, RANKS, cheap);
  for (int32_t j = 0; j < fit->k; j++) plan->key[j] = -plan->shape[j].spread;
  const int32_t n_wide = rank(plan->key, fit->k, RANKS, wide);
  for (int32_t i = 0; i < n_cheap * n_wide; i++) {
    const int32_t c = cheap[i / n_wide], w = wide[i % n_wide];
    const double adds = plan->cost[c] - SPLIT_SAVES * plan->shape[w].spread;
    if (c == w || plan->shape[w].spread <= 0 || plan->tried[i / n_wide * RANKS + i % n_wide] || adds >= least) continue;
    least = adds;
    best = i;
  }
  if (best < 0) return 0;
  plan->tried[best / n_wide * RANKS + best % n_wide] = 1;
  apply_swap(fit, plan, cheap[best / n_wide], wide[best % n_wide]);
  return 1;
}

static void take_plan(plan *plan, int32_t k, kmc_arena *arena) {
  plan->cost = kmc_take(arena, (size_t)k * sizeof(float));
  plan->partner = kmc_take(arena, (size_t)k * sizeof(int32_t));
  plan->error = kmc_take(arena, (size_t)k * sizeof(double));
  plan->shape = kmc_take(arena, (size_t)k * sizeof(shape));
  plan->sums = kmc_take(arena, (size_t)k * sizeof(second_moments));
  plan->wide = kmc_take(arena, (size_t)k * sizeof(int32_t));
  plan->used = kmc_take(arena, (size_t)k);
  const size_t room = ((size_t)k + KMC_PADDING) * sizeof(float);
  plan->weight = kmc_take(arena, room);
  plan->row = kmc_take(arena, room);
  for (int t = 0; t < KMC_CHANNELS; t++) plan->mean[t] = kmc_take(arena, room);
  plan->key = kmc_take(arena, (size_t)k * sizeof(double));
}

/* Rounds from changed centroids; gives up where the fall of the inertia promises no more than it was. */
static double try_rounds(kmc_fit *fit, const kmc_level *level, double best) {
  kmc_assign_moved_centroids(fit, level);
  double before = kmc_fit_inertia(fit);
  for (int32_t round = 0; round < SEARCH_ROUNDS; round++) {
    kmc_color_round(fit, level, round == 0 ? 1 : 1.5, SEARCH_STEP);
    const double now = kmc_fit_inertia(fit), gain = before - now;
    before = now;
    if (now - best > SEARCH_HOPE * gain * (SEARCH_ROUNDS - 1 - round)) break;
  }
  return before;
}

void kmc_search(kmc_fit *fit, const kmc_level *level, int32_t trials, kmc_arena arena) {
  const int32_t k = fit->k;
  plan plan;
  take_plan(&plan, k, &arena);
  state saved = {kmc_take(&arena, (size_t)k * KMC_CHANNELS * sizeof(double)),
                 kmc_take(&arena, (size_t)k * sizeof(kmc_moment)),
                 kmc_take(&arena, (size_t)level->n * sizeof(uint16_t))};
  int32_t swaps = k / SEARCH_SWAPS > 1 ? k / SEARCH_SWAPS : 1, fresh = 1;
  double best = kmc_fit_inertia(fit);
  fit->searching = 1;
  for (int32_t trial = 0; trial < trials; trial++) {
    if (fresh) {
      save_state(fit, level, &saved);
      find_merges(fit, &plan);
      find_splits(fit, level, &plan, k < 2 * swaps + RANKS ? k : 2 * swaps + RANKS);
      memset(plan.tried, 0, sizeof plan.tried);
    }
    fresh = 0;
    if (!(swaps > 1 ? apply_swaps(fit, &plan, swaps) : apply_one(fit, &plan))) {
      if (swaps == 1) break;
      swaps = 1;
      continue;
    }
    const double now = try_rounds(fit, level, best);
    fresh = now < best;
    if (fresh) {
      best = now;
    } else {
      restore_state(fit, level, &saved);
      swaps = swaps / 2 > 1 ? swaps / 2 : 1;
    }
  }
  fit->searching = 0;
}
