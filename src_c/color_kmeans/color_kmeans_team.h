/* Threads that stay together for the whole of a fit.
 *
 * A fit has some dozen short steps. Waking a thread for each of them takes longer than most of them do (15 to 60
 * microseconds), so one parallel loop holds them all: its first task leads, the others wait for steps and take parts of
 * them. Nobody waits for a thread that has not taken a part, so it does not matter whether the others run at all. */
#ifndef KMC_COLOR_KMEANS_TEAM_H
#define KMC_COLOR_KMEANS_TEAM_H

#include "color_kmeans/color_kmeans.h"

#ifdef __STDC_NO_ATOMICS__
#define KMC_ATOMIC
#else
#define KMC_ATOMIC _Atomic
#endif

typedef struct {
  kmc_parallel_for run;
  void *threads;
  int32_t n_tasks;
  void (*lead)(void *context);
  void *lead_context;
  /* The step under way: bits 32 and above its number, 16 to 31 its parts, 0 to 15 the next part to take. */
  KMC_ATOMIC uint64_t step;
  KMC_ATOMIC int32_t n_done; /* parts of it */
  KMC_ATOMIC int32_t phase;  /* 0: the leader has not come yet, 1: it leads, 2: it is done */
  kmc_task task;
  void *context;
} kmc_team;

/* Into how many parts a step is cut: three for each thread while these are few, as some parts are done much sooner. */
static inline int32_t kmc_parts_for(int32_t n_tasks) {
  enum { ENOUGH = 24 };
  if (n_tasks == 1 || n_tasks >= ENOUGH) return n_tasks;
  return 3 * n_tasks < ENOUGH ? 3 * n_tasks : ENOUGH;
}

/* Runs lead(context) in the first of n_tasks tasks, while the others help. */
void kmc_lead_team(kmc_team *team, void (*lead)(void *context), void *context);

/* By the leader: runs task(context, i) for every i in [0, n), n < 2^16, on any of the threads; returns when all are
 * done. */
void kmc_share(kmc_team *team, kmc_task task, void *context, int32_t n);

#endif
