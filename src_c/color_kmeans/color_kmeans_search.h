/* What the search and its lessons share. */
#ifndef KMC_COLOR_KMEANS_SEARCH_H
#define KMC_COLOR_KMEANS_SEARCH_H

#include "color_kmeans/color_kmeans_shape.h"

/* What a trial that fails goes back to. */
typedef struct {
  double *position;
  kmc_moment *total;
  uint16_t *label;
} state;

typedef struct {
  float *cost;              /* (k) inertia that joining the cluster to its best partner would add */
  int32_t *partner;         /* (k) */
  kmc_second_moments *sums; /* (k) of the saved labels */
  kmc_shape *shape;         /* (k) */
  uint8_t *changed;         /* (k) sums since the shape was found */
  uint8_t *used;            /* (k) takes part in this trial */
  uint8_t tried[64];
  double *key;                              /* (k) */
  float *mean[KMC_CHANNELS], *weight, *row; /* (k) */
  /* Of a search that learns: */
  double *loss, *gain;              /* (k) by merging the cluster away, by splitting it */
  uint8_t *knows_loss, *knows_gain; /* (k) from a trial */
  double *inertia;                  /* (k) of the saved labels */
} plan;

/* Who tries: a fit, and a level whose labels, blocks and groups are its own. Between trials all stand at the state. */
typedef struct {
  kmc_fit *fit;
  kmc_level *level;
  int32_t swaps;
  double inertia;
  /* Of a single swap in a search that learns: */
  int32_t merged, split;
  double loss, gain;
  int64_t *square; /* (k) sum of |x|^2 of the cluster, less what it was */
} runner;

typedef struct {
  int32_t n_runners;
  runner runner[KMC_RUNNERS];
  state saved;
  double best; /* its inertia */
  int learns;
  plan *plan;
} search;

/* color_kmeans_lessons.c: what is known after the state has changed, before it is saved. */
void kmc_update_knowledge(search *search, const kmc_fit *fit, int is_first);
/* The swap that promises most of what no other trial uses. Returns 0 if none promises anything. */
int kmc_choose_swap(const search *search, runner *runner);
/* What a swap gave where the merged cluster was, and where the split one is. */
void kmc_measure_swap(const search *search, runner *runner);
/* Takes note of what n trials have shown. */
void kmc_learn(search *search, int32_t n, const runner *winner);

#endif
