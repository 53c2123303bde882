/* Threads that stay together for the whole of a fit: color_kmeans_team.h. */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 199309L
#endif
#include "color_kmeans/color_kmeans_team.h"

#if defined(__STDC_NO_ATOMICS__) || defined(_WIN32) /* each step is a loop of its own */

void kmc_lead_team(kmc_team *team, void (*lead)(void *context), void *context) {
  (void)team;
  lead(context);
}

void kmc_share(kmc_team *team, kmc_task task, void *context, int32_t n) {
  if (n == 1 || team->n_tasks == 1)
    for (int32_t i = 0; i < n; i++) task(context, i);
  else
    team->run(team->threads, task, context, n);
}

#else
#include <stdatomic.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#define KMC_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define KMC_PAUSE() __asm__ volatile("yield")
#else
#define KMC_PAUSE() ((void)0)
#endif

/* A thread that waits looks this many times (100 to 500 microseconds), then sleeps between its looks: on a busy machine
 * whoever it waits for needs its core. MOST_SLEEPS ends the wait for a leader that does not come, which is where the
 * tasks run one after another. */
enum { LOOKS = 10000, SLEEP_NANOSECONDS = 20000, MOST_SLEEPS = 20 };

static void wait_a_little(int32_t *looks) {
  if (++*looks < LOOKS) {
    KMC_PAUSE();
    return;
  }
  const struct timespec span = {0, SLEEP_NANOSECONDS};
  nanosleep(&span, NULL);
}

/* Takes parts of the step under way until none is left. Returns whether there was one. */
static int take_parts(kmc_team *team) {
  int took = 0;
  uint64_t step = atomic_load_explicit(&team->step, memory_order_acquire);
  while ((step & 0xffff) < (step >> 16 & 0xffff)) {
    if (!atomic_compare_exchange_weak_explicit(&team->step, &step, step + 1, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    /* The step cannot end before this part is done, so `task` and `context` are its own. */
    team->task(team->context, (int32_t)(step & 0xffff));
    atomic_fetch_add_explicit(&team->n_done, 1, memory_order_release);
    took = 1;
    step = atomic_load_explicit(&team->step, memory_order_acquire);
  }
  return took;
}

void kmc_share(kmc_team *team, kmc_task task, void *context, int32_t n) {
  if (n == 1 || team->n_tasks == 1) {
    for (int32_t i = 0; i < n; i++) task(context, i);
    return;
  }
  const uint64_t number = atomic_load_explicit(&team->step, memory_order_relaxed) >> 32;
  team->task = task;
  team->context = context;
  atomic_store_explicit(&team->n_done, 0, memory_order_relaxed);
  atomic_store_explicit(&team->step, (number + 1) << 32 | (uint64_t)n << 16, memory_order_release);
  take_parts(team);
  int32_t looks = 0;
  while (atomic_load_explicit(&team->n_done, memory_order_acquire) < n) wait_a_little(&looks);
}

static void help(kmc_team *team) {
  int32_t looks = 0;
  for (int phase; (phase = atomic_load_explicit(&team->phase, memory_order_acquire)) < 2;) {
    if (take_parts(team))
      looks = 0;
    else if (phase == 0 && looks > LOOKS + MOST_SLEEPS)
      return;
    else
      wait_a_little(&looks);
  }
}

static void lead_or_help(void *context, int32_t i) {
  kmc_team *team = context;
  if (i > 0) {
    help(team);
    return;
  }
  atomic_store_explicit(&team->phase, 1, memory_order_release);
  team->lead(team->lead_context);
  atomic_store_explicit(&team->phase, 2, memory_order_release);
}

void kmc_lead_team(kmc_team *team, void (*lead)(void *context), void *context) {
  team->lead = lead;
  team->lead_context = context;
  atomic_init(&team->step, 0);
  atomic_init(&team->n_done, 0);
  atomic_init(&team->phase, 0);
  if (team->n_tasks == 1)
    lead(context);
  else
    team->run(team->threads, lead_or_help, team, team->n_tasks);
}

#endif
