/* Dithering for every processor: a vector is an array. */
#include <string.h>

#include "colorspace/oklab.inc.h"
#include "compiler.h"
#include "dither/dither.h"
#include "dither/points_generic.inc.h"

#define KMC_DITHER_TABLE kmc_dither_kernels_generic

/* Sixteen rows written out in every caller would take compilers a minute. */
#undef KMC_ALWAYS_INLINE
#define KMC_ALWAYS_INLINE inline

enum { LANES = KMC_BAND * KMC_POINT };
typedef struct {
  int16_t lane[LANES];
} vp;

#define FOR_LANES for (int i = 0; i < LANES; i++)
#define LANEWISE(name, expression)               \
  static inline vp vp_##name(vp a, vp b) {       \
    FOR_LANES a.lane[i] = (int16_t)(expression); \
    return a;                                    \
  }
LANEWISE(add, a.lane[i] + b.lane[i])
LANEWISE(sub, a.lane[i] - b.lane[i])
LANEWISE(min, b.lane[i] < a.lane[i] ? b.lane[i] : a.lane[i])
LANEWISE(max, b.lane[i] > a.lane[i] ? b.lane[i] : a.lane[i])
LANEWISE(and, a.lane[i] & b.lane[i])
LANEWISE(or, a.lane[i] | b.lane[i])
LANEWISE(gt, -(a.lane[i] > b.lane[i]))
/* The product of which b is a share of 32768, rounded. */
LANEWISE(mulhrs, (a.lane[i] * b.lane[i] + 16384) >> 15)
static inline int32_t saturated(int32_t a) { return a > 32767 ? 32767 : a < -32768 ? -32768 : a; }
LANEWISE(adds, saturated(a.lane[i] + b.lane[i]))

static inline vp vp_zero(void) { return (vp){{0}}; }
static inline vp vp_set1_value(int16_t value) {
  vp a;
  FOR_LANES a.lane[i] = value;
  return a;
}
static inline vp vp_times(vp a, int16_t b) {
  FOR_LANES a.lane[i] = (int16_t)(a.lane[i] * b);
  return a;
}
static inline vp vp_set1(const int16_t *point) {
  vp a;
  FOR_LANES a.lane[i] = point[i % KMC_POINT];
  return a;
}
static inline vp vp_load(const int16_t *p) {
  vp a;
  memcpy(a.lane, p, sizeof a.lane);
  return a;
}
static inline void vp_store(int16_t *p, vp a) { memcpy(p, a.lane, sizeof a.lane); }
static inline void vp_store_pairs(int32_t *p, vp a) { memcpy(p, a.lane, sizeof a.lane); }
static inline vp vp_scaled(vp a) { return vp_times(a, KMC_KEY_SCALE); }
static inline vp vp_gather(const int16_t *const *places) {
  vp a;
  FOR_LANES a.lane[i] = places[i / KMC_POINT][i % KMC_POINT];
  return a;
}
static inline vp vp_fourth(vp a) {
  FOR_LANES a.lane[i] = a.lane[i | 3];
  return a;
}
static inline vp vp_clear_fourth(vp a) {
  for (int i = 3; i < LANES; i += KMC_POINT) a.lane[i] = 0;
  return a;
}
static inline vp vp_colors_mask(void) { return vp_clear_fourth(vp_set1_value(-1)); }
/* Each row gets the row above it, the first one `point`. */
static inline vp vp_down(vp a, const int16_t *point) {
  vp b;
  memcpy(b.lane, point, KMC_POINT * sizeof *point);
  memcpy(b.lane + KMC_POINT, a.lane, (LANES - KMC_POINT) * sizeof *point);
  return b;
}
static inline void vp_store_last(int16_t *point, vp a) {
  memcpy(point, a.lane + LANES - KMC_POINT, KMC_POINT * sizeof *point);
}
/* All bits of the rows whose column t - 2 * row is in the picture. */
static inline vp vp_rows_between(ptrdiff_t t, ptrdiff_t width) {
  vp a;
  FOR_LANES {
    const ptrdiff_t x = t - 2 * (i / KMC_POINT);
    a.lane[i] = (int16_t)-(x >= 0 && x < width);
  }
  return a;
}
/* The number of each row's cell, in every second place. */
static inline void vp_store_cells(uint32_t *cells, vp a, kmc_targets *targets) {
  for (int r = 0; r < KMC_BAND; r++) {
    uint32_t cell = 0;
    for (int t = 0; t < KMC_POINT; t++) {
      const uint32_t offset = (uint16_t)(a.lane[r * KMC_POINT + t] - targets->low[t]);
      cell += (offset * (uint16_t)targets->factor[t] >> 16) * (uint32_t)targets->stride[t];
    }
    cells[2 * r] = cell;
  }
}

static inline void store_bytes(uint8_t *bytes, const uint32_t *values) {
  for (int r = 0; r < KMC_BAND; r++) bytes[r] = (uint8_t)values[r];
}

/* OUT points (KMC_STEPS, KMC_BAND, 4): row r's from column first - skew * r on. */
static void turn_points(const int16_t *const *rows, ptrdiff_t first, int skew, int16_t *points) {
  for (int r = 0; r < KMC_BAND; r++) {
    const int16_t *row = rows[r] + (first - skew * r) * KMC_POINT;
    for (int i = 0; i < KMC_STEPS * KMC_POINT; i++) {
      points[(i / KMC_POINT * KMC_BAND + r) * KMC_POINT + i % KMC_POINT] = row[i];
    }
  }
}

/* IN indices (KMC_STEPS, KMC_BAND). OUT rows: row r's from column first - skew * r on. */
static void turn_indices(const uint8_t *steps, ptrdiff_t first, int skew, uint8_t *const *indices) {
  for (int r = 0; r < KMC_BAND; r++) {
    for (int i = 0; i < KMC_STEPS; i++) indices[r][first - skew * r + i] = steps[i * KMC_BAND + r];
  }
}

static inline uint32_t nearest_in_list(kmc_targets *targets, uint32_t list, const int32_t *pairs) {
  const kmc_chunk *chunks = kmc_chunks_of(targets, list);
  const uint32_t *indices = kmc_indices_of(targets, list);
  int16_t point[KMC_POINT];
  uint32_t best = UINT32_MAX;
  memcpy(point, pairs, sizeof point);
  for (int32_t i = 0; i < KMC_CHUNK * kmc_length_of(targets, list); i++) {
    const int16_t *xy = chunks[i / KMC_CHUNK].xy + i % KMC_CHUNK * 2,
                  *zw = chunks[i / KMC_CHUNK].zw + i % KMC_CHUNK * 2;
    const int32_t x = xy[0] - point[0], y = xy[1] - point[1], z = zw[0] - point[2],
                  w = targets->has_alpha ? zw[1] - point[3] : 0;
    const uint32_t key = ((uint32_t)(x * x + y * y) + (uint32_t)(z * z + w * w)) | indices[i];
    best = key < best ? key : best;
  }
  return best & 255;
}

static KMC_NEVER_INLINE void nearest_in_long_lists(kmc_targets *targets, const uint32_t *lists, const int32_t *pairs,
                                                   uint32_t *nearest) {
  for (int r = 0; r < KMC_BAND; r++) nearest[r] = nearest_in_list(targets, lists[r], pairs + 2 * r);
}

/* OUT nearest: of the first chunk of each row's list, which is meaningless where a list is not yet made. Returns all
 * bits of the lists. */
static KMC_NEVER_INLINE uint32_t nearest_in_chunks(kmc_targets *targets, const uint32_t *cells, const int32_t *pairs,
                                                   int has_alpha, uint32_t *nearest) {
  uint32_t any = 0, lists[KMC_BAND];
  for (int r = 0; r < KMC_BAND; r++) any |= lists[r] = targets->list[cells[2 * r]];
  (void)has_alpha;
  if (!(any & (KMC_LEVELS | KMC_LONG))) nearest_in_long_lists(targets, lists, pairs, nearest);
  return any;
}

/* An entry can be the nearest to a point of a box only if its least distance to the box is at most the smallest
 * greatest distance of any entry. */
static ptrdiff_t candidates(kmc_targets *targets, uint32_t list, const int16_t *corner, const int16_t *side,
                            uint8_t *found) {
  const ptrdiff_t n = KMC_CHUNK * kmc_length_of(targets, list);
  const uint32_t *indices = kmc_indices_of(targets, list);
  int32_t nearest[KMC_MOST_ENTRIES], bound = INT32_MAX;
  for (ptrdiff_t i = 0; i < n; i++) {
    int32_t farthest = 0;
    nearest[i] = 0;
    for (int t = 0; t < KMC_POINT; t++) {
      const int32_t entry = targets->entries[indices[i]][t], last = side[t] - 1;
      const int32_t below = corner[t] - entry, above = entry - corner[t] - last;
      const int32_t outside = below > above ? below : above;
      nearest[i] += outside > 0 ? outside * outside : 0;
      farthest += (outside + last) * (outside + last);
    }
    bound = farthest < bound ? farthest : bound;
  }
  ptrdiff_t n_found = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    found[n_found] = (uint8_t)i;
    n_found += nearest[i] <= bound;
  }
  return n_found;
}

#include "dither/dither_kernels.inc.h"

const kmc_dither_kernels *kmc_dither_kernels_for(const kmc_kernels *kernels) {
#if defined(__x86_64__) || defined(_M_X64)
  extern const kmc_kernels kmc_kernels_generic;
  if (kernels != &kmc_kernels_generic) return &kmc_dither_kernels_avx2; /* AVX-512 implies it */
#else
  (void)kernels;
#endif
  return &kmc_dither_kernels_generic;
}
