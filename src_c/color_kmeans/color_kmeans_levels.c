/* Makes the coarse levels that k-means runs on: few points, more points.
 *
 * The points of a coarse level are cubes, cells, boxes and colours mixed: what has many pixels is divided further, so
 * that a given number of points leaves the least scatter within them, whatever the picture. */
#include <string.h>

#include "color_kmeans/color_kmeans_level.h"

/* Scatter within a node goes with its pixels times the square of its side: in bins of a quarter of an octave. A node
 * has a quarter of its parent's at most, so what is divided is divided from the top down. */
enum { CUBE_SIDE = 16, CELL_SIDE = 8, BOX_SIDE = 4 };

static inline int bin_of(int64_t pixels, int side) {
  const float weight = (float)(pixels * (side * side));
  uint32_t bits;
  memcpy(&bits, &weight, sizeof bits);
  return (int)(bits >> 21) - 4 * 127; /* the exponent and two bits */
}

static inline int64_t pixels_in(const kmc_part *part, int32_t first_box, int32_t end_box) {
  return part->through[end_box - 1].count - part->through[first_box - 1].count;
}

void kmc_count_divisions(kmc_part *part) {
  const int32_t *cell_end = part->cells.end;
  memset(part->more, 0, sizeof part->more);
  for (int32_t i = 0; i < part->cubes.n; i++) {
    const int32_t begin = part->cubes.end[i - 1], end = part->cubes.end[i];
    part->more[bin_of(pixels_in(part, cell_end[begin - 1], cell_end[end - 1]), CUBE_SIDE)] += end - begin - 1;
  }
  for (int32_t i = 0; i < part->cells.n; i++) {
    const int32_t begin = cell_end[i - 1], end = cell_end[i];
    part->more[bin_of(pixels_in(part, begin, end), CELL_SIDE)] += end - begin - 1;
  }
}

/* Divisions of boxes in bins from `least` on. Few cells have a box with so many pixels. */
static void count_divided_boxes(kmc_part *part, int least) {
  for (int32_t i = 0; i < part->cells.n; i++) {
    const int32_t begin = part->cells.end[i - 1], end = part->cells.end[i];
    if (bin_of(pixels_in(part, begin, end), BOX_SIDE) < least) continue;
    for (int32_t b = begin; b < end; b++) {
      part->more[bin_of(pixels_in(part, b, b + 1), BOX_SIDE)] += part->boxes.end[b] - part->boxes.end[b - 1] - 1;
    }
  }
}

/* The first bin that is divided, so that there are at most `most` points, or as many as cubes. */
static int first_divided(const kmc_points *points, int32_t most) {
  int64_t n = 0;
  for (int32_t i = 0; i < points->n_parts; i++) n += points->part[i].cubes.n;
  for (int bin = KMC_BINS; bin > 0; bin--) {
    for (int32_t i = 0; i < points->n_parts; i++) n += points->part[i].more[bin - 1];
    if (n > most) return bin;
  }
  return 0;
}

/* How many points a part has if bins from this one on are divided. */
static int32_t points_of(const kmc_part *part, int divided) {
  int32_t n = part->cubes.n;
  for (int bin = divided; bin < KMC_BINS; bin++) n += part->more[bin];
  return n;
}

/* Points of a level that are being written. */
typedef struct {
  const kmc_level *colors;
  kmc_moment *moment;
  int32_t *first;
  int32_t n;
} output;

static inline void add_boxes(const kmc_part *part, output *out, int32_t begin, int32_t end) {
  out->moment[out->n] = part->through[end - 1];
  kmc_add_moment(&out->moment[out->n], &part->through[begin - 1], -1);
  out->first[out->n++] = part->boxes.end[begin - 1];
}

static void add_colors(output *out, int32_t begin, int32_t end) {
  for (int32_t p = begin; p < end; p++) {
    out->moment[out->n] = kmc_moment_of(out->colors, p);
    out->first[out->n++] = p;
  }
}

static void add_cell(const kmc_part *part, output *out, int32_t cell, int divided) {
  const int32_t begin = part->cells.end[cell - 1], end = part->cells.end[cell];
  if (bin_of(pixels_in(part, begin, end), CELL_SIDE) < divided) {
    add_boxes(part, out, begin, end);
    return;
  }
  for (int32_t b = begin; b < end; b++) {
    if (bin_of(pixels_in(part, b, b + 1), BOX_SIDE) < divided)
      add_boxes(part, out, b, b + 1);
    else
      add_colors(out, part->boxes.end[b - 1], part->boxes.end[b]);
  }
}

/* The points of a part on a coarse level. */
static void choose_points(const kmc_part *part, output *out, int divided) {
  for (int32_t i = 0; i < part->cubes.n; i++) {
    const int32_t begin = part->cubes.end[i - 1], end = part->cubes.end[i];
    const int32_t first_box = part->cells.end[begin - 1], end_box = part->cells.end[end - 1];
    if (bin_of(pixels_in(part, first_box, end_box), CUBE_SIDE) < divided) {
      add_boxes(part, out, first_box, end_box);
      continue;
    }
    for (int32_t c = begin; c < end; c++) add_cell(part, out, c, divided);
  }
}

typedef struct {
  kmc_points *points;
  const kmc_color_kernels *kernels;
  int least; /* the first bin that can be divided on any level */
  int divided[2];
} job;

static void count_boxes(void *context, int32_t i) {
  const job *job = context;
  count_divided_boxes(&job->points->part[i], job->least);
}

/* The points of a part on both levels, in blocks. */
static void make_coarse(void *context, int32_t i) {
  const job *job = context;
  kmc_points *points = job->points;
  for (int l = 0; l < 2; l++) {
    kmc_level *level = &points->level[l];
    int32_t begin = 0;
    for (int32_t j = 0; j < i; j++) begin += points_of(&points->part[j], job->divided[l]);
    output out = {&points->level[2], level->moment, level->first, begin};
    choose_points(&points->part[i], &out, job->divided[l]);
    job->kernels->find_means(level->moment + begin, out.n - begin, level->color + begin);
    kmc_cut_blocks(points, l, i, begin, out.n, job->kernels);
  }
}

void kmc_make_coarse_levels(kmc_points *points, const kmc_color_kernels *kernels, kmc_team *team) {
  job job = {.points = points, .kernels = kernels};
  job.least = first_divided(points, points->most[1]); /* without boxes: more divisions only raise it */
  kmc_share(team, count_boxes, &job, points->n_parts);
  for (int l = 0; l < 2; l++) {
    kmc_level *level = &points->level[l];
    job.divided[l] = first_divided(points, points->most[l]);
    level->n = 0;
    for (int32_t i = 0; i < points->n_parts; i++) level->n += points_of(&points->part[i], job.divided[l]);
    level->first[level->n] = points->level[2].n;
  }
  kmc_share(team, make_coarse, &job, points->n_parts);
  for (int l = 0; l < 2; l++) kmc_join_groups(points, l);
}

static void cut_colors(void *context, int32_t i) {
  const job *job = context;
  const kmc_part *part = &job->points->part[i];
  kmc_cut_blocks(job->points, 2, i, part->begin, part->end, job->kernels);
}

void kmc_make_blocks_of_colors(kmc_points *points, const kmc_color_kernels *kernels, kmc_team *team) {
  job job = {.points = points, .kernels = kernels};
  kmc_share(team, cut_colors, &job, points->n_parts);
  kmc_join_groups(points, 2);
}

/* On coarse levels, whose points lie far apart, smaller blocks shorten the lists of many candidates. */
enum { MANY_CLUSTERS = 128, BLOCK_POINTS_OF_MANY = 128 };

static void take_level(kmc_level *level, int32_t n, int32_t k, int exact, int32_t n_parts, kmc_arena *arena) {
  const size_t room = (size_t)n + KMC_PADDING;
  memset(level, 0, sizeof *level);
  level->n = n;
  level->block_points = !exact && k >= MANY_CLUSTERS ? BLOCK_POINTS_OF_MANY : KMC_BLOCK_POINTS;
  level->color = kmc_take(arena, room * sizeof *level->color);
  level->label = kmc_take(arena, room * sizeof *level->label);
  if (!exact) level->moment = kmc_take(arena, room * sizeof *level->moment);
  if (!exact) level->first = kmc_take(arena, (room + 1) * sizeof *level->first);
  kmc_take_blocks(level, n, n_parts, arena);
}

/* For how many clusters a coarse level has points at least: for few they cost little and find better minima. */
static int32_t clusters_for(int32_t k, int on_cells) {
  const int32_t least = k > 16 ? 192 : on_cells ? 128 : 64;
  return k < least ? least : k;
}

/* A thorough search fits itself to what the second level leaves out: with as many points as colours allow, at most
 * twice as many for 256 clusters, k=256 0.1 % less error. */
enum { THOROUGH_POINTS = 49152, THOROUGH_SHARE = 2 };

void kmc_take_levels(int32_t u, const kmc_color_kmeans_options *options, kmc_arena *arena, kmc_points *points) {
  const int32_t k = options->k;
  for (int l = 0; l < 2; l++) {
    const int is_finer = l == 1 && options->thorough;
    const int64_t usual = (int64_t)LEVEL_POINTS[l] * clusters_for(k, options->on_cells);
    const int64_t enough = is_finer && usual < THOROUGH_POINTS ? THOROUGH_POINTS : usual;
    const int32_t share = u / (is_finer ? THOROUGH_SHARE : LEVEL_SHARE[l]);
    const int32_t affordable = share < LEAST_POINTS[l] ? LEAST_POINTS[l] : share;
    points->most[l] = enough < affordable ? (int32_t)enough : affordable;
    const int32_t room = points->most[l] < MOST_CUBES ? MOST_CUBES : points->most[l];
    take_level(&points->level[l], room < u ? room : u, k, 0, points->n_parts, arena);
  }
  take_level(&points->level[2], u, k, 1, points->n_parts, arena);
}
