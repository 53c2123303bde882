/* What the search learns from its trials.
 *
 * The merge and the split of a swap are far apart as a rule, so the changes of the inertia around the one and around
 * the other tell what each is worth, in any other pair too: n trials judge n^2 swaps. (k=256: the sum of such a loss
 * and such a gain explains 95 % of the variance of what a swap gives, the estimates by cost and spread 10 to 20 %.) */
#include <math.h>
#include <string.h>

#include "color_kmeans/color_kmeans_search.h"

/* Estimates until a trial tells: low for losses and high for gains, so that trials are made. */
static const double LEAST_LOSS = 0.3, MOST_GAIN = 1;
/* What is known of a cluster is forgotten when its mean moves by this share of the root of its mean error. */
static const double FORGET_STEP = 0.2;

static void forget(plan *plan, int32_t j) { plan->knows_loss[j] = plan->knows_gain[j] = 0; }

/* Forgets what changed since the state was `saved`, and estimates what is not known. */
void kmc_update_knowledge(search *search, const kmc_fit *fit, int is_first) {
  const state *saved = &search->saved;
  plan *plan = search->plan;
  if (is_first) memset(plan->knows_loss, 0, (size_t)fit->k);
  if (is_first) memset(plan->knows_gain, 0, (size_t)fit->k);
  for (int32_t j = 0; j < fit->k; j++) {
    const kmc_second_moments *sums = &plan->sums[j];
    const double weight = (double)sums->weight;
    double inertia = 0, step2 = 0;
    for (int t = 0; t < KMC_CHANNELS; t++) {
      const double mean = (double)sums->sum[t] / weight;
      inertia += (double)sums->product[t][t] - (double)sums->sum[t] * mean;
      if (is_first) continue;
      const double step = mean - (double)saved->total[j].sum[t] / (double)saved->total[j].count;
      step2 += step * step;
    }
    if (!is_first && step2 * weight > FORGET_STEP * FORGET_STEP * plan->inertia[j]) forget(plan, j);
    plan->inertia[j] = inertia;
    if (!plan->knows_loss[j]) plan->loss[j] = LEAST_LOSS * plan->cost[j];
    if (!plan->knows_gain[j]) plan->gain[j] = MOST_GAIN * plan->shape[j].spread;
  }
}

int kmc_choose_swap(const search *search, runner *runner) {
  const plan *plan = search->plan;
  const int32_t k = runner->fit->k;
  int32_t cheap = -1, wide = -1;
  for (int32_t j = 0; j < k; j++) {
    if (plan->used[j] || plan->shape[j].spread <= 0) continue;
    if (wide < 0 || plan->gain[j] > plan->gain[wide]) wide = j;
  }
  for (int32_t j = 0; j < k; j++) {
    if (plan->used[j] || j == wide) continue;
    if (cheap < 0 || plan->loss[j] < plan->loss[cheap]) cheap = j;
  }
  runner->merged = cheap;
  runner->split = wide;
  return wide >= 0 && cheap >= 0 && plan->loss[cheap] < plan->gain[wide];
}

static void measure_squares(const kmc_level *level, const uint16_t *before, int32_t k, int64_t *square) {
  memset(square, 0, (size_t)k * sizeof *square);
  for (int32_t g = 0; g < level->n_groups; g++) {
    const kmc_group *group = &level->group[g];
    if (!group->touched) continue;
    for (int32_t p = level->block[group->begin].begin; p < level->block[group->end - 1].end; p++) {
      if (level->label[p] == before[p]) continue;
      int64_t square_of = 0;
      for (int t = 0; t < KMC_CHANNELS; t++) {
        square_of += kmc_channel(level->color[p], t) * kmc_channel(level->color[p], t);
      }
      square[level->label[p]] += square_of * kmc_weight_of(level, p);
      square[before[p]] -= square_of * kmc_weight_of(level, p);
    }
  }
}

static double distance2(const plan *plan, int32_t i, int32_t j) {
  double sum = 0;
  for (int t = 0; t < KMC_CHANNELS; t++) {
    const double diff = plan->shape[i].mean[t] - plan->shape[j].mean[t];
    sum += diff * diff;
  }
  return sum;
}

void kmc_measure_swap(const search *search, runner *runner) {
  const kmc_fit *fit = runner->fit;
  const plan *plan = search->plan;
  measure_squares(runner->level, search->saved.label, fit->k, runner->square);
  runner->loss = -plan->inertia[runner->merged];
  runner->gain = 0;
  for (int32_t j = 0; j < fit->k; j++) {
    const kmc_moment *now = &fit->total[j], *before = &search->saved.total[j];
    double rise = (double)runner->square[j];
    for (int t = 0; t < KMC_CHANNELS; t++) {
      rise += (double)before->sum[t] * (double)before->sum[t] / (double)before->count;
      rise -= (double)now->sum[t] * (double)now->sum[t] / (double)now->count;
    }
    if (j == runner->merged)
      runner->gain -= rise + plan->inertia[j];
    else if (distance2(plan, j, runner->split) < distance2(plan, j, runner->merged))
      runner->gain -= rise;
    else
      runner->loss += rise;
  }
}

/* Of a swap that failed, the two places may have been too close to tell them apart: then all that is known is that this
 * pair is none. */
void kmc_learn(search *search, int32_t n, const runner *winner) {
  plan *plan = search->plan;
  for (int32_t i = 0; i < n; i++) {
    const runner *runner = &search->runner[i];
    if (runner->swaps > 1) continue;
    const int32_t merged = runner->merged, split = runner->split;
    if (runner == winner) {
      forget(plan, merged);
      forget(plan, split);
    } else if (runner->loss > 0 && runner->gain > 0) {
      plan->loss[merged] = runner->loss;
      plan->gain[split] = runner->gain;
      plan->knows_loss[merged] = plan->knows_gain[split] = 1;
    } else {
      plan->loss[merged] = fmax(plan->gain[split], plan->gain[split] + runner->loss - runner->gain);
      plan->knows_loss[merged] = 1;
    }
  }
}
