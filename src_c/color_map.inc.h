/* Included by color_map.c once for each type of label: LABEL, LABEL_NAME(word). */

void LABEL_NAME(kmc_share_lines)(ptrdiff_t k, LABEL *lines) {
  memset(lines, 0, KMC_BOX_COLORS * sizeof *lines);
  if (k > KMC_MOST_SHARED) return;
  for (ptrdiff_t j = 0; j < k; j++) {
    for (int i = 0; i < KMC_BOX_COLORS; i++) lines[(j + 1) * KMC_BOX_COLORS + i] = (LABEL)j;
  }
}

static void LABEL_NAME(fill_box)(const kmc_pixel_kernels *kernels, kmc_palette *palette, uint32_t box,
                                 uint32_t *line_of_box, LABEL *lines, ptrdiff_t *n_lines) {
  const kmc_node *node = node_around(kernels, palette, box);
  const int32_t only = only_entry(node, box & 7);
  if (only >= 0 && palette->k <= KMC_MOST_SHARED) {
    line_of_box[box] = (uint32_t)only + 1;
    return;
  }
  LABEL *const line = lines + *n_lines * KMC_BOX_COLORS;
  line_of_box[box] = (uint32_t)(*n_lines)++;
  uint16_t labels[KMC_BOX_COLORS];
  if (only < 0) {
    uint8_t corner[3];
    kmc_rgb_of_key(box * KMC_BOX_COLORS, corner);
    kernels->nearest_in_box(node, box & 7, corner, labels);
  }
  for (int i = 0; i < KMC_BOX_COLORS; i++) line[i] = (LABEL)(only < 0 ? labels[i] : only);
}

void LABEL_NAME(kmc_fill_boxes)(const kmc_pixel_kernels *kernels, kmc_palette *palette, const uint64_t *boxes,
                                ptrdiff_t first, ptrdiff_t last, uint32_t *line_of_box, LABEL *lines,
                                ptrdiff_t n_lines) {
  for (ptrdiff_t block = first; block < last; block++) {
    memset(line_of_box + block * KMC_BLOCK_BOXES, 0, KMC_BLOCK_BOXES * sizeof *line_of_box);
    for (uint64_t left = boxes[block]; left; left &= left - 1) {
      const uint32_t box = (uint32_t)block * KMC_BLOCK_BOXES + (uint32_t)kmc_lowest_bit(left);
      LABEL_NAME(fill_box)(kernels, palette, box, line_of_box, lines, &n_lines);
    }
  }
}

/* Four labels are read before one is written: `indices` may be bytes, which a compiler must take to overlap all. */
static void LABEL_NAME(look_up)(const uint32_t *places, ptrdiff_t n, const LABEL *table, LABEL *indices) {
  ptrdiff_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const LABEL label0 = table[places[i]], label1 = table[places[i + 1]];
    const LABEL label2 = table[places[i + 2]], label3 = table[places[i + 3]];
    indices[i] = label0;
    indices[i + 1] = label1;
    indices[i + 2] = label2;
    indices[i + 3] = label3;
  }
  for (; i < n; i++) indices[i] = table[places[i]];
}

int64_t LABEL_NAME(kmc_map_rgb)(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                                const uint32_t *line_of_box, const LABEL *lines, const uint32_t *packed,
                                const kmc_comparison *comparison, LABEL *indices) {
  uint32_t places[KMC_KEY_BATCH];
  uint16_t unfilled[KMC_KEY_BATCH];
  uint8_t nearest[KMC_KEY_BATCH];
  int64_t sum = 0;
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    LABEL *const labels = indices + first;
    kernels->keys_of_rgb(pixels + 3 * first, batch, places);
    const ptrdiff_t n_unfilled = places_of_keys(line_of_box, batch, places, unfilled);
    LABEL_NAME(look_up)(places, batch, lines, labels);
    compare_unfilled(comparison, pixels + 3 * first, unfilled, n_unfilled, nearest);
    for (ptrdiff_t i = 0; i < n_unfilled; i++) labels[unfilled[i]] = nearest[i];
    for (ptrdiff_t i = 0; i < batch; i++) places[i] = packed[labels[i]];
    sum += kernels->squared_error(pixels + 3 * first, places, batch);
  }
  return sum;
}

void LABEL_NAME(kmc_map_counted)(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                                 ptrdiff_t channels, const uint64_t *bits, const uint32_t *before, const LABEL *labels,
                                 const uint32_t *keys, const int64_t *alpha_start, const LABEL *translucent_labels,
                                 LABEL transparent_label, LABEL *indices) {
  uint32_t ranks[KMC_KEY_BATCH], batch_keys[KMC_KEY_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    (channels == 3 ? kernels->keys_of_rgb : kernels->keys_of_rgba)(pixels + channels * first, batch, batch_keys);
    memcpy(ranks, batch_keys, (size_t)batch * sizeof *ranks);
    kernels->ranks_of_keys(bits, before, batch, ranks);
    if (channels == 3) {
      LABEL_NAME(look_up)(ranks, batch, labels, indices + first);
      continue;
    }
    for (ptrdiff_t i = 0; i < batch; i++) {
      const uint32_t alpha = pixels[4 * (first + i) + 3], key = alpha << 24 | batch_keys[i];
      LABEL label = transparent_label;
      if (alpha == 255) {
        label = labels[ranks[i]];
      } else if (alpha != 0) {
        label = translucent_labels[position_of_key(keys, alpha_start, key)];
      }
      indices[first + i] = label;
    }
  }
}

void LABEL_NAME(kmc_map_grey)(const uint8_t *pixels, ptrdiff_t n, const LABEL *labels, LABEL *indices) {
  for (ptrdiff_t i = 0; i < n; i++) indices[i] = labels[pixels[i]];
}

void LABEL_NAME(kmc_map_ranks)(const uint32_t *ranks, ptrdiff_t n, const LABEL *labels, LABEL *indices) {
  for (ptrdiff_t i = 0; i < n; i++) indices[i] = labels[ranks[i]];
}
