/* Cuts the points of a level into blocks of neighbours, and joins blocks to groups and regions.
 *
 * Each part of the points has blocks and groups of its own; a group that the end of a part divides is two. */
#include <string.h>

#include "color_kmeans/color_kmeans_level.h"

/* What is cut stays together in units: the cubes of a part of the colours, or points. */
typedef struct {
  const uint32_t *color;
  const kmc_part *part; /* NULL: units are points */
  kmc_block *block;
  int32_t n_blocks, block_points;
} cutting;

static void add_block(cutting *cutting, int32_t begin, int32_t end) {
  kmc_block *block = &cutting->block[cutting->n_blocks++];
  block->begin = begin;
  block->end = end;
  block->uniform = -1;
}

/* Where a cell or a box of the part ends. */
static inline int32_t node_end(const kmc_part *part, const kmc_nodes *nodes, int32_t i) {
  return part->boxes.end[nodes == &part->boxes ? i : nodes->end[i] - 1];
}

/* Cuts the nodes [begin, end) of a cube or a cell into runs that fit. A box always fits: it has 64 colours. */
static void cut_nodes(cutting *cutting, const kmc_nodes *nodes, int32_t begin, int32_t end) {
  const kmc_part *part = cutting->part;
  int32_t run = node_end(part, nodes, begin - 1), first = run;
  for (int32_t i = begin, last; i < end; i++, first = last) {
    last = node_end(part, nodes, i);
    if (run < first && last - run > cutting->block_points) {
      add_block(cutting, run, first);
      run = first;
    }
    if (last - first > cutting->block_points) {
      cut_nodes(cutting, &part->boxes, part->cells.end[i - 1], part->cells.end[i]);
      run = last;
    }
  }
  if (run < first) add_block(cutting, run, first);
}

static inline int32_t first_point(const cutting *cutting, int32_t unit) {
  const kmc_part *part = cutting->part;
  return part ? part->boxes.end[part->cells.end[part->cubes.end[unit - 1] - 1] - 1] : unit;
}

/* Which eighth of a node of side 2 << bit holds the unit. */
static inline unsigned child_of(const cutting *cutting, int32_t unit, int bit) {
  const uint32_t bits = (cutting->color[first_point(cutting, unit)] ^ 0x808080u) >> bit;
  return (bits & 1) << 2 | (bits >> 8 & 1) << 1 | (bits >> 16 & 1);
}

/* Where the child ends in which unit `begin` lies. */
static int32_t child_end(const cutting *cutting, int32_t begin, int32_t end, int bit) {
  const unsigned child = child_of(cutting, begin, bit);
  int32_t low = begin + 1, high = end;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (child_of(cutting, middle, bit) > child)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* Cuts units [begin, end), one node of side 2 << bit, into blocks: the whole node if it fits, else runs of children
 * that fit. */
static void cut_units(cutting *cutting, int32_t begin, int32_t end, int bit) {
  enum { CUBE_BIT = 4 };
  int32_t run = begin, run_point = first_point(cutting, begin), point = run_point;
  if (first_point(cutting, end) - point <= cutting->block_points) {
    if (begin < end) add_block(cutting, point, first_point(cutting, end));
    return;
  }
  for (int32_t node = begin, next, next_point; node < end; node = next, point = next_point) {
    next = child_end(cutting, node, end, bit);
    next_point = first_point(cutting, next);
    if (run < node && next_point - run_point > cutting->block_points) {
      add_block(cutting, run_point, point);
      run = node;
      run_point = point;
    }
    if (next_point - point <= cutting->block_points) continue;
    if (cutting->part && bit == CUBE_BIT)
      cut_nodes(cutting, &cutting->part->cells, cutting->part->cubes.end[node - 1], cutting->part->cubes.end[node]);
    else
      cut_units(cutting, node, next, bit - 1);
    run = next;
    run_point = next_point;
  }
  if (run < end) add_block(cutting, run_point, point);
}

static void join_box(kmc_box *box, const kmc_box *other) {
  for (int t = 0; t < KMC_CHANNELS; t++) {
    box->low2[t] = other->low2[t] < box->low2[t] ? other->low2[t] : box->low2[t];
    box->high2[t] = other->high2[t] > box->high2[t] ? other->high2[t] : box->high2[t];
  }
}

static inline uint32_t cell_of(const kmc_level *level, int32_t block, uint32_t bits) {
  return level->color[level->block[block].begin] & bits;
}

/* Groups of blocks [begin, end): those that begin in one cell of 32x32x32 of the first three channels. */
static int32_t make_groups(const kmc_level *level, int32_t begin, int32_t end, kmc_group *groups) {
  enum { GROUP_BITS = 0xe0e0e0 };
  int32_t n = 0;
  for (int32_t b = begin; b < end;) {
    const uint32_t cell = cell_of(level, b, GROUP_BITS);
    kmc_group *group = &groups[n++];
    *group = (kmc_group){.begin = b, .box = level->block[b].box};
    while (++b < end && cell_of(level, b, GROUP_BITS) == cell) join_box(&group->box, &level->block[b].box);
    group->end = b;
  }
  return n;
}

/* Regions of groups: those in one cell of 64x64x64. */
static void make_regions(kmc_level *level) {
  enum { REGION_BITS = 0xc0c0c0 };
  level->n_regions = 0;
  for (int32_t g = 0; g < level->n_groups;) {
    const uint32_t cell = cell_of(level, level->group[g].begin, REGION_BITS);
    kmc_region *region = &level->region[level->n_regions++];
    region->begin = g;
    region->box = level->group[g].box;
    while (++g < level->n_groups && cell_of(level, level->group[g].begin, REGION_BITS) == cell)
      join_box(&region->box, &level->group[g].box);
    region->end = g;
  }
}

enum { MOST_GROUPS = 512, MOST_REGIONS = 64, SPARE_BLOCKS = 16 };

/* Room for n points. A node with more than 64 points makes at most one block more than it has children with more than
 * 64; there are n / 65 such nodes on each of 8 depths, and what fills blocks by itself. */
void kmc_take_blocks(kmc_level *level, int32_t n, int32_t n_parts, kmc_arena *arena) {
  const size_t parts = (size_t)n_parts;
  level->block = kmc_take(arena, ((size_t)n / 3 + SPARE_BLOCKS * parts) * sizeof *level->block);
  level->group = kmc_take(arena, MOST_GROUPS * parts * sizeof *level->group);
  level->region = kmc_take(arena, (MOST_REGIONS + parts) * sizeof *level->region);
}

void kmc_cut_blocks(kmc_points *points, int l, int32_t i, int32_t begin, int32_t end,
                    const kmc_color_kernels *kernels) {
  kmc_level *level = &points->level[l];
  kmc_part *part = &points->part[i];
  const int32_t first = begin / 3 + SPARE_BLOCKS * i;
  cutting cutting = {.color = level->color, .block = level->block + first, .block_points = level->block_points};
  if (l == 2) cutting.part = part;
  cut_units(&cutting, l == 2 ? 0 : begin, l == 2 ? part->cubes.n : end, 7);
  kernels->find_boxes(level->color, cutting.block, cutting.n_blocks);
  part->n_groups[l] = make_groups(level, first, first + cutting.n_blocks, level->group + MOST_GROUPS * i);
}

void kmc_join_groups(kmc_points *points, int l) {
  kmc_level *level = &points->level[l];
  level->n_groups = 0;
  for (int32_t i = 0; i < points->n_parts; i++) {
    const int32_t n = points->part[i].n_groups[l];
    memmove(level->group + level->n_groups, level->group + MOST_GROUPS * i, (size_t)n * sizeof *level->group);
    level->n_groups += n;
  }
  make_regions(level);
}
