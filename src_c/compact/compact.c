/* A parse of LZ77 whose matches need not be exact: see compact.h. */
#include "compact/compact.h"

#include <string.h>

#include "compiler.h"
#include "dither/point4.h"

enum {
  POINT = 4,
  REACH = KMC_COMPACT_REACH,
  ROWS = 2 * REACH + 1,
  HASH_BITS = 12,
  /* Where matches are looked for: so many bytes to the left, to each side in the row above, and so many places that
   * held what the pixels would like best, latest first. */
  NEAR = 8,
  ABOVE = 2,
  DEPTH = 16,
  MOST_DISTANCES = NEAR + 2 * ABOVE + 1 + DEPTH,
  /* A match is not followed further once it is worse than without it by the price of so many bits. At the same
   * SSIMULACRA2 files are 0.4 % to 6 % smaller than with 24, and 4 % to 7 % larger again with 12; 96 gained 1 % more.
   */
  PATIENCE = 48
};

#define NEVER 1e30f

/* What a byte of the file is: pixels side by side, one pixel, or the difference of one to the pixel on its left. */
typedef enum { PACKED, PIXEL, DIFFERENCE } content;

typedef struct {
  const kmc_compact *picture;
  ptrdiff_t row_bytes, stride, y; /* stride: of a row of the file, which starts with its filter's byte */
  int32_t per_byte;
  float patience, left_share[2]; /* of the errors one and two to the left in what a pixel wants */
  point4 *entries;               /* (k) */
  float *near_columns;           /* (k, 4, n_near): the entries near each, channel by channel */
  point4 *errors[ROWS];          /* (width + 2 REACH) of rows y - REACH .. y + REACH, from column -REACH */
  point4 *columns;               /* (width + 2 REACH) errors of the other rows, blurred along columns */
  point4 *points, *wanted;       /* (width) of row y: colours, and with all errors but those to the left */
  float *best;                   /* (row_bytes): error and price of the literal that a byte would like best */
  uint8_t *liked;                /* (row_bytes + 2): that literal; of differences, the pixel's entry */
  float *twice;                  /* (512): the prices of differences, two times one after another */
  uint8_t *file;                 /* (rows, stride): what the stripe's part of the file holds so far */
  int32_t *newest, *older;       /* chains of places whose three bytes have the same hash */
} walk;

static ptrdiff_t aligned(ptrdiff_t n) { return (n + 15) / 16 * 16; }

static ptrdiff_t row_bytes_of(const kmc_compact *picture) { return (picture->width * picture->bits + 7) / 8; }

static void *take(uintptr_t *scratch, ptrdiff_t n) {
  void *taken = (void *)*scratch;
  *scratch += (uintptr_t)aligned(n);
  return taken;
}

/* Lay out the arrays from address `scratch` on; give the one behind them. */
static uintptr_t lay_out(walk *w, ptrdiff_t rows, uintptr_t scratch) {
  const kmc_compact *picture = w->picture;
  const ptrdiff_t point = sizeof(point4), padded = (picture->width + 2 * REACH) * point;
  const ptrdiff_t number = sizeof(int32_t);
  w->entries = take(&scratch, picture->k * point);
  w->near_columns = take(&scratch, picture->k * picture->n_near * point);
  for (int r = 0; r < ROWS; r++) w->errors[r] = take(&scratch, padded);
  w->columns = take(&scratch, padded);
  w->points = take(&scratch, picture->width * point);
  w->wanted = take(&scratch, picture->width * point);
  w->best = take(&scratch, w->row_bytes * number);
  w->liked = take(&scratch, w->row_bytes + 2);
  w->twice = take(&scratch, 2 * 256 * number);
  w->file = take(&scratch, rows * w->stride);
  w->newest = take(&scratch, ((ptrdiff_t)1 << HASH_BITS) * number);
  w->older = take(&scratch, rows * w->stride * number);
  return scratch;
}

static walk walk_of(const kmc_compact *picture) {
  walk w = {.picture = picture, .per_byte = 8 / picture->bits, .row_bytes = row_bytes_of(picture)};
  w.stride = w.row_bytes + 1;
  w.patience = PATIENCE * picture->length[0];
  for (int i = 0; i < REACH; i++)
    w.left_share[i] = picture->scale * picture->blur[REACH] * picture->blur[REACH - 1 - i];
  return w;
}

ptrdiff_t kmc_compact_scratch(const kmc_compact *picture, ptrdiff_t rows) {
  walk w = walk_of(picture);
  return (ptrdiff_t)lay_out(&w, rows, 0);
}

static walk start(const kmc_compact *picture, ptrdiff_t rows, uint8_t *scratch) {
  const int32_t n = picture->n_near;
  walk w = walk_of(picture);
  lay_out(&w, rows, (uintptr_t)scratch);
  memset(w.newest, 0xff, ((size_t)1 << HASH_BITS) * sizeof *w.newest);
  memset(w.liked, 0, (size_t)w.row_bytes + 2);
  for (int32_t i = 0; i < 2 * 256; i++) w.twice[i] = picture->literal[256 + i % 256];
  for (int32_t c = 0; c < picture->k; c++) {
    w.entries[c] = point4_of(picture->entries + c * POINT);
    for (int i = 0; i < n * POINT; i++) {
      w.near_columns[c * POINT * n + i] = picture->entries[picture->near[c * n + i % n] * POINT + i / n];
    }
  }
  return w;
}

/* errors of a row of the picture; 0 beyond it. */
static void load_errors(const walk *w, const kmc_compact *whole, ptrdiff_t y, const uint8_t *indices, point4 *errors) {
  memset(errors, 0, (size_t)(whole->width + 2 * REACH) * sizeof *errors);
  if (y < 0 || y >= whole->height) return;
  const int16_t *points = whole->points + y * whole->width * POINT;
  for (ptrdiff_t x = 0; x < whole->width; x++) {
    errors[x + REACH] = point4_sub(point4_of(points + x * POINT), w->entries[indices[y * whole->width + x]]);
  }
}

/* wanted: what pixels would be, to make up for all neighbours but those to their left. */
static void prepare_row(walk *w) {
  const kmc_compact *picture = w->picture;
  const float *blur = picture->blur;
  const int16_t *points = picture->points + w->y * picture->width * POINT;
  point4 *const *e = w->errors;
  for (ptrdiff_t x = 0; x < picture->width + 2 * REACH; x++) {
    w->columns[x] = point4_add(point4_times(point4_add(e[0][x], e[4][x]), blur[0]),
                               point4_times(point4_add(e[1][x], e[3][x]), blur[1]));
  }
  for (ptrdiff_t x = 0; x < picture->width; x++) {
    const point4 *column = w->columns + x, *own = e[REACH] + x;
    point4 seen = point4_times(column[2], blur[2]);
    seen = point4_add(seen, point4_times(point4_add(column[1], column[3]), blur[1]));
    seen = point4_add(seen, point4_times(point4_add(column[0], column[4]), blur[0]));
    seen = point4_add(seen, point4_times(own[3], blur[2] * blur[1]));
    seen = point4_add(seen, point4_times(own[4], blur[2] * blur[0]));
    w->points[x] = point4_of(points + x * POINT);
    w->wanted[x] = point4_add(w->points[x], point4_times(seen, picture->scale));
  }
}

/* What pixel x wants; left: the errors of the pixels one and two to its left. */
static KMC_ALWAYS_INLINE point4 wanted_at(const walk *w, ptrdiff_t x, const point4 *left) {
  const point4 near = point4_add(w->wanted[x], point4_times(left[0], w->left_share[0]));
  return point4_add(near, point4_times(left[1], w->left_share[1]));
}

static KMC_ALWAYS_INLINE void move_left(point4 *left, point4 error) {
  left[1] = left[0];
  left[0] = error;
}

/* The nearest of all entries that are allowed, for where none of those near the present one is. */
static KMC_NEVER_INLINE int32_t any_entry(const walk *w, const uint8_t *forbidden, point4 wanted, float *least) {
  int32_t best = 0;
  for (int32_t c = 0; c < w->picture->k; c++) {
    const float dist2 = point4_norm2(point4_sub(wanted, w->entries[c]));
    if (dist2 < *least && !forbidden[c]) {
      *least = dist2;
      best = c;
    }
  }
  return best;
}

/* The entry of the least error and price near the `present` one; the first of equals. Its cost is added to *cost. next:
 * NULL, or what the next byte will cost at minus the entry, which counts in the choice only. */
static KMC_ALWAYS_INLINE int32_t best_entry(const walk *w, ptrdiff_t x, int32_t present, point4 wanted,
                                            const float *price, const float *next, float *cost) {
  const kmc_compact *picture = w->picture;
  const int32_t n = picture->n_near;
  const ptrdiff_t pixel = w->y * picture->width + x;
  const uint8_t *near = picture->near + present * n, *forbidden = picture->forbidden + picture->kind[pixel] * 256;
  const float *columns = w->near_columns + (ptrdiff_t)present * POINT * n, weight = picture->weight[pixel];
  const float wanted0 = point4_lane(wanted, 0), wanted1 = point4_lane(wanted, 1);
  const float wanted2 = point4_lane(wanted, 2), wanted3 = point4_lane(wanted, 3);
  float costs[KMC_CANDIDATES], least = NEVER;
  for (int32_t i = 0; i < n; i++) {
    const float a = wanted0 - columns[i], b = wanted1 - columns[n + i];
    const float c = wanted2 - columns[2 * n + i], d = wanted3 - columns[3 * n + i];
    costs[i] = weight * ((a * a + b * b) + (c * c + d * d));
  }
  int32_t best = -1;
  for (int32_t i = 0; i < n; i++) {
    const float own = costs[i] + price[near[i]] + (next ? next[-(ptrdiff_t)near[i]] : 0);
    if (own < least && !forbidden[near[i]]) {
      least = own;
      best = near[i];
    }
  }
  if (KMC_RARELY(best < 0))
    best = any_entry(w, forbidden, wanted, &least);
  else if (next)
    least -= next[-(ptrdiff_t)best];
  *cost += least;
  return best;
}

/* The literal that byte b would like best, pixel after pixel. row: the present entries; IN OUT left: the errors to its
 * left, then to the left of the next byte. */
static KMC_ALWAYS_INLINE uint8_t literal_of(const walk *w, ptrdiff_t b, const uint8_t *row, point4 *left, float *cost) {
  const int32_t bits = w->picture->bits;
  int32_t bytes_pixels = 0, j = 0;
  *cost = 0;
  for (; j < w->per_byte && b * w->per_byte + j < w->picture->width; j++) {
    const ptrdiff_t x = b * w->per_byte + j;
    const float *price = w->picture->literal + ((1 << bits * (j + 1)) | bytes_pixels << bits);
    const int32_t entry = best_entry(w, x, row[x], wanted_at(w, x, left), price, NULL, cost);
    bytes_pixels = bytes_pixels << bits | entry;
    move_left(left, point4_sub(w->points[x], w->entries[entry]));
  }
  return (uint8_t)(bytes_pixels << bits * (w->per_byte - j));
}

/* The entry that pixel x would like best if its byte is the difference to the `previous` entry. */
static KMC_ALWAYS_INLINE uint8_t entry_by_difference(const walk *w, ptrdiff_t x, const uint8_t *row, int32_t previous,
                                                     const point4 *left, float *cost) {
  const float *price = w->twice + 256 - previous,
              *next = x + 1 < w->picture->width ? w->twice + 256 + row[x + 1] : NULL;
  *cost = 0;
  return (uint8_t)best_entry(w, x, row[x], wanted_at(w, x, left), price, next, cost);
}

static int32_t entry_in(const walk *w, uint8_t byte, int32_t j) {
  return byte >> (8 - w->picture->bits * (j + 1)) & ((1 << w->picture->bits) - 1);
}

/* The error of pixel x if it is `entry`. */
static KMC_ALWAYS_INLINE float error_of(const walk *w, ptrdiff_t x, int32_t entry, point4 *left) {
  const ptrdiff_t pixel = w->y * w->picture->width + x;
  if (w->picture->forbidden[w->picture->kind[pixel] * 256 + entry]) return NEVER;
  const point4 color = w->entries[entry];
  const float dist2 = point4_norm2(point4_sub(wanted_at(w, x, left), color));
  move_left(left, point4_sub(w->points[x], color));
  return w->picture->weight[pixel] * dist2;
}

/* The error of byte b if it is `byte`. IN OUT previous: the entry to its left. */
static KMC_ALWAYS_INLINE float error_of_byte(const walk *w, ptrdiff_t b, uint8_t byte, content of, uint8_t *previous,
                                             point4 *left) {
  if (of == DIFFERENCE) return error_of(w, b, *previous = (uint8_t)(*previous + byte), left);
  if (of == PIXEL) return error_of(w, b, byte, left);
  float error = 0;
  for (int32_t j = 0; j < w->per_byte && b * w->per_byte + j < w->picture->width; j++) {
    error += error_of(w, b * w->per_byte + j, entry_in(w, byte, j), left);
  }
  return error;
}

/* What the best match from byte b on at a distance gains, if more than *most; its length, or 0. */
static KMC_ALWAYS_INLINE ptrdiff_t match_length(const walk *w, ptrdiff_t b, ptrdiff_t distance, content of,
                                                uint8_t previous, float *most) {
  const float *length_price = w->picture->length;
  const uint8_t *from = w->file + (w->y * w->stride + 1 + b) - distance;
  const ptrdiff_t rest = w->row_bytes - b, longest = rest < KMC_LONGEST_MATCH ? rest : KMC_LONGEST_MATCH;
  float gain = -w->picture->distance[distance];
  const point4 *before = w->errors[REACH] + b * w->per_byte;
  point4 left[REACH] = {before[1], before[0]};
  ptrdiff_t length = 0;
  for (ptrdiff_t i = 0, place = 0; i < longest; i++, place++) {
    if (place == distance) place = 0;
    gain += w->best[b + i] - error_of_byte(w, b + i, from[place], of, &previous, left);
    if (gain + w->patience < 0 || gain + w->patience < *most) break;
    const float net = gain - length_price[i + 1];
    if (i + 1 >= KMC_SHORTEST_MATCH && net > *most) {
      *most = net;
      length = i + 1;
    }
  }
  return length;
}

static uint32_t hash_of(const uint8_t *bytes) {
  return (bytes[0] * 65536u + bytes[1] * 256u + bytes[2]) * 2654435761u >> (32 - HASH_BITS);
}

/* The hash of the bytes that would be liked best from b on. */
static KMC_ALWAYS_INLINE uint32_t hash_of_liked(const walk *w, ptrdiff_t b, content of, uint8_t previous) {
  const uint8_t *liked = w->liked + b;
  if (of != DIFFERENCE) return hash_of(liked);
  return hash_of(
      (uint8_t[]){(uint8_t)(liked[0] - previous), (uint8_t)(liked[1] - liked[0]), (uint8_t)(liked[2] - liked[1])});
}

/* Distances at which matches are tried; how many. */
static KMC_ALWAYS_INLINE int find_distances(const walk *w, ptrdiff_t b, content of, uint8_t previous,
                                            ptrdiff_t *distances) {
  const ptrdiff_t place = w->y * w->stride + 1 + b, farthest = w->picture->n_distances - 1;
  int n = 0;
  for (ptrdiff_t d = 1; d <= NEAR && d <= b; d++) distances[n++] = d;
  for (ptrdiff_t d = w->stride - ABOVE; d <= w->stride + ABOVE; d++) {
    if (w->y > 0 && d > NEAR && d <= place && d <= farthest) distances[n++] = d;
  }
  if (b + KMC_SHORTEST_MATCH > w->row_bytes) return n;
  int32_t found = w->newest[hash_of_liked(w, b, of, previous)];
  for (int i = 0; i < DEPTH && found >= 0 && place - found <= farthest; i++, found = w->older[found]) {
    distances[n++] = place - found;
  }
  return n;
}

/* The entry from which pixel x differs. */
static KMC_ALWAYS_INLINE uint8_t entry_before(const uint8_t *row, ptrdiff_t x) { return x > 0 ? row[x - 1] : 0; }

/* Bytes b .. b + n - 1 stand in the file: their pixels become the picture's, their places can be found. */
static KMC_ALWAYS_INLINE void commit(walk *w, ptrdiff_t b, ptrdiff_t n, content of, uint8_t *row) {
  for (ptrdiff_t i = b; i < b + n; i++) {
    const ptrdiff_t place = w->y * w->stride + 1 + i;
    for (int32_t j = 0; j < w->per_byte && i * w->per_byte + j < w->picture->width; j++) {
      const ptrdiff_t x = i * w->per_byte + j;
      row[x] =
          of == DIFFERENCE ? (uint8_t)(w->file[place] + entry_before(row, x)) : (uint8_t)entry_in(w, w->file[place], j);
      w->errors[REACH][x + REACH] = point4_sub(w->points[x], w->entries[row[x]]);
    }
    if (place < KMC_SHORTEST_MATCH - 1) continue;
    const ptrdiff_t first = place - (KMC_SHORTEST_MATCH - 1);
    const uint32_t hash = hash_of(w->file + first);
    w->older[first] = w->newest[hash];
    w->newest[hash] = (int32_t)first;
  }
}

/* What every byte of the row would like best, the errors to its left as they are. */
static KMC_ALWAYS_INLINE void like(walk *w, content of, const uint8_t *row) {
  for (ptrdiff_t b = 0; b < w->row_bytes; b++) {
    const point4 *before = w->errors[REACH] + b * w->per_byte;
    point4 left[REACH] = {before[1], before[0]};
    w->liked[b] = of == DIFFERENCE ? entry_by_difference(w, b, row, entry_before(w->liked, b), left, &w->best[b])
                                   : literal_of(w, b, row, left, &w->best[b]);
  }
}

/* The literal at byte b, after what stands to its left. */
static KMC_ALWAYS_INLINE uint8_t literal_at(const walk *w, ptrdiff_t b, content of, uint8_t previous,
                                            const uint8_t *row) {
  const point4 *errors = w->errors[REACH] + b * w->per_byte;
  point4 left[REACH] = {errors[1], errors[0]};
  float unused;
  if (of != DIFFERENCE) return literal_of(w, b, row, left, &unused);
  return (uint8_t)(entry_by_difference(w, b, row, previous, left, &unused) - previous);
}

static KMC_ALWAYS_INLINE void walk_row(walk *w, content of, uint8_t *row) {
  ptrdiff_t distances[MOST_DISTANCES];
  uint8_t *file = w->file + w->y * w->stride;
  file[0] = 0;
  like(w, of, row);
  for (ptrdiff_t b = 0, length; b < w->row_bytes; b += length) {
    const uint8_t previous = of == DIFFERENCE ? entry_before(row, b) : 0;
    const int n = find_distances(w, b, of, previous, distances);
    ptrdiff_t distance = 0;
    float gain = 0;
    length = 0;
    for (int i = 0; i < n; i++) {
      const ptrdiff_t found = match_length(w, b, distances[i], of, previous, &gain);
      if (found == 0) continue;
      length = found;
      distance = distances[i];
    }
    for (ptrdiff_t i = 0; i < length; i++) file[1 + b + i] = file[1 + b + i - distance];
    if (length == 0) {
      length = 1;
      file[1 + b] = literal_at(w, b, of, previous, row);
    }
    commit(w, b, length, of, row);
  }
}

static void walk_differences(walk *w, uint8_t *row) { walk_row(w, DIFFERENCE, row); }
static void walk_pixels(walk *w, uint8_t *row) { walk_row(w, PIXEL, row); }
static void walk_packed(walk *w, uint8_t *row) { walk_row(w, PACKED, row); }

void kmc_compact_stripe(const kmc_compact *whole, ptrdiff_t first, ptrdiff_t last, uint8_t *scratch, uint8_t *indices) {
  kmc_compact stripe = *whole; /* whose rows are counted from `first` on */
  const ptrdiff_t width = whole->width;
  stripe.height = last - first;
  stripe.points += first * width * POINT;
  stripe.kind += first * width;
  stripe.weight += first * width;
  walk w = start(&stripe, last - first, scratch);
  for (int r = 0; r < ROWS - 1; r++) load_errors(&w, whole, first + r - REACH, indices, w.errors[r + 1]);
  for (ptrdiff_t y = first; y < last; y++) {
    point4 *freed = w.errors[0];
    for (int r = 0; r < ROWS - 1; r++) w.errors[r] = w.errors[r + 1];
    w.errors[ROWS - 1] = freed;
    load_errors(&w, whole, y + REACH, indices, freed);
    w.y = y - first;
    prepare_row(&w);
    (stripe.differences ? walk_differences : stripe.bits == 8 ? walk_pixels : walk_packed)(&w, indices + y * width);
  }
}
