/* Colours that are neighbours, taken for one; see color_boxes.h. */
#include "color_kmeans/color_boxes.h"

static int same_box(const uint8_t *a, const uint8_t *b, ptrdiff_t channels, int bits) {
  int different = 0;
  for (ptrdiff_t t = 0; t < channels; t++) different |= a[t] ^ b[t];
  return different >> bits == 0;
}

ptrdiff_t kmc_join_boxes(const uint8_t *colors, const int64_t *counts, ptrdiff_t u, ptrdiff_t channels, int bits,
                         uint8_t *box_colors, int64_t *box_counts, double *scatter) {
  ptrdiff_t m = 0;
  *scatter = 0;
  for (ptrdiff_t i = 0; i < u; m++) {
    const uint8_t *first = colors + i * channels;
    int64_t count = 0, squares = 0, sums[3] = {0};
    for (; i < u && same_box(first, colors + i * channels, channels, bits); i++) {
      count += counts[i];
      for (ptrdiff_t t = 0; t < channels; t++) {
        const int64_t level = colors[i * channels + t];
        sums[t] += counts[i] * level;
        squares += counts[i] * level * level;
      }
    }
    double square_of_sums = 0;
    for (ptrdiff_t t = 0; t < channels; t++) {
      box_colors[m * channels + t] = (uint8_t)((2 * sums[t] + count) / (2 * count));
      square_of_sums += (double)sums[t] * (double)sums[t];
    }
    box_counts[m] = count;
    *scatter += (double)squares - square_of_sums / (double)count;
  }
  return m;
}
