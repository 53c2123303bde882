/* Part of neon_harness.c. Pixels and palettes: keys, errors, the nearest entry in a box. */
typedef struct {
  const uint8_t *pixels;
  ptrdiff_t n, channels;
} keys_problem;

static uint32_t key_by_definition(const uint8_t *rgb) {
  uint32_t key = 0;
  for (int bit = 0; bit < 8; bit++) {
    for (int channel = 0; channel < 3; channel++) key |= (uint32_t)(rgb[channel] >> bit & 1) << (3 * bit + 2 - channel);
  }
  return key;
}

static void run_keys(const kmc_kernels *kernels, const void *problem, record *out) {
  const keys_problem *p = problem;
  const kmc_pixel_kernels *pixel_kernels = kmc_pixel_kernels_for(kernels);
  uint32_t *keys = new_output(p->n, sizeof *keys);
  uint32_t *label_keys = new_output(p->n, sizeof *label_keys);
  (p->channels == 3 ? pixel_kernels->keys_of_rgb : pixel_kernels->keys_of_rgba)(p->pixels, p->n, keys);
  record_output(out, "keys", keys, p->n, sizeof *keys);
  if (p->channels == 3) kmc_label_kernels_for(kernels)->keys_of_rgb(p->pixels, p->n, label_keys);
  record_output(out, "keys of the map", label_keys, p->n, sizeof *label_keys);
  if (p->channels == 3 && memcmp(keys, label_keys, (size_t)p->n * sizeof *keys))
    report(kernels->name, "keys", "the map's");
  for (ptrdiff_t i = 0; i < p->n && is_generic(kernels); i++) {
    uint8_t rgb[3];
    kmc_rgb_of_key(keys[i], rgb);
    if (keys[i] != key_by_definition(p->pixels + i * p->channels) || memcmp(rgb, p->pixels + i * p->channels, 3) != 0) {
      report("generic", "keys", "not the interleaved bits");
      return;
    }
  }
}

typedef struct {
  const uint8_t *pixels, *counters;
  const uint32_t *entries;
  ptrdiff_t n;
} error_problem;

static void run_error(const kmc_kernels *kernels, const void *problem, record *out) {
  const error_problem *p = problem;
  const kmc_pixel_kernels *pixel_kernels = kmc_pixel_kernels_for(kernels);
  int64_t *sum = new_output(1, sizeof *sum), expected = 0;
  uint64_t *bits = new_output(1, sizeof *bits), expected_bits = 0;
  *sum = pixel_kernels->squared_error(p->pixels, p->entries, p->n);
  *bits = pixel_kernels->nonzero_bits(p->counters);
  record_output(out, "squared error", sum, 1, sizeof *sum);
  record_output(out, "nonzero bits", bits, 1, sizeof *bits);
  for (ptrdiff_t i = 0; i < 3 * p->n; i++) {
    const int diff = p->pixels[i] - (int)(p->entries[i / 3] >> 8 * (i % 3) & 255);
    expected += diff * diff;
  }
  for (int i = 0; i < 64; i++) expected_bits += (uint64_t)(p->counters[i] > 0) << i;
  if (*sum != expected) report(kernels->name, "squared_error", "not the sum of squares");
  if (*bits != expected_bits) report(kernels->name, "nonzero_bits", "not where the counters are");
}

typedef struct {
  const uint8_t *counters;
  ptrdiff_t n;
} taken_problem;

static void run_taken(const kmc_kernels *kernels, const void *problem, record *out) {
  const taken_problem *p = problem;
  const ptrdiff_t n_colors = p->n * KMC_BOX_COLORS;
  uint8_t *counters = new_output(n_colors, 1), *counts = new_output(n_colors + KMC_TAKEN_SLACK, 1);
  uint64_t *bits = new_output(p->n, sizeof *bits);
  uint32_t *before = new_output(p->n, sizeof *before);
  uint16_t *places = new_output(n_colors + KMC_TAKEN_SLACK, sizeof *places);
  memcpy(counters, p->counters, (size_t)n_colors);
  const ptrdiff_t n = kmc_pixel_kernels_for(kernels)->take_counters(counters, p->n, bits, before, places, counts);
  ptrdiff_t taken = 0;
  for (ptrdiff_t i = 0; i < n_colors; i++) {
    const ptrdiff_t box = i / KMC_BOX_COLORS;
    const int occurs = p->counters[i] > 0;
    if ((int)(bits[box] >> i % KMC_BOX_COLORS & 1) != occurs) report(kernels->name, "take_counters", "wrong bits");
    if (counters[i] != 0) report(kernels->name, "take_counters", "a counter that is not 0");
    if (!occurs) continue;
    if (taken >= n || places[taken] != i || counts[taken] != p->counters[i] ||
        (ptrdiff_t)before[box] + kmc_count_bits(bits[box] & (((uint64_t)1 << i % KMC_BOX_COLORS) - 1)) != taken) {
      report(kernels->name, "take_counters", "not the colours in order");
      return;
    }
    taken++;
  }
  if (taken != n) report(kernels->name, "take_counters", "too many colours");
  record_output(out, "bits", bits, p->n, sizeof *bits);
  record_output(out, "places", places, n, sizeof *places);
  record_output(out, "counts", counts, n, 1);
}

/* Boxes of no colour, of some, and of all. */
static void check_taken(void) {
  for (ptrdiff_t n = 1; n <= KMC_MOST_TAKEN; n += n < 9 ? 1 : 145) {
    uint8_t *counters = new_input(n * KMC_BOX_COLORS, 1);
    for (ptrdiff_t i = 0; i < n * KMC_BOX_COLORS; i++) {
      const ptrdiff_t one_in = (ptrdiff_t[]){1, 3, 20, 100}[i / KMC_BOX_COLORS % 4];
      counters[i] = random_below(one_in) == 0 ? (uint8_t)random_bits() : 0;
    }
    const taken_problem problem = {counters, n};
    char name[120];
    snprintf(name, sizeof name, "counters of n=%td boxes", n);
    check(name, run_taken, &problem);
    free_down_to(0);
  }
}

/* With extremes: the largest difference there is, in every sample. */
static void check_errors(void) {
  for (ptrdiff_t n = 1; n <= KMC_KEY_BATCH; n += n < 70 ? 1 : 53) {
    uint8_t *pixels = new_input(3 * n, 1), *counters = new_input(64, 1);
    uint32_t *entries = new_input(n, sizeof *entries);
    for (ptrdiff_t i = 0; i < 3 * n; i++) pixels[i] = n % 5 ? (uint8_t)random_bits() : 255;
    for (ptrdiff_t i = 0; i < n; i++) entries[i] = n % 5 ? (uint32_t)random_bits() & 0xffffff : 0;
    for (int i = 0; i < 64; i++) counters[i] = (uint8_t)(random_bits() & random_bits() & 0x81);
    const error_problem problem = {pixels, counters, entries, n};
    char name[120];
    snprintf(name, sizeof name, "errors of n=%td pixels", n);
    check(name, run_error, &problem);
    free_down_to(0);
  }
}

typedef struct {
  const uint8_t *pixels, *colors;
  ptrdiff_t n, k;
} nearest_problem;

static void run_nearest(const kmc_kernels *kernels, const void *problem, record *out) {
  const nearest_problem *p = problem;
  kmc_entries entries;
  int64_t *sum = new_output(1, sizeof *sum), expected = 0;
  uint8_t *indices = new_output(p->n, 1);
  kmc_set_entries(p->colors, p->k, &entries);
  *sum = kmc_entry_kernels_for(kernels)->nearest(p->pixels, p->n, &entries, indices);
  record_output(out, "sum", sum, 1, sizeof *sum);
  record_output(out, "indices", indices, p->n, 1);
  for (ptrdiff_t i = 0; i < p->n && is_generic(kernels); i++) {
    int32_t least = INT32_MAX;
    ptrdiff_t nearest = 0;
    for (ptrdiff_t j = 0; j < p->k; j++) {
      int32_t square = 0;
      for (int t = 0; t < 3; t++) {
        const int32_t diff = p->pixels[3 * i + t] - p->colors[3 * j + t];
        square += diff * diff;
      }
      if (square >= least) continue;
      least = square;
      nearest = j;
    }
    expected += least;
    if (indices[i] != nearest) report("generic", "nearest", "not the nearest entry");
  }
  if (is_generic(kernels) && *sum != expected) report("generic", "nearest", "not the sum of squares");
}

/* With extremes, and with ties: entries of few levels. */
static void check_nearest(void) {
  static const ptrdiff_t sizes[] = {1, 2, 17, KMC_MOST_COMPARED};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (ptrdiff_t n = 1; n <= 300; n += n < 70 ? 1 : 23) {
      const ptrdiff_t k = sizes[s];
      const int step = n % 3 == 0 ? 255 : n % 3 == 1 ? 85 : 1;
      uint8_t *pixels = new_input(3 * n, 1), *colors = new_input(3 * k, 1);
      for (ptrdiff_t i = 0; i < 3 * n; i++) pixels[i] = (uint8_t)((uint8_t)random_bits() / step * step);
      for (ptrdiff_t i = 0; i < 3 * k; i++) colors[i] = (uint8_t)((uint8_t)random_bits() / step * step);
      const nearest_problem problem = {pixels, colors, n, k};
      char name[120];
      snprintf(name, sizeof name, "nearest of k=%td entries to n=%td pixels", k, n);
      check(name, run_nearest, &problem);
      free_down_to(0);
    }
  }
}

static void check_keys(void) {
  for (ptrdiff_t channels = 3; channels <= 4; channels++) {
    for (ptrdiff_t n = 1; n <= KMC_KEY_BATCH; n += n < 70 ? 1 : 53) {
      uint8_t *pixels = new_input(n * channels, 1);
      for (ptrdiff_t i = 0; i < n * channels; i++) pixels[i] = (uint8_t)random_bits();
      const keys_problem problem = {pixels, n, channels};
      char name[120];
      snprintf(name, sizeof name, "keys of n=%td pixels of %td channels", n, channels);
      check(name, run_keys, &problem);
      free_down_to(0);
    }
  }
}

typedef struct {
  kmc_node node; /* of side 8, with any entries */
  uint8_t corner[3];
} box_problem;

static int32_t nearest_entry(const kmc_node *node, const uint8_t *rgb) {
  int32_t nearest = 0;
  double least = INFINITY;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const kmc_candidate *own = node->candidates + i;
    const double r = own->rgb[0] - rgb[0], g = own->rgb[1] - rgb[1], b = own->rgb[2] - rgb[2];
    const double dist2 = r * r + g * g + b * b;
    if (dist2 < least) nearest = own->index, least = dist2;
  }
  return nearest;
}

static void run_nearest_in_box(const kmc_kernels *kernels, const void *problem, record *out) {
  const box_problem *p = problem;
  const kmc_label_kernels *label_kernels = kmc_label_kernels_for(kernels);
  kmc_node node = p->node;
  uint16_t *labels = new_output(8 * KMC_BOX_COLORS, sizeof *labels);
  int32_t *single = new_output(8, sizeof *single);
  node.keep = new_output(node.n, sizeof *node.keep);
  label_kernels->keep_in_octants(&node, p->corner, 8);
  for (int octant = 0; octant < 8; octant++) {
    const uint32_t key = kmc_key_of_rgb(p->corner) + (uint32_t)octant * KMC_BOX_COLORS;
    uint16_t *const of_box = labels + octant * KMC_BOX_COLORS;
    uint8_t rgb[3];
    kmc_rgb_of_key(key, rgb);
    label_kernels->nearest_in_box(&node, octant, rgb, of_box);
    for (uint32_t i = 0; i < KMC_BOX_COLORS && is_generic(kernels); i++) {
      kmc_rgb_of_key(key + i, rgb);
      if (of_box[i] != nearest_entry(&node, rgb)) report("generic", "nearest_in_box", "not the nearest entry");
    }
  }
  for (int octant = 0; octant < 8; octant++) node.single[octant] *= node.whole >> octant & 1;
  memcpy(single, node.single, sizeof node.single);
  record_output(out, "single", single, 8, sizeof *single);
  record_output(out, "keep", node.keep, node.n, sizeof *node.keep);
  record_output(out, "labels", labels, 8 * KMC_BOX_COLORS, sizeof *labels);
}

/* Entries on a lattice of `step` (one of more than 1 makes ties) in the whole colour space; or pairs that lie opposite
 * each other and equally far from the box's corner. */
static void check_nearest_in_box(ptrdiff_t k, ptrdiff_t step, uint32_t cell, int pairs) {
  box_problem p = {.node = {.n = k}};
  kmc_candidate *candidates = p.node.candidates = new_input(k, sizeof *candidates);
  double previous[3] = {0};
  char name[120];
  kmc_rgb_of_key(cell * 8 * KMC_BOX_COLORS, p.corner);
  for (ptrdiff_t i = 0; i < k; i++) {
    uint8_t rgb[3];
    for (int t = 0; t < 3; t++) {
      const double anywhere = (double)(random_below(255 / step + 1) * step), before = p.corner[t] - anywhere / 16;
      const double opposite = i ? 2 * p.corner[t] - previous[t] : 0;
      const double paired = i % 2 ? opposite : floor(before);
      previous[t] = !pairs ? anywhere : paired < 0 ? 0 : paired > 255 ? 255 : paired;
      rgb[t] = (uint8_t)previous[t];
    }
    candidates[i] = kmc_candidate_of(rgb, i);
  }
  snprintf(name, sizeof name, "nearest_in_box k=%td step=%td cell=%u pairs=%d", k, step, (unsigned)cell, pairs);
  check(name, run_nearest_in_box, &p);
  free_down_to(0);
}

static void check_all_boxes(void) {
  static const ptrdiff_t sizes[] = {1, 2, 3, 8, 17, 64, 300}, steps[] = {1, 4, 51, 255};
  enum { CELLS = KMC_N_BOXES / 8 };
  for (int i = 0; i < COUNT(sizes); i++) {
    for (int j = 0; j < COUNT(steps); j++) {
      const uint32_t cells[] = {0, CELLS - 1, (uint32_t)random_below(CELLS)};
      for (int b = 0; b < COUNT(cells); b++) {
        check_nearest_in_box(sizes[i], steps[j], cells[b], 0);
        check_nearest_in_box(sizes[i], steps[j], cells[b], 1);
      }
    }
  }
}

static void run_pack_box(const kmc_kernels *kernels, const void *problem, record *out) {
  const uint16_t *labels = problem;
  uint16_t *cells = new_output(KMC_BOX_CELLS, sizeof *cells);
  uint8_t *line = new_output(KMC_BOX_COLORS, 1);
  int32_t *is_needed = new_output(1, sizeof *is_needed), expected = 0;
  *is_needed = kmc_label_kernels_for(kernels)->pack_box(labels, cells, line);
  record_output(out, "cells", cells, KMC_BOX_CELLS, sizeof *cells);
  record_output(out, "line", line, KMC_BOX_COLORS, 1);
  record_output(out, "is needed", is_needed, 1, sizeof *is_needed);
  for (int i = 0; i < KMC_BOX_COLORS && is_generic(kernels); i++) {
    const int differs = labels[i] != labels[i & ~(KMC_CELL_COLORS - 1)];
    if (line[i] != labels[i]) report("generic", "pack_box", "not the label");
    if ((cells[i / KMC_CELL_COLORS] >> (8 + i % KMC_CELL_COLORS) & 1) != differs) report("generic", "pack_box", "bit");
    expected |= differs;
  }
  if (is_generic(kernels) && *is_needed != expected) report("generic", "pack_box", "not whether a line is needed");
}

/* Boxes of one label, but for one colour each; and of many. */
static void check_pack_box(void) {
  for (int i = 0; i < KMC_BOX_COLORS + 20; i++) {
    uint16_t *labels = new_input(KMC_BOX_COLORS, sizeof *labels);
    const uint16_t first = (uint16_t)random_below(256);
    char name[120];
    for (int j = 0; j < KMC_BOX_COLORS; j++) {
      labels[j] = i < KMC_BOX_COLORS || random_below(4) ? first : (uint16_t)random_below(256);
    }
    if (0 < i && i < KMC_BOX_COLORS) labels[i] ^= 128;
    snprintf(name, sizeof name, "pack_box %d", i);
    check(name, run_pack_box, labels);
    free_down_to(0);
  }
}

typedef struct {
  const uint16_t *cells;
  const uint32_t *keys, *entries;
  const uint8_t *pixels;
  ptrdiff_t n, k;
} map_problem;

static void run_map(const kmc_kernels *kernels, const void *problem, record *out) {
  const map_problem *p = problem;
  const kmc_label_kernels *label_kernels = kmc_label_kernels_for(kernels);
  uint8_t *indices = new_output(p->n, 1);
  uint32_t *others = new_output(p->n + KMC_OTHERS_SLACK, sizeof *others);
  uint32_t *without_slack = new_output(p->n, sizeof *without_slack);
  int64_t *sums = new_output(2, sizeof *sums), expected = 0, n_others = 0;
  sums[0] = label_kernels->label_keys(p->cells, p->keys, p->n, indices, others);
  sums[1] = label_kernels->squared_error(p->pixels, indices, p->n, p->entries, p->k);
  record_output(out, "number of others, sum of squares", sums, 2, sizeof *sums);
  record_output(out, "indices", indices, p->n, 1);
  memcpy(without_slack, others, (size_t)sums[0] * sizeof *others);
  record_output(out, "others", without_slack, p->n, sizeof *others);
  for (ptrdiff_t i = 0; i < p->n && is_generic(kernels); i++) {
    const uint32_t cell = p->cells[p->keys[i] / KMC_CELL_COLORS];
    for (int t = 0; t < 3; t++) {
      const int diff = p->pixels[3 * i + t] - (int)(p->entries[cell & 255] >> 8 * t & 255);
      expected += diff * diff;
    }
    if (indices[i] != (cell & 255)) report("generic", "label_keys", "not the label");
    if (!(cell >> 8 >> p->keys[i] % KMC_CELL_COLORS & 1)) continue;
    if (others[n_others++] != i) report("generic", "label_keys", "not the others");
  }
  if (is_generic(kernels) && sums[0] != n_others) report("generic", "label_keys", "not how many others");
  if (is_generic(kernels) && sums[1] != expected) report("generic", "squared_error", "not the sum of squares");
}

/* Cells at random, of few and of many others; palettes for each way to look up entries. With extremes: the largest
 * difference in every sample. */
static void check_map(void) {
  static const ptrdiff_t sizes[] = {1, 64, 65, 128, 129, 256};
  enum { CELLS = 3000 };
  for (ptrdiff_t n = 1; n <= KMC_KEY_BATCH; n += n < 70 ? 1 : 53) {
    const ptrdiff_t k = sizes[n % COUNT(sizes)];
    uint16_t *cells = new_input(CELLS, sizeof *cells);
    uint32_t *entries = new_input(256, sizeof *entries), *keys = new_input(n, sizeof *keys);
    uint8_t *pixels = new_input(3 * n, 1);
    for (ptrdiff_t j = 0; j < k; j++) entries[j] = n % 5 ? (uint32_t)random_bits() & 0xffffff : 0;
    for (int i = 0; i < CELLS; i++) {
      const uint64_t other_bits = random_below(3) ? 0 : random_bits() & 0xfe;
      cells[i] = (uint16_t)((uint64_t)random_below(k) | other_bits << 8);
    }
    for (ptrdiff_t i = 0; i < 3 * n; i++) pixels[i] = n % 5 ? (uint8_t)random_bits() : 255;
    for (ptrdiff_t i = 0; i < n; i++) keys[i] = (uint32_t)random_below(CELLS * KMC_CELL_COLORS);
    const map_problem problem = {cells, keys, entries, pixels, n, k};
    char name[120];
    snprintf(name, sizeof name, "map of n=%td pixels, k=%td", n, k);
    check(name, run_map, &problem);
    free_down_to(0);
  }
}
