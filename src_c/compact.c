/* A parse of LZ77 whose matches need not be exact: see compact.h. */
#include "compact.h"

#include <string.h>

enum {
  POINT = 4,
  REACH = KMC_COMPACT_REACH,
  ROWS = 2 * REACH + 1,
  HASH_BITS = 12,
  /* Where matches are looked for: so many bytes to the left, to each side in the row above, and so many places that
   * held what the pixels would like best, latest first. Twice as many of each gained 0.5 %. */
  NEAR = 8,
  ABOVE = 2,
  DEPTH = 16,
  MOST_DISTANCES = NEAR + 2 * ABOVE + 1 + DEPTH,
  /* A match is not followed further once it is worse than without it by the price of so many bits. */
  PATIENCE = 24
};

#define NEVER (INT64_MAX / 4)

typedef struct {
  const kmc_compact *picture;
  ptrdiff_t row_bytes, stride, y; /* stride: of a row of the file, which starts with its filter's byte */
  int32_t per_byte;
  int64_t bit;             /* a bit's price */
  int16_t *columns;        /* (4, k): the entries, channel by channel */
  int32_t *errors[ROWS];   /* (width + 2 REACH, 4) of rows y - REACH .. y + REACH, from column -REACH */
  int32_t *seen;           /* (width + 2 REACH, 4): blurred errors of the other rows, from column -REACH */
  int64_t *best;           /* (row_bytes): error and price of the literal that a byte would like best */
  uint8_t *liked;          /* (row_bytes + 2): that literal */
  uint8_t *file;           /* (rows, stride): what the stripe's part of the file holds so far */
  int32_t *newest, *older; /* chains of places whose three bytes have the same hash */
} walk;

static ptrdiff_t aligned(ptrdiff_t n) { return (n + 15) / 16 * 16; }

static ptrdiff_t row_bytes_of(const kmc_compact *picture) { return (picture->width * picture->bits + 7) / 8; }

static ptrdiff_t errors_size(const kmc_compact *picture) {
  return aligned((picture->width + 2 * REACH) * POINT * (ptrdiff_t)sizeof(int32_t));
}

ptrdiff_t kmc_compact_scratch(const kmc_compact *picture, ptrdiff_t rows) {
  const ptrdiff_t row_bytes = row_bytes_of(picture), n = rows * (row_bytes + 1);
  return aligned(POINT * picture->k * (ptrdiff_t)sizeof(int16_t)) + (ROWS + 1) * errors_size(picture) +
         aligned(row_bytes * (ptrdiff_t)sizeof(int64_t)) + aligned(row_bytes + 2) + aligned(n) +
         aligned(((ptrdiff_t)1 << HASH_BITS) * (ptrdiff_t)sizeof(int32_t)) + aligned(n * (ptrdiff_t)sizeof(int32_t));
}

static void *take(uint8_t **scratch, ptrdiff_t n) {
  void *taken = *scratch;
  *scratch += aligned(n);
  return taken;
}

static walk start(const kmc_compact *picture, ptrdiff_t rows, uint8_t *scratch) {
  walk w = {.picture = picture, .per_byte = 8 / picture->bits, .row_bytes = row_bytes_of(picture)};
  w.stride = w.row_bytes + 1;
  w.bit = picture->length[0];
  w.columns = take(&scratch, POINT * picture->k * (ptrdiff_t)sizeof(int16_t));
  for (int r = 0; r < ROWS; r++) w.errors[r] = take(&scratch, errors_size(picture));
  w.seen = take(&scratch, errors_size(picture));
  w.best = take(&scratch, w.row_bytes * (ptrdiff_t)sizeof(int64_t));
  w.liked = take(&scratch, w.row_bytes + 2);
  w.file = take(&scratch, rows * w.stride);
  w.newest = take(&scratch, ((ptrdiff_t)1 << HASH_BITS) * (ptrdiff_t)sizeof(int32_t));
  w.older = take(&scratch, rows * w.stride * (ptrdiff_t)sizeof(int32_t));
  memset(w.newest, 0xff, ((size_t)1 << HASH_BITS) * sizeof(int32_t));
  memset(w.liked, 0, (size_t)w.row_bytes + 2);
  for (int t = 0; t < POINT; t++) {
    for (int32_t c = 0; c < picture->k; c++) w.columns[t * picture->k + c] = picture->entries[c * POINT + t];
  }
  return w;
}

/* errors of a row of the picture; 0 beyond it. */
static void load_errors(const kmc_compact *picture, ptrdiff_t y, const uint8_t *indices, int32_t *errors) {
  memset(errors, 0, (size_t)(picture->width + 2 * REACH) * POINT * sizeof *errors);
  if (y < 0 || y >= picture->height) return;
  for (ptrdiff_t x = 0; x < picture->width; x++) {
    const int16_t *point = picture->points + (y * picture->width + x) * POINT;
    const int16_t *entry = picture->entries + indices[y * picture->width + x] * POINT;
    for (int t = 0; t < POINT; t++) errors[(x + REACH) * POINT + t] = point[t] - entry[t];
  }
}

/* seen: the errors of the rows above and below, blurred along columns, then along rows. */
static void blur_other_rows(walk *w) {
  const kmc_compact *picture = w->picture;
  const int32_t *blur = picture->blur;
  const ptrdiff_t n = (picture->width + 2 * REACH) * POINT;
  int32_t column[ROWS * POINT] = {0}; /* of the last ROWS columns, in turn */
  memset(w->seen, 0, (size_t)n * sizeof *w->seen);
  for (ptrdiff_t x = 0; x < picture->width + 2 * REACH; x++) {
    int32_t *to = column + x % ROWS * POINT;
    for (int t = 0; t < POINT; t++) to[t] = 0;
    for (int r = 0; r < ROWS; r++) {
      for (int t = 0; t < POINT && r != REACH; t++) to[t] += blur[r] * w->errors[r][x * POINT + t];
    }
    if (x < 2 * REACH) continue;
    for (int i = 0; i < ROWS; i++) {
      const int32_t *from = column + (x - 2 * REACH + i) % ROWS * POINT;
      for (int t = 0; t < POINT; t++) w->seen[(x - REACH) * POINT + t] += blur[i] * from[t];
    }
  }
}

/* What a pixel would be, to make up for its neighbours; left: the errors of the pixels one and two to the left. */
static inline void wanted_at(const walk *w, ptrdiff_t x, const int32_t *left, int32_t *wanted) {
  const kmc_compact *picture = w->picture;
  const int16_t *point = picture->points + (w->y * picture->width + x) * POINT;
  const int32_t *right = w->errors[REACH] + (x + REACH + 1) * POINT, *seen = w->seen + (x + REACH) * POINT;
  const int32_t scale = picture->kind[w->y * picture->width + x] & 4 ? 0 : picture->scale;
  const int32_t *blur = picture->blur;
  for (int t = 0; t < POINT; t++) {
    const int32_t own = blur[1] * (left[t] + right[t]) + blur[0] * (left[POINT + t] + right[POINT + t]);
    wanted[t] = point[t] + (int32_t)(((int64_t)(seen[t] + blur[2] * own) * scale + 32768) >> 16);
  }
}

static inline int64_t error_of(const walk *w, ptrdiff_t x, const int32_t *wanted, const int16_t *entry) {
  int32_t dist2 = 0;
  for (int t = 0; t < POINT; t++) {
    const int32_t diff = wanted[t] - entry[t];
    dist2 += diff * diff;
  }
  return (int64_t)dist2 * w->picture->weight[w->y * w->picture->width + x];
}

/* The entry of the least error and price; `price` (k). The lowest of equals; its cost is added to *cost. */
static int32_t best_entry(const walk *w, ptrdiff_t x, const int32_t *wanted, const int64_t *price, int64_t *cost) {
  const kmc_compact *picture = w->picture;
  const int32_t k = picture->k;
  const ptrdiff_t pixel = w->y * picture->width + x;
  const uint8_t *forbidden = picture->forbidden + (picture->kind[pixel] & 3) * 256;
  const uint32_t weight = picture->weight[pixel];
  const int16_t *columns = w->columns;
  int64_t costs[256], least = NEVER;
  for (int32_t c = 0; c < k; c++) {
    int32_t dist2 = 0;
    for (int t = 0; t < POINT; t++) {
      const int32_t diff = wanted[t] - columns[t * k + c];
      dist2 += diff * diff;
    }
    costs[c] = (int64_t)((uint64_t)(uint32_t)dist2 * weight) + price[c];
  }
  int32_t best = 0;
  for (int32_t c = 0; c < k; c++) {
    if (costs[c] < least && !forbidden[c]) {
      least = costs[c];
      best = c;
    }
  }
  *cost += least;
  return best;
}

static void put_error(const walk *w, ptrdiff_t x, int32_t entry) {
  const int16_t *point = w->picture->points + (w->y * w->picture->width + x) * POINT;
  const int16_t *color = w->picture->entries + entry * POINT;
  for (int t = 0; t < POINT; t++) w->errors[REACH][(x + REACH) * POINT + t] = point[t] - color[t];
}

/* The errors of the pixels one and two to the left of a column. */
static void errors_left_of(const walk *w, ptrdiff_t x, int32_t *left) {
  memcpy(left, w->errors[REACH] + (x + REACH - 1) * POINT, POINT * sizeof *left);
  memcpy(left + POINT, w->errors[REACH] + (x + REACH - 2) * POINT, POINT * sizeof *left);
}

/* The literal that byte b would like best, pixel after pixel; each becomes the picture's if `is_final`. */
static uint8_t literal_of(walk *w, ptrdiff_t b, int is_final, int64_t *cost) {
  const kmc_compact *picture = w->picture;
  const int32_t bits = picture->bits;
  int32_t bytes_pixels = 0, j = 0;
  *cost = 0;
  for (; j < w->per_byte && b * w->per_byte + j < picture->width; j++) {
    const ptrdiff_t x = b * w->per_byte + j;
    int32_t left[2 * POINT], wanted[POINT];
    errors_left_of(w, x, left);
    wanted_at(w, x, left, wanted);
    const int64_t *price = picture->literal + ((1 << bits * (j + 1)) | bytes_pixels << bits);
    const int32_t entry = best_entry(w, x, wanted, price, cost);
    bytes_pixels = bytes_pixels << bits | entry;
    if (is_final) put_error(w, x, entry);
  }
  return (uint8_t)(bytes_pixels << bits * (w->per_byte - j));
}

static int32_t entry_in(const walk *w, uint8_t byte, int32_t j) {
  return byte >> (8 - w->picture->bits * (j + 1)) & ((1 << w->picture->bits) - 1);
}

/* The error of byte b if it is `byte`; left: the errors to its left, then to the left of the next byte. */
static inline int64_t error_of_byte(const walk *w, ptrdiff_t b, uint8_t byte, int32_t *left) {
  const kmc_compact *picture = w->picture;
  int64_t error = 0;
  for (int32_t j = 0; j < w->per_byte; j++) {
    const ptrdiff_t x = b * w->per_byte + j, pixel = w->y * picture->width + x;
    if (x >= picture->width) break;
    const int32_t entry = entry_in(w, byte, j);
    if (entry >= picture->k || picture->forbidden[(picture->kind[pixel] & 3) * 256 + entry]) return NEVER;
    int32_t wanted[POINT];
    wanted_at(w, x, left, wanted);
    error += error_of(w, x, wanted, picture->entries + entry * POINT);
    for (int t = 0; t < POINT; t++) {
      left[POINT + t] = left[t];
      left[t] = picture->points[pixel * POINT + t] - picture->entries[entry * POINT + t];
    }
  }
  return error;
}

/* What the best match from byte b on at a distance gains, if more than *most; its length, or 0. */
static ptrdiff_t match_length(const walk *w, ptrdiff_t b, ptrdiff_t distance, int64_t *most) {
  const int64_t *length_price = w->picture->length;
  const uint8_t *from = w->file + (w->y * w->stride + 1 + b) - distance;
  const ptrdiff_t rest = w->row_bytes - b, longest = rest < KMC_LONGEST_MATCH ? rest : KMC_LONGEST_MATCH;
  int64_t gain = -w->picture->distance[distance];
  int32_t left[2 * POINT];
  ptrdiff_t length = 0;
  errors_left_of(w, b * w->per_byte, left);
  for (ptrdiff_t i = 0, place = 0; i < longest; i++, place++) {
    if (place == distance) place = 0;
    const int64_t error = error_of_byte(w, b + i, from[place], left);
    gain += w->best[b + i] - error;
    if (error >= NEVER || gain < -PATIENCE * w->bit || gain + PATIENCE * w->bit < *most) break;
    const int64_t net = gain - length_price[i + 1];
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

/* Distances at which matches are tried; how many. */
static int find_distances(const walk *w, ptrdiff_t b, ptrdiff_t *distances) {
  const ptrdiff_t place = w->y * w->stride + 1 + b, farthest = w->picture->n_distances - 1;
  int n = 0;
  for (ptrdiff_t d = 1; d <= NEAR && d <= b; d++) distances[n++] = d;
  for (ptrdiff_t d = w->stride - ABOVE; d <= w->stride + ABOVE; d++) {
    if (w->y > 0 && d > NEAR && d <= place && d <= farthest) distances[n++] = d;
  }
  if (b + KMC_SHORTEST_MATCH > w->row_bytes) return n;
  int32_t found = w->newest[hash_of(w->liked + b)];
  for (int i = 0; i < DEPTH && found >= 0 && place - found <= farthest; i++, found = w->older[found]) {
    distances[n++] = place - found;
  }
  return n;
}

/* Bytes b .. b + n - 1 stand in the file: their pixels become the picture's, their places can be found. */
static void commit(walk *w, ptrdiff_t b, ptrdiff_t n, uint8_t *row) {
  for (ptrdiff_t i = b; i < b + n; i++) {
    const ptrdiff_t place = w->y * w->stride + 1 + i;
    for (int32_t j = 0; j < w->per_byte && i * w->per_byte + j < w->picture->width; j++) {
      const ptrdiff_t x = i * w->per_byte + j;
      row[x] = (uint8_t)entry_in(w, w->file[place], j);
      put_error(w, x, row[x]);
    }
    if (place < KMC_SHORTEST_MATCH - 1) continue;
    const ptrdiff_t first = place - (KMC_SHORTEST_MATCH - 1);
    const uint32_t hash = hash_of(w->file + first);
    w->older[first] = w->newest[hash];
    w->newest[hash] = (int32_t)first;
  }
}

static void walk_row(walk *w, uint8_t *row) {
  ptrdiff_t distances[MOST_DISTANCES];
  uint8_t *file = w->file + w->y * w->stride;
  file[0] = 0;
  for (ptrdiff_t b = 0; b < w->row_bytes; b++) w->liked[b] = literal_of(w, b, 0, &w->best[b]);
  for (ptrdiff_t b = 0, length; b < w->row_bytes; b += length) {
    const int n = find_distances(w, b, distances);
    ptrdiff_t distance = 0;
    int64_t gain = 0, unused;
    length = 0;
    for (int i = 0; i < n; i++) {
      const ptrdiff_t found = match_length(w, b, distances[i], &gain);
      if (found == 0) continue;
      length = found;
      distance = distances[i];
    }
    for (ptrdiff_t i = 0; i < length; i++) file[1 + b + i] = file[1 + b + i - distance];
    if (length == 0) {
      length = 1;
      file[1 + b] = literal_of(w, b, 1, &unused);
    }
    commit(w, b, length, row);
  }
}

void kmc_compact_stripe(const kmc_compact *whole, ptrdiff_t first, ptrdiff_t last, uint8_t *scratch, uint8_t *indices) {
  kmc_compact stripe = *whole; /* whose rows are counted from `first` on */
  const ptrdiff_t width = whole->width;
  stripe.points += first * width * POINT;
  stripe.kind += first * width;
  stripe.weight += first * width;
  walk w = start(&stripe, last - first, scratch);
  for (int r = 0; r < ROWS - 1; r++) load_errors(whole, first + r - REACH, indices, w.errors[r + 1]);
  for (ptrdiff_t y = first; y < last; y++) {
    int32_t *freed = w.errors[0];
    for (int r = 0; r < ROWS - 1; r++) w.errors[r] = w.errors[r + 1];
    w.errors[ROWS - 1] = freed;
    load_errors(whole, y + REACH, indices, freed);
    w.y = y - first;
    blur_other_rows(&w);
    walk_row(&w, indices + y * width);
  }
}
