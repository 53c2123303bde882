/* Included by dither_<isa>.c after its vocabulary: vp holds one point of each of KMC_BAND rows.
 *
 * A lane is a row, each a few columns behind the row above, so that what a pixel needs of its neighbours was computed
 * in earlier steps and no lane waits for another. Only the look-up of the nearest entry goes pixel by pixel. */
#include "dither/points.inc.h"

static KMC_ALWAYS_INLINE vp clamp_to_box(kmc_targets *targets, vp points) {
  return vp_max(vp_min(points, vp_set1(targets->high)), vp_set1(targets->low));
}

/* For rows some of whose lists are long or not yet made. */
static KMC_NEVER_INLINE void nearest_of_some(kmc_targets *targets, const uint32_t *cells, const int32_t *pairs,
                                             uint32_t *nearest) {
  uint32_t lists[KMC_BAND];
  for (int r = 0; r < KMC_BAND; r++) {
    const uint32_t list = targets->list[cells[2 * r]];
    lists[r] = list & KMC_LEVELS ? kmc_make_list(&KMC_DITHER_TABLE, targets, (int32_t)cells[2 * r]) : list;
  }
  nearest_in_long_lists(targets, lists, pairs, nearest);
}

/* The cells of a class: 0 translucent, 1 opaque, 2 transparent colours without errors. */
static KMC_ALWAYS_INLINE uint32_t first_cell_of(kmc_targets *targets, const int16_t *original) {
  const int32_t kind = original[3] == targets->high[3] ? 1 : original[3] == 0 ? 2 : 0;
  return (uint32_t)(kind * targets->n_cells);
}

/* The entries nearest to a point of each row, whose colours without errors are `originals`. */
static KMC_ALWAYS_INLINE void nearest_of_points(kmc_targets *targets, vp points, const int16_t *originals,
                                                int has_alpha, uint32_t *nearest) {
  int32_t pairs[2 * KMC_BAND]; /* of channels */
  uint32_t cells[2 * KMC_BAND];
  vp_store_pairs(pairs, vp_scaled(points));
  vp_store_cells(cells, points, targets);
  KMC_THROUGH_MEMORY(pairs);
  KMC_THROUGH_MEMORY(cells);
  for (int r = 0; r < KMC_BAND && has_alpha; r++) cells[2 * r] += first_cell_of(targets, originals + r * KMC_POINT);
  const uint32_t any = nearest_in_chunks(targets, cells, pairs, has_alpha, nearest);
  if (KMC_RARELY(any & (KMC_LEVELS | KMC_LONG))) nearest_of_some(targets, cells, pairs, nearest);
  KMC_THROUGH_MEMORY(nearest);
}

static KMC_ALWAYS_INLINE vp entries_of(kmc_targets *targets, const uint32_t *nearest) {
  const int16_t *entries[KMC_BAND];
  for (int r = 0; r < KMC_BAND; r++) entries[r] = targets->entries[nearest[r]];
  return vp_gather(entries);
}

static const int16_t alpha_mask[KMC_POINT] = {-1, -1, -1, KMC_LESS - 1};

/* Which share of the errors each point takes; with alpha, what marks it is taken out of `points`. */
static KMC_ALWAYS_INLINE vp gains_of(kmc_targets *targets, vp *points, vp gain, int has_alpha) {
  if (!has_alpha) {
    return vp_fourth(*points); /* what is left of it is cut off by the box */
  }
  const vp alpha = vp_fourth(*points), less = vp_and(alpha, vp_set1_value(-KMC_LESS));
  *points = vp_and(*points, vp_set1(alpha_mask));
  const vp seen = vp_and(vp_gt(alpha, vp_zero()), vp_gt(vp_set1_value(KMC_FLAT), alpha));
  const vp soft = vp_or(vp_gt(vp_set1(targets->high), *points), vp_colors_mask()); /* opaque alpha takes no error */
  return vp_and(vp_sub(gain, vp_mulhrs(gain, less)), vp_and(seen, soft));
}

/* Row r's column of a step is so many times r behind that of row 0. Steps are taken in blocks, whose points and indices
 * lie step by step meanwhile: whole blocks, of steps that lie in all rows, are turned by vectors. */
enum { DIFFUSE_SKEW = 2 };

typedef struct {
  int16_t points[KMC_STEPS][KMC_BAND * KMC_POINT];
  uint8_t indices[KMC_STEPS][KMC_BAND];
} block_of_steps;

static inline int is_whole_block(ptrdiff_t first, ptrdiff_t width, int skew) {
  return first >= skew * (KMC_BAND - 1) && first + KMC_STEPS <= width;
}

/* Beyond the ends of rows their first and last points stand in. */
static void load_block(const int16_t *const *rows, ptrdiff_t first, ptrdiff_t width, int skew, block_of_steps *block) {
  if (is_whole_block(first, width, skew)) {
    turn_points(rows, first, skew, &block->points[0][0]);
    return;
  }
  for (int r = 0; r < KMC_BAND; r++) {
    for (ptrdiff_t i = 0; i < KMC_STEPS; i++) {
      const ptrdiff_t x = first + i - skew * r, place = x < 0 ? 0 : x >= width ? width - 1 : x;
      memcpy(block->points[i] + r * KMC_POINT, rows[r] + place * KMC_POINT, KMC_POINT * sizeof(int16_t));
    }
  }
}

static void store_block(const block_of_steps *block, ptrdiff_t first, ptrdiff_t width, int skew, int n_rows,
                        uint8_t *const *indices) {
  if (is_whole_block(first, width, skew) && n_rows == KMC_BAND) {
    turn_indices(&block->indices[0][0], first, skew, indices);
    return;
  }
  for (int r = 0; r < n_rows; r++) {
    const ptrdiff_t start = first - skew * r, begin = start < 0 ? -start : 0;
    for (ptrdiff_t i = begin; i < KMC_STEPS && start + i < width; i++) indices[r][start + i] = block->indices[i][r];
  }
}

/* What a step of error diffusion leaves to the next one. */
typedef struct {
  vp error, upper,
      upper_left; /* the last errors of each row; those of the row above at its column and the one before */
} diffusion;

static KMC_ALWAYS_INLINE void diffuse_step(kmc_targets *targets, const int16_t *step_points, ptrdiff_t t,
                                           ptrdiff_t width, int gain, int16_t *errors, uint8_t *step_indices,
                                           int has_alpha, diffusion *state) {
  enum { LAG = DIFFUSE_SKEW * (KMC_BAND - 1) };
  int16_t originals[KMC_BAND * KMC_POINT];
  uint32_t nearest[KMC_BAND];
  vp points = vp_load(step_points);
  const vp gains = gains_of(targets, &points, vp_set1_value((int16_t)gain), has_alpha);
  if (has_alpha) vp_store(originals, points);
  const ptrdiff_t right = t < width ? t + 2 : width + 1;
  const vp upper_right = vp_down(state->error, errors + right * KMC_POINT);
  const vp shares = vp_add(vp_add(vp_times(state->error, 7), vp_times(upper_right, 3)),
                           vp_add(vp_times(state->upper, 5), state->upper_left));
  const vp wanted = clamp_to_box(targets, vp_add(points, vp_mulhrs(shares, gains)));
  nearest_of_points(targets, wanted, originals, has_alpha, nearest);
  state->error = vp_sub(wanted, entries_of(targets, nearest));
  state->upper_left = state->upper;
  state->upper = upper_right;
  if (KMC_RARELY(t < LAG || t >= width)) state->error = vp_and(state->error, vp_rows_between(t, width));
  store_bytes(step_indices, nearest);
  if (t >= LAG) vp_store_last(errors + (t - LAG + 1) * KMC_POINT, state->error);
}

static KMC_ALWAYS_INLINE void diffuse_band(kmc_targets *targets, const int16_t *const *rows, ptrdiff_t width, int gain,
                                           int16_t *errors, uint8_t *const *indices, int has_alpha) {
  const ptrdiff_t n = width + DIFFUSE_SKEW * (KMC_BAND - 1);
  diffusion state = {vp_zero(), vp_down(vp_zero(), errors + KMC_POINT), vp_zero()};
  block_of_steps block;
  for (ptrdiff_t first = 0; first < n; first += KMC_STEPS) {
    const ptrdiff_t n_steps = n - first < KMC_STEPS ? n - first : KMC_STEPS;
    load_block(rows, first, width, DIFFUSE_SKEW, &block);
    for (ptrdiff_t i = 0; i < n_steps; i++) {
      diffuse_step(targets, block.points[i], first + i, width, gain, errors, block.indices[i], has_alpha, &state);
    }
    store_block(&block, first, width, DIFFUSE_SKEW, KMC_BAND, indices);
  }
}

static void diffuse(kmc_targets *targets, const int16_t *const *rows, ptrdiff_t width, int gain, int16_t *errors,
                    uint8_t *const *indices) {
  if (targets->has_alpha) {
    diffuse_band(targets, rows, width, gain, errors, indices, 1);
  } else {
    diffuse_band(targets, rows, width, gain, errors, indices, 0);
  }
}

static void nearest(kmc_targets *targets, const int16_t *points, ptrdiff_t n, uint8_t *indices) {
  for (ptrdiff_t i = 0; i < n; i += KMC_BAND) {
    const int16_t *places[KMC_BAND];
    int16_t originals[KMC_BAND * KMC_POINT];
    uint32_t found[KMC_BAND];
    for (int r = 0; r < KMC_BAND; r++) places[r] = points + (i + r < n ? i + r : n - 1) * KMC_POINT;
    vp colors = vp_gather(places);
    colors = targets->has_alpha ? vp_and(colors, vp_set1(alpha_mask)) : vp_clear_fourth(colors);
    vp_store(originals, colors);
    nearest_of_points(targets, clamp_to_box(targets, colors), originals, targets->has_alpha, found);
    for (int r = 0; r < KMC_BAND && i + r < n; r++) indices[i + r] = (uint8_t)found[r];
  }
}

enum { POLISH_ROWS = KMC_BAND + 2 * KMC_POLISH_REACH, SLOT = POLISH_ROWS * KMC_POINT };

/* Errors of all rows, skewed: row r's column x is in slot x + KMC_POLISH_SKEW * r + 2. */
static void skewed_errors(kmc_targets *targets, const int16_t *const *rows, ptrdiff_t width, uint8_t *const *indices,
                          int16_t *errors) {
  memset(errors, 0, (size_t)kmc_polish_slots(width) * SLOT * sizeof *errors);
  for (int r = 0; r < POLISH_ROWS; r++) {
    if (!rows[r]) continue;
    int16_t *slot = errors + (KMC_POLISH_SKEW * r + 2) * SLOT + r * KMC_POINT;
    for (ptrdiff_t x = 0; x < width; x++, slot += SLOT) {
      const int16_t *entry = targets->entries[indices[r][x]], *point = rows[r] + x * KMC_POINT;
      for (int t = 0; t < 3; t++) slot[t] = (int16_t)(point[t] - entry[t]);
      slot[3] = (int16_t)(targets->has_alpha ? (point[3] & alpha_mask[3]) - entry[3] : 0);
    }
  }
}

/* Sum of the errors at (dx, dy), (dy, dx) and their mirror images, of the eight rows at `slot`. */
static KMC_ALWAYS_INLINE vp at(const int16_t *slot, int dx, int dy) {
  return vp_load(slot + (dx + KMC_POLISH_SKEW * dy) * SLOT + dy * KMC_POINT);
}
static KMC_ALWAYS_INLINE vp mirrored(const int16_t *slot, int dx, int dy) {
  const vp sides = vp_add(at(slot, dx, dy), at(slot, -dx, -dy));
  if (dy == 0) return sides;
  return vp_add(sides, vp_add(at(slot, -dx, dy), at(slot, dx, -dy)));
}
static KMC_ALWAYS_INLINE vp errors_around(const int16_t *slot, const kmc_window *window) {
  const vp near = vp_add(mirrored(slot, 1, 0), vp_add(at(slot, 0, 1), at(slot, 0, -1)));
  const vp far = vp_add(mirrored(slot, 2, 0), vp_add(at(slot, 0, 2), at(slot, 0, -2)));
  const vp knight = vp_add(mirrored(slot, 2, 1), mirrored(slot, 1, 2));
  vp sum = vp_mulhrs(near, vp_set1_value(window->weight[0]));
  sum = vp_adds(sum, vp_mulhrs(mirrored(slot, 1, 1), vp_set1_value(window->weight[1])));
  sum = vp_adds(sum, vp_mulhrs(far, vp_set1_value(window->weight[2])));
  sum = vp_adds(sum, vp_mulhrs(knight, vp_set1_value(window->weight[3])));
  return vp_adds(sum, vp_mulhrs(mirrored(slot, 2, 2), vp_set1_value(window->weight[4])));
}

static KMC_ALWAYS_INLINE void polish_step(kmc_targets *targets, const kmc_window *window, const int16_t *step_points,
                                          ptrdiff_t t, ptrdiff_t width, int n_rows, int16_t *slot,
                                          uint8_t *step_indices, int has_alpha) {
  enum { LAG = KMC_POLISH_SKEW * (KMC_BAND - 1) };
  int16_t originals[KMC_BAND * KMC_POINT], stored[KMC_BAND * KMC_POINT];
  uint32_t nearest[KMC_BAND];
  vp points = vp_load(step_points);
  const vp gains = gains_of(targets, &points, vp_set1_value(INT16_MAX), has_alpha), all = errors_around(slot, window);
  if (!has_alpha) points = vp_clear_fourth(points);
  if (has_alpha) vp_store(originals, points);
  const vp around = has_alpha ? vp_mulhrs(all, gains) : vp_and(all, vp_gt(gains, vp_zero()));
  nearest_of_points(targets, clamp_to_box(targets, vp_adds(points, around)), originals, has_alpha, nearest);
  const vp error = vp_sub(points, entries_of(targets, nearest));
  store_bytes(step_indices, nearest);
  const int is_whole = t >= LAG && t < width && n_rows == KMC_BAND;
  vp_store(is_whole ? slot : stored, error);
  for (int r = 0; r < n_rows && !is_whole; r++) {
    const ptrdiff_t x = t - KMC_POLISH_SKEW * r;
    if (x >= 0 && x < width) memcpy(slot + r * KMC_POINT, stored + r * KMC_POINT, KMC_POINT * sizeof *stored);
  }
}

static KMC_ALWAYS_INLINE void polish_band(kmc_targets *targets, const kmc_window *window,
                                          const int16_t *const *all_rows, ptrdiff_t width, int16_t *errors,
                                          uint8_t *const *all_indices, int has_alpha) {
  const ptrdiff_t n = width + KMC_POLISH_SKEW * (KMC_BAND - 1);
  const int16_t *rows[KMC_BAND];
  block_of_steps block;
  int n_rows = 0;
  for (int r = 0; r < KMC_BAND; r++) {
    const int16_t *row = all_rows[r + KMC_POLISH_REACH];
    n_rows += row != NULL;
    rows[r] = row ? row : all_rows[KMC_POLISH_REACH];
  }
  skewed_errors(targets, all_rows, width, all_indices, errors);
  int16_t *slot = errors + (KMC_POLISH_SKEW * KMC_POLISH_REACH + 2) * SLOT + KMC_POLISH_REACH * KMC_POINT;
  for (ptrdiff_t first = 0; first < n; first += KMC_STEPS) {
    const ptrdiff_t n_steps = n - first < KMC_STEPS ? n - first : KMC_STEPS;
    load_block(rows, first, width, KMC_POLISH_SKEW, &block);
    for (ptrdiff_t i = 0; i < n_steps; i++, slot += SLOT) {
      polish_step(targets, window, block.points[i], first + i, width, n_rows, slot, block.indices[i], has_alpha);
    }
    store_block(&block, first, width, KMC_POLISH_SKEW, n_rows, all_indices + KMC_POLISH_REACH);
  }
}

static void polish(kmc_targets *targets, const kmc_window *window, const int16_t *const *rows, ptrdiff_t width,
                   int16_t *errors, uint8_t *const *indices) {
  if (targets->has_alpha) {
    polish_band(targets, window, rows, width, errors, indices, 1);
  } else {
    polish_band(targets, window, rows, width, errors, indices, 0);
  }
}

static void blur_row(const int16_t *const *rows, const int32_t *weights, ptrdiff_t width, int16_t *blurred) {
  enum { BATCH = 64, REACH = KMC_POLISH_REACH };
  for (ptrdiff_t start = 0; start < width; start += BATCH) {
    int32_t column[(BATCH + 2 * REACH) * KMC_POINT] = {0};
    const ptrdiff_t end = start + BATCH < width ? start + BATCH : width;
    const ptrdiff_t first = start > REACH ? start - REACH : 0, last = end + REACH < width ? end + REACH : width;
    for (int r = 0; r <= 2 * REACH; r++) {
      if (!rows[r]) continue;
      int32_t *to = column + (first - start + REACH) * KMC_POINT;
      const int16_t *from = rows[r] + first * KMC_POINT;
      for (ptrdiff_t i = 0; i < (last - first) * KMC_POINT; i++) to[i] += from[i] * weights[r];
    }
    for (ptrdiff_t i = 0; i < (end - start) * KMC_POINT; i++) {
      int32_t sum = KMC_BLUR_ONE * KMC_BLUR_ONE / 2;
      for (int r = 0; r <= 2 * REACH; r++) sum += column[i + r * KMC_POINT] * weights[r];
      blurred[start * KMC_POINT + i] = (int16_t)(sum >> 12);
    }
  }
}

/* row[first ..] -= factors[0] * pivots[0][first ..], then of pivots[1], ...: loops along rows, without sums, are the
 * same in vectors. */
enum { PIVOTS = 4 };
static void eliminate(double *restrict row, const double *const *pivots, const double *factors, ptrdiff_t first,
                      ptrdiff_t k) {
  const double *restrict p0 = pivots[0], *restrict p1 = pivots[1], *restrict p2 = pivots[2], *restrict p3 = pivots[3];
  const double f0 = factors[0], f1 = factors[1], f2 = factors[2], f3 = factors[3];
  for (ptrdiff_t m = first; m < k; m++) row[m] = row[m] - f0 * p0[m] - f1 * p1[m] - f2 * p2[m] - f3 * p3[m];
}

/* Takes row i off the rows up to `end`, of the upper triangle. */
static void eliminate_one(double *matrix, double *right, ptrdiff_t i, ptrdiff_t end, ptrdiff_t k) {
  const double *pivot = matrix + i * k, scale = 1.0 / pivot[i];
  for (ptrdiff_t j = i + 1; j < end; j++) {
    const double factor = pivot[j] * scale;
    for (ptrdiff_t m = j; m < k; m++) matrix[j * k + m] -= factor * pivot[m];
    for (int t = 0; t < KMC_POINT; t++) right[j * KMC_POINT + t] -= factor * right[i * KMC_POINT + t];
  }
}

/* Four pivots at a time: a row is read and written once for them. */
static void solve(double *matrix, double *right, int32_t k) {
  for (ptrdiff_t i = 0; i < k; i += PIVOTS) {
    const ptrdiff_t end = i + PIVOTS < k ? i + PIVOTS : k;
    const double *pivots[PIVOTS], *rights[PIVOTS];
    double factors[PIVOTS];
    for (ptrdiff_t p = i; p < end; p++) {
      eliminate_one(matrix, right, p, end, k);
      pivots[p - i] = matrix + p * k;
      rights[p - i] = right + p * KMC_POINT;
    }
    for (ptrdiff_t j = end; j < k; j++) {
      for (ptrdiff_t p = i; p < end; p++) factors[p - i] = pivots[p - i][j] * (1.0 / pivots[p - i][p]);
      eliminate(matrix + j * k, pivots, factors, j, k);
      eliminate(right + j * KMC_POINT, rights, factors, 0, KMC_POINT);
    }
  }
  for (ptrdiff_t i = k - 1; i >= 0; i--) {
    for (int t = 0; t < KMC_POINT; t++) {
      double value = right[i * KMC_POINT + t];
      for (ptrdiff_t j = i + 1; j < k; j++) value -= matrix[i * k + j] * right[j * KMC_POINT + t];
      right[i * KMC_POINT + t] = value / matrix[i * k + i];
    }
  }
}

const kmc_dither_kernels KMC_DITHER_TABLE = {points, flat, nearest, diffuse, candidates, polish, blur_row, solve};
