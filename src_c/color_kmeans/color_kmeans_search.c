/* A search that splits clusters with much error and merges those that are worth little: after Fritzke, "The breathing
 * k-means algorithm", arXiv 2006.15666.
 *
 * Two trials start from the same state and run side by side, each on a copy of what it changes; the better one is
 * kept if it lowers the inertia.
 * A search that learns: color_kmeans_lessons.c. */
#include <math.h>
#include <string.h>

#include "color_kmeans/color_kmeans_search.h"

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
      kmc_add_second_moments(&plan->sums[label], level->color[p], kmc_weight_of(level, p));
      if (!before) continue;
      kmc_add_second_moments(&plan->sums[old], level->color[p], -kmc_weight_of(level, p));
      plan->changed[label] = plan->changed[old] = 1;
    }
  }
  for (int32_t j = 0; j < fit->k; j++) {
    if (plan->changed[j]) plan->shape[j] = kmc_shape_of(&plan->sums[j], fit->centroids.channels);
  }
}

/* A split at the mean of a uniform distribution saves 3/4 of the spread, of a normal one 2/pi. */
static const double SPLIT_SAVES = 0.7;

/* Gives the cluster `cheap`, merged away, to the cluster `wide` as its second half. */
static void apply_swap(kmc_fit *fit, plan *plan, int32_t cheap, int32_t wide) {
  const kmc_shape *shape = &plan->shape[wide];
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
  plan->shape = kmc_take(arena, (size_t)k * sizeof(kmc_shape));
  plan->sums = kmc_take(arena, (size_t)k * sizeof(kmc_second_moments));
  plan->changed = kmc_take(arena, (size_t)k);
  plan->used = kmc_take(arena, (size_t)k);
  const size_t room = ((size_t)k + KMC_PADDING) * sizeof(float);
  plan->weight = kmc_take(arena, room);
  plan->row = kmc_take(arena, room);
  for (int t = 0; t < KMC_CHANNELS; t++) plan->mean[t] = kmc_take(arena, room);
  plan->key = kmc_take(arena, (size_t)k * sizeof(double));
  plan->loss = kmc_take(arena, (size_t)k * sizeof(double));
  plan->gain = kmc_take(arena, (size_t)k * sizeof(double));
  plan->inertia = kmc_take(arena, (size_t)k * sizeof(double));
  plan->knows_loss = kmc_take(arena, (size_t)k);
  plan->knows_gain = kmc_take(arena, (size_t)k);
}

/* Copies the labels of a group. */
static void copy_labels(const uint16_t *from, kmc_level *level, int32_t g) {
  const kmc_group *group = &level->group[g];
  const int32_t begin = level->block[group->begin].begin, end = level->block[group->end - 1].end;
  memcpy(level->label + begin, from + begin, (size_t)(end - begin) * sizeof *from);
  for (int32_t b = group->begin; b < group->end; b++) level->block[b].uniform = -1;
}

/* Takes over a state; labels where they were touched here, or in `other`. */
static void go_to(const runner *runner, const state *to, const kmc_level *other) {
  const size_t k = (size_t)runner->fit->k;
  kmc_level *level = runner->level;
  memcpy(runner->fit->position, to->position, k * KMC_CHANNELS * sizeof(double));
  memcpy(runner->fit->total, to->total, k * sizeof(kmc_moment));
  for (int32_t g = 0; g < level->n_groups; g++) {
    if (level->group[g].touched || other->group[g].touched) copy_labels(to->label, level, g);
  }
  kmc_place_centroids(runner->fit);
  kmc_note_assigned(runner->fit);
}

static void save_state(const runner *runner, const state *saved) {
  const size_t k = (size_t)runner->fit->k;
  memcpy(saved->position, runner->fit->position, k * KMC_CHANNELS * sizeof(double));
  memcpy(saved->total, runner->fit->total, k * sizeof(kmc_moment));
  memcpy(saved->label, runner->level->label, (size_t)runner->level->n * sizeof(uint16_t));
}

static void clear_touched(const kmc_level *level) {
  for (int32_t g = 0; g < level->n_groups; g++) level->group[g].touched = 0;
}

/* Up to `most` rounds from changed centroids; gives up where the fall of the inertia promises no more than it was. */
static double try_rounds(kmc_fit *fit, const kmc_level *level, double best, int32_t most) {
  kmc_assign_moved_centroids(fit, level);
  double before = kmc_fit_inertia(fit);
  for (int32_t round = 0; round < most; round++) {
    kmc_color_round(fit, level, round == 0 ? 1 : 1.5, SEARCH_STEP);
    const double now = kmc_fit_inertia(fit), gain = before - now;
    before = now;
    if (now - best > SEARCH_HOPE * gain * (most - 1 - round)) break;
  }
  return before;
}

static void try_swaps(void *context, int32_t i) {
  search *search = context;
  runner *runner = &search->runner[i];
  const int32_t rounds = search->learns ? LEARNING_ROUNDS : SEARCH_ROUNDS;
  runner->inertia = try_rounds(runner->fit, runner->level, search->best, rounds);
  if (search->learns && runner->swaps == 1) kmc_measure_swap(search, runner);
  if (runner->inertia >= search->best) go_to(runner, &search->saved, runner->level);
}

/* The runner whose trial lowered the inertia most, or NULL. */
static runner *winner_of(search *search, int32_t n) {
  runner *winner = NULL;
  for (int32_t i = 0; i < n; i++) {
    if (search->runner[i].inertia >= search->best) continue;
    search->best = search->runner[i].inertia;
    winner = &search->runner[i];
  }
  return winner;
}

/* Plans the state that the winner found, or at first the one that all stand at, and brings all to it. */
static void start_from(search *search, const runner *winner, int is_first, plan *plan) {
  find_merges(winner->fit, plan);
  find_shapes(winner->fit, winner->level, is_first ? NULL : search->saved.label, plan);
  if (search->learns) kmc_update_knowledge(search, winner->fit, is_first);
  save_state(winner, &search->saved);
  for (int32_t i = 0; i < search->n_runners; i++) {
    if (!is_first && &search->runner[i] != winner) go_to(&search->runner[i], &search->saved, winner->level);
  }
  for (int32_t i = 0; i < search->n_runners; i++) clear_touched(search->runner[i].level);
  memset(plan->tried, 0, sizeof plan->tried);
}

/* The next single swap. */
static int32_t apply_single(const search *search, runner *runner, plan *plan) {
  if (!search->learns) return apply_one(runner->fit, plan);
  if (runner == &search->runner[0]) memset(plan->used, 0, (size_t)runner->fit->k);
  if (!kmc_choose_swap(search, runner)) return 0;
  apply_swap(runner->fit, plan, runner->merged, runner->split);
  return 1;
}

/* Plans the next trials, each with half the swaps of the one before. Returns how many; IN OUT swaps: of the next one.
 */
static int32_t plan_trials(search *search, int32_t most, plan *plan, int32_t *swaps) {
  int32_t n = 0;
  while (n < search->n_runners && n < most) {
    runner *runner = &search->runner[n];
    runner->swaps = *swaps;
    const int32_t is_single = *swaps == 1;
    if (is_single ? apply_single(search, runner, plan) : apply_swaps(runner->fit, plan, *swaps)) {
      *swaps = *swaps / 2 > 1 ? *swaps / 2 : 1;
      n++;
    } else if (is_single) {
      break;
    } else {
      *swaps = 1;
    }
  }
  return n;
}

/* The second runner's fit and level. */
typedef struct {
  kmc_fit fit;
  kmc_level level;
} copies;

static void take_search(kmc_fit *fit, kmc_level *level, kmc_arena *arena, search *search, copies *own) {
  const size_t k = (size_t)fit->k;
  search->saved = (state){kmc_take(arena, k * KMC_CHANNELS * sizeof(double)), kmc_take(arena, k * sizeof(kmc_moment)),
                          kmc_take(arena, (size_t)level->n * sizeof(uint16_t))};
  search->n_runners = 1;
  search->runner[0] = (runner){.fit = fit, .level = level, .square = kmc_take(arena, k * sizeof(int64_t))};
  if (level->n >= KMC_PAIR_POINTS) return;
  kmc_take_copy(fit, level, arena, &own->fit, &own->level);
  search->runner[search->n_runners++] =
      (runner){.fit = &own->fit, .level = &own->level, .square = kmc_take(arena, k * sizeof(int64_t))};
}

size_t kmc_search_scratch(const kmc_fit *fit, int32_t n) {
  kmc_arena arena = {0};
  kmc_fit any = *fit;
  kmc_level largest = {.n = n}, paired = {.n = n < KMC_PAIR_POINTS ? n : KMC_PAIR_POINTS - 1};
  plan plan;
  search search;
  copies own;
  take_plan(&plan, fit->k, &arena);
  take_search(&any, &largest, &arena, &search, &own);
  take_search(&any, &paired, &arena, &search, &own);
  return arena.used;
}

void kmc_search(kmc_fit *fit, kmc_level *level, int32_t trials, kmc_arena arena) {
  int32_t swaps = fit->k / SEARCH_SWAPS > 1 ? fit->k / SEARCH_SWAPS : 1, n;
  plan plan;
  search search;
  copies own;
  take_plan(&plan, fit->k, &arena);
  take_search(fit, level, &arena, &search, &own);
  search.learns = fit->options->thorough;
  search.plan = &plan;
  fit->searching = 1;
  if (search.n_runners > 1) kmc_copy_fit(fit, level, &own.fit, &own.level);
  search.best = kmc_fit_inertia(fit);
  const runner *winner = &search.runner[0];
  for (int32_t trial = 0; trial < trials; trial += n) {
    if (winner) start_from(&search, winner, trial == 0, &plan);
    n = plan_trials(&search, trials - trial, &plan, &swaps);
    if (n == 0) break;
    kmc_share(fit->team, try_swaps, &search, n);
    winner = winner_of(&search, n);
    if (search.learns) kmc_learn(&search, n, winner);
    if (winner) swaps = winner->swaps;
  }
  if (winner && winner != &search.runner[0]) {
    save_state(winner, &search.saved);
    go_to(&search.runner[0], &search.saved, winner->level);
  }
  fit->searching = 0;
}
