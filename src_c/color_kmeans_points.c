/* Makes the points that k-means runs on: the colours of a picture, and boxes, cells and cubes of them with their sums.
 *
 * Colours come in Z-order, so each box is one run of them, each cell one of boxes and each cube one of cells, and
 * neighbours in memory are neighbours in colour. Parts of the colours begin where a cube begins and run in parallel. */
#include <string.h>

#include "color_keys.h"
#include "color_kmeans_level.h"

void *kmc_take(kmc_arena *arena, size_t bytes) {
  const size_t begin = arena->used;
  arena->used += (bytes + 63) / 64 * 64;
  return arena->base ? arena->base + begin : NULL;
}

/* Colours with the same bits lie in one cube, in one cell, in one box. */
enum { CUBE_BITS = 0xf0f0f0, CELL_BITS = 0xf8f8f8, BOX_BITS = 0xfcfcfc };

/* A range of colours: whole cubes. Its nodes are written where they lie if there are as many before it as there can be.
 */
typedef struct {
  int32_t begin, end;
  int32_t first_cube, first_cell, first_box;
  int32_t n_cubes, n_cells, n_boxes;
  kmc_moment moment;
  uint64_t square, any; /* any: the bits that are set in any count */
} part;

typedef struct {
  const uint8_t *colors;
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

/* Joins runs of the finer nodes [begin, end) that agree in `bits`: writes where they end. Returns how many there are.
 */
static int32_t join_nodes(const job *job, const kmc_nodes *finer, int32_t begin, int32_t end, uint32_t bits,
                          int32_t *to) {
  const uint32_t *color = job->points->level[2].color;
  const int32_t *first = to--;
  uint32_t before = ~0u;
  for (int32_t i = begin; i < end; i++) {
    /* By the last colour: what precedes the first node may be of a part that is still being joined. */
    const int32_t box = finer == &job->points->cells ? finer->end[i] - 1 : i;
    const uint32_t code = color[job->points->boxes.end[box] - 1] & bits;
    to += code != before;
    before = code;
    *to = i + 1;
  }
  return (int32_t)(to + 1 - first);
}

/* How many boxes of 4x4x4 can precede the part's first: no more than there are colours, or boxes in Z-order. */
static int32_t most_boxes_before(const job *job, int32_t begin) {
  const uint32_t color = centred(job, begin) ^ 0x808080u;
  const uint8_t rgb[] = {(uint8_t)color, (uint8_t)(color >> 8), (uint8_t)(color >> 16)};
  return (int32_t)(kmc_key_of_rgb(rgb) / KMC_BOX_COLORS);
}

static int32_t least_of(int32_t a, int32_t b) { return a < b ? a : b; }

/* Packs a range of the colours, sums and joins them, in pieces that stay in the cache. */
static void make_part(void *context, int32_t i) {
  enum { PIECE = 2048 };
  const job *job = context;
  kmc_points *points = job->points;
  const kmc_level *fine = &points->level[2];
  part part = {.begin = part_begin(job, i), .end = part_begin(job, i + 1)};
  if (part.begin < part.end) {
    const int32_t boxes_before = most_boxes_before(job, part.begin);
    part.first_box = least_of(part.begin, boxes_before);
    part.first_cell = least_of(part.begin, boxes_before / 8);
    part.first_cube = least_of(part.begin, boxes_before / 64);
  }
  for (int32_t p = part.begin; p < part.end; p += PIECE) {
    const int32_t end = part.end - p < PIECE ? part.end : p + PIECE, node = part.first_box + part.n_boxes;
    pack_colors(job, p, end, fine->color);
    part.square += job->kernels->measure(fine->color + p, fine->count + p, end - p, &part.any);
    const uint32_t last = p == part.begin ? ~fine->color[p] : fine->color[p - 1];
    part.n_boxes += job->kernels->join_colors(fine, p, end, BOX_BITS, last, &part.moment, points->boxes.end + node,
                                              points->through + node);
  }
  const int32_t box = part.first_box, cell = part.first_cell;
  part.n_cells =
      join_nodes(job, &points->boxes, box, box + part.n_boxes, CELL_BITS, points->cells.end + part.first_cell);
  part.n_cubes =
      join_nodes(job, &points->cells, cell, cell + part.n_cells, CUBE_BITS, points->cubes.end + part.first_cube);
  job->part[i] = part;
}

/* Moves a part's nodes down to those before it. */
static void append_part(kmc_points *points, const part *part, const kmc_moment *before) {
  for (int32_t b = 0; b < part->n_boxes; b++) {
    kmc_moment through = points->through[part->first_box + b];
    kmc_add_moment(&through, before, 1);
    points->through[points->boxes.n + b] = through;
    points->boxes.end[points->boxes.n + b] = points->boxes.end[part->first_box + b];
  }
  for (int32_t c = 0; c < part->n_cells; c++) {
    points->cells.end[points->cells.n + c] =
        points->cells.end[part->first_cell + c] - part->first_box + points->boxes.n;
  }
  for (int32_t c = 0; c < part->n_cubes; c++) {
    points->cubes.end[points->cubes.n + c] =
        points->cubes.end[part->first_cube + c] - part->first_cell + points->cells.n;
  }
  points->boxes.n += part->n_boxes;
  points->cells.n += part->n_cells;
  points->cubes.n += part->n_cubes;
}

/* Returns whether the counts are within the bounds. */
static int append_parts(const job *job) {
  kmc_points *points = job->points;
  kmc_moment before = {{0}, 0};
  uint64_t square = 0, any = 0;
  points->cubes.n = points->cells.n = points->boxes.n = 0;
  points->cubes.end[-1] = points->cells.end[-1] = points->boxes.end[-1] = 0;
  points->through[-1] = before;
  for (int32_t i = 0; i < job->n_tasks; i++) {
    const part *part = &job->part[i];
    append_part(points, part, &before);
    kmc_add_moment(&before, &part->moment, 1);
    square += part->square;
    any |= part->any;
  }
  points->square = (int64_t)square;
  return any >> 31 == 0 && before.count >> 38 == 0;
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

int kmc_make_points(const uint8_t *colors, const int64_t *counts, int32_t u, int32_t channels,
                    const kmc_color_kernels *kernels, const kmc_parallel *parallel, kmc_arena *arena,
                    kmc_points *points) {
  job job = {.colors = colors, .u = u, .channels = channels, .n_tasks = parallel->n_tasks};
  job.kernels = kernels;
  job.points = points;
  job.part = kmc_take(arena, (size_t)job.n_tasks * sizeof *job.part);
  points->level[2].count = counts;
  kmc_run(parallel, make_part, &job, job.n_tasks);
  return append_parts(&job);
}
