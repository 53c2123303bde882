/* Part of neon_harness.c. What choosing k and comparing pictures need: sums of distances, structural similarity. */
typedef struct {
  int wide; /* double, not float */
  ptrdiff_t n, d;
  void *points; /* (KMC_TILE, d) */
  void *targets, *weights;
} distance_sums_problem;

static double distance_sum_by_definition(const distance_sums_problem *p, size_t size, ptrdiff_t point) {
  double sum = 0;
  for (ptrdiff_t j = 0; j < p->n; j++) {
    double dist2 = 0;
    for (ptrdiff_t t = 0; t < p->d; t++) {
      const double diff = load(p->points, size, point * p->d + t) - load(p->targets, size, j * p->d + t);
      dist2 += diff * diff;
    }
    sum += load(p->weights, size, j) * sqrt(dist2);
  }
  return sum;
}

static void run_distance_sums(const kmc_kernels *kernels, const void *problem, record *out) {
  const distance_sums_problem *p = problem;
  const size_t size = p->wide ? sizeof(double) : sizeof(float);
  double *sums = new_output(KMC_TILE, sizeof *sums);
  void *origin = new_input(p->d, size), *tile = new_input((p->d + 1) * KMC_TILE, size);
  for (ptrdiff_t t = 0; t < p->d; t++) store(origin, size, t, 0);
  if (p->wide) {
    kmc_tile_points_f64(p->points, KMC_TILE, p->d, origin, tile);
    kernels->distance_sums_f64(tile, p->d, p->targets, p->weights, p->n, sums);
  } else {
    kmc_tile_points_f32(p->points, KMC_TILE, p->d, origin, tile);
    kernels->distance_sums_f32(tile, p->d, p->targets, p->weights, p->n, sums);
  }
  record_output(out, "sums", sums, KMC_TILE, sizeof *sums);
  for (ptrdiff_t i = 0; i < KMC_TILE && is_generic(kernels); i++) {
    const double expected = distance_sum_by_definition(p, size, i);
    if (fabs(sums[i] - expected) > (p->wide ? 1e-12 : 1e-4) * expected)
      report("generic", "distance_sums", "not the sum of distances");
  }
}

/* One point in four is a target: distances of 0. */
static void check_distance_sums(int wide, ptrdiff_t n, ptrdiff_t d) {
  const size_t size = wide ? sizeof(double) : sizeof(float);
  const distance_sums_problem p = {
      wide, n, d, new_input(KMC_TILE * d, size), new_input(n * d, size), new_input(n, size)};
  for (ptrdiff_t i = 0; i < n * d; i++) store(p.targets, size, i, 255 * uniform());
  for (ptrdiff_t i = 0; i < n; i++) store(p.weights, size, i, (double)(1 + random_below(9)));
  for (ptrdiff_t i = 0; i < KMC_TILE; i++) {
    const ptrdiff_t target = random_below(4 * n);
    for (ptrdiff_t t = 0; t < d; t++) {
      store(p.points, size, i * d + t, target < n ? load(p.targets, size, target * d + t) : 255 * uniform());
    }
  }
  char name[120];
  snprintf(name, sizeof name, "distance_sums_%s n=%td d=%td", wide ? "f64" : "f32", n, d);
  check(name, run_distance_sums, &p);
  free_down_to(0);
}

enum { WINDOW = 2 * KMC_SSIM_RADIUS + 1 };

typedef struct {
  ptrdiff_t height, width, channels;
  double *x, *y;
  double window[WINDOW];
} ssim_problem;

/* At one place of the window, whose first sample is at `first`: OUT the similarity and its part for contrast. */
static void ssim_by_definition(const ssim_problem *p, ptrdiff_t first, double *similarity, double *contrast) {
  const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
  double x_mean = 0, y_mean = 0, x2 = 0, y2 = 0, xy = 0;
  for (int row = 0; row < WINDOW; row++) {
    for (int column = 0; column < WINDOW; column++) {
      const ptrdiff_t at = first + (row * p->width + column) * p->channels;
      const double weight = p->window[row] * p->window[column], x = p->x[at], y = p->y[at];
      x_mean += weight * x, y_mean += weight * y;
      x2 += weight * x * x, y2 += weight * y * y, xy += weight * x * y;
    }
  }
  const double variances = x2 - x_mean * x_mean + y2 - y_mean * y_mean;
  *contrast = (2 * (xy - x_mean * y_mean) + c2) / (variances + c2);
  *similarity = (2 * x_mean * y_mean + c1) / (x_mean * x_mean + y_mean * y_mean + c1) * *contrast;
}

static int ssim_is_as_defined(const ssim_problem *p, ptrdiff_t column, double similarity, double contrast) {
  const ptrdiff_t rows = p->height - WINDOW + 1;
  double expected[2] = {0, 0};
  for (ptrdiff_t row = 0; row < rows; row++) {
    double found[2];
    ssim_by_definition(p, row * p->width * p->channels + column, &found[0], &found[1]);
    expected[0] += found[0], expected[1] += found[1];
  }
  const double most = 1e-8 * (double)rows; /* of variances near 0 between samples near 255 few digits are left */
  return fabs(similarity - expected[0]) < most && fabs(contrast - expected[1]) < most;
}

static void run_ssim(const kmc_kernels *kernels, const void *problem, record *out) {
  const ssim_problem *p = problem;
  const ptrdiff_t n = (p->width - WINDOW + 1) * p->channels;
  double *similarity = new_output(n, sizeof *similarity), *contrast = new_output(n, sizeof *contrast);
  double *scratch = new_input((5 * p->height + 1) * (p->width * p->channels + KMC_SSIM_PADDING), sizeof *scratch);
  kernels->ssim(p->x, p->y, p->height, p->width, p->channels, scratch, similarity, contrast);
  record_output(out, "similarity", similarity, n, sizeof *similarity);
  record_output(out, "contrast", contrast, n, sizeof *contrast);
  for (ptrdiff_t i = 0; i < n && is_generic(kernels); i++) {
    if (!ssim_is_as_defined(p, i, similarity[i], contrast[i])) report("generic", "ssim", "not as defined");
  }
}

/* Samples differ by up to `most`; 0 means the same picture twice. */
static void check_ssim(ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, ptrdiff_t most) {
  const ptrdiff_t n = height * width * channels;
  ssim_problem p = {height, width, channels, new_input(n, sizeof(double)), new_input(n, sizeof(double)), {0}};
  double total = 0;
  for (int i = 0; i < WINDOW; i++) {
    const double away = i - KMC_SSIM_RADIUS;
    total += p.window[i] = exp(-away * away / (2 * 1.5 * 1.5));
  }
  for (int i = 0; i < WINDOW; i++) p.window[i] /= total;
  for (ptrdiff_t i = 0; i < n; i++) {
    p.x[i] = (double)random_below(256 - most);
    p.y[i] = p.x[i] + (double)random_below(most + 1);
  }
  char name[120];
  snprintf(name, sizeof name, "ssim %td x %td, %td channels, up to %td apart", height, width, channels, most);
  check(name, run_ssim, &p);
  free_down_to(0);
}

static void check_selection(void) {
  static const ptrdiff_t sizes[] = {1, 3, 4, 31, 32, 33, 70}, dimensions[] = {1, 2, 3, 5, 17};
  for (int wide = 0; wide <= 1; wide++) {
    for (int i = 0; i < COUNT(sizes); i++) {
      for (int j = 0; j < COUNT(dimensions); j++) check_distance_sums(wide, sizes[i], dimensions[j]);
    }
  }
  for (ptrdiff_t channels = 1; channels <= 3; channels += 2) {
    for (ptrdiff_t width = WINDOW; width <= WINDOW + 9; width++) {
      check_ssim(WINDOW + width % 3, width, channels, width % 4 * 80);
    }
  }
}
