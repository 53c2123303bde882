/* Rounds of Lloyd's algorithm on a level: centroids move, points get labels, moments follow. */
#include <math.h>
#include <string.h>

#include "color_kmeans/color_kmeans_level.h"

/* Steps on fewer points than this run in one thread, with many clusters those on fewer points. A trial of the search is
 * one part of a step, where it is not as large as this. With many points there are more parts than threads. */
enum { PARALLEL_POINTS = 32768, PARALLEL_POINTS_OF_MANY = 8192, MANY_CLUSTERS = 128, MANY_POINTS = 65536 };

int32_t kmc_tasks_for(const kmc_fit *fit, const kmc_level *level) {
  const int32_t least = fit->searching            ? KMC_PAIR_POINTS
                        : fit->k >= MANY_CLUSTERS ? PARALLEL_POINTS_OF_MANY
                                                  : PARALLEL_POINTS;
  const int32_t n_tasks = level->n < least ? 1 : fit->team->n_tasks;
  return level->n < MANY_POINTS ? n_tasks : kmc_parts_for(n_tasks);
}

/* The first group of a part: parts have about the same number of points. */
static int32_t first_group(const kmc_fit *fit, int32_t i) {
  const kmc_level *level = fit->level;
  const int32_t n_tasks = kmc_tasks_for(fit, level), point = kmc_part_begin(level->n, i, n_tasks);
  int32_t low = 0, high = level->n_groups;
  while (low < high) {
    const int32_t middle = (low + high) / 2;
    if (level->block[level->group[middle].begin].begin < point)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The nearest of the listed centroids by the double sum over the channels of (x - c)^2 in 8-bit coordinates; ties go to
 * the lowest. `mean` is (k, KMC_CHANNELS). */
static int32_t nearest_in_double(const kmc_fit *fit, uint32_t color, const int32_t *list, int32_t n) {
  const int32_t channels = fit->centroids.channels;
  int32_t nearest = 0;
  double least = INFINITY;
  for (int32_t i = 0; i < n; i++) {
    double dist2 = 0;
    for (int32_t t = 0; t < channels; t++) {
      const double diff = kmc_channel(color, t) + 128 - fit->mean[list[i] * KMC_CHANNELS + t];
      dist2 += diff * diff;
    }
    if (dist2 < least) {
      least = dist2;
      nearest = list[i];
    }
  }
  return nearest;
}

/* What `within` of the kernels decides, for means in double: DOUBLE_MARGIN covers that those are rounded to 1/64, which
 * changes a squared distance by at most 2 * 443 * sqrt(3) / 128 each. */
static const float DOUBLE_MARGIN = 25;
static int32_t list_for_double(const kmc_fit *fit, const kmc_box *box, int32_t rival, int32_t *list) {
  const kmc_list *all = &fit->centroids.all;
  int32_t n = 0;
  for (int32_t j = 0; j < fit->k; j++) {
    float sum = all->square[j] - all->square[rival] - DOUBLE_MARGIN;
    for (int32_t t = 0; t < fit->centroids.channels; t++) {
      const float diff = all->at[t][j] - all->at[t][rival];
      sum -= diff > 0 ? box->high2[t] * diff : box->low2[t] * diff;
    }
    if (sum <= 0) list[n++] = j;
  }
  return n;
}

/* What the kernel assign does for groups [begin, end), decided in double: for a fixed point that holds without the
 * rounding to 1/64. */
static int32_t assign_in_double(const kmc_fit *fit, const kmc_level *level, int32_t begin, int32_t end, int32_t *list,
                                kmc_moment *moments) {
  int32_t moved = 0;
  for (int32_t g = begin; g < end; g++) {
    for (int32_t b = level->group[g].begin; b < level->group[g].end; b++) {
      kmc_block *block = &level->block[b];
      const int32_t n = list_for_double(fit, &block->box, level->label[block->begin], list);
      block->uniform = -1;
      for (int32_t p = block->begin; p < block->end; p++) {
        const int32_t label = nearest_in_double(fit, level->color[p], list, n);
        if (label == level->label[p]) continue;
        const kmc_moment moment = kmc_moment_of(level, p);
        kmc_add_moment(&moments[level->label[p]], &moment, -1);
        kmc_add_moment(&moments[label], &moment, 1);
        level->label[p] = (uint16_t)label;
        moved++;
      }
    }
  }
  return moved;
}

static void assign_part(void *context, int32_t i) {
  const kmc_fit *fit = context;
  kmc_moment *moments = fit->part_moment + (size_t)i * fit->k;
  memset(moments, 0, (size_t)fit->k * sizeof *moments);
  const int32_t begin = first_group(fit, i), end = first_group(fit, i + 1);
  fit->part_moved[i] = fit->in_double
                           ? assign_in_double(fit, fit->level, begin, end, fit->scratch[i].chosen, moments)
                           : fit->kernels->assign(fit->level, &fit->centroids, begin, end, &fit->scratch[i], moments);
}

/* Puts the centroids where `position` says, in fixed point, and notes those that this moves. */
void kmc_place_centroids(kmc_fit *fit) {
  kmc_centroids *centroids = &fit->centroids;
  for (int32_t j = 0; j < fit->k; j++) {
    int32_t square = 0, minus[KMC_CHANNELS];
    for (int t = 0; t < KMC_CHANNELS; t++) {
      /* To the nearest: the cast rounds down, as the sum is not negative. */
      const double scaled = fit->position[j * KMC_CHANNELS + t] * KMC_CENTROID_ONE;
      const int32_t fixed = (int32_t)(scaled + (128 * KMC_CENTROID_ONE + 0.5)) - 128 * KMC_CENTROID_ONE;
      minus[t] = -fixed;
      square += fixed * fixed;
      centroids->all.at[t][j] = (float)fixed * (1.0f / KMC_CENTROID_ONE);
    }
    const int32_t minus_even = (int32_t)((uint32_t)(minus[0] & 0xffff) | (uint32_t)minus[2] << 16);
    const int32_t minus_odd = minus[1] & 0xffff;
    centroids->has_moved[j] |= centroids->minus_even[j] != minus_even || centroids->minus_odd[j] != minus_odd;
    centroids->minus_even[j] = minus_even;
    centroids->minus_odd[j] = minus_odd;
    centroids->bias[j] = ((2 * square + 128) & ~255) | (fit->k <= 256 ? j : 0);
    centroids->all.square[j] = (float)square * (1.0f / (KMC_CENTROID_ONE * KMC_CENTROID_ONE));
  }
}

static int32_t add_to_list(kmc_list *list, int32_t n, const kmc_list *from, int32_t j) {
  for (int t = 0; t < KMC_CHANNELS; t++) list->at[t][n] = from->at[t][j];
  list->square[n] = from->square[j];
  return n + 1;
}

/* If more than a quarter moved, asking who comes into reach costs more than it saves. */
static void list_moved(kmc_centroids *centroids) {
  kmc_list *moved = &centroids->moved;
  moved->n = 0;
  for (int32_t j = 0; j < centroids->k; j++) {
    if (!centroids->has_moved[j]) continue;
    if (moved->n >= centroids->k / 2) {
      moved->n = -1;
      return;
    }
    moved->n = add_to_list(moved, moved->n, &centroids->before, j);
    moved->n = add_to_list(moved, moved->n, &centroids->all, j);
  }
}

void kmc_note_assigned(kmc_fit *fit) {
  kmc_centroids *centroids = &fit->centroids;
  const size_t size = (size_t)fit->k * sizeof(float);
  for (int t = 0; t < KMC_CHANNELS; t++) memcpy(centroids->before.at[t], centroids->all.at[t], size);
  memcpy(centroids->before.square, centroids->all.square, size);
  memset(centroids->has_moved, 0, (size_t)fit->k);
}

static int32_t assign_all(kmc_fit *fit, const kmc_level *level) {
  const int32_t n_tasks = kmc_tasks_for(fit, level);
  if (fit->placed_level != level) memset(fit->centroids.has_moved, 1, (size_t)fit->k);
  fit->placed_level = fit->level = level;
  list_moved(&fit->centroids);
  kmc_share(fit->team, assign_part, fit, n_tasks);
  kmc_note_assigned(fit);
  int32_t moved = 0;
  for (int32_t i = 0; i < n_tasks; i++) {
    if (fit->part_moved[i] == 0) continue;
    moved += fit->part_moved[i];
    for (int32_t j = 0; j < fit->k; j++) kmc_add_moment(&fit->total[j], &fit->part_moment[(size_t)i * fit->k + j], 1);
  }
  return moved;
}

/* Moves every centroid to its cluster's mean, or for a relaxation above 1 beyond it and on in the direction of its last
 * step. */
static void move_centroids(kmc_fit *fit, double relaxation, double least_step) {
  for (int32_t j = 0; j < fit->k; j++) {
    const kmc_moment *total = &fit->total[j];
    double *position = fit->position + j * KMC_CHANNELS, *velocity = fit->velocity + j * KMC_CHANNELS;
    double to[KMC_CHANNELS] = {0}, step2 = 0;
    if (total->count == 0) continue;
    const double scale = 1 / (double)total->count;
    for (int t = 0; t < fit->centroids.channels; t++) {
      const double pull = (double)total->sum[t] * scale - position[t];
      to[t] = position[t] + (relaxation == 1 ? pull : relaxation * pull + MOMENTUM * velocity[t]);
      to[t] = to[t] < -128 ? -128 : to[t] > 127 ? 127 : to[t];
      step2 += (to[t] - position[t]) * (to[t] - position[t]);
    }
    const int moves = step2 >= least_step * least_step;
    for (int t = 0; t < KMC_CHANNELS; t++) {
      velocity[t] = relaxation == 1 || !moves ? 0 : to[t] - position[t];
      position[t] = moves ? to[t] : position[t];
    }
  }
}

static int64_t weight_of(const kmc_level *level, int32_t p) {
  return level->moment ? level->moment[p].count : level->count[p];
}

/* A point was given another label. */
static void touch(const kmc_level *level, int32_t p) {
  int32_t g = level->n_groups - 1;
  while (level->block[level->group[g].begin].begin > p) g--;
  level->group[g].touched = 1;
  for (int32_t b = level->group[g].begin; b < level->group[g].end; b++) level->block[b].uniform = -1;
}

/* An empty cluster gets the colour that contributes most error; its old cluster keeps at least one other. */
static int32_t fill_empty(kmc_fit *fit, const kmc_level *level) {
  int32_t filled = 0;
  for (int32_t j = 0; j < fit->k; j++) {
    if (fit->total[j].count) continue;
    double most = -1;
    int32_t worst = 0;
    for (int32_t p = 0; p < level->n; p++) {
      const double *position = fit->position + level->label[p] * KMC_CHANNELS;
      double dist2 = 0;
      for (int t = 0; t < fit->centroids.channels; t++) {
        const double diff = kmc_channel(level->color[p], t) - position[t];
        dist2 += diff * diff;
      }
      const double error = dist2 * (double)weight_of(level, p);
      if (error <= most || fit->total[level->label[p]].count == weight_of(level, p)) continue;
      most = error;
      worst = p;
    }
    const kmc_moment moment = kmc_moment_of(level, worst);
    kmc_add_moment(&fit->total[level->label[worst]], &moment, -1);
    kmc_add_moment(&fit->total[j], &moment, 1);
    level->label[worst] = (uint16_t)j;
    touch(level, worst);
    for (int t = 0; t < fit->centroids.channels; t++) {
      fit->position[j * KMC_CHANNELS + t] = kmc_channel(level->color[worst], t);
    }
    filled++;
  }
  return filled;
}

/* The inertia of the present labels with every centroid at its cluster's mean. */
double kmc_fit_inertia(const kmc_fit *fit) {
  double inertia = (double)fit->points.square;
  for (int32_t j = 0; j < fit->k; j++) {
    const kmc_moment *total = &fit->total[j];
    double sum2 = 0;
    if (total->count == 0) continue;
    for (int t = 0; t < fit->centroids.channels; t++) sum2 += (double)total->sum[t] * (double)total->sum[t];
    inertia -= sum2 / (double)total->count;
  }
  return inertia;
}

int32_t kmc_color_round(kmc_fit *fit, const kmc_level *level, double relaxation, double least_step) {
  move_centroids(fit, relaxation, least_step);
  kmc_place_centroids(fit);
  const int32_t moved = assign_all(fit, level);
  return moved + fill_empty(fit, level);
}

/* Labels by where the centroids stand, without moving them first. */
int32_t kmc_assign_moved_centroids(kmc_fit *fit, const kmc_level *level) {
  kmc_place_centroids(fit);
  const int32_t moved = assign_all(fit, level);
  return moved + fill_empty(fit, level);
}

/* Rounds until a plain one lowers the inertia by at most tol times itself, or moves nothing. Returns whether it did.
 *
 * Over-relaxation and momentum: centroids go beyond the means while the inertia falls; a round that raises it, or gains
 * too little, is followed by a plain one, so the fixed points are those of plain rounds. */
int32_t kmc_color_lloyd(kmc_fit *fit, const kmc_level *level, double tol, int32_t max_rounds, int32_t *rounds) {
  double relaxation = 1, inertia = kmc_fit_inertia(fit);
  for (int32_t round = 0; round < max_rounds; round++) {
    const int32_t moved = kmc_color_round(fit, level, relaxation, 0);
    const double now = kmc_fit_inertia(fit), gain = inertia - now;
    inertia = now;
    ++*rounds;
    const int little = moved == 0 || (tol > 0 && gain <= tol * now);
    if (little && relaxation == 1) return 1;
    relaxation = little || gain < 0 ? 1 : relaxation == 1 ? 1.5 : relaxation < 1.8 ? relaxation + 0.1 : relaxation;
    if (fit->options->seeding == KMC_SEEDS_GIVEN) relaxation = 1;
  }
  return 0;
}

/* Plain rounds in double until no label moves. Returns whether that came within max_rounds. */
int32_t kmc_settle(kmc_fit *fit, const kmc_level *level, int32_t max_rounds, int32_t *rounds) {
  int32_t moved = 1;
  fit->in_double = 1;
  for (int32_t round = 0; round < max_rounds && moved; round++, ++*rounds) {
    for (int32_t j = 0; j < fit->k; j++) {
      const kmc_moment *total = &fit->total[j];
      for (int t = 0; t < KMC_CHANNELS; t++) {
        fit->mean[j * KMC_CHANNELS + t] = (double)(total->sum[t] + 128 * total->count) / (double)total->count;
      }
    }
    moved = kmc_color_round(fit, level, 1, 0);
  }
  fit->in_double = 0;
  return !moved;
}
