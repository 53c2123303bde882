/* Makes the points that k-means runs on: the colours of a picture, and boxes, cells and cubes of them with their sums.
 *
 * Colours come in Z-order, so each box is one run of them, each cell one of boxes and each cube one of cells, and
 * neighbours in memory are neighbours in colour. Parts of the colours begin where a cube begins and run in parallel. */
#include <string.h>

#include "color_kmeans_level.h"

void *kmc_take(kmc_arena *arena, size_t bytes) {
  const size_t begin = arena->used;
  arena->used += (bytes + 63) / 64 * 64;
  return arena->base ? arena->base + begin : NULL;
}

/* Colours with the same bits lie in one cube, in one cell, in one box. */
enum { CUBE_BITS = 0xf0f0f0, CELL_BITS = 0xf8f8f8, BOX_BITS = 0xfcfcfc };

/* A range of colours: whole cubes. */
typedef struct {
  int32_t begin, end;
  int32_t n_cubes, n_cells, n_boxes;
  int32_t first_cube, first_cell, first_box;
  kmc_moment moment, before; /* of its colours, of those before it */
  int64_t square;
} part;

typedef struct {
  const uint8_t *colors;
  const int64_t *counts;
  int32_t u, channels, n_tasks;
  part *part; /* (n_tasks) */
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
  int32_t p = (int32_t)((int64_t)job->u * i / job->n_tasks);
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

/* Packs a range of the colours, sums it and counts what begins in it, in pieces that stay in the cache. */
static void pack_part(void *context, int32_t i) {
  enum { PIECE = 2048 };
  const job *job = context;
  const kmc_level *fine = &job->points->level[2];
  part part = {.begin = part_begin(job, i), .end = part_begin(job, i + 1)};
  const int32_t any = part.begin < part.end;
  part.n_cubes = part.n_cells = part.n_boxes = any;
  for (int32_t p = part.begin; p < part.end; p += PIECE) {
    const int32_t end = part.end - p < PIECE ? part.end : p + PIECE, last = p > part.begin ? p - 1 : p;
    pack_colors(job, p, end, fine->color);
    part.square += job->kernels->measure(fine->color + p, job->counts + p, end - p, fine->count + p, &part.moment);
    part.n_cubes += job->kernels->count_changes(fine->color + last, end - last, CUBE_BITS);
    part.n_cells += job->kernels->count_changes(fine->color + last, end - last, CELL_BITS);
    part.n_boxes += job->kernels->count_changes(fine->color + last, end - last, BOX_BITS);
  }
  job->part[i] = part;
}

static void number_parts(const job *job) {
  kmc_points *points = job->points;
  kmc_moment before = {{0}, 0};
  points->square = 0;
  points->cubes.n = points->cells.n = points->boxes.n = 0;
  points->cubes.end[-1] = points->cells.end[-1] = points->boxes.end[-1] = 0;
  points->through[-1] = before;
  for (int32_t i = 0; i < job->n_tasks; i++) {
    part *part = &job->part[i];
    part->first_cube = points->cubes.n;
    part->first_cell = points->cells.n;
    part->first_box = points->boxes.n;
    part->before = before;
    points->cubes.n += part->n_cubes;
    points->cells.n += part->n_cells;
    points->boxes.n += part->n_boxes;
    points->square += part->square;
    kmc_add_moment(&before, &part->moment, 1);
  }
}

/* Joins runs of the finer nodes [begin, end) that agree in `bits`: writes where they end. */
static void join_nodes(const job *job, const kmc_nodes *finer, int32_t begin, int32_t end, uint32_t bits, int32_t *to) {
  const uint32_t *color = job->points->level[2].color;
  uint32_t before = ~0u;
  to--;
  for (int32_t i = begin; i < end; i++) {
    /* By the last colour: what precedes the first node may be of a part that is still being joined. */
    const int32_t box = finer == &job->points->cells ? finer->end[i] - 1 : i;
    const uint32_t code = color[job->points->boxes.end[box] - 1] & bits;
    to += code != before;
    before = code;
    *to = i + 1;
  }
}

static void join_part(void *context, int32_t i) {
  const job *job = context;
  const kmc_points *points = job->points;
  const part *part = &job->part[i];
  const int32_t cell = part->first_cell, box = part->first_box;
  if (part->begin == part->end) return;
  job->kernels->join_colors(&points->level[2], part->begin, part->end, BOX_BITS, &part->before, points->boxes.end + box,
                            points->through + box);
  join_nodes(job, &points->boxes, box, box + part->n_boxes, CELL_BITS, points->cells.end + cell);
  join_nodes(job, &points->cells, cell, cell + part->n_cells, CUBE_BITS, points->cubes.end + part->first_cube);
}

/* Room before the first for what precedes it. */
static int32_t *take_ends(int32_t u, int32_t most, kmc_arena *arena) {
  int32_t *room = kmc_take(arena, ((size_t)(u < most ? u : most) + 1) * sizeof *room);
  return room ? room + 1 : NULL;
}

void kmc_take_points(int32_t u, int32_t k, kmc_arena *arena, kmc_points *points) {
  enum { CUBES = 1 << 12, CELLS = 1 << 15, BOXES = 1 << 18 };
  points->cubes.end = take_ends(u, CUBES, arena);
  points->cells.end = take_ends(u, CELLS, arena);
  points->boxes.end = take_ends(u, BOXES, arena);
  kmc_moment *through = kmc_take(arena, ((size_t)(u < BOXES ? u : BOXES) + 1) * sizeof *through);
  points->through = through ? through + 1 : NULL;
  kmc_take_levels(u, k, arena, points);
}

void kmc_make_points(const uint8_t *colors, const int64_t *counts, int32_t u, int32_t channels,
                     const kmc_color_kernels *kernels, const kmc_parallel *parallel, kmc_arena *arena,
                     kmc_points *points) {
  job job = {.colors = colors, .counts = counts, .u = u, .channels = channels, .n_tasks = parallel->n_tasks};
  job.kernels = kernels;
  job.points = points;
  job.part = kmc_take(arena, (size_t)job.n_tasks * sizeof *job.part);
  kmc_run(parallel, pack_part, &job, job.n_tasks);
  number_parts(&job);
  kmc_run(parallel, join_part, &job, job.n_tasks);
}
