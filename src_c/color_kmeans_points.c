/* Makes the levels that k-means runs on: colours, boxes of 4x4x4 and cells of 8x8x8 of them, in blocks.
 *
 * Colours come in Z-order, so each box and cell is one run of them, as is every node above, and neighbours in memory
 * are neighbours in colour: two passes over the colours, each cut into ranges that run in parallel. */
#include <string.h>

#include "color_kmeans_level.h"

enum { CELLS = 1 << 15, BOXES = 1 << 18, MOST_GROUPS = 512, MOST_REGIONS = 64 };

void *kmc_take(kmc_arena *arena, size_t bytes) {
  const size_t begin = arena->used;
  arena->used += (bytes + 63) / 64 * 64;
  return arena->base ? arena->base + begin : NULL;
}

enum { CELL_BITS = 0xf8f8f8, BOX_BITS = 0xfcfcfc }; /* colours with the same bits lie in one cell, in one box */

typedef struct {
  const uint8_t *colors;
  const int64_t *counts;
  int32_t u, channels, n_tasks;
  struct part *part; /* (n_tasks) */
  const kmc_color_kernels *kernels;
  kmc_points *points;
} job;

/* A range of colours: the cells that begin in it. */
typedef struct part {
  int32_t n_cells, n_boxes;              /* that begin in it */
  int32_t first_cell, first_box;         /* their numbers */
  int64_t square, box_saves, cell_saves; /* see join_points; integers, so that parts do not matter */
} part;

static int32_t part_of(int32_t n, int32_t i, int32_t n_tasks) { return (int32_t)((int64_t)n * i / n_tasks); }

enum { ONE = 1 << 24 }; /* the fourth byte of a colour, which makes the count in moments */

static inline uint32_t centred(const job *job, int32_t p) {
  const uint8_t *color = job->colors + (size_t)p * (size_t)job->channels;
  if (job->channels == 1) return (color[0] ^ 0x80u) | ONE;
  return ((color[0] | (uint32_t)color[1] << 8 | (uint32_t)color[2] << 16) ^ 0x808080u) | ONE;
}

static inline int begins(const uint32_t *color, int32_t p, uint32_t bits) {
  return p == 0 || ((color[p] ^ color[p - 1]) & bits) != 0;
}

/* The kernel reads and writes beyond what it packs, so it leaves the end of a range to plain C. */
static void pack_colors(const job *job, int32_t begin, int32_t end, uint32_t *packed) {
  enum { BEYOND = 24 };
  const int32_t n = job->channels == 3 && end - begin > BEYOND ? (end - begin - BEYOND) / 16 * 16 : 0;
  job->kernels->pack_colors(job->colors + (size_t)begin * 3, n, packed + begin);
  for (int32_t p = begin + n; p < end; p++) packed[p] = centred(job, p);
}

/* Packs a range of the colours and counts the boxes and cells that begin in it. */
static void pack_part(void *context, int32_t i) {
  const job *job = context;
  const kmc_level *fine = &job->points->level[2];
  const int32_t begin = part_of(job->u, i, job->n_tasks), end = part_of(job->u, i + 1, job->n_tasks);
  int32_t n_cells = begin == 0 && end > 0, n_boxes = n_cells; /* with few colours, early ranges are empty */
  pack_colors(job, begin, end, fine->color);
  for (int32_t p = begin; p < end; p++) fine->count[p] = (uint32_t)job->counts[p];
  if (begin && begin < end) {
    const uint32_t change = fine->color[begin] ^ centred(job, begin - 1);
    n_cells = (change & CELL_BITS) != 0;
    n_boxes = (change & BOX_BITS) != 0;
  }
  for (int32_t p = begin + 1; p < end; p++) {
    const uint32_t change = fine->color[p] ^ fine->color[p - 1];
    n_cells += (change & CELL_BITS) != 0;
    n_boxes += (change & BOX_BITS) != 0;
  }
  job->part[i] = (part){.n_cells = n_cells, .n_boxes = n_boxes};
}

static void number_parts(const job *job) {
  kmc_level *level = job->points->level;
  level[0].n = level[1].n = 0;
  for (int32_t i = 0; i < job->n_tasks; i++) {
    job->part[i].first_cell = level[0].n;
    job->part[i].first_box = level[1].n;
    level[0].n += job->part[i].n_cells;
    level[1].n += job->part[i].n_boxes;
  }
  level[0].child[level[0].n] = level[1].n;
  level[1].child[level[1].n] = job->u;
}

/* The first point from p on that begins a cell. */
static int32_t next_begin(const kmc_level *level, int32_t p, uint32_t bits) {
  while (p < level->n && !begins(level->color, p, bits)) p++;
  return p;
}

/* The moments of the boxes that begin in a range. */
static void fill_boxes(void *context, int32_t i) {
  const job *job = context;
  const kmc_level *boxes = &job->points->level[1], *fine = &job->points->level[2];
  const int32_t begin = next_begin(fine, part_of(job->u, i, job->n_tasks), BOX_BITS);
  const int32_t end = next_begin(fine, part_of(job->u, i + 1, job->n_tasks), BOX_BITS);
  part *part = &job->part[i];
  part->square = job->kernels->sum_squares(fine->color + begin, fine->count + begin, end - begin);
  part->box_saves = job->kernels->join_points(fine, begin, end, BOX_BITS, boxes, part->first_box);
}

/* The moments of the cells that begin in a range. */
static void fill_cells(void *context, int32_t i) {
  const job *job = context;
  const kmc_level *cells = &job->points->level[0], *boxes = &job->points->level[1];
  part *part = &job->part[i];
  const int32_t begin = next_begin(boxes, part->first_box, CELL_BITS);
  const int32_t end = next_begin(boxes, part->first_box + part->n_boxes, CELL_BITS);
  part->cell_saves = job->kernels->join_points(boxes, begin, end, CELL_BITS, cells, part->first_cell);
}

static void add_scatter(const job *job) {
  kmc_points *points = job->points;
  int64_t saves[2] = {0};
  points->square = 0;
  for (int32_t i = 0; i < job->n_tasks; i++) {
    points->square += job->part[i].square;
    saves[0] += job->part[i].cell_saves;
    saves[1] += job->part[i].box_saves;
  }
  for (int l = 0; l < 2; l++) points->level[l].scatter = (double)(points->square - saves[l]);
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

/* Points that stay together when blocks are cut: in Morton order, unit i has the points [first[i], first[i + 1]). */
typedef struct {
  const uint32_t *color;
  const int32_t *first; /* NULL: unit i is point i */
} units;

static inline int32_t first_point(const units *units, int32_t unit) { return units->first ? units->first[unit] : unit; }

static void add_block(kmc_level *level, const units *units, int32_t begin, int32_t end) {
  kmc_block *block = &level->block[level->n_blocks++];
  block->begin = first_point(units, begin);
  block->end = first_point(units, end);
  block->uniform = -1;
}

/* Cuts units [begin, end), one Morton node, into blocks: the whole node if it fits, else runs of children that fit. A
 * unit always fits: a cell has 8 boxes, a box 64 colours. */
static void cut_blocks(kmc_level *level, const units *units, int32_t begin, int32_t end, int bit) {
  int32_t run = begin, node = begin;
  const uint32_t mask = 0x010101u << bit;
  while (node < end) {
    int32_t node_end = node + 1;
    while (node_end < end && !((units->color[node_end] ^ units->color[node]) & mask)) node_end++;
    const int32_t node_points = first_point(units, node_end) - first_point(units, node);
    if (run < node && first_point(units, node_end) - first_point(units, run) > KMC_BLOCK_POINTS) {
      add_block(level, units, run, node);
      run = node;
    }
    if (node_points > KMC_BLOCK_POINTS) {
      cut_blocks(level, units, node, node_end, bit - 1);
      run = node_end;
    }
    node = node_end;
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

static void find_boxes(void *context, int32_t i) {
  const job *job = context;
  const kmc_level *level = &job->points->level[2];
  const int32_t end = part_of(level->n_blocks, i + 1, job->n_tasks);
  for (int32_t b = part_of(level->n_blocks, i, job->n_tasks); b < end; b++) find_box(level->color, &level->block[b]);
}

static void make_blocks(const job *job, const kmc_parallel *parallel) {
  kmc_level *level = job->points->level;
  const units unit[3] = {{level[0].color, NULL}, {level[0].color, level[0].child}, {level[1].color, level[1].child}};
  const int32_t n_units[3] = {level[0].n, level[0].n, level[1].n};
  for (int l = 0; l < 3; l++) cut_blocks(&level[l], &unit[l], 0, n_units[l], 7);
  for (int l = 0; l < 2; l++) {
    for (int32_t b = 0; b < level[l].n_blocks; b++) find_box(level[l].color, &level[l].block[b]);
  }
  parallel->run(parallel->threads, find_boxes, (void *)job, job->n_tasks);
  for (int l = 0; l < 3; l++) {
    make_groups(&level[l]);
    make_regions(&level[l]);
  }
}

/* Room for a level of at most n points. Blocks: a node with more than 64 points makes at most one block more than it
 * has children with more than 64; there are n / 65 such nodes on each of 8 depths, and what fills blocks by itself. */
static void take_level(kmc_level *level, int32_t n, int exact, kmc_arena *arena) {
  const size_t room = (size_t)n + KMC_PADDING, n_blocks = (size_t)n / 3 + 16;
  const size_t n_groups = n_blocks < MOST_GROUPS ? n_blocks : MOST_GROUPS;
  memset(level, 0, sizeof *level);
  level->n = n;
  level->color = kmc_take(arena, room * sizeof *level->color);
  level->label = kmc_take(arena, room * sizeof *level->label);
  if (exact) level->count = kmc_take(arena, room * sizeof *level->count);
  if (!exact) level->moment = kmc_take(arena, room * sizeof *level->moment);
  if (!exact) level->child = kmc_take(arena, (room + 1) * sizeof *level->child);
  level->block = kmc_take(arena, n_blocks * sizeof *level->block);
  level->group = kmc_take(arena, n_groups * sizeof *level->group);
  level->region = kmc_take(arena, MOST_REGIONS * sizeof *level->region);
}

void kmc_take_points(int32_t u, kmc_arena *arena, kmc_points *points) {
  take_level(&points->level[0], u < CELLS ? u : CELLS, 0, arena);
  take_level(&points->level[1], u < BOXES ? u : BOXES, 0, arena);
  take_level(&points->level[2], u, 1, arena);
}

void kmc_make_points(const uint8_t *colors, const int64_t *counts, int32_t u, int32_t channels,
                     const kmc_color_kernels *kernels, const kmc_parallel *parallel, kmc_arena *arena,
                     kmc_points *points) {
  job job = {.colors = colors, .counts = counts, .u = u, .channels = channels, .n_tasks = parallel->n_tasks};
  job.kernels = kernels;
  job.points = points;
  job.part = kmc_take(arena, (size_t)job.n_tasks * sizeof *job.part);
  parallel->run(parallel->threads, pack_part, &job, job.n_tasks);
  number_parts(&job);
  parallel->run(parallel->threads, fill_boxes, &job, job.n_tasks);
  parallel->run(parallel->threads, fill_cells, &job, job.n_tasks);
  add_scatter(&job);
  make_blocks(&job, parallel);
}
