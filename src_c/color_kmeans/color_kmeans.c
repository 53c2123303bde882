/* k-means on the colours of a picture: the driver. What it computes and why: color_kmeans.h. */
#include "color_kmeans/color_kmeans.h"

#include <string.h>

#include "color_kmeans/color_kmeans_level.h"

typedef struct {
  const kmc_level *coarse, *fine;
  int32_t n_tasks;
} refinement;

static void refine_part(void *context, int32_t i) {
  enum { AT_ONCE = 64 }; /* most cells have fewer colours: they are written without a loop, the next cell's last */
  const refinement *job = context;
  const kmc_level *coarse = job->coarse;
  const int32_t end = kmc_part_begin(coarse->n, i + 1, job->n_tasks), last = coarse->first[end];
  uint16_t *label = job->fine->label;
  for (int32_t p = kmc_part_begin(coarse->n, i, job->n_tasks); p < end; p++) {
    const uint16_t parent = coarse->label[p];
    int32_t q = coarse->first[p];
    const int32_t q_end = coarse->first[p + 1];
    for (; q < q_end && q + AT_ONCE <= last; q += AT_ONCE) {
      for (int c = 0; c < AT_ONCE; c++) label[q + c] = parent;
    }
    for (; q < q_end; q++) label[q] = parent;
  }
}

/* Labels of a level become those of a finer one. */
static void refine(const kmc_fit *fit, const kmc_level *coarse, const kmc_level *fine) {
  refinement job = {coarse, fine, kmc_tasks_for(fit, fine)};
  if (!fine->first) {
    kmc_share(fit->team, refine_part, &job, job.n_tasks);
  } else {
    for (int32_t p = 0, parent = 0; p < fine->n; p++) {
      parent += fine->first[p] == coarse->first[parent + 1];
      fine->label[p] = coarse->label[parent];
    }
  }
  for (int32_t g = 0; g < fine->n_groups; g++) {
    for (int32_t b = fine->group[g].begin; b < fine->group[g].end; b++) fine->block[b].uniform = -1;
  }
}

static kmc_list take_list(int32_t k, kmc_arena *arena) {
  const size_t room = ((size_t)k + KMC_PADDING) * sizeof(float);
  kmc_list list = {.n = k};
  for (int t = 0; t < KMC_CHANNELS; t++) list.at[t] = kmc_take(arena, room);
  list.square = kmc_take(arena, room);
  list.index = kmc_take(arena, room);
  return list;
}

/* What the steps of a fit change, and scratch, for so many parts. */
static void take_state(kmc_fit *fit, int32_t n_parts, kmc_arena *arena) {
  const size_t k = (size_t)fit->k, room = (k + KMC_PADDING) * sizeof(float);
  kmc_centroids *centroids = &fit->centroids;
  fit->position = kmc_take(arena, k * KMC_CHANNELS * sizeof(double));
  fit->velocity = kmc_take(arena, k * KMC_CHANNELS * sizeof(double));
  fit->mean = kmc_take(arena, k * KMC_CHANNELS * sizeof(double));
  fit->total = kmc_take(arena, k * sizeof(kmc_moment));
  fit->part_moment = kmc_take(arena, k * (size_t)n_parts * sizeof(kmc_moment));
  fit->part_moved = kmc_take(arena, (size_t)n_parts * sizeof(int32_t));
  fit->scratch = kmc_take(arena, (size_t)n_parts * sizeof(kmc_list_scratch));
  centroids->has_moved = kmc_take(arena, k);
  centroids->all = take_list(fit->k, arena);
  centroids->before = take_list(fit->k, arena);
  centroids->moved = take_list(fit->k, arena);
  for (int32_t j = 0; arena->base && j < fit->k; j++) centroids->all.index[j] = j;
  centroids->minus_even = kmc_take(arena, room);
  centroids->minus_odd = kmc_take(arena, room);
  centroids->bias = kmc_take(arena, room);
  for (int32_t i = 0; i < n_parts; i++) {
    kmc_list_scratch scratch;
    scratch.region = take_list(fit->k, arena);
    scratch.group = take_list(fit->k, arena);
    scratch.moved = take_list(fit->k, arena);
    scratch.chosen = kmc_take(arena, KMC_BATCH * room);
    if (arena->base) fit->scratch[i] = scratch;
  }
}

static void take_fit(kmc_fit *fit, int32_t u, const kmc_color_kmeans_options *options, kmc_arena *arena) {
  fit->k = fit->centroids.k = options->k;
  fit->centroids.channels = options->channels;
  take_state(fit, kmc_parts_for(options->n_tasks), arena);
  kmc_take_points(u, options, arena, &fit->points);
}

void kmc_take_copy(const kmc_fit *fit, const kmc_level *level, kmc_arena *arena, kmc_fit *own, kmc_level *own_level) {
  *own = *fit;
  *own_level = *level;
  take_state(own, 1, arena);
  own_level->label = kmc_take(arena, ((size_t)level->n + KMC_PADDING) * sizeof *own_level->label);
  kmc_take_blocks(own_level, level->n, fit->points.n_parts, arena);
}

void kmc_copy_fit(const kmc_fit *fit, const kmc_level *level, kmc_fit *own, kmc_level *own_level) {
  const size_t k = (size_t)fit->k;
  memcpy(own->position, fit->position, k * KMC_CHANNELS * sizeof *own->position);
  memcpy(own->total, fit->total, k * sizeof *own->total);
  memset(own->velocity, 0, k * KMC_CHANNELS * sizeof *own->velocity);
  memcpy(own_level->label, level->label, (size_t)level->n * sizeof *own_level->label);
  memcpy(own_level->group, level->group, (size_t)level->n_groups * sizeof *own_level->group);
  memcpy(own_level->region, level->region, (size_t)level->n_regions * sizeof *own_level->region);
  for (int32_t g = 0; g < level->n_groups; g++) {
    const kmc_group *group = &level->group[g];
    memcpy(own_level->block + group->begin, level->block + group->begin,
           (size_t)(group->end - group->begin) * sizeof *own_level->block);
  }
  memset(own->centroids.has_moved, 0, k);
  memset(own->centroids.minus_even, 0, k * sizeof(int32_t));
  memset(own->centroids.minus_odd, 0, k * sizeof(int32_t));
  own->searching = 1;
  own->placed_level = fit->placed_level == level ? own_level : NULL;
  kmc_place_centroids(own);
  kmc_note_assigned(own);
}

size_t kmc_color_kmeans_scratch(int32_t u, const kmc_color_kmeans_options *options) {
  kmc_fit fit = {0};
  kmc_arena arena = {0};
  take_fit(&fit, u, options, &arena);
  const size_t seeds = (size_t)options->k * 512 + (size_t)u * 8, search = kmc_search_scratch(&fit, u);
  return arena.used + (seeds > search ? seeds : search) + 4096;
}

static void start_given(kmc_fit *fit, const double *centroids) {
  const kmc_level *colors = &fit->points.level[2];
  const int32_t channels = fit->centroids.channels;
  memset(fit->position, 0, (size_t)fit->k * KMC_CHANNELS * sizeof(double));
  for (int32_t j = 0; j < fit->k; j++) {
    for (int t = 0; t < channels; t++) fit->position[j * KMC_CHANNELS + t] = centroids[j * channels + t] - 128;
  }
  memset(colors->label, 0xff, (size_t)colors->n * sizeof *colors->label);
  kmc_assign_moved_centroids(fit, colors);
}

/* Whether rounds on a level are worth it: it has enough points, and far fewer than there are colours. */
static int is_coarse(const kmc_fit *fit, const kmc_level *level) {
  return level->n >= 4 * fit->k && level->n <= fit->points.level[2].n / 2;
}

/* Returns whether it ended on cells, and was meant to. */
static int start_coarse(kmc_fit *fit, kmc_arena arena, int32_t *rounds) {
  const kmc_color_kmeans_options *options = fit->options;
  kmc_level *level = fit->points.level;
  int32_t first = 0, last;
  kmc_make_coarse_levels(&fit->points, fit->kernels, fit->team);
  while (first < 2 && !is_coarse(fit, &level[first])) first++;
  if (options->on_cells && first == 2) kmc_make_blocks_of_colors(&fit->points, fit->kernels, fit->team);
  kmc_seed_by_cuts(fit, &level[first], arena);
  last = first;
  for (int32_t l = first; l < 2; l++) {
    if (!is_coarse(fit, &level[l])) continue;
    if (l > last) refine(fit, &level[last], &level[l]);
    last = l;
    kmc_color_lloyd(fit, &level[l], options->coarse_tol, 200, rounds);
    if (l == 1 && kmc_takes_noise(fit, &level[l])) kmc_noisy_rounds(fit, &level[l]);
    kmc_search(fit, &level[l], l == first ? options->search_trials : options->polish_trials, arena);
  }
  if (first == 2) kmc_search(fit, &level[2], options->search_trials, arena);
  if (options->on_cells && first < 2) return 1;
  if (first < 2) refine(fit, &level[last], &level[2]);
  return 0;
}

static void fit_colors(kmc_fit *fit, kmc_arena arena, kmc_color_kmeans_result *result) {
  const kmc_color_kmeans_options *options = fit->options;
  kmc_level *colors = &fit->points.level[2];
  if (kmc_takes_noise(fit, colors)) {
    kmc_assign_moved_centroids(fit, colors);
    kmc_noisy_rounds(fit, colors);
  }
  result->converged = kmc_color_lloyd(fit, colors, options->tol, options->max_rounds, &result->rounds);
  if (options->fine_trials > 0) {
    kmc_search(fit, colors, options->fine_trials, arena);
    const int32_t left = options->max_rounds - result->rounds;
    result->converged = kmc_color_lloyd(fit, colors, options->tol, left, &result->rounds);
  }
  if (result->converged && options->tol == 0) {
    result->converged = kmc_settle(fit, colors, options->max_rounds - result->rounds, &result->rounds);
  }
}

static void give_centroids(const kmc_fit *fit, double *centroids) {
  const int32_t channels = fit->centroids.channels;
  for (int32_t j = 0; j < fit->k; j++) {
    for (int t = 0; t < channels; t++) {
      const kmc_moment *total = &fit->total[j];
      centroids[j * channels + t] = (double)(total->sum[t] + 128 * total->count) / (double)total->count;
    }
  }
}

/* Fits of fewer colours run in one thread, those that end on cells up to the second bound: less than a millisecond, and
 * another thread's wait for a core, at the end of a parallel loop, can take eight. */
enum { ALONE_COLORS = 4096, ALONE_COLORS_IN_CELLS = 131072 };

/* A call of kmc_color_kmeans. */
typedef struct {
  kmc_fit fit;
  kmc_arena arena;
  const uint8_t *colors;
  const int64_t *counts;
  int32_t u;
  double *centroids;
  uint16_t *labels;
  kmc_color_kmeans_result result;
} call;

static void find_centroids(void *context) {
  call *call = context;
  kmc_fit *fit = &call->fit;
  const kmc_color_kmeans_options *options = fit->options;
  kmc_color_kmeans_result *result = &call->result;
  const int with_blocks = !options->on_cells || options->seeding == KMC_SEEDS_GIVEN;
  result->out_of_bounds = !kmc_make_points(call->colors, call->counts, call->u, options->channels, with_blocks,
                                           fit->kernels, fit->team, &fit->points);
  if (result->out_of_bounds) return;
  memset(fit->centroids.has_moved, 0, (size_t)fit->k);
  memset(fit->velocity, 0, (size_t)fit->k * KMC_CHANNELS * sizeof *fit->velocity);
  memset(fit->total, 0, (size_t)fit->k * sizeof *fit->total);
  if (options->seeding == KMC_SEEDS_GIVEN)
    start_given(fit, call->centroids);
  else
    result->converged = start_coarse(fit, call->arena, &result->coarse_rounds);
  if (!result->converged) {
    fit_colors(fit, call->arena, result);
    if (call->labels) memcpy(call->labels, fit->points.level[2].label, (size_t)call->u * sizeof *call->labels);
  }
  result->inertia = kmc_fit_inertia(fit);
  give_centroids(fit, call->centroids);
}

kmc_color_kmeans_result kmc_color_kmeans(const uint8_t *colors, const int64_t *counts, int32_t u,
                                         const kmc_color_kmeans_options *options, const kmc_color_kernels *kernels,
                                         kmc_parallel_for parallel_for, void *threads, void *scratch, double *centroids,
                                         uint16_t *labels) {
  kmc_team team = {.run = parallel_for, .threads = threads, .n_tasks = options->n_tasks};
  call call = {.fit = {.options = options, .kernels = kernels, .team = &team}, .arena = {.base = scratch}};
  call.colors = colors;
  call.counts = counts;
  call.u = u;
  call.centroids = centroids;
  call.labels = labels;
  take_fit(&call.fit, u, options, &call.arena);
  if (u < (options->on_cells ? ALONE_COLORS_IN_CELLS : ALONE_COLORS)) team.n_tasks = 1;
  kmc_lead_team(&team, find_centroids, &call);
  return call.result;
}
