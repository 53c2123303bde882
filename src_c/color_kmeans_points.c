/* Orders the colours of a picture by cell and makes the levels that k-means runs on.
 *
 * Cells of 8x8x8 and of 4x4x4 lie in Morton order (bits of the first three channels interleaved), so that neighbours in
 * memory are neighbours in colour, and a fourth channel only makes cells longer. */
#include <string.h>

#include "color_kmeans_level.h"

enum { CELLS = 1 << 15, OCTANTS = 8, MOST_GROUPS = 512 };

void *kmc_take(kmc_arena *arena, size_t bytes) {
  const size_t begin = arena->used;
  arena->used += (bytes + 63) / 64 * 64;
  return arena->base ? arena->base + begin : NULL;
}

static const uint16_t spread_bits[32] = {0x0000, 0x0001, 0x0008, 0x0009, 0x0040, 0x0041, 0x0048, 0x0049,
                                         0x0200, 0x0201, 0x0208, 0x0209, 0x0240, 0x0241, 0x0248, 0x0249,
                                         0x1000, 0x1001, 0x1008, 0x1009, 0x1040, 0x1041, 0x1048, 0x1049,
                                         0x1200, 0x1201, 0x1208, 0x1209, 0x1240, 0x1241, 0x1248, 0x1249};

/* Morton code of a centred colour's cell; the flip of the top bit keeps neighbours neighbours. */
static inline int32_t cell_of(uint32_t color) {
  return spread_bits[color >> 3 & 31] << 2 | spread_bits[color >> 11 & 31] << 1 | spread_bits[color >> 19 & 31];
}

/* Bits 2, 10 and 18 of the colour as bits 2, 1 and 0: the product brings them together at bits 18 to 20. */
static inline int32_t octant_of(uint32_t color) {
  return (int32_t)((color & 0x040404) * (1u | 1u << 9 | 1u << 18) >> 18 & 7);
}

static inline uint32_t centred(const uint8_t *color, int32_t channels) {
  uint32_t packed = 0;
  for (int32_t t = 0; t < channels; t++) packed |= (uint32_t)(color[t] ^ 0x80) << 8 * t;
  return packed;
}

typedef struct {
  const uint8_t *colors;
  const int64_t *counts;
  int32_t u, channels, n_tasks;
  int32_t *cell_begin, *cell_end;  /* (CELLS) range in the input, by Morton code */
  int32_t *cell_code, *cell_first; /* (n_cells) occupied cells; their first colour in the output */
  int32_t n_cells;
  int32_t *part_octants;      /* (n_tasks) 4x4x4 cells that each part made */
  int64_t (*part_scatter)[2]; /* (n_tasks) of cells and of 4x4x4 cells: integers, so that parts do not matter */
  uint32_t *packed;           /* (u) the colours, centred, in the order of the input */
  const kmc_color_kernels *kernels;
  kmc_points *points;
} job;

static int32_t part(int32_t n, int32_t i, int32_t n_tasks) { return (int32_t)((int64_t)n * i / n_tasks); }

static void pack_colors(const uint8_t *colors, int32_t channels, int32_t begin, int32_t end, uint32_t *packed) {
  if (channels == 3) { /* a loop of its own: three of four pictures */
    for (int32_t p = begin; p < end; p++) packed[p] = centred(colors + (size_t)p * 3, 3);
  } else {
    for (int32_t p = begin; p < end; p++) packed[p] = centred(colors + (size_t)p * channels, channels);
  }
}

/* Packs a part of the input and finds where the colours of each cell begin and end in it. */
static void find_cells(void *context, int32_t i) {
  enum { CELL_BITS = 0xf8f8f8 };
  const job *job = context;
  const int32_t begin = part(job->u, i, job->n_tasks), end = part(job->u, i + 1, job->n_tasks);
  uint32_t *packed = job->packed;
  pack_colors(job->colors, job->channels, begin, end, packed);
  if (begin == end) return;
  uint32_t before = ~0u; /* no cell */
  if (begin) before = centred(job->colors + (size_t)(begin - 1) * job->channels, job->channels) & CELL_BITS;
  for (int32_t p = begin; p < end; p++) {
    const uint32_t cell = packed[p] & CELL_BITS;
    if (cell == before) continue;
    if (p) job->cell_end[cell_of(before)] = p;
    job->cell_begin[cell_of(cell)] = p;
    before = cell;
  }
  if (end == job->u) job->cell_end[cell_of(before)] = end;
}

static void order_cells(job *job) {
  int32_t first = 0;
  for (int32_t code = 0; code < CELLS; code++) {
    if (job->cell_begin[code] < 0) continue;
    job->cell_code[job->n_cells] = code;
    job->cell_first[job->n_cells++] = first;
    first += job->cell_end[code] - job->cell_begin[code];
  }
  job->cell_first[job->n_cells] = first;
}

/* Orders the colours of one cell by octant; OUT end (OCTANTS): where each octant's colours end. */
static void scatter_cell(const job *job, int32_t in_begin, int32_t in_end, int32_t out, int32_t *end) {
  const uint32_t *packed = job->packed;
  const kmc_level *fine = &job->points->level[2];
  int32_t *position = job->points->position;
  int32_t next[OCTANTS] = {0};
  for (int32_t p = in_begin; p < in_end; p++) next[octant_of(packed[p])]++;
  for (int32_t o = 0; o < OCTANTS; o++) {
    const int32_t size = next[o];
    next[o] = out;
    out += size;
  }
  for (int32_t p = in_begin; p < in_end; p++) {
    const int32_t to = next[octant_of(packed[p])]++;
    fine->color[to] = packed[p];
    fine->count[to] = (uint32_t)job->counts[p];
    position[to] = p;
  }
  memcpy(end, next, sizeof next);
}

static uint32_t mean_color(const kmc_moment *moment) {
  uint32_t color = 0;
  const double scale = 1 / (double)moment->count;
  for (int t = 0; t < KMC_CHANNELS; t++) {
    const int32_t mean = (int32_t)((double)moment->sum[t] * scale + 128.5) - 128; /* the same on every machine */
    color |= (uint32_t)(mean & 0xff) << 8 * t;
  }
  return color;
}

static int64_t scatter_of(const kmc_moment *moment, int64_t square) {
  double sum2 = 0;
  for (int t = 0; t < KMC_CHANNELS; t++) sum2 += (double)moment->sum[t] * (double)moment->sum[t];
  return square - (int64_t)(sum2 / (double)moment->count);
}

/* Makes the cells of one part. 4x4x4 cells go to 8 times the first cell's number on; close_gaps moves them together. */
static void fill_cells(void *context, int32_t i) {
  const job *job = context;
  kmc_level *coarse = &job->points->level[0], *middle = &job->points->level[1], *fine = &job->points->level[2];
  const int32_t begin = part(job->n_cells, i, job->n_tasks), end = part(job->n_cells, i + 1, job->n_tasks);
  int32_t octant = begin * OCTANTS;
  int64_t scatter[2] = {0};
  for (int32_t c = begin; c < end; c++) {
    const int32_t code = job->cell_code[c];
    int32_t octant_end[OCTANTS];
    scatter_cell(job, job->cell_begin[code], job->cell_end[code], job->cell_first[c], octant_end);
    kmc_moment cell = {0};
    coarse->child[c] = octant - begin * OCTANTS; /* within the part */
    coarse->square[c] = 0;
    for (int32_t o = 0, p = job->cell_first[c]; o < OCTANTS; o++) {
      if (p == octant_end[o]) continue;
      kmc_moment *moment = &middle->moment[octant];
      middle->child[octant] = p;
      middle->square[octant] = job->kernels->sum_points(fine->color + p, fine->count + p, octant_end[o] - p, moment);
      middle->color[octant] = mean_color(moment);
      kmc_add_moment(&cell, moment, 1);
      scatter[1] += scatter_of(moment, middle->square[octant]);
      coarse->square[c] += middle->square[octant++];
      p = octant_end[o];
    }
    scatter[0] += scatter_of(&cell, coarse->square[c]);
    coarse->moment[c] = cell;
    coarse->color[c] = mean_color(&cell);
  }
  memcpy(job->part_scatter[i], scatter, sizeof scatter);
  job->part_octants[i] = octant - begin * OCTANTS;
}

static void close_gaps(const job *job) {
  kmc_level *coarse = &job->points->level[0], *middle = &job->points->level[1];
  int32_t to = 0;
  for (int32_t i = 0; i < job->n_tasks; i++) {
    const int32_t begin = part(job->n_cells, i, job->n_tasks), end = part(job->n_cells, i + 1, job->n_tasks);
    const int32_t from = begin * OCTANTS;
    const size_t n = (size_t)job->part_octants[i];
    memmove(middle->child + to, middle->child + from, n * sizeof *middle->child);
    memmove(middle->color + to, middle->color + from, n * sizeof *middle->color);
    memmove(middle->square + to, middle->square + from, n * sizeof *middle->square);
    memmove(middle->moment + to, middle->moment + from, n * sizeof *middle->moment);
    for (int32_t c = begin; c < end; c++) coarse->child[c] += to;
    to += job->part_octants[i];
    coarse->scatter += (double)job->part_scatter[i][0];
    middle->scatter += (double)job->part_scatter[i][1];
  }
  middle->n = to;
  middle->child[to] = job->u;
  coarse->n = job->n_cells;
  coarse->child[coarse->n] = to;
}

/* The tight box of the points [begin, end): bytes in 16 columns, so that the compiler sees vectors. */
static void find_box(const uint32_t *color, kmc_block *block) {
  enum { LANES = 16 * KMC_CHANNELS };
  uint8_t low[LANES], high[LANES];
  memset(low, 255, sizeof low);
  memset(high, 0, sizeof high);
  for (int32_t p = block->begin; p < block->end; p += 16) {
    uint32_t columns[16];
    for (int c = 0; c < 16; c++) columns[c] = color[p + c < block->end ? p + c : block->begin] ^ 0x80808080u;
    const uint8_t *bytes = (const uint8_t *)columns;
    for (int c = 0; c < LANES; c++) low[c] = bytes[c] < low[c] ? bytes[c] : low[c];
    for (int c = 0; c < LANES; c++) high[c] = bytes[c] > high[c] ? bytes[c] : high[c];
  }
  for (int t = 0; t < KMC_CHANNELS; t++) {
    for (int c = t; c < LANES; c += KMC_CHANNELS) {
      low[t] = low[c] < low[t] ? low[c] : low[t];
      high[t] = high[c] > high[t] ? high[c] : high[t];
    }
    block->middle[t] = 0.5f * (float)(low[t] + high[t]) - 128;
    block->half[t] = 0.5f * (float)(high[t] - low[t]);
  }
}

static void join_boxes(const kmc_block *block, int32_t n, float *middle, float *half) {
  for (int t = 0; t < KMC_CHANNELS; t++) {
    float low = 128, high = -128;
    for (int32_t b = 0; b < n; b++) {
      const float block_low = block[b].middle[t] - block[b].half[t], block_high = block[b].middle[t] + block[b].half[t];
      low = block_low < low ? block_low : low;
      high = block_high > high ? block_high : high;
    }
    middle[t] = 0.5f * (low + high);
    half[t] = 0.5f * (high - low);
  }
}

/* Points that stay together when blocks are cut: in Morton order, unit i has the points [first[i], first[i + 1]). */
typedef struct {
  const uint32_t *color;
  const int32_t *first; /* NULL: unit i is point i */
} units;

static inline int32_t first_point(const units *units, int32_t unit) { return units->first ? units->first[unit] : unit; }

static void add_blocks(kmc_level *level, int32_t begin, int32_t end) {
  for (int32_t p = begin; p < end; p += KMC_BLOCK_POINTS) {
    kmc_block *block = &level->block[level->n_blocks++];
    block->begin = p;
    block->end = p + KMC_BLOCK_POINTS < end ? p + KMC_BLOCK_POINTS : end;
    block->uniform = -1;
    block->n_candidates = block->lost = 0;
  }
}

/* Cuts units [begin, end), one Morton node, into blocks: the whole node if it fits, else runs of children that fit. */
static void cut_blocks(kmc_level *level, const units *units, int32_t begin, int32_t end, int bit) {
  int32_t run = begin, node = begin;
  const uint32_t mask = bit < 0 ? 0 : 0x010101u << bit;
  while (node < end) {
    int32_t node_end = node + 1;
    while (mask && node_end < end && !((units->color[node_end] ^ units->color[node]) & mask)) node_end++;
    const int32_t node_points = first_point(units, node_end) - first_point(units, node);
    if (run < node && first_point(units, node_end) - first_point(units, run) > KMC_BLOCK_POINTS) {
      add_blocks(level, first_point(units, run), first_point(units, node));
      run = node;
    }
    if (node_points > KMC_BLOCK_POINTS) {
      if (node_end - node > 1)
        cut_blocks(level, units, node, node_end, bit - 1);
      else
        add_blocks(level, first_point(units, node), first_point(units, node_end));
      run = node_end;
    }
    node = node_end;
  }
  if (run < end) add_blocks(level, first_point(units, run), first_point(units, end));
}

/* Groups of blocks: those that begin in one cell of 32x32x32 of the first three channels. */
static void make_groups(kmc_level *level) {
  level->n_groups = 0;
  for (int32_t b = 0; b < level->n_blocks;) {
    const uint32_t cell = level->color[level->block[b].begin] & 0xe0e0e0;
    kmc_group *group = &level->group[level->n_groups++];
    group->begin = b;
    group->lost = 1;
    while (b < level->n_blocks && (level->color[level->block[b].begin] & 0xe0e0e0) == cell) b++;
    group->end = b;
    join_boxes(level->block + group->begin, group->end - group->begin, group->middle, group->half);
  }
}

static void find_boxes(void *context, int32_t i) {
  const job *job = context;
  const kmc_level *level = &job->points->level[2];
  const int32_t end = part(level->n_blocks, i + 1, job->n_tasks);
  for (int32_t b = part(level->n_blocks, i, job->n_tasks); b < end; b++) find_box(level->color, &level->block[b]);
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
  for (int l = 0; l < 3; l++) make_groups(&level[l]);
}

/* Room for a level of at most n points. Blocks: a node with more than 64 points makes at most one block more than it
 * has children with more than 64; there are n / 65 such nodes on each of 8 depths, and what fills blocks by itself. */
static void take_level(kmc_level *level, int32_t n, int32_t list_stride, int exact, kmc_arena *arena) {
  const size_t room = (size_t)n + KMC_PADDING, n_blocks = (size_t)n / 3 + 16;
  const size_t n_groups = n_blocks < MOST_GROUPS ? n_blocks : MOST_GROUPS;
  memset(level, 0, sizeof *level);
  level->n = n;
  level->list_stride = list_stride;
  level->color = kmc_take(arena, room * sizeof *level->color);
  level->label = kmc_take(arena, room * sizeof *level->label);
  if (exact) level->count = kmc_take(arena, room * sizeof *level->count);
  if (!exact) level->moment = kmc_take(arena, room * sizeof *level->moment);
  if (!exact) level->square = kmc_take(arena, room * sizeof *level->square);
  if (!exact) level->child = kmc_take(arena, (room + 1) * sizeof *level->child);
  level->block = kmc_take(arena, n_blocks * sizeof *level->block);
  level->group = kmc_take(arena, n_groups * sizeof *level->group);
  level->group_candidate = kmc_take(arena, n_groups * (size_t)list_stride * sizeof *level->candidate);
  level->candidate = kmc_take(arena, n_blocks * (size_t)list_stride * sizeof *level->candidate);
}

void kmc_take_points(int32_t u, int32_t list_stride, kmc_arena *arena, kmc_points *points) {
  const int32_t n_cells = u < CELLS ? u : CELLS;
  /* Parts write from 8 times their first cell on, so cells with fewer octants leave gaps. */
  const int32_t n_octants = n_cells * OCTANTS;
  take_level(&points->level[0], n_cells, list_stride, 0, arena);
  take_level(&points->level[1], n_octants, list_stride, 0, arena);
  take_level(&points->level[2], u, list_stride, 1, arena);
  points->position = kmc_take(arena, (size_t)u * sizeof *points->position);
}

void kmc_make_points(const uint8_t *colors, const int64_t *counts, int32_t u, int32_t channels,
                     const kmc_color_kernels *kernels, const kmc_parallel *parallel, kmc_arena *arena,
                     kmc_points *points) {
  job job = {.colors = colors, .counts = counts, .u = u, .channels = channels, .n_tasks = parallel->n_tasks};
  job.kernels = kernels;
  job.points = points;
  job.cell_begin = kmc_take(arena, (4 * CELLS + 1) * sizeof(int32_t));
  job.cell_end = job.cell_begin + CELLS;
  job.cell_code = job.cell_end + CELLS;
  job.cell_first = job.cell_code + CELLS;
  job.packed = kmc_take(arena, (size_t)u * sizeof(uint32_t));
  job.part_octants = kmc_take(arena, (size_t)job.n_tasks * sizeof(int32_t));
  job.part_scatter = kmc_take(arena, (size_t)job.n_tasks * sizeof *job.part_scatter);
  memset(job.cell_begin, -1, CELLS * sizeof(int32_t));
  parallel->run(parallel->threads, find_cells, &job, job.n_tasks);
  order_cells(&job);
  parallel->run(parallel->threads, fill_cells, &job, job.n_tasks);
  close_gaps(&job);
  make_blocks(&job, parallel);
}
