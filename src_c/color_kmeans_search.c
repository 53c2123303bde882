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

/* Integers, so that they can be taken apart: 2^38 pixels times 2^14 is far below 2^63. */
typedef struct {
  int64_t weight, sum[KMC_CHANNELS], product[KMC_CHANNELS][KMC_CHANNELS]; /* the lower triangle */
} second_moments;

static int64_t weight_of(const kmc_level *level, int32_t p) {
  return level->moment ? level->moment[p].count : level->count[p];
}

static inline void add_to(second_moments *sums, uint32_t color, int64_t weight) {
  sums->weight += weight;
  for (int t = 0; t < KMC_CHANNELS; t++) {
    const int64_t weighted = weight * kmc_channel(color, t);
    sums->sum[t] += weighted;
    for (int s = 0; s <= t; s++) sums->product[t][s] += weighted * kmc_channel(color, s);
  }
}

static second_moments difference(const second_moments *a, const second_moments *b) {
  second_moments rest = {.weight = a->weight - b->weight};
  for (int t = 0; t < KMC_CHANNELS; t++) {
    rest.sum[t] = a->sum[t] - b->sum[t];
    for (int s = 0; s <= t; s++) rest.product[t][s] = a->product[t][s] - b->product[t][s];
  }
  return rest;
}

/* The principal axis by power iteration from the channel of greatest variance. */
static shape shape_of(const second_moments *sums, int channels) {
  enum { STEPS = 8 };
  const double weight = (double)sums->weight;
  shape shape = {.weight = weight};
  double covariance[KMC_CHANNELS][KMC_CHANNELS], most = -1;
  int widest = 0;
  for (int t = 0; t < channels; t++) shape.mean[t] = (double)sums->sum[t] / weight;
  for (int t = 0; t < channels; t++) {
    for (int s = 0; s <= t; s++) {
      covariance[t][s] = covariance[s][t] = (double)sums->product[t][s] - (double)sums->sum[t] * shape.mean[s];
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
  second_moments sums;
  shape shape;
} segment;

static void measure(const kmc_level *level, const int32_t *order, segment *segment) {
  second_moments sums = {0};
  for (int32_t i = segment->begin; i < segment->end; i++) {
    add_to(&sums, level->color[order[i]], weight_of(level, order[i]));
  }
  segment->sums = sums;
}

/* Moves the points below the mean along the axis to the front; returns where the others begin. */
static int32_t cut(const kmc_level *level, int32_t *order, const segment *segment, int32_t *others) {
  double threshold = 0, axis[KMC_CHANNELS];
  for (int t = 0; t < KMC_CHANNELS; t++) {
    axis[t] = segment->shape.axis[t];
    threshold += axis[t] * segment->shape.mean[t];
  }
  int32_t low = segment->begin, n_others = 0;
  for (int32_t i = segment->begin; i < segment->end; i++) { /* without branches: either place is overwritten */
    const int32_t p = order[i];
    double projection = 0;
    for (int t = 0; t < KMC_CHANNELS; t++) projection += axis[t] * kmc_channel(level->color[p], t);
    order[low] = others[n_others] = p;
    low += projection < threshold;
    n_others += !(projection < threshold);
  }
  memcpy(order + low, others, (size_t)n_others * sizeof *order);
  if (low == segment->begin) low++;
  return low == segment->end ? low - 1 : low;
}

/* Cuts a segment in two and measures the smaller part; the rest is the difference. */
static void cut_segment(const kmc_level *level, int32_t *order, int32_t *others, int channels, segment *whole,
                        segment *half) {
  const int32_t middle = cut(level, order, whole, others);
  const second_moments both = whole->sums;
  *half = (segment){.begin = middle, .end = whole->end};
  whole->end = middle;
  segment *small = half->end - half->begin < whole->end - whole->begin ? half : whole;
  measure(level, order, small);
  segment *large = small == half ? whole : half;
  large->sums = difference(&both, &small->sums);
  half->shape = shape_of(&half->sums, channels);
  whole->shape = shape_of(&whole->sums, channels);
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
  int32_t *others = kmc_take(&arena, (size_t)level->n * sizeof *others);
  segment *segments = kmc_take(&arena, (size_t)fit->k * sizeof *segments);
  for (int32_t p = 0; p < level->n; p++) order[p] = p;
  segments[0] = (segment){.begin = 0, .end = level->n};
  measure(level, order, &segments[0]);
  segments[0].shape = shape_of(&segments[0].sums, channels);
  for (int32_t n = 1; n < fit->k; n++) {
    int32_t widest = -1;
    for (int32_t j = 0; j < n; j++) {
      if (segments[j].end - segments[j].begin < 2) continue;
      if (widest < 0 || segments[j].shape.spread > segments[widest].shape.spread) widest = j;
    }
    cut_segment(level, order, others, channels, &segments[widest], &segments[n]);
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
  second_moments *sums; /* (k) of the saved labels */
  shape *shape;         /* (k) */
  uint8_t *changed;     /* (k) sums since the shape was found */
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

/* Shapes of the clusters; `before` has the labels that `sums` are of, or is NULL at first. */
static void find_shapes(const kmc_fit *fit, const kmc_level *level, const uint16_t *before, plan *plan) {
  memset(plan->changed, before == NULL, (size_t)fit->k);
  if (!before) memset(plan->sums, 0, (size_t)fit->k * sizeof *plan->sums);
  for (int32_t g = 0; g < level->n_groups; g++) {
    const kmc_group *group = &level->group[g];
    if (before && !group->touched) continue;
    for (int32_t p = level->block[group->begin].begin; p < level->block[group->end - 1].end; p++) {
      const int32_t label = level->label[p], old = before ? before[p] : label;
      if (before && label == old) continue;
      add_to(&plan->sums[label], level->color[p], weight_of(level, p));
      if (!before) continue;
      add_to(&plan->sums[old], level->color[p], -weight_of(level, p));
      plan->changed[label] = plan->changed[old] = 1;
    }
  }
  for (int32_t j = 0; j < fit->k; j++) {
    if (plan->changed[j]) plan->shape[j] = shape_of(&plan->sums[j], fit->centroids.channels);
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
      if (plan->used[j]) continue;
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
  plan->shape = kmc_take(arena, (size_t)k * sizeof(shape));
  plan->sums = kmc_take(arena, (size_t)k * sizeof(second_moments));
  plan->changed = kmc_take(arena, (size_t)k);
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
      find_merges(fit, &plan);
      find_shapes(fit, level, trial == 0 ? NULL : saved.label, &plan);
      save_state(fit, level, &saved);
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
