/* Makes the points that k-means runs on: the colours of a picture, and boxes, cells and cubes of them with their sums.
 *
 * Colours come in Z-order, so each box is one run of them, each cell one of boxes and each cube one of cells, and
 * neighbours in memory are neighbours in colour. Parts of the colours begin where a cube begins and run in parallel:
 * each has nodes and blocks of its own, at places where no other part's can be, and nothing is moved afterwards. */
#include <string.h>

#include "histogram/color_keys.h"
#include "color_kmeans/color_kmeans_level.h"

void *kmc_take(kmc_arena *arena, size_t bytes) {
  const size_t begin = arena->used;
  arena->used += (bytes + 63) / 64 * 64;
  return arena->base ? arena->base + begin : NULL;
}

/* Colours with the same bits lie in one cube, in one cell, in one box. */
enum { CUBE_BITS = 0xf0f0f0, CELL_BITS = 0xf8f8f8, BOX_BITS = 0xfcfcfc };
enum { CELLS = 1 << 15, BOXES = 1 << 18 };

typedef struct {
  const uint8_t *colors;
  int32_t u, channels, with_blocks;
  const kmc_color_kernels *kernels;
  kmc_points *points;
} job;

enum { ONE = 1 << 24 }; /* the fourth byte of a colour, which makes the count in moments */

static inline uint32_t centred(const job *job, int32_t p) {
  const uint8_t *color = job->colors + (size_t)p * (size_t)job->channels;
  if (job->channels == 1) return (color[0] ^ 0x80u) | ONE;
  return ((color[0] | (uint32_t)color[1] << 8 | (uint32_t)color[2] << 16) ^ 0x808080u) | ONE;
}

/* The first colour of a part: where the next cube begins. */
static int32_t part_begin(const job *job, int32_t i) {
  int32_t p = (int32_t)((int64_t)job->u * i / job->points->n_parts);
  while (p > 0 && p < job->u && ((centred(job, p) ^ centred(job, p - 1)) & CUBE_BITS) == 0) p++;
  return p;
}

/* The kernel reads and writes beyond what it packs, so it leaves the end of a range to plain C. */
static void pack_colors(const job *job, int32_t begin, int32_t end, uint32_t *packed) {
  enum { BEYOND = 24 };
  const int32_t n = job->channels == 3 && end - begin > BEYOND ? (end - begin - BEYOND) / 16 * 16 : 0;
  job->kernels->pack_colors(job->colors + (size_t)begin * 3, n, packed + begin);
  for (int32_t p = begin + n; p < end; p++) packed[p] = centred(job, p);
}

/* Joins runs of a part's finer nodes that agree in `bits`; NULL for `boxes`: the finer nodes are boxes themselves. */
static void join_nodes(const uint32_t *color, const kmc_nodes *finer, const kmc_nodes *boxes, uint32_t bits,
                       kmc_nodes *nodes) {
  int32_t n = -1;
  uint32_t before = ~0u;
  for (int32_t i = 0; i < finer->n; i++) {
    const int32_t last = boxes ? boxes->end[finer->end[i] - 1] : finer->end[i];
    const uint32_t code = color[last - 1] & bits;
    n += code != before;
    before = code;
    nodes->end[n] = i + 1;
  }
  nodes->n = n + 1;
}

static int32_t least_of(int32_t a, int32_t b) { return a < b ? a : b; }

/* How many boxes of 4x4x4 can precede the part's first: no more than there are colours, or boxes in Z-order. */
static int32_t most_boxes_before(const job *job, int32_t begin) {
  const uint32_t color = centred(job, begin) ^ 0x808080u;
  const uint8_t rgb[] = {(uint8_t)color, (uint8_t)(color >> 8), (uint8_t)(color >> 16)};
  return (int32_t)(kmc_key_of_rgb(rgb) / KMC_BOX_COLORS);
}

/* Where a part's nodes begin if `before` precede it: each part has one more, [-1], for what precedes its first. */
static kmc_nodes place_nodes(const kmc_nodes *all, int32_t before, int32_t i, int32_t begin) {
  const kmc_nodes nodes = {.end = all->end + before + i + 1};
  nodes.end[-1] = begin;
  return nodes;
}

static void place_part(const job *job, int32_t i, kmc_part *part) {
  const kmc_points *points = job->points;
  part->begin = part_begin(job, i);
  part->end = part_begin(job, i + 1);
  const int32_t before = part->begin < job->u ? most_boxes_before(job, part->begin) : BOXES;
  const int32_t first_box = least_of(part->begin, before);
  part->boxes = place_nodes(&points->boxes, first_box, i, part->begin);
  part->cells = place_nodes(&points->cells, least_of(part->begin, before / 8), i, 0);
  part->cubes = place_nodes(&points->cubes, least_of(part->begin, before / 64), i, 0);
  part->through = points->through + first_box + i + 1;
  part->sum = part->through[-1] = (kmc_moment){{0}, 0};
  part->square = part->any = 0;
}

/* Packs a range of the colours, sums and joins them, in pieces that stay in the cache. */
static void make_part(void *context, int32_t i) {
  enum { PIECE = 2048 };
  const job *job = context;
  const kmc_level *colors = &job->points->level[2];
  kmc_part part;
  place_part(job, i, &part);
  for (int32_t p = part.begin; p < part.end; p += PIECE) {
    const int32_t end = part.end - p < PIECE ? part.end : p + PIECE;
    pack_colors(job, p, end, colors->color);
    const uint32_t last = p == part.begin ? ~colors->color[p] : colors->color[p - 1];
    part.boxes.n += job->kernels->join_colors(colors, p, end, BOX_BITS, last, &part.sum, part.boxes.end + part.boxes.n,
                                              part.through + part.boxes.n);
    part.square += job->kernels->measure(colors->color + p, colors->count + p, end - p, &part.any);
  }
  join_nodes(colors->color, &part.boxes, NULL, CELL_BITS, &part.cells);
  join_nodes(colors->color, &part.cells, &part.boxes, CUBE_BITS, &part.cubes);
  job->points->part[i] = part;
  if (part.any >> 31) return; /* out of bounds */
  kmc_count_divisions(&job->points->part[i]);
  if (job->with_blocks) kmc_cut_blocks(job->points, 2, i, part.begin, part.end, job->kernels);
}

/* Room before the first node of each part for what precedes it. */
static kmc_nodes take_nodes(int32_t u, int32_t most, int32_t n_parts, kmc_arena *arena) {
  return (kmc_nodes){.end = kmc_take(arena, (size_t)(least_of(u, most) + n_parts) * sizeof(int32_t))};
}

/* With fewer colours a second thread costs more than it saves. */
enum { PARALLEL_COLORS = 16384 };

void kmc_take_points(int32_t u, const kmc_color_kmeans_options *options, kmc_arena *arena, kmc_points *points) {
  points->n_parts = u < PARALLEL_COLORS ? 1 : kmc_parts_for(options->n_tasks);
  points->part = kmc_take(arena, (size_t)points->n_parts * sizeof *points->part);
  points->cubes = take_nodes(u, MOST_CUBES, points->n_parts, arena);
  points->cells = take_nodes(u, CELLS, points->n_parts, arena);
  points->boxes = take_nodes(u, BOXES, points->n_parts, arena);
  points->through = kmc_take(arena, (size_t)(least_of(u, BOXES) + points->n_parts) * sizeof *points->through);
  kmc_take_levels(u, options, arena, points);
}

int kmc_make_points(const uint8_t *colors, const int64_t *counts, int32_t u, int32_t channels, int with_blocks,
                    const kmc_color_kernels *kernels, kmc_team *team, kmc_points *points) {
  job job = {.colors = colors, .u = u, .channels = channels, .with_blocks = with_blocks};
  job.kernels = kernels;
  job.points = points;
  points->level[2].count = counts;
  kmc_share(team, make_part, &job, points->n_parts);
  uint64_t square = 0, any = 0;
  int64_t pixels = 0;
  for (int32_t i = 0; i < points->n_parts; i++) {
    square += points->part[i].square;
    any |= points->part[i].any;
    pixels += points->part[i].sum.count;
  }
  points->square = (int64_t)square;
  if (any >> 31 || pixels >> 38) return 0;
  if (with_blocks) kmc_join_groups(points, 2);
  return 1;
}
