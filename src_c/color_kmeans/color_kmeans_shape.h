/* Second moments of a cluster and its principal axis. */
#ifndef KMC_COLOR_KMEANS_SHAPE_H
#define KMC_COLOR_KMEANS_SHAPE_H

#include "color_kmeans/color_kmeans_level.h"

typedef struct {
  double weight, mean[KMC_CHANNELS], axis[KMC_CHANNELS];
  double spread; /* weight times variance along the axis */
} kmc_shape;

/* Integers, so that they can be taken apart: 2^38 pixels times 2^14 is far below 2^63. */
typedef struct {
  int64_t weight, sum[KMC_CHANNELS], product[KMC_CHANNELS][KMC_CHANNELS]; /* the lower triangle */
} kmc_second_moments;

static inline int64_t kmc_weight_of(const kmc_level *level, int32_t p) {
  return level->moment ? level->moment[p].count : level->count[p];
}

static inline void kmc_add_second_moments(kmc_second_moments *sums, uint32_t color, int64_t weight) {
  sums->weight += weight;
  for (int t = 0; t < KMC_CHANNELS; t++) {
    const int64_t weighted = weight * kmc_channel(color, t);
    sums->sum[t] += weighted;
    for (int s = 0; s <= t; s++) sums->product[t][s] += weighted * kmc_channel(color, s);
  }
}

/* color_kmeans_cuts.c: of sums of positive weight. */
kmc_shape kmc_shape_of(const kmc_second_moments *sums, int channels);

#endif
