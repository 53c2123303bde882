/* Seeds by variance cuts.
 *
 * The cluster whose variance along its principal axis times its weight is greatest is cut at its mean across that
 * axis, until there are k (in the manner of Wu, "Efficient statistical computations for optimal color quantization",
 * Graphics Gems II, 1991). */
#include <math.h>
#include <string.h>

#include "color_kmeans/color_kmeans_shape.h"

static kmc_second_moments difference(const kmc_second_moments *a, const kmc_second_moments *b) {
  kmc_second_moments rest = {.weight = a->weight - b->weight};
  for (int t = 0; t < KMC_CHANNELS; t++) {
    rest.sum[t] = a->sum[t] - b->sum[t];
    for (int s = 0; s <= t; s++) rest.product[t][s] = a->product[t][s] - b->product[t][s];
  }
  return rest;
}

/* The principal axis by power iteration from the channel of greatest variance. Nothing is scaled on the way: entries
 * are below 2^54, so squares of what STEPS products leave are below 2^900. */
kmc_shape kmc_shape_of(const kmc_second_moments *sums, int channels) {
  enum { STEPS = 8 };
  const double scale = 1 / (double)sums->weight;
  kmc_shape shape = {.weight = (double)sums->weight};
  double covariance[KMC_CHANNELS][KMC_CHANNELS] = {{0}}, axis[KMC_CHANNELS] = {0}, next[KMC_CHANNELS], most = -1;
  int widest = 0;
  for (int t = 0; t < channels; t++) shape.mean[t] = (double)sums->sum[t] * scale;
  for (int t = 0; t < channels; t++) {
    for (int s = 0; s <= t; s++) {
      covariance[t][s] = covariance[s][t] = (double)sums->product[t][s] - (double)sums->sum[t] * shape.mean[s];
    }
    if (covariance[t][t] > most) {
      most = covariance[t][t];
      widest = t;
    }
  }
  axis[widest] = 1;
  double before2 = 1, length2 = 1;
  for (int step = 0; step < STEPS; step++) {
    for (int t = 0; t < KMC_CHANNELS; t++) {
      next[t] = covariance[t][0] * axis[0] + covariance[t][1] * axis[1] + covariance[t][2] * axis[2];
    }
    before2 = length2;
    length2 = next[0] * next[0] + next[1] * next[1] + next[2] * next[2];
    if (length2 <= 0) break;
    for (int t = 0; t < KMC_CHANNELS; t++) axis[t] = next[t];
  }
  if (length2 > 0) {
    const double length = sqrt(length2);
    shape.spread = length / sqrt(before2);
    for (int t = 0; t < KMC_CHANNELS; t++) shape.axis[t] = axis[t] / length;
  } else {
    shape.axis[widest] = 1;
  }
  return shape;
}

typedef struct {
  int32_t begin, end; /* of the permutation */
  kmc_second_moments sums;
  kmc_shape shape;
} segment;

static void measure(const kmc_level *level, const int32_t *order, segment *segment) {
  kmc_second_moments sums = {0};
  for (int32_t i = segment->begin; i < segment->end; i++) {
    kmc_add_second_moments(&sums, level->color[order[i]], kmc_weight_of(level, order[i]));
  }
  segment->sums = sums;
}

/* Moves the points below the mean along the axis to the front; returns where the others begin. */
static int32_t cut(const kmc_level *level, int32_t *order, const segment *segment, int32_t *others) {
  enum { ONE = 1 << 15 };
  int32_t axis[KMC_CHANNELS];
  double middle = 0;
  for (int t = 0; t < KMC_CHANNELS; t++) {
    axis[t] = (int32_t)floor(segment->shape.axis[t] * ONE + 0.5);
    middle += axis[t] * segment->shape.mean[t];
  }
  const int32_t threshold = (int32_t)ceil(middle);
  int32_t low = segment->begin, n_others = 0;
  for (int32_t i = segment->begin; i < segment->end; i++) { /* without branches: either place is overwritten */
    const int32_t p = order[i];
    const uint32_t color = level->color[p];
    const int32_t projection =
        axis[0] * kmc_channel(color, 0) + axis[1] * kmc_channel(color, 1) + axis[2] * kmc_channel(color, 2);
    const int32_t is_low = projection < threshold;
    order[low] = others[n_others] = p;
    low += is_low;
    n_others += 1 - is_low;
  }
  memcpy(order + low, others, (size_t)n_others * sizeof *order);
  if (low == segment->begin) low++;
  return low == segment->end ? low - 1 : low;
}

/* Cuts a segment in two and measures the smaller part; the rest is the difference. */
static void cut_segment(const kmc_level *level, int32_t *order, int32_t *others, int channels, segment *whole,
                        segment *half) {
  const int32_t middle = cut(level, order, whole, others);
  const kmc_second_moments both = whole->sums;
  *half = (segment){.begin = middle, .end = whole->end};
  whole->end = middle;
  segment *small = half->end - half->begin < whole->end - whole->begin ? half : whole;
  measure(level, order, small);
  segment *large = small == half ? whole : half;
  large->sums = difference(&both, &small->sums);
  half->shape = kmc_shape_of(&half->sums, channels);
  whole->shape = kmc_shape_of(&whole->sums, channels);
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

/* What a segment promises: one of a single point nothing. */
static double spread_of(const segment *segment) {
  return segment->end - segment->begin < 2 ? -1 : segment->shape.spread;
}

void kmc_seed_by_cuts(kmc_fit *fit, const kmc_level *level, kmc_arena arena) {
  const int channels = fit->centroids.channels;
  int32_t *order = kmc_take(&arena, (size_t)level->n * sizeof *order);
  int32_t *others = kmc_take(&arena, (size_t)level->n * sizeof *others);
  segment *segments = kmc_take(&arena, (size_t)fit->k * sizeof *segments);
  double *spread = kmc_take(&arena, (size_t)fit->k * sizeof *spread); /* apart, as all are looked at for each cut */
  for (int32_t p = 0; p < level->n; p++) order[p] = p;
  segments[0] = (segment){.begin = 0, .end = level->n};
  measure(level, order, &segments[0]);
  segments[0].shape = kmc_shape_of(&segments[0].sums, channels);
  spread[0] = spread_of(&segments[0]);
  for (int32_t n = 1; n < fit->k; n++) {
    int32_t widest = 0;
    for (int32_t j = 1; j < n; j++) {
      if (spread[j] > spread[widest]) widest = j;
    }
    cut_segment(level, order, others, channels, &segments[widest], &segments[n]);
    spread[widest] = spread_of(&segments[widest]);
    spread[n] = spread_of(&segments[n]);
  }
  label_segments(fit, level, order, segments);
}
