/* Compares the kernels of every vector instruction set that this processor has with those in generic C, and generic C
 * with the definitions, bit for bit on the same inputs.
 *
 * Prints one line for each difference, then a digest of everything that generic C gave, which is the same on every
 * machine, and the number of differences. Exits with 1 if there are any. test_neon.py builds it for AArch64, where it
 * may run in an emulator, and for the machine at hand.
 *
 * To cover another kernel: write a run_* function that calls it from the table it is given and records what it wrote,
 * and a function that makes its inputs and calls `check`. */
#include "color_keys.h"
#include "color_kmeans_dispatch.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((ptrdiff_t)(sizeof(array) / sizeof *(array)))

static const kmc_kernels *tables[8]; /* those that this processor can run; generic is the last */
static int n_tables, n_differences;

/* ---- Random numbers: splitmix64, exact arithmetic only ---- */

static uint64_t random_state;

static uint64_t random_bits(void) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static ptrdiff_t random_below(ptrdiff_t n) { return (ptrdiff_t)(random_bits() % (uint64_t)n); }

static double uniform(void) { return (double)(random_bits() >> 11) * 0x1p-53; }

/* ---- Memory: arrays that start at any element, freed together ---- */

#define GUARD 64
#define UNTOUCHED 0xa5

static void *allocations[64];
static int n_allocations;

static unsigned char *allocate(size_t bytes) {
  unsigned char *memory = malloc(bytes ? bytes : 1);
  if (memory == NULL || n_allocations == COUNT(allocations)) {
    puts("out of memory");
    exit(2);
  }
  memset(memory, UNTOUCHED, bytes);
  return allocations[n_allocations++] = memory;
}

static void free_down_to(int n) {
  while (n_allocations > n) free(allocations[--n_allocations]);
}

/* Nothing follows the last element, so that address sanitizers see a kernel that reads on. */
static void *new_input(ptrdiff_t count, size_t size) {
  const size_t skip = (size_t)random_below(4) * size;
  return allocate(skip + (size_t)count * size) + skip;
}

/* Guarded on both sides; recorded with the guards. */
static void *new_output(ptrdiff_t count, size_t size) {
  const size_t skip = (size_t)random_below(4) * size;
  return allocate(skip + (size_t)count * size + 2 * GUARD) + skip + GUARD;
}

/* ---- Records: what a kernel wrote, in named parts ---- */

typedef struct {
  unsigned char *bytes;
  size_t size, capacity;
  const char *names[64];
  size_t ends[64];
  int n_parts;
} record;

static void record_output(record *out, const char *name, const void *data, ptrdiff_t count, size_t size) {
  const size_t bytes = (size_t)count * size + 2 * GUARD;
  if (out->size + bytes > out->capacity) {
    out->capacity = 2 * (out->size + bytes);
    out->bytes = realloc(out->bytes, out->capacity);
  }
  if (out->bytes == NULL || out->n_parts == COUNT(out->names)) {
    puts("out of memory");
    exit(2);
  }
  memcpy(out->bytes + out->size, (const unsigned char *)data - GUARD, bytes);
  out->size += bytes;
  out->names[out->n_parts] = name;
  out->ends[out->n_parts++] = out->size;
}

static uint64_t digest = 0xcbf29ce484222325u; /* FNV-1a */

static void add_to_digest(const record *out) {
  for (size_t i = 0; i < out->size; i++) digest = (digest ^ out->bytes[i]) * 0x100000001b3u;
}

static void report(const char *isa, const char *what, const char *where) {
  n_differences++;
  printf("DIFFERENT %s %s: %s\n", isa, what, where);
}

static void compare(const char *isa, const char *what, const record *expected, const record *got) {
  size_t start = 0;
  for (int part = 0; part < expected->n_parts; start = expected->ends[part++]) {
    const size_t bytes = expected->ends[part] - start;
    if (memcmp(expected->bytes + start, got->bytes + start, bytes) == 0) continue;
    size_t first = 0;
    while (expected->bytes[start + first] == got->bytes[start + first]) first++;
    char where[120];
    snprintf(where, sizeof where, "%s (part %d), from byte %td of %zu", expected->names[part], part,
             (ptrdiff_t)first - GUARD, bytes - 2 * GUARD);
    report(isa, what, where);
    return;
  }
}

/* Runs a kernel from every table on the same inputs and the same random numbers. */
static void check(const char *what, void (*run)(const kmc_kernels *, const void *, record *), const void *problem) {
  static record expected, got;
  const uint64_t seed = random_state;
  const int before = n_allocations;
  for (int i = n_tables - 1; i >= 0; i--) {
    record *out = i == n_tables - 1 ? &expected : &got;
    out->size = 0, out->n_parts = 0;
    random_state = seed;
    run(tables[i], problem, out);
    free_down_to(before);
    if (out == &got) compare(tables[i]->name, what, &expected, &got);
  }
  add_to_digest(&expected);
}

static int is_generic(const kmc_kernels *kernels) { return kernels == tables[n_tables - 1]; }

/* ---- Points of any dimension ---- */

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

/* ---- Pixels and palettes ---- */

typedef struct {
  const uint8_t *pixels;
  ptrdiff_t n, channels;
} keys_problem;

static uint32_t key_by_definition(const uint8_t *rgb) {
  uint32_t key = 0;
  for (int bit = 0; bit < 8; bit++) {
    for (int channel = 0; channel < 3; channel++) key |= (uint32_t)(rgb[channel] >> bit & 1) << (3 * bit + 2 - channel);
  }
  return key;
}

static void run_keys(const kmc_kernels *kernels, const void *problem, record *out) {
  const keys_problem *p = problem;
  const kmc_pixel_kernels *pixel_kernels = kmc_pixel_kernels_for(kernels);
  uint32_t *keys = new_output(p->n, sizeof *keys);
  (p->channels == 3 ? pixel_kernels->keys_of_rgb : pixel_kernels->keys_of_rgba)(p->pixels, p->n, keys);
  record_output(out, "keys", keys, p->n, sizeof *keys);
  for (ptrdiff_t i = 0; i < p->n && is_generic(kernels); i++) {
    uint8_t rgb[3];
    kmc_rgb_of_key(keys[i], rgb);
    if (keys[i] != key_by_definition(p->pixels + i * p->channels) || memcmp(rgb, p->pixels + i * p->channels, 3) != 0) {
      report("generic", "keys", "not the interleaved bits");
      return;
    }
  }
}

typedef struct {
  const uint8_t *pixels, *counters;
  const uint32_t *entries;
  ptrdiff_t n;
} error_problem;

static void run_error(const kmc_kernels *kernels, const void *problem, record *out) {
  const error_problem *p = problem;
  const kmc_pixel_kernels *pixel_kernels = kmc_pixel_kernels_for(kernels);
  int64_t *sum = new_output(1, sizeof *sum), expected = 0;
  uint64_t *bits = new_output(1, sizeof *bits), expected_bits = 0;
  *sum = pixel_kernels->squared_error(p->pixels, p->entries, p->n);
  *bits = pixel_kernels->nonzero_bits(p->counters);
  record_output(out, "squared error", sum, 1, sizeof *sum);
  record_output(out, "nonzero bits", bits, 1, sizeof *bits);
  for (ptrdiff_t i = 0; i < 3 * p->n; i++) {
    const int diff = p->pixels[i] - (int)(p->entries[i / 3] >> 8 * (i % 3) & 255);
    expected += diff * diff;
  }
  for (int i = 0; i < 64; i++) expected_bits += (uint64_t)(p->counters[i] > 0) << i;
  if (*sum != expected) report(kernels->name, "squared_error", "not the sum of squares");
  if (*bits != expected_bits) report(kernels->name, "nonzero_bits", "not where the counters are");
}

/* With extremes: the largest difference there is, in every sample. */
static void check_errors(void) {
  for (ptrdiff_t n = 1; n <= KMC_KEY_BATCH; n += n < 70 ? 1 : 53) {
    uint8_t *pixels = new_input(3 * n, 1), *counters = new_input(64, 1);
    uint32_t *entries = new_input(n, sizeof *entries);
    for (ptrdiff_t i = 0; i < 3 * n; i++) pixels[i] = n % 5 ? (uint8_t)random_bits() : 255;
    for (ptrdiff_t i = 0; i < n; i++) entries[i] = n % 5 ? (uint32_t)random_bits() & 0xffffff : 0;
    for (int i = 0; i < 64; i++) counters[i] = (uint8_t)(random_bits() & random_bits() & 0x81);
    const error_problem problem = {pixels, counters, entries, n};
    char name[120];
    snprintf(name, sizeof name, "errors of n=%td pixels", n);
    check(name, run_error, &problem);
    free_down_to(0);
  }
}

static void check_keys(void) {
  for (ptrdiff_t channels = 3; channels <= 4; channels++) {
    for (ptrdiff_t n = 1; n <= KMC_KEY_BATCH; n += n < 70 ? 1 : 53) {
      uint8_t *pixels = new_input(n * channels, 1);
      for (ptrdiff_t i = 0; i < n * channels; i++) pixels[i] = (uint8_t)random_bits();
      const keys_problem problem = {pixels, n, channels};
      char name[120];
      snprintf(name, sizeof name, "keys of n=%td pixels of %td channels", n, channels);
      check(name, run_keys, &problem);
      free_down_to(0);
    }
  }
}

typedef struct {
  kmc_node node; /* of side 8, with any entries */
  uint8_t corner[3];
} box_problem;

static int32_t nearest_entry(const kmc_node *node, const uint8_t *rgb) {
  int32_t nearest = 0;
  double least = INFINITY;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const double r = node->red[i] - rgb[0], g = node->green[i] - rgb[1], b = node->blue[i] - rgb[2];
    const double dist2 = r * r + g * g + b * b;
    if (dist2 < least) nearest = node->index[i], least = dist2;
  }
  return nearest;
}

static void run_nearest_in_box(const kmc_kernels *kernels, const void *problem, record *out) {
  const box_problem *p = problem;
  kmc_node node = p->node;
  uint16_t *labels = new_output(8 * KMC_BOX_COLORS, sizeof *labels);
  node.keep = new_output(node.n, sizeof *node.keep);
  kmc_pixel_kernels_for(kernels)->keep_in_octants(&node, p->corner, 8);
  for (int octant = 0; octant < 8; octant++) {
    const uint32_t key = kmc_key_of_rgb(p->corner) + (uint32_t)octant * KMC_BOX_COLORS;
    uint16_t *const of_box = labels + octant * KMC_BOX_COLORS;
    uint8_t rgb[3];
    kmc_rgb_of_key(key, rgb);
    kmc_pixel_kernels_for(kernels)->nearest_in_box(&node, octant, rgb, of_box);
    for (uint32_t i = 0; i < KMC_BOX_COLORS && is_generic(kernels); i++) {
      kmc_rgb_of_key(key + i, rgb);
      if (of_box[i] != nearest_entry(&node, rgb)) report("generic", "nearest_in_box", "not the nearest entry");
    }
  }
  record_output(out, "keep", node.keep, node.n, sizeof *node.keep);
  record_output(out, "labels", labels, 8 * KMC_BOX_COLORS, sizeof *labels);
}

/* Entries on a lattice of `step` (one of more than 1 makes ties) in the whole colour space; or pairs that lie opposite
 * each other and equally far from the box's corner. */
static void check_nearest_in_box(ptrdiff_t k, ptrdiff_t step, uint32_t cell, int pairs) {
  box_problem p = {.node = {.n = k}};
  float *const coordinates[] = {new_input(k, sizeof(float)), new_input(k, sizeof(float)), new_input(k, sizeof(float))};
  char name[120];
  p.node.red = coordinates[0], p.node.green = coordinates[1], p.node.blue = coordinates[2];
  p.node.index = new_input(k, sizeof(int32_t));
  kmc_rgb_of_key(cell * 8 * KMC_BOX_COLORS, p.corner);
  for (ptrdiff_t i = 0; i < k; i++) {
    for (int t = 0; t < 3; t++) {
      const double anywhere = (double)(random_below(255 / step + 1) * step), before = p.corner[t] - anywhere / 16;
      const double opposite = i ? 2 * p.corner[t] - coordinates[t][i - 1] : 0;
      const double paired = i % 2 ? opposite : floor(before);
      coordinates[t][i] = (float)(!pairs ? anywhere : paired < 0 ? 0 : paired > 255 ? 255 : paired);
    }
    p.node.index[i] = (int32_t)i;
  }
  snprintf(name, sizeof name, "nearest_in_box k=%td step=%td cell=%u pairs=%d", k, step, (unsigned)cell, pairs);
  check(name, run_nearest_in_box, &p);
  free_down_to(0);
}

static void check_all_boxes(void) {
  static const ptrdiff_t sizes[] = {1, 2, 3, 8, 17, 64, 300}, steps[] = {1, 4, 51, 255};
  enum { CELLS = KMC_N_BOXES / 8 };
  for (int i = 0; i < COUNT(sizes); i++) {
    for (int j = 0; j < COUNT(steps); j++) {
      const uint32_t cells[] = {0, CELLS - 1, (uint32_t)random_below(CELLS)};
      for (int b = 0; b < COUNT(cells); b++) {
        check_nearest_in_box(sizes[i], steps[j], cells[b], 0);
        check_nearest_in_box(sizes[i], steps[j], cells[b], 1);
      }
    }
  }
}

/* ---- k-means of colours ---- */

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

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  for (; (tables[n_tables] = kmc_available(n_tables)) != NULL; n_tables++) {
    printf("%s%s", n_tables ? ", " : "instruction sets: ", tables[n_tables]->name);
  }
  puts("");
  check_all_points();
  check_keys();
  check_errors();
  check_all_boxes();
  check_all_color_kmeans();
  printf("digest: %016" PRIx64 "\ndifferences: %d\n", digest, n_differences);
  return n_differences > 0;
}
