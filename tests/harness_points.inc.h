/* Part of neon_harness.c. Points of any dimension: assignment, distances, Elkan. */
enum point_type { U8, F32, F64 };
static const char *const type_names[] = {"u8", "f32", "f64"};
static const size_t point_sizes[] = {1, 4, 8}, real_sizes[] = {4, 4, 8};

typedef struct {
  enum point_type type;
  ptrdiff_t n, d, k, rounds;
  void *points;
  double *exact, relative, absolute;
} points_problem;

static void store(void *array, size_t size, ptrdiff_t i, double value) {
  if (size == 1) ((uint8_t *)array)[i] = (uint8_t)value;
  if (size == 4) ((float *)array)[i] = (float)value;
  if (size == 8) ((double *)array)[i] = value;
}

static double load(const void *array, size_t size, ptrdiff_t i) {
  if (size == 1) return ((const uint8_t *)array)[i];
  return size == 4 ? (double)((const float *)array)[i] : ((const double *)array)[i];
}

/* Kinds of coordinates. Those of uint8 points are cut off to whole numbers. */
static double anything(enum point_type type) { return type == U8 ? 256 * uniform() : 20 * uniform() - 10; }
static double on_lattice(enum point_type type) { return 0.5 * (double)random_below(type == U8 ? 16 : 8); }
static double too_close(enum point_type type) { return (type == U8 ? 100 : 1000) + 1e-9 * (double)random_below(8); }
static double scaled(enum point_type type, double single, double wide) {
  return (2 * uniform() - 1) * (type == F32 ? single : wide);
}
static double huge(enum point_type type) { return type == U8 ? 255 : scaled(type, 1e15, 1e150); }
static double tiny(enum point_type type) { return type == U8 ? random_bits() & 1 : scaled(type, 1e-15, 1e-150); }
static double subnormal(enum point_type type) { return type == U8 ? 0 : scaled(type, 1e-40, 1e-310); }
static double one_in_four_huge(enum point_type type) { return random_below(4) ? anything(type) : huge(type); }

static const struct {
  const char *name;
  double (*value)(enum point_type type);
} kinds[] = {
    {"anything", anything},
    {"lattice", on_lattice},
    {"too close", too_close},
    {"huge", huge},
    {"tiny", tiny},
    {"subnormal", subnormal},
    {"one in four huge", one_in_four_huge},
};

static double larger(double a, double b) { return fabs(b) > a ? fabs(b) : a; }

/* The bounds of the error: as in kmc/kmeans.py. */
static void set_bounds(points_problem *p) {
  const double epsilon = p->type == F64 ? 0x1p-52 : 0x1p-23;
  double largest = 0;
  for (ptrdiff_t i = 0; i < p->n * p->d; i++) largest = larger(largest, load(p->points, point_sizes[p->type], i));
  for (ptrdiff_t i = 0; i < p->k * p->d; i++) largest = larger(largest, p->exact[i]);
  p->relative = (double)(p->d + 16) * epsilon;
  p->absolute = p->type == F64 ? 1e-152 : epsilon * largest * sqrt((double)p->d) + 2e-17;
}

/* One in four centroids is a point, one in four another centroid. */
static void make_centroids(points_problem *p, double (*value)(enum point_type)) {
  for (ptrdiff_t j = 0; j < p->k; j++) {
    const ptrdiff_t source = random_below(4), point = random_below(p->n), other = random_below(j + 1);
    for (ptrdiff_t t = 0; t < p->d; t++) {
      double coordinate = value(p->type);
      if (source == 0) coordinate = load(p->points, point_sizes[p->type], point * p->d + t);
      if (source == 1 && other < j) coordinate = p->exact[other * p->d + t];
      p->exact[j * p->d + t] = coordinate;
    }
  }
}

/* The centroids as the kernels want them: as class _Centroids in kmc/kmeans.py. */
typedef struct {
  ptrdiff_t stride;
  void *transposed, *panels, *half_norms;
  double relative, absolute, margin, margin_per_norm;
} described;

static void *origin_of(const points_problem *p) {
  const size_t size = real_sizes[p->type];
  void *origin = new_input(p->d, size);
  for (ptrdiff_t t = 0; t < p->d; t++) {
    double sum = 0;
    for (ptrdiff_t i = 0; i < p->n; i++) sum += load(p->points, point_sizes[p->type], i * p->d + t) / (double)p->n;
    store(origin, size, t, sum);
  }
  return origin;
}

static void *tiles_of(const points_problem *p, const void *origin, double *farthest) {
  const ptrdiff_t tile_size = (p->d + 1) * KMC_TILE, n_tiles = (p->n + KMC_TILE - 1) / KMC_TILE;
  void *tiles = new_input(n_tiles * tile_size, real_sizes[p->type]);
  if (p->type == U8) kmc_tile_points_u8(p->points, p->n, p->d, origin, tiles);
  if (p->type == F32) kmc_tile_points_f32(p->points, p->n, p->d, origin, tiles);
  if (p->type == F64) kmc_tile_points_f64(p->points, p->n, p->d, origin, tiles);
  *farthest = 0;
  for (ptrdiff_t i = 0; i < n_tiles * KMC_TILE; i++) {
    const ptrdiff_t norm = i / KMC_TILE * tile_size + p->d * KMC_TILE + i % KMC_TILE;
    *farthest = larger(*farthest, load(tiles, real_sizes[p->type], norm));
  }
  return tiles;
}

/* The bounds of the error of scores, rounded up by storing a little more. */
static void set_margins(const points_problem *p, double farthest_point, double farthest, described *known) {
  const double tiny = (double)p->d * (p->type == F64 ? 0x1p-1074 : 0x1p-149), d = (double)p->d;
  const double u = p->type == F64 ? 0x1p-53 : 0x1p-24, w = 0x1p-53;
  const double per_norm = (d + 10) * u * farthest + (d + 2) * w * (0.5 * farthest_point + farthest);
  known->margin = 2.03 * ((d + 8) * u + (d + 2) * w) * farthest * farthest + 7 * tiny;
  known->margin_per_norm = 2.03 * per_norm + 3 * tiny;
  known->relative = p->relative, known->absolute = p->absolute;
}

static described describe(const points_problem *p, const void *origin, double farthest_point) {
  const size_t size = real_sizes[p->type];
  const ptrdiff_t stride = (p->k + KMC_BLOCK - 1) / KMC_BLOCK * KMC_BLOCK, d = p->d;
  described known = {stride, new_input(d * stride, size), new_input(d * stride, size), new_input(stride, size), 0, 0, 0,
                     0};
  double farthest2 = 0;
  for (ptrdiff_t j = 0; j < stride; j++) {
    double norm2 = j < p->k ? 0 : INFINITY;
    for (ptrdiff_t t = 0; t < d; t++) {
      const double diff = j < p->k ? load(origin, size, t) - p->exact[j * d + t] : 0;
      store(known.transposed, size, t * stride + j, j < p->k ? p->exact[j * d + t] : INFINITY);
      store(known.panels, size, (j / KMC_PANEL * d + t) * KMC_PANEL + j % KMC_PANEL, diff);
      norm2 += diff * diff;
    }
    store(known.half_norms, size, j, 0.5 * norm2);
    if (j < p->k) farthest2 = larger(farthest2, norm2);
  }
  set_margins(p, farthest_point, sqrt(farthest2), &known);
  return known;
}

static kmc_centroids_f32 single_centroids(const points_problem *p, const described *known) {
  return (kmc_centroids_f32){p->exact,
                             known->transposed,
                             known->panels,
                             known->half_norms,
                             p->k,
                             known->stride,
                             (float)known->relative,
                             (float)known->absolute,
                             (float)known->margin,
                             (float)known->margin_per_norm};
}

static kmc_centroids_f64 wide_centroids(const points_problem *p, const described *known) {
  return (kmc_centroids_f64){p->exact,      known->transposed,     known->panels,   known->half_norms,
                             p->k,          known->stride,         known->relative, known->absolute,
                             known->margin, known->margin_per_norm};
}

static double dist2_by_definition(const points_problem *p, ptrdiff_t i, ptrdiff_t j) {
  const double *centroid = p->exact + j * p->d;
  if (p->type == U8) return kmc_dist2_u8((uint8_t *)p->points + i * p->d, centroid, p->d);
  if (p->type == F32) return kmc_dist2_f32((float *)p->points + i * p->d, centroid, p->d);
  return kmc_dist2_f64((double *)p->points + i * p->d, centroid, p->d);
}

static int32_t nearest_by_definition(const points_problem *p, ptrdiff_t i) {
  int32_t label = 0;
  double nearest = dist2_by_definition(p, i, 0);
  for (ptrdiff_t j = 1; j < p->k; j++) {
    const double dist2 = dist2_by_definition(p, i, j);
    if (dist2 < nearest) nearest = dist2, label = (int32_t)j;
  }
  return label;
}

static void record_labels(const kmc_kernels *kernels, const points_problem *p, const int32_t *labels, record *out) {
  record_output(out, "labels", labels, p->n, sizeof *labels);
  for (ptrdiff_t i = 0; i < p->n && is_generic(kernels); i++) {
    if (labels[i] == nearest_by_definition(p, i)) continue;
    report("generic", type_names[p->type], "labels are not those of the nearest centroids");
    return;
  }
}

static void run_assign(const kmc_kernels *kernels, const void *problem, record *out) {
  const points_problem *p = problem;
  double farthest;
  const void *origin = origin_of(p), *tiles = tiles_of(p, origin, &farthest);
  const described known = describe(p, origin, farthest);
  const kmc_centroids_f32 single = single_centroids(p, &known);
  const kmc_centroids_f64 wide = wide_centroids(p, &known);
  void *dist2 = new_input(known.stride, real_sizes[p->type]);
  int32_t *labels = new_output(p->n, sizeof *labels);
  if (p->type == U8) kernels->assign_u8(p->points, p->n, p->d, tiles, &single, dist2, labels);
  if (p->type == F32) kernels->assign_f32(p->points, p->n, p->d, tiles, &single, dist2, labels);
  if (p->type == F64) kernels->assign_f64(p->points, p->n, p->d, tiles, &wide, dist2, labels);
  record_labels(kernels, p, labels, out);
}

static void run_distances(const kmc_kernels *kernels, const void *problem, record *out) {
  const points_problem *p = problem;
  const size_t size = real_sizes[p->type];
  const ptrdiff_t stride = p->n + random_below(3);
  double farthest;
  const void *origin = origin_of(p), *tiles = tiles_of(p, origin, &farthest);
  void *centroids = new_input(p->k * p->d, size), *most = new_input(p->n, size);
  void *dist2 = new_output(p->k * stride, size);
  for (ptrdiff_t i = 0; i < p->k * p->d; i++) store(centroids, size, i, p->exact[i] - load(origin, size, i % p->d));
  for (ptrdiff_t i = 0; i < p->n; i++) store(most, size, i, i % 3 ? INFINITY : 100 * uniform());
  if (p->type == F64)
    kernels->distances_f64(tiles, p->n, p->d, centroids, p->k, most, dist2, stride);
  else
    kernels->distances_f32(tiles, p->n, p->d, centroids, p->k, most, dist2, stride);
  record_output(out, "dist2", dist2, p->k * stride, size);
}

/* ---- Elkan: as class _Elkan in kmc/kmeans.py ---- */

typedef struct {
  ptrdiff_t stride;
  void *half_distances, *half_nearest, *travelled;
} elkan_knowledge;

static double half_distance(const points_problem *p, ptrdiff_t i, ptrdiff_t j) {
  double sum = 0;
  for (ptrdiff_t t = 0; t < p->d; t++) {
    const double diff = p->exact[i * p->d + t] - p->exact[j * p->d + t];
    sum += diff * diff;
  }
  return sqrt(sum) * (0.5 * (1 - 2 * p->relative));
}

static void look_at_centroids(const points_problem *p, elkan_knowledge *known) {
  const size_t size = real_sizes[p->type];
  const ptrdiff_t k = p->k, stride = known->stride;
  for (ptrdiff_t i = 0; i < k * stride; i++) store(known->half_distances, size, i, INFINITY);
  for (ptrdiff_t i = 0; i < k; i++) store(known->half_nearest, size, i, INFINITY);
  for (ptrdiff_t i = 0; i < k; i++) {
    for (ptrdiff_t j = 0; j < i; j++) {
      const double half = half_distance(p, i, j);
      store(known->half_distances, size, i * stride + j, half);
      store(known->half_distances, size, j * stride + i, half);
      if (half < load(known->half_nearest, size, i)) store(known->half_nearest, size, i, half);
      if (half < load(known->half_nearest, size, j)) store(known->half_nearest, size, j, half);
    }
  }
}

/* Centroids creep, stay and jump, by `step` times the size of a coordinate. */
static void move_centroids(points_problem *p, elkan_knowledge *known, double step) {
  const size_t size = real_sizes[p->type];
  for (ptrdiff_t j = 0; j < p->k; j++) {
    const double scale = random_bits() & 1 ? step : 0;
    double moved2 = 0;
    for (ptrdiff_t t = 0; t < p->d; t++) {
      const double before = p->exact[j * p->d + t], after = before * (1 + scale * (uniform() - 0.5));
      p->exact[j * p->d + t] = after;
      moved2 += (after - before) * (after - before);
    }
    const double travelled = load(known->travelled, size, j) + sqrt(moved2);
    store(known->travelled, size, j, travelled * (1 + 4 * (p->type == F64 ? 0x1p-52 : 0x1p-23)));
  }
}

static void elkan_round(const kmc_kernels *kernels, const points_problem *p, const elkan_knowledge *known,
                        int32_t *labels, void *upper, void *lower) {
  const int before = n_allocations;
  const described centroids = describe(p, origin_of(p), 0); /* no scores here */
  const kmc_elkan_f32 single = {single_centroids(p, &centroids), known->half_distances, known->half_nearest,
                                known->travelled};
  const kmc_elkan_f64 wide = {wide_centroids(p, &centroids), known->half_distances, known->half_nearest,
                              known->travelled};
  void *dist2 = new_input(known->stride, real_sizes[p->type]);
  if (p->type == U8) kernels->elkan_u8(p->points, p->n, p->d, &single, labels, upper, lower, dist2);
  if (p->type == F32) kernels->elkan_f32(p->points, p->n, p->d, &single, labels, upper, lower, dist2);
  if (p->type == F64) kernels->elkan_f64(p->points, p->n, p->d, &wide, labels, upper, lower, dist2);
  free_down_to(before);
}

static void run_elkan(const kmc_kernels *kernels, const void *problem, record *out) {
  static const double steps[] = {0.5, 0.01, 0, 1e-7, 1, 0.1, 0.001, 0, 0};
  points_problem p = *(const points_problem *)problem;
  const size_t size = real_sizes[p.type];
  const ptrdiff_t stride = (p.k + KMC_BLOCK - 1) / KMC_BLOCK * KMC_BLOCK;
  elkan_knowledge known = {stride, new_input(p.k * stride, size), new_input(p.k, size), new_input(stride, size)};
  int32_t *labels = new_output(p.n, sizeof *labels);
  void *upper = new_output(p.n, size), *lower = new_output(p.n * stride, size);
  p.exact = memcpy(new_input(p.k * p.d, sizeof *p.exact), p.exact, (size_t)(p.k * p.d) * sizeof *p.exact);
  memset(labels, 0, (size_t)p.n * sizeof *labels);
  for (ptrdiff_t i = 0; i < p.n; i++) store(upper, size, i, INFINITY);
  for (ptrdiff_t i = 0; i < p.n * stride; i++) store(lower, size, i, 0);
  for (ptrdiff_t i = 0; i < stride; i++) store(known.travelled, size, i, 0);
  for (ptrdiff_t round = 0; round < p.rounds; round++) {
    look_at_centroids(&p, &known);
    elkan_round(kernels, &p, &known, labels, upper, lower);
    record_labels(kernels, &p, labels, out);
    record_output(out, "upper", upper, p.n, size);
    record_output(out, "lower", lower, p.n * stride, size);
    move_centroids(&p, &known, steps[round % COUNT(steps)]);
    set_bounds(&p);
  }
}

static void check_points(enum point_type type, ptrdiff_t n, ptrdiff_t d, ptrdiff_t k, ptrdiff_t rounds,
                         ptrdiff_t kind) {
  points_problem p = {.type = type, .n = n, .d = d, .k = k, .rounds = rounds};
  const size_t size = point_sizes[type];
  char name[120];
  p.points = new_input(n * d, size);
  p.exact = new_input(k * d, sizeof *p.exact);
  for (ptrdiff_t i = 0; i < n * d; i++) store(p.points, size, i, kinds[kind].value(type));
  make_centroids(&p, kinds[kind].value);
  set_bounds(&p);

  const char *const suffix = type_names[type];
  snprintf(name, sizeof name, "assign_%s n=%td d=%td k=%td, %s", suffix, n, d, k, kinds[kind].name);
  check(name, run_assign, &p);
  snprintf(name, sizeof name, "distances_%s n=%td d=%td k=%td, %s", suffix, n, d, k, kinds[kind].name);
  check(name, run_distances, &p);
  snprintf(name, sizeof name, "elkan_%s n=%td d=%td k=%td, %s", suffix, n, d, k, kinds[kind].name);
  check(name, run_elkan, &p);
  free_down_to(0);
}

static void check_all_points(void) {
  static const ptrdiff_t lengths[] = {1, 2, 31, 33, 65};
  static const ptrdiff_t few_d[] = {1, 2, 3, 8}, few_k[] = {1, 6, 17};
  ptrdiff_t turn =
      0; /* no two counts of lengths, kinds and dimensions (or clusters) share a factor: all of them meet */
  for (int type = U8; type <= F64; type++) {
    for (ptrdiff_t k = 1; k <= 33; k++) {
      for (ptrdiff_t i = 0; i < COUNT(few_d); i++, turn++) {
        check_points(type, lengths[turn % COUNT(lengths)], few_d[i], k, 2, turn % COUNT(kinds));
      }
    }
    for (ptrdiff_t d = 1; d <= 129; d++) {
      for (ptrdiff_t i = 0; i < COUNT(few_k); i++, turn++) {
        check_points(type, lengths[turn % COUNT(lengths)], d, few_k[i], 2, turn % COUNT(kinds));
      }
    }
    for (ptrdiff_t kind = 0; kind < COUNT(kinds); kind++) {
      check_points(type, 201, 3, 40, 9, kind);
      check_points(type, 65, 6, 100, 5, kind);
      check_points(type, 3, 4096, 5, 2, kind);
    }
  }
}
