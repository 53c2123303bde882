/* Part of neon_harness.c. k-means of colours. */
typedef struct {
  kmc_color_kmeans_options options;
  const uint8_t *colors;
  const int64_t *counts;
  int32_t u;
} colors_problem;

static void run_tasks(void *threads, kmc_task task, void *context, int32_t n_tasks) {
  const int backwards = *(const int *)threads;
  for (int32_t i = 0; i < n_tasks; i++) task(context, backwards ? n_tasks - 1 - i : i);
}

static void run_color_kmeans(const kmc_kernels *kernels, const void *problem, record *out) {
  const colors_problem *p = problem;
  int backwards = !is_generic(kernels); /* the order of tasks must not matter, nor their number */
  kmc_color_kmeans_options options = p->options;
  options.n_tasks = backwards ? 3 : 1;
  const size_t scratch_size = kmc_color_kmeans_scratch(p->u, &options);
  unsigned char *memory = allocate(scratch_size + 64), *scratch = memory + (-(uintptr_t)memory & 63);
  double *centroids = new_output(options.k * options.channels, sizeof *centroids),
         *inertia = new_output(1, sizeof *inertia);
  int32_t *rounds = new_output(3, sizeof *rounds);
  uint16_t *labels = new_output(p->u, sizeof *labels);
  for (ptrdiff_t i = 0; i < (ptrdiff_t)options.k * options.channels; i++) centroids[i] = 256 * uniform();
  const kmc_color_kmeans_result result =
      kmc_color_kmeans(p->colors, p->counts, p->u, &options, kmc_color_kernels_for(kernels), run_tasks, &backwards,
                       scratch, centroids, labels);
  *inertia = result.inertia;
  rounds[0] = result.rounds, rounds[1] = result.coarse_rounds, rounds[2] = result.converged;
  record_output(out, "centroids", centroids, (ptrdiff_t)options.k * options.channels, sizeof *centroids);
  record_output(out, "labels", labels, p->u, sizeof *labels);
  record_output(out, "inertia", inertia, 1, sizeof *inertia);
  record_output(out, "rounds on colours, rounds on cells, converged", rounds, 3, sizeof *rounds);
}

/* Colours in the order of their keys, `gap` keys apart on average. */
static void check_color_kmeans(int32_t channels, int32_t u, int32_t k, uint32_t gap) {
  uint8_t *colors = new_input((ptrdiff_t)u * channels, 1);
  int64_t *counts = new_input(u, sizeof *counts);
  uint32_t key = 0;
  for (ptrdiff_t i = 0; i < u; i++, key += 1 + (uint32_t)random_below(2 * (ptrdiff_t)gap - 1)) {
    if (channels == 3)
      kmc_rgb_of_key(key, colors + 3 * i);
    else
      colors[i] = (uint8_t)key;
    counts[i] = random_below(8) ? 1 + random_below(20) : 1 + random_below(1 << 30);
  }
  for (int seeding = KMC_SEEDS_SEARCHED; seeding <= KMC_SEEDS_GIVEN; seeding++) {
    for (int loose = 0; loose <= 1; loose++) {
      const int32_t trials = seeding == KMC_SEEDS_SEARCHED ? 24 : 0;
      colors_problem p = {{.k = k,
                           .channels = channels,
                           .max_rounds = 40,
                           .search_trials = trials,
                           .polish_trials = trials / 2,
                           .fine_trials = trials / 4,
                           .thorough = seeding == KMC_SEEDS_SEARCHED && loose && gap == 2,
                           .tol = loose ? 3e-4 : 0,
                           .coarse_tol = 3e-4,
                           .seeding = (kmc_seeding)seeding},
                          colors,
                          counts,
                          u};
      char name[120];
      snprintf(name, sizeof name, "color_kmeans channels=%d u=%d k=%d gap=%u seeding=%d tol=%g", channels, u, k, gap,
               seeding, p.options.tol);
      check(name, run_color_kmeans, &p);
    }
  }
  free_down_to(0);
}

static void check_all_color_kmeans(void) {
  static const int32_t sizes[] = {1, 2, 17, 65, 200, 600}, clusters[] = {1, 2, 7, 16, 33, 256, 300};
  static const uint32_t gaps[] = {2, 9000};
  for (int i = 0; i < COUNT(sizes); i++) {
    for (int j = 0; j < COUNT(clusters) && clusters[j] <= sizes[i]; j++) {
      for (int g = 0; g < COUNT(gaps); g++) check_color_kmeans(3, sizes[i], clusters[j], gaps[g]);
      if (sizes[i] <= 256) check_color_kmeans(1, sizes[i], clusters[j], 1);
    }
  }
}
