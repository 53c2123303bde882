/* Included by color_map.c once for each type of label: LABEL, LABEL_NAME(word). */

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
