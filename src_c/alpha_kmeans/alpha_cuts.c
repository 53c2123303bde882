/* Where clusters of colours with alpha are worth splitting and merging: see alpha_kmeans.h. All sums of doubles are in
 * the order of the points. */
#include "alpha_kmeans/alpha_kmeans.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = KMC_ALPHA_CHANNELS, MOMENTS = KMC_ALPHA_MOMENTS, STEPS = 64, POWER_ROUNDS = 8 };

static void channels_of(const kmc_alpha_points *points, ptrdiff_t i, double *channels) {
  channels[0] = kmc_alpha_low(points->xy[i]);
  channels[1] = kmc_alpha_high(points->xy[i]);
  channels[2] = kmc_alpha_low(points->zw[i]);
  channels[3] = kmc_alpha_high(points->zw[i]);
}

static void add_moments(const kmc_alpha_points *points, ptrdiff_t i, double weight, double *moments) {
  double x[CHANNELS];
  channels_of(points, i, x);
  moments[0] += weight;
  for (int t = 0; t < CHANNELS; t++) moments[1 + t] += weight * x[t];
  double *products = moments + 1 + CHANNELS;
  for (int t = 0; t < CHANNELS; t++) {
    for (int s = 0; s <= t; s++) *products++ += weight * x[t] * x[s];
  }
}

/* Mean, inertia and principal axis, by power iteration, of moments; 0 where there is no weight. */
static kmc_alpha_group measured(const double *moments) {
  kmc_alpha_group group = {moments[0], 0, 0, {0}, {0}};
  double scatter[CHANNELS][CHANNELS];
  const double *product = moments + 1 + CHANNELS;
  int widest = 0;
  if (!(group.weight > 0)) return group;
  for (int t = 0; t < CHANNELS; t++) group.mean[t] = moments[1 + t] / group.weight;
  for (int t = 0; t < CHANNELS; t++) {
    for (int s = 0; s <= t; s++) scatter[t][s] = scatter[s][t] = *product++ - moments[1 + t] * group.mean[s];
  }
  for (int t = 0; t < CHANNELS; t++) {
    group.inertia += scatter[t][t];
    widest = scatter[t][t] > scatter[widest][widest] ? t : widest;
  }
  group.axis[widest] = 1;
  for (int round = 0; round < POWER_ROUNDS; round++) {
    double pulled[CHANNELS] = {0}, size2 = 0;
    for (int t = 0; t < CHANNELS; t++) {
      for (int s = 0; s < CHANNELS; s++) pulled[t] += scatter[t][s] * group.axis[s];
      size2 += pulled[t] * pulled[t];
    }
    group.spread = sqrt(size2);
    for (int t = 0; t < CHANNELS; t++) group.axis[t] = size2 > 0 ? pulled[t] / group.spread : 0;
  }
  return group;
}

void kmc_alpha_measure(const kmc_alpha_points *points, const int64_t *weights, ptrdiff_t n, const int32_t *labels,
                       ptrdiff_t n_groups, double *moments, kmc_alpha_group *groups) {
  memset(moments, 0, (size_t)(n_groups * MOMENTS) * sizeof *moments);
  for (ptrdiff_t i = 0; i < n; i++) add_moments(points, i, (double)weights[i], moments + MOMENTS * labels[i]);
  for (ptrdiff_t j = 0; j < n_groups; j++) groups[j] = measured(moments + MOMENTS * j);
}

static double place_on_axis(const kmc_alpha_points *points, ptrdiff_t i, const kmc_alpha_group *group) {
  double x[CHANNELS], place = 0;
  channels_of(points, i, x);
  for (int t = 0; t < CHANNELS; t++) place += group->axis[t] * (x[t] - group->mean[t]);
  return place;
}

/* The step after which a cut saves most: s^2 / below + s^2 / above, s being what the sums of both sides differ by from
 * the mean's. -1 if there is none. */
static int best_cut(double (*steps)[CHANNELS + 1]) {
  double total = 0, below[CHANNELS + 1] = {0}, most = 0;
  int best = -1;
  for (int step = 0; step < STEPS; step++) total += steps[step][CHANNELS];
  for (int step = 0; step < STEPS - 1; step++) {
    double squares = 0;
    for (int t = 0; t <= CHANNELS; t++) below[t] += steps[step][t];
    for (int t = 0; t < CHANNELS; t++) squares += below[t] * below[t];
    const double above = total - below[CHANNELS];
    if (!(below[CHANNELS] > 0 && above > 0)) continue;
    const double gain = squares / (below[CHANNELS] * above);
    if (gain > most || best < 0) best = step;
    most = gain > most ? gain : most;
  }
  return best;
}

/* Cuts a part: its order becomes that of both sides. Returns where the second begins, or part->last. */
static ptrdiff_t cut(const kmc_alpha_points *points, const int64_t *weights, const kmc_alpha_part *part, int32_t *order,
                     int32_t *scratch) {
  double steps[STEPS][CHANNELS + 1] = {{0}}, low = 0, high = 0;
  const kmc_alpha_group *group = &part->group;
  for (ptrdiff_t i = part->first; i < part->last; i++) {
    const double place = place_on_axis(points, order[i], group);
    low = i == part->first || place < low ? place : low;
    high = i == part->first || place > high ? place : high;
  }
  if (!(high > low)) return part->last;
  const double scale = (STEPS - 1) / (high - low);
  for (ptrdiff_t i = part->first; i < part->last; i++) {
    double x[CHANNELS];
    channels_of(points, order[i], x);
    double *step = steps[(int)((place_on_axis(points, order[i], group) - low) * scale)];
    const double weight = (double)weights[order[i]];
    for (int t = 0; t < CHANNELS; t++) step[t] += weight * (x[t] - group->mean[t]);
    step[CHANNELS] += weight;
  }
  const int best = best_cut(steps);
  ptrdiff_t n_low = part->first, n_high = 0;
  for (ptrdiff_t i = part->first; i < part->last; i++) {
    const int32_t point = order[i];
    const int is_low = (int)((place_on_axis(points, point, group) - low) * scale) <= best;
    if (is_low) order[n_low++] = point;
    if (!is_low) scratch[n_high++] = point;
  }
  memcpy(order + n_low, scratch, (size_t)n_high * sizeof *order);
  return n_low;
}

static kmc_alpha_part part_of(const kmc_alpha_points *points, const int64_t *weights, const int32_t *order,
                              ptrdiff_t first, ptrdiff_t last) {
  double moments[MOMENTS] = {0};
  for (ptrdiff_t i = first; i < last; i++) add_moments(points, order[i], (double)weights[order[i]], moments);
  return (kmc_alpha_part){measured(moments), first, last};
}

/* Parts are a heap: none has more inertia than the one at half its place. */
static void sift_up(kmc_alpha_part *parts, ptrdiff_t i) {
  const kmc_alpha_part part = parts[i];
  for (; i > 0 && parts[(i - 1) / 2].group.inertia < part.group.inertia; i = (i - 1) / 2) parts[i] = parts[(i - 1) / 2];
  parts[i] = part;
}

static void sift_down(kmc_alpha_part *parts, ptrdiff_t n) {
  const kmc_alpha_part part = parts[0];
  ptrdiff_t i = 0;
  for (ptrdiff_t next = 1; next < n; next = 2 * i + 1) {
    next += next + 1 < n && parts[next + 1].group.inertia > parts[next].group.inertia;
    if (!(parts[next].group.inertia > part.group.inertia)) break;
    parts[i] = parts[next];
    i = next;
  }
  parts[i] = part;
}

ptrdiff_t kmc_alpha_cuts(const kmc_alpha_points *points, const int64_t *weights, ptrdiff_t n_soft, ptrdiff_t n,
                         ptrdiff_t k, kmc_alpha_part *parts, int32_t *order, int32_t *scratch) {
  ptrdiff_t n_parts = 0;
  for (ptrdiff_t i = 0; i < n; i++) order[i] = (int32_t)i;
  if (n_soft > 0) parts[n_parts++] = part_of(points, weights, order, 0, n_soft);
  if (n_soft < n) parts[n_parts++] = part_of(points, weights, order, n_soft, n);
  sift_up(parts, n_parts - 1);
  while (n_parts < k && parts[0].group.inertia > 0) {
    const kmc_alpha_part whole = parts[0];
    const ptrdiff_t middle = cut(points, weights, &whole, order, scratch);
    if (middle == whole.last) {
      parts[0].group.inertia = 0;
      sift_down(parts, n_parts);
      continue;
    }
    parts[0] = part_of(points, weights, order, whole.first, middle);
    sift_down(parts, n_parts);
    parts[n_parts] = part_of(points, weights, order, middle, whole.last);
    sift_up(parts, n_parts++);
  }
  return n_parts;
}

/* Ward's: what the inertia grows by when two become one. An opaque one stays where it is when translucent points join.
 */
void kmc_alpha_merges(const double *centroids, const double *weights, ptrdiff_t k, ptrdiff_t n_opaque, double *costs,
                      int32_t *partners) {
  for (ptrdiff_t i = 0; i < k; i++) {
    const int is_opaque = i >= k - n_opaque;
    costs[i] = INFINITY;
    partners[i] = (int32_t)i;
    for (ptrdiff_t j = is_opaque ? k - n_opaque : 0; j < k; j++) {
      double dist2 = 0;
      for (int t = 0; t < CHANNELS; t++) {
        const double diff = centroids[i * CHANNELS + t] - centroids[j * CHANNELS + t];
        dist2 += diff * diff;
      }
      const int stays = !is_opaque && j >= k - n_opaque;
      const double total = weights[i] + weights[j];
      const double cost = stays ? weights[i] * dist2 : total > 0 ? weights[i] * weights[j] / total * dist2 : 0;
      if (j == i || !(cost < costs[i])) continue;
      costs[i] = cost;
      partners[i] = (int32_t)j;
    }
  }
}
