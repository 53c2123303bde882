/* Makes the levels that k-means runs on: few points, more points, the colours; each in blocks, groups and regions.
 *
 * The points of a coarse level are cubes, cells, boxes and colours mixed: what has many pixels is divided further, so
 * that a given number of points leaves the least scatter within them, whatever the picture. */
#include <string.h>

#include "color_kmeans_level.h"

/* Scatter within a node goes with its pixels times the square of its side: in bins of a quarter of an octave. A node
 * has a quarter of its parent's at most, so what is divided is divided from the top down. */
enum { BINS = 4 * 64, CUBE_SIDE = 16, CELL_SIDE = 8, BOX_SIDE = 4 };

static inline int bin_of(int64_t pixels, int side) {
  const float weight = (float)(pixels * (side * side));
  uint32_t bits;
  memcpy(&bits, &weight, sizeof bits);
  return (int)(bits >> 21) - 4 * 127; /* the exponent and two bits */
}

static inline int64_t pixels_in(const kmc_points *points, int32_t first_box, int32_t end_box) {
  return points->through[end_box - 1].count - points->through[first_box - 1].count;
}

/* The first bin that is divided, so that there are at most `most` points, or as many as cubes. more: (BINS) points that
 * dividing the nodes of a bin adds. */
static int first_divided(int32_t n_cubes, const int32_t *more, int32_t most) {
  int32_t n = n_cubes;
  for (int bin = BINS; bin > 0; bin--) {
    if (n + more[bin - 1] > most) return bin;
    n += more[bin - 1];
  }
  return 0;
}

/* Counts what dividing adds: cubes and cells, then boxes where they can matter. OUT divided: for each of the levels. */
static void choose_bins(const kmc_points *points, int *divided) {
  int32_t more[BINS] = {0};
  const int32_t *cell_end = points->cells.end, *box_end = points->boxes.end;
  for (int32_t i = 0; i < points->cubes.n; i++) {
    const int32_t begin = points->cubes.end[i - 1], end = points->cubes.end[i];
    more[bin_of(pixels_in(points, cell_end[begin - 1], cell_end[end - 1]), CUBE_SIDE)] += end - begin - 1;
  }
  for (int32_t i = 0; i < points->cells.n; i++) {
    const int32_t begin = cell_end[i - 1], end = cell_end[i];
    more[bin_of(pixels_in(points, begin, end), CELL_SIDE)] += end - begin - 1;
  }
  const int least = first_divided(points->cubes.n, more, points->most[1]);
  for (int32_t i = 0; i < points->cells.n; i++) {
    if (bin_of(pixels_in(points, cell_end[i - 1], cell_end[i]), CELL_SIDE) < least) continue;
    for (int32_t b = cell_end[i - 1]; b < cell_end[i]; b++) {
      more[bin_of(pixels_in(points, b, b + 1), BOX_SIDE)] += box_end[b] - box_end[b - 1] - 1;
    }
  }
  for (int l = 0; l < 2; l++) divided[l] = first_divided(points->cubes.n, more, points->most[l]);
}

static inline void add_boxes(const kmc_points *points, kmc_level *level, int32_t begin, int32_t end) {
  level->moment[level->n] = points->through[end - 1];
  kmc_add_moment(&level->moment[level->n], &points->through[begin - 1], -1);
  level->first[level->n++] = points->boxes.end[begin - 1];
}

static void add_colors(const kmc_points *points, kmc_level *level, int32_t begin, int32_t end) {
  for (int32_t p = begin; p < end; p++) {
    level->moment[level->n] = kmc_moment_of(&points->level[2], p);
    level->first[level->n++] = p;
  }
}

static void add_cell(const kmc_points *points, kmc_level *level, int32_t cell, int divided) {
  const int32_t begin = points->cells.end[cell - 1], end = points->cells.end[cell];
  if (bin_of(pixels_in(points, begin, end), CELL_SIDE) < divided) {
    add_boxes(points, level, begin, end);
    return;
  }
  for (int32_t b = begin; b < end; b++) {
    if (bin_of(pixels_in(points, b, b + 1), BOX_SIDE) < divided)
      add_boxes(points, level, b, b + 1);
    else
      add_colors(points, level, points->boxes.end[b - 1], points->boxes.end[b]);
  }
}

/* The points of a coarse level. */
static void choose_points(const kmc_points *points, kmc_level *level, int divided) {
  level->n = 0;
  for (int32_t i = 0; i < points->cubes.n; i++) {
    const int32_t begin = points->cubes.end[i - 1], end = points->cubes.end[i];
    const int32_t first_box = points->cells.end[begin - 1], end_box = points->cells.end[end - 1];
    if (bin_of(pixels_in(points, first_box, end_box), CUBE_SIDE) < divided) {
      add_boxes(points, level, first_box, end_box);
      continue;
    }
    for (int32_t c = begin; c < end; c++) add_cell(points, level, c, divided);
  }
  level->first[level->n] = points->level[2].n;
}

/* The tight box of a block's points: four points at a time in 16 byte columns, which the compiler makes vectors. */
static void find_box(const uint32_t *color, kmc_block *block) {
  enum { POINTS = 4, BYTES = sizeof *color, LANES = POINTS * BYTES };
  uint8_t low[LANES], high[LANES];
  memset(low, 255, sizeof low);
  memset(high, 0, sizeof high);
  for (int32_t p = block->begin; p < block->end; p += POINTS) {
    uint8_t bytes[LANES];
    memcpy(bytes, color + p, sizeof bytes);
    for (int32_t c = block->end - p; c < POINTS; c++) memcpy(bytes + c * BYTES, color + p, BYTES);
    for (int c = 0; c < LANES; c++) bytes[c] ^= 0x80;
    for (int c = 0; c < LANES; c++) low[c] = bytes[c] < low[c] ? bytes[c] : low[c];
    for (int c = 0; c < LANES; c++) high[c] = bytes[c] > high[c] ? bytes[c] : high[c];
  }
  for (int t = 0; t < KMC_CHANNELS; t++) {
    for (int c = t; c < LANES; c += BYTES) {
      low[t] = low[c] < low[t] ? low[c] : low[t];
      high[t] = high[c] > high[t] ? high[c] : high[t];
    }
    block->box.low2[t] = (float)(2 * low[t] - 256);
    block->box.high2[t] = (float)(2 * high[t] - 256);
  }
}

static void join_box(kmc_box *box, const kmc_box *other) {
  for (int t = 0; t < KMC_CHANNELS; t++) {
    box->low2[t] = other->low2[t] < box->low2[t] ? other->low2[t] : box->low2[t];
    box->high2[t] = other->high2[t] > box->high2[t] ? other->high2[t] : box->high2[t];
  }
}

/* Points that stay together when blocks are cut: unit i has the points [end[i - 1], end[i]). */
typedef struct {
  const uint32_t *color;
  const int32_t *end; /* NULL: unit i is point i */
} units;

static inline int32_t first_point(const units *units, int32_t unit) { return units->end ? units->end[unit - 1] : unit; }

static void add_block(kmc_level *level, const units *units, int32_t begin, int32_t end) {
  kmc_block *block = &level->block[level->n_blocks++];
  block->begin = first_point(units, begin);
  block->end = first_point(units, end);
  block->uniform = -1;
}

/* Which eighth of a node of side 2 << bit holds the unit. */
static inline unsigned child_of(const units *units, int32_t unit, int bit) {
  const uint32_t bits = (units->color[first_point(units, unit)] ^ 0x808080u) >> bit;
  return (bits & 1) << 2 | (bits >> 8 & 1) << 1 | (bits >> 16 & 1);
}

/* Where the child ends in which unit `begin` lies. */
static int32_t child_end(const units *units, int32_t begin, int32_t end, int bit) {
  const unsigned child = child_of(units, begin, bit);
  int32_t low = begin + 1, high = end;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (child_of(units, middle, bit) > child)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* Cuts units [begin, end), one node of side 2 << bit, into blocks: the whole node if it fits, else runs of children
 * that fit. A unit always fits: a box has 64 colours. */
static void cut_blocks(kmc_level *level, const units *units, int32_t begin, int32_t end, int bit) {
  if (first_point(units, end) - first_point(units, begin) <= level->block_points) {
    if (begin < end) add_block(level, units, begin, end);
    return;
  }
  int32_t run = begin;
  for (int32_t node = begin, node_end; node < end; node = node_end) {
    node_end = child_end(units, node, end, bit);
    const int32_t node_points = first_point(units, node_end) - first_point(units, node);
    if (run < node && first_point(units, node_end) - first_point(units, run) > level->block_points) {
      add_block(level, units, run, node);
      run = node;
    }
    if (node_points > level->block_points) {
      cut_blocks(level, units, node, node_end, bit - 1);
      run = node_end;
    }
  }
  if (run < end) add_block(level, units, run, end);
}

/* Groups of blocks: those that begin in one cell of 32x32x32 of the first three channels. */
static void make_groups(kmc_level *level) {
  level->n_groups = 0;
  for (int32_t b = 0; b < level->n_blocks;) {
    const uint32_t cell = level->color[level->block[b].begin] & 0xe0e0e0;
    kmc_group *group = &level->group[level->n_groups++];
    group->begin = b;
    group->touched = 0;
    while (b < level->n_blocks && (level->color[level->block[b].begin] & 0xe0e0e0) == cell) b++;
    group->end = b;
    group->box = level->block[group->begin].box;
    for (int32_t i = group->begin + 1; i < group->end; i++) join_box(&group->box, &level->block[i].box);
  }
}

/* Regions of groups: those in one cell of 64x64x64. */
static void make_regions(kmc_level *level) {
  level->n_regions = 0;
  for (int32_t g = 0; g < level->n_groups;) {
    const uint32_t cell = level->color[level->block[level->group[g].begin].begin] & 0xc0c0c0;
    kmc_region *region = &level->region[level->n_regions++];
    region->begin = g;
    region->box = level->group[g].box;
    for (; g < level->n_groups && (level->color[level->block[level->group[g].begin].begin] & 0xc0c0c0) == cell; g++) {
      join_box(&region->box, &level->group[g].box);
    }
    region->end = g;
  }
}

enum { MOST_GROUPS = 512, MOST_REGIONS = 64 };

/* A coarse level; independent of the other one. */
typedef struct {
  kmc_points *points;
  const kmc_color_kernels *kernels;
  int divided[2];
  int32_t n_tasks;
} job;

static void make_coarse(void *context, int32_t l) {
  const job *job = context;
  kmc_level *level = &job->points->level[l];
  choose_points(job->points, level, job->divided[l]);
  job->kernels->find_means(level->moment, level->n, level->color);
  const units units = {level->color, NULL};
  level->n_blocks = 0;
  cut_blocks(level, &units, 0, level->n, 7);
  for (int32_t b = 0; b < level->n_blocks; b++) find_box(level->color, &level->block[b]);
  make_groups(level);
  make_regions(level);
}

void kmc_make_coarse_levels(kmc_points *points, const kmc_color_kernels *kernels, const kmc_parallel *parallel) {
  job job = {.points = points, .kernels = kernels};
  choose_bins(points, job.divided);
  if (parallel->n_tasks == 1) {
    for (int32_t l = 0; l < 2; l++) make_coarse(&job, l);
  } else {
    kmc_run(parallel, make_coarse, &job, 2);
  }
}

static void find_boxes(void *context, int32_t i) {
  const job *job = context;
  const kmc_level *level = &job->points->level[2];
  const int32_t n = level->n_blocks, n_tasks = job->n_tasks;
  const int32_t begin = (int32_t)((int64_t)n * i / n_tasks), end = (int32_t)((int64_t)n * (i + 1) / n_tasks);
  for (int32_t b = begin; b < end; b++) find_box(level->color, &level->block[b]);
}

void kmc_make_blocks_of_colors(kmc_points *points, const kmc_parallel *parallel) {
  kmc_level *level = &points->level[2];
  const units boxes = {level->color, points->boxes.end};
  job job = {.points = points, .n_tasks = parallel->n_tasks};
  level->n_blocks = 0;
  cut_blocks(level, &boxes, 0, points->boxes.n, 7);
  kmc_run(parallel, find_boxes, &job, job.n_tasks);
  make_groups(level);
  make_regions(level);
}

/* On coarse levels, whose points lie far apart, smaller blocks shorten the lists of many candidates: 0.4 megapixels,
 * k=256, 13 % less time for the fit; k=64, 8 % more. */
enum { MANY_CLUSTERS = 128 };

/* Room for a level of at most n points. Blocks: a node with more than 64 points makes at most one block more than it
 * has children with more than 64; there are n / 65 such nodes on each of 8 depths, and what fills blocks by itself. */
static void take_level(kmc_level *level, int32_t n, int32_t k, int exact, kmc_arena *arena) {
  const size_t room = (size_t)n + KMC_PADDING, n_blocks = (size_t)n / 3 + 16;
  const size_t n_groups = n_blocks < MOST_GROUPS ? n_blocks : MOST_GROUPS;
  memset(level, 0, sizeof *level);
  level->n = n;
  level->block_points = !exact && k >= MANY_CLUSTERS ? 64 : KMC_BLOCK_POINTS;
  level->color = kmc_take(arena, room * sizeof *level->color);
  level->label = kmc_take(arena, room * sizeof *level->label);
  if (!exact) level->moment = kmc_take(arena, room * sizeof *level->moment);
  if (!exact) level->first = kmc_take(arena, (room + 1) * sizeof *level->first);
  level->block = kmc_take(arena, n_blocks * sizeof *level->block);
  level->group = kmc_take(arena, n_groups * sizeof *level->group);
  level->region = kmc_take(arena, MOST_REGIONS * sizeof *level->region);
}

void kmc_take_levels(int32_t u, int32_t k, kmc_arena *arena, kmc_points *points) {
  for (int l = 0; l < 2; l++) {
    const int64_t enough = (int64_t)LEVEL_POINTS[l] * (k < LEVEL_CLUSTERS ? LEVEL_CLUSTERS : k);
    const int32_t affordable = u / LEVEL_SHARE[l] < LEAST_POINTS[l] ? LEAST_POINTS[l] : u / LEVEL_SHARE[l];
    points->most[l] = enough < affordable ? (int32_t)enough : affordable;
    take_level(&points->level[l], points->most[l] < u ? points->most[l] : u, k, 0, arena);
  }
  take_level(&points->level[2], u, k, 1, arena);
}
