/* Entries whose nearest one is looked for: lists of those that can be the nearest in a cell. */
#include <math.h>
#include <string.h>

#include "compiler.h"
#include "dither/dither.h"

typedef struct {
  int16_t low[KMC_POINT], high[KMC_POINT], least_side;
} space_box;

/* The gamut of sRGB, and the side of the smallest cell: smaller ones would be too many to clear. */
static space_box box_of(int space, int has_alpha) {
  static const int16_t alpha_step[] = {KMC_SRGB_ALPHA, KMC_OKLAB_ALPHA, KMC_YCC_ALPHA};
  const int16_t alpha = has_alpha ? (int16_t)(255 * alpha_step[space]) : 0;
  const int16_t least_side = has_alpha ? 64 : 32;
  if (space == KMC_SPACE_OKLAB) return (space_box){{0, -480, -640, 0}, {2040, 568, 408, alpha}, least_side};
  if (space == KMC_SPACE_YCC) return (space_box){{0, -852, -820, 0}, {2040, 852, 820, alpha}, least_side};
  return (space_box){{0, 0, 0, 0}, {2040, 2040, 2040, alpha}, least_side};
}

static double spacing_of(const int16_t *entries, int32_t k) {
  double spacing = 0;
  for (int32_t i = 0; i < k; i++) {
    int32_t nearest = INT32_MAX;
    for (int32_t j = 0; j < k; j++) {
      int32_t dist2 = 0;
      for (int t = 0; t < KMC_POINT; t++) {
        const int32_t diff = entries[i * KMC_POINT + t] - entries[j * KMC_POINT + t];
        dist2 += diff * diff;
      }
      nearest = i != j && dist2 < nearest ? dist2 : nearest;
    }
    spacing += sqrt((double)nearest) / k;
  }
  return spacing;
}

/* Cells a quarter to a half as wide as entries are apart, on average: the lists of nearly all pixels of photographs are
 * one chunk. */
static int16_t side_of_cells(const space_box *box, const int16_t *entries, int32_t k) {
  const double spacing = spacing_of(entries, k);
  int16_t side = box->least_side;
  while (side < 64 && 4 * side <= spacing) side *= 2;
  return side;
}

enum { WHOLE_LIST = KMC_MOST_ENTRIES / KMC_CHUNK, ALPHA_SIDE = 256 };

/* The levels of boxes, whose lists are made from those of the next larger one: all, 4, 2 cells and one cell wide. */
enum { LEVEL_OF_ALL = 3 };

static int32_t cells_along(const space_box *box, int t, int16_t side) {
  return (box->high[t] - box->low[t]) / (t == 3 ? ALPHA_SIDE : side) + 1;
}

int32_t kmc_targets_cells(int space, int has_alpha, int32_t k, int is_small) {
  const space_box box = box_of(space, has_alpha);
  int32_t n = 1;
  for (int t = 0; t < KMC_POINT && k > KMC_CHUNK && !is_small; t++) n *= cells_along(&box, t, box.least_side);
  return n * (has_alpha ? 3 : 1);
}

/* Whether a pixel of this class may become the entry; kind: 0 translucent, 1 opaque, 2 transparent. */
static int is_allowed(kmc_targets *targets, int32_t kind, const int16_t *entry) {
  if (kind == 0) return 1;
  return entry[3] == (kind == 1 ? targets->high[3] : 0);
}

static void put_in_chunk(kmc_targets *targets, int32_t place, int32_t index) {
  const int16_t *entry = targets->entries[index];
  kmc_chunk *chunk = targets->chunks + place / KMC_CHUNK;
  const int i = place % KMC_CHUNK;
  chunk->xy[2 * i] = (int16_t)(entry[0] * KMC_KEY_SCALE);
  chunk->xy[2 * i + 1] = (int16_t)(entry[1] * KMC_KEY_SCALE);
  chunk->zw[2 * i] = (int16_t)(entry[2] * KMC_KEY_SCALE);
  chunk->zw[2 * i + 1] = (int16_t)(targets->has_alpha ? entry[3] * KMC_KEY_SCALE : index);
  targets->indices[place] = (uint32_t)index;
}

/* Writes n entries as chunks from `first_chunk` on, the last chunk filled up with its last entry, and returns what
 * stands for the list. */
static uint32_t written_list(kmc_targets *targets, int32_t first_chunk, const int32_t *indices, int32_t n) {
  const int32_t n_chunks = (n + KMC_CHUNK - 1) / KMC_CHUNK;
  for (int32_t i = 0; i < n_chunks * KMC_CHUNK; i++) {
    put_in_chunk(targets, first_chunk * KMC_CHUNK + i, indices[i < n ? i : n - 1]);
  }
  targets->lengths[first_chunk] = (uint8_t)(n_chunks - 1);
  return (uint32_t)first_chunk * (uint32_t)sizeof(kmc_chunk) | (n_chunks > 1 ? KMC_LONG : 0);
}

/* The list of all that a class may become: of all entries if there is none. */
static uint32_t whole_list(kmc_targets *targets, int32_t kind) {
  int32_t allowed[KMC_MOST_ENTRIES], n = 0;
  for (int any = 0; any < 2 && n == 0; any++) {
    for (int32_t j = 0; j < targets->k; j++) {
      if (any || is_allowed(targets, kind, targets->entries[j])) allowed[n++] = j;
    }
  }
  return written_list(targets, kind * WHOLE_LIST, allowed, n);
}

void kmc_targets_init(kmc_targets *targets, int space, int has_alpha, const int16_t *entries, int32_t k, int is_small) {
  const space_box box = box_of(space, has_alpha);
  const int has_cells = k > KMC_CHUNK && !is_small;
  targets->has_alpha = has_alpha;
  targets->k = k;
  targets->n_classes = has_alpha ? 3 : 1;
  targets->n_cells = 1;
  targets->n_chunks = targets->n_classes * WHOLE_LIST;
  memset(targets->entries, 0, sizeof targets->entries);
  memset(targets->marks, 0, sizeof targets->marks);
  for (int32_t j = 0; j < k; j++) {
    for (int t = 0; t < 3 + has_alpha; t++) targets->entries[j][t] = entries[j * KMC_POINT + t];
    targets->marks[kmc_hash_of_point(targets->entries[j])] = 1;
  }
  const int16_t side = has_cells ? side_of_cells(&box, &targets->entries[0][0], k) : 0;
  for (int t = KMC_POINT - 1; t >= 0; t--) {
    targets->low[t] = box.low[t];
    targets->high[t] = box.high[t];
    targets->side[t] = t == 3 ? ALPHA_SIDE : side;
    targets->factor[t] = (int16_t)(has_cells ? 65536 / targets->side[t] : 0);
    targets->stride[t] = (int16_t)targets->n_cells;
    targets->along[t] = has_cells ? cells_along(&box, t, side) : 1;
    targets->n_cells *= targets->along[t];
  }
  for (int32_t kind = 0; kind < targets->n_classes; kind++) {
    const uint32_t whole = whole_list(targets, kind);
    uint32_t *list = targets->list + (ptrdiff_t)kind * targets->n_cells;
    for (int32_t cell = 0; cell < targets->n_cells; cell++) {
      list[cell] = has_cells ? whole | LEVEL_OF_ALL : whole;
    }
  }
}

/* OUT kept: of the n entries `found`, in order, those to which the entry nearest to the middle of the box is not
 * preferred in all of it. How much nearer that one is to a point is linear in the point, so the corner where that is
 * least decides. */
static int32_t without_outdone(kmc_targets *targets, const int32_t *found, int32_t n, const int16_t *corner,
                               const int16_t *side, int32_t *kept) {
  int32_t best = found[0], least = INT32_MAX, n_kept = 0;
  for (int32_t i = 0; i < n; i++) {
    int32_t dist2 = 0;
    for (int t = 0; t < KMC_POINT; t++) {
      const int32_t diff = targets->entries[found[i]][t] - (corner[t] + side[t] / 2);
      dist2 += diff * diff;
    }
    best = dist2 < least ? found[i] : best;
    least = dist2 < least ? dist2 : least;
  }
  for (int32_t i = 0; i < n; i++) {
    int32_t lead = 0;
    for (int t = 0; t < KMC_POINT; t++) {
      const int32_t entry = targets->entries[found[i]][t], rival = targets->entries[best][t];
      const int32_t place = corner[t] + (rival > entry ? 0 : side[t] - 1);
      lead += (entry - rival) * (entry + rival - 2 * place);
    }
    const int is_outdone = lead > 0 || (lead == 0 && best < found[i]);
    if (!is_outdone && (n_kept == 0 || kept[n_kept - 1] != found[i])) kept[n_kept++] = found[i];
  }
  return n_kept;
}

/* The list of a box, made from another list: that one itself if there is no room. */
static uint32_t list_of_box(const kmc_dither_kernels *kernels, kmc_targets *targets, uint32_t from,
                            const int16_t *corner, const int16_t *side) {
  uint8_t places[KMC_MOST_ENTRIES];
  int32_t near[KMC_MOST_ENTRIES], kept[KMC_MOST_ENTRIES];
  const uint32_t *indices = kmc_indices_of(targets, from);
  const ptrdiff_t n_near = kernels->candidates(targets, from, corner, side, places);
  for (ptrdiff_t i = 0; i < n_near; i++) near[i] = (int32_t)indices[places[i]];
  const int32_t n =
      n_near <= KMC_CHUNK ? (int32_t)n_near : without_outdone(targets, near, (int32_t)n_near, corner, side, kept);
  const int32_t first = targets->n_chunks, n_chunks = (n + KMC_CHUNK - 1) / KMC_CHUNK;
  if (first + n_chunks > targets->most_chunks) return from;
  targets->n_chunks += n_chunks;
  return written_list(targets, first, n_near <= KMC_CHUNK ? near : kept, n);
}

/* Gives all cells of a box, 1 << level wide, its list. */
static void fill_box(kmc_targets *targets, uint32_t *first_cell, const int32_t *first, uint32_t level, uint32_t list) {
  int32_t n[3];
  for (int t = 0; t < 3; t++) {
    const int32_t rest = targets->along[t] - first[t], width = 1 << level;
    n[t] = rest < width ? rest : width;
  }
  for (int32_t x = 0; x < n[0]; x++) {
    for (int32_t y = 0; y < n[1]; y++) {
      uint32_t *cells = first_cell + x * targets->stride[0] + y * targets->stride[1];
      for (int32_t z = 0; z < n[2]; z++) cells[z * targets->stride[2]] = list;
    }
  }
}

/* The box that has the cell. */
static void make_list_of_level(const kmc_dither_kernels *kernels, kmc_targets *targets, int32_t cell, uint32_t level) {
  int16_t corner[KMC_POINT], side[KMC_POINT];
  int32_t rest = cell % targets->n_cells, first_cell = cell - rest, first[KMC_POINT];
  for (int t = 0; t < KMC_POINT; t++) {
    const int32_t place = rest / targets->stride[t], width = t < 3 ? 1 << level : 1;
    rest %= targets->stride[t];
    first[t] = place & -width;
    corner[t] = (int16_t)(targets->low[t] + first[t] * targets->side[t]);
    side[t] = (int16_t)(width * targets->side[t]);
    first_cell += first[t] * targets->stride[t];
  }
  const uint32_t from = targets->list[cell] & ~KMC_LEVELS, list = list_of_box(kernels, targets, from, corner, side);
  fill_box(targets, targets->list + first_cell, first, level, list & KMC_LONG ? list | level : list);
}

uint32_t kmc_make_list(const kmc_dither_kernels *kernels, kmc_targets *targets, int32_t cell) {
  while (targets->list[cell] & KMC_LEVELS) {
    make_list_of_level(kernels, targets, cell, (targets->list[cell] & KMC_LEVELS) - 1);
  }
  return targets->list[cell];
}
