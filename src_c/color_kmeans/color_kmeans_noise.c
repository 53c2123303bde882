/* Rounds with noise that dies away: Zeger, Vaisey and Gersho, "Globally optimal vector quantizer design by stochastic
 * relaxation", IEEE Transactions on Signal Processing, 1992. All clusters find better places among their neighbours at
 * the same time, which swaps, one by one, do not. */
#include <math.h>
#include <string.h>

#include "color_kmeans/color_kmeans_level.h"

/* Noise at first, as a share of that size. The error is the same from 0.3 to 0.5, from 0.8 on it is more. */
static const double FIRST_NOISE = 0.4;
/* k=64: 100, 200 and 400 rounds leave .9817, .9814 and .9810 of k-means++; k=256: .9771, .9765 and .9765. */
enum { ROUNDS_OF_MANY = 200, ROUNDS_OF_FEW = 400, MANY_CLUSTERS = 128 };
/* More colours than this have cells enough, which noise costs less on. */
enum { NOISE_POINTS = 65536 };

/* xorshift64: the same noise everywhere. */
static double uniform(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (double)(*state >> 11) * 0x1p-53;
}

/* Centroids go to their means and beside them, by the size of their clusters: good clusters have about the same inertia
 * each, so their mean error goes with one by their weight. */
static void scatter_centroids(kmc_fit *fit, double noise, uint64_t *state) {
  const int32_t channels = fit->centroids.channels;
  const double inertia = kmc_fit_inertia(fit) / fit->k / channels;
  for (int32_t j = 0; j < fit->k; j++) {
    const kmc_moment *total = &fit->total[j];
    if (total->count == 0) continue;
    const double weight = (double)total->count, reach = noise * sqrt(3 * inertia / weight);
    for (int t = 0; t < channels; t++) {
      const double to = (double)total->sum[t] / weight + reach * (2 * uniform(state) - 1);
      fit->position[j * KMC_CHANNELS + t] = to < -128 ? -128 : to > 127 ? 127 : to;
    }
  }
}

int kmc_takes_noise(const kmc_fit *fit, const kmc_level *level) {
  return fit->options->thorough && level->n <= NOISE_POINTS;
}

void kmc_noisy_rounds(kmc_fit *fit, const kmc_level *level) {
  uint64_t state = 0x9e3779b97f4a7c15;
  const int32_t rounds = fit->k < MANY_CLUSTERS ? ROUNDS_OF_FEW : ROUNDS_OF_MANY;
  for (int32_t round = 0; round < rounds; round++) {
    const double left = 1 - (double)round / rounds;
    scatter_centroids(fit, FIRST_NOISE * left * left, &state);
    kmc_assign_moved_centroids(fit, level);
  }
  memset(fit->velocity, 0, (size_t)fit->k * KMC_CHANNELS * sizeof *fit->velocity);
}
