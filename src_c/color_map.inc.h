/* Included by color_map.c once for each type of label: LABEL, LABEL_NAME(word). */

void LABEL_NAME(kmc_place_labels)(const uint8_t *colors, ptrdiff_t channels, const LABEL *labels, ptrdiff_t n,
                                  const uint32_t *block_start, LABEL *table) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint32_t key = kmc_key_of_rgb(colors + i * channels);
    table[block_start[key / KMC_BLOCK_COLORS] + key % KMC_BLOCK_COLORS] = labels[i];
  }
}

void LABEL_NAME(kmc_fill_block)(const kmc_pixel_kernels *kernels, const kmc_palette *palette, uint32_t block,
                                const int64_t *offsets, LABEL *labels) {
  uint16_t nearest[KMC_BLOCK_COLORS] = {0};
  kernels->nearest_in_block(palette, block, offsets, nearest);
  for (int i = 0; i < KMC_BLOCK_COLORS; i++) labels[i] = (LABEL)nearest[i];
}

static inline LABEL LABEL_NAME(label_of_key)(uint32_t key, const uint32_t *block_start, const LABEL *table) {
  return table[block_start[key / KMC_BLOCK_COLORS] + key % KMC_BLOCK_COLORS];
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

void LABEL_NAME(kmc_map_rgb)(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                             const uint32_t *block_start, const LABEL *table, LABEL *indices) {
  uint32_t places[KMC_KEY_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    kernels->keys_of_rgb(pixels + 3 * first, batch, places);
    places_of_keys(block_start, batch, places);
    LABEL_NAME(look_up)(places, batch, table, indices + first);
  }
}

int64_t LABEL_NAME(kmc_apply_rgb)(const kmc_pixel_kernels *kernels, const kmc_palette *palette, const uint8_t *pixels,
                                  ptrdiff_t n, uint32_t *block_start, LABEL *table, ptrdiff_t *n_blocks,
                                  LABEL *indices) {
  uint32_t keys[KMC_KEY_BATCH], places[KMC_KEY_BATCH];
  int64_t sum = 0;
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    LABEL *const labels = indices + first;
    kernels->keys_of_rgb(pixels + 3 * first, batch, keys);
    memcpy(places, keys, (size_t)batch * sizeof *keys);
    while (!places_of_keys(block_start, batch, places)) {
      for (ptrdiff_t i = 0; i < batch; i++) {
        const uint32_t block = keys[i] / KMC_BLOCK_COLORS;
        if (block_start[block] != KMC_NO_BLOCK) continue;
        block_start[block] = (uint32_t)(n_blocks[0]++ * KMC_BLOCK_COLORS);
        LABEL_NAME(kmc_fill_block)(kernels, palette, block, NULL, table + block_start[block]);
      }
      memcpy(places, keys, (size_t)batch * sizeof *keys);
    }
    LABEL_NAME(look_up)(places, batch, table, labels);
    for (ptrdiff_t i = 0; i < batch; i++) places[i] = palette->packed[labels[i]];
    sum += kernels->squared_error(pixels + 3 * first, places, batch);
  }
  return sum;
}

void LABEL_NAME(kmc_map_rgba)(const kmc_pixel_kernels *kernels, const uint8_t *pixels, ptrdiff_t n,
                              const uint32_t *block_start, const LABEL *table, const uint32_t *keys,
                              const int64_t *alpha_start, const LABEL *translucent_labels, LABEL transparent_label,
                              LABEL *indices) {
  uint32_t batch_keys[KMC_KEY_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    kernels->keys_of_rgba(pixels + 4 * first, batch, batch_keys);
    for (ptrdiff_t i = 0; i < batch; i++) {
      const uint32_t key = batch_keys[i], alpha = pixels[4 * (first + i) + 3];
      LABEL label = transparent_label;
      if (alpha == 255) {
        label = LABEL_NAME(label_of_key)(key, block_start, table);
      } else if (alpha != 0) {
        label = translucent_labels[position_of_key(keys, alpha_start, alpha << 24 | key)];
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

int64_t LABEL_NAME(kmc_squared_error)(const kmc_pixel_kernels *kernels, const uint8_t *colors, const int64_t *counts,
                                      ptrdiff_t n, const uint32_t *block_start, const LABEL *table,
                                      const uint8_t *entries) {
  uint32_t keys[KMC_KEY_BATCH];
  int64_t sum = 0;
  for (ptrdiff_t first = 0; first < n; first += KMC_KEY_BATCH) {
    const ptrdiff_t batch = n - first < KMC_KEY_BATCH ? n - first : KMC_KEY_BATCH;
    kernels->keys_of_rgb(colors + 3 * first, batch, keys);
    for (ptrdiff_t i = 0; i < batch; i++) {
      const uint8_t *color = colors + 3 * (first + i);
      const uint8_t *entry = entries + 3 * LABEL_NAME(label_of_key)(keys[i], block_start, table);
      const int r = color[0] - entry[0], g = color[1] - entry[1], b = color[2] - entry[2];
      sum += counts[first + i] * (r * r + g * g + b * b);
    }
  }
  return sum;
}
