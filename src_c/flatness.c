/* Weights of pixels by the local contrast; see flatness.h. */
#include "flatness.h"

#include <string.h>

enum { BATCH = 256, MOST_CHANNELS = 4 };

static void add_differences(const uint8_t *a, const uint8_t *b, ptrdiff_t n, uint16_t *sums) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const int difference = a[i] - b[i];
    sums[i] = (uint16_t)(sums[i] + (difference < 0 ? -difference : difference));
  }
}

void kmc_flatness(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t width, ptrdiff_t channels,
                  const uint8_t *weight_of, uint8_t *weights) {
  uint16_t sums[BATCH * MOST_CHANNELS];
  for (ptrdiff_t first = 0; first < width; first += BATCH) {
    const ptrdiff_t pixels = width - first < BATCH ? width - first : BATCH;
    const ptrdiff_t start = first * channels, n = pixels * channels;
    /* The first pixel of the row has none to the left, the last none to the right. */
    const ptrdiff_t skipped = first == 0 ? channels : 0, right = first + pixels == width ? n - channels : n;
    memset(sums, 0, (size_t)n * sizeof *sums);
    add_differences(row + start, above + start, n, sums);
    add_differences(row + start, below + start, n, sums);
    add_differences(row + start, row + start + channels, right, sums);
    add_differences(row + start + skipped, row + start + skipped - channels, n - skipped, sums + skipped);
    for (ptrdiff_t i = 0; i < pixels; i++) {
      int contrast = 0;
      for (ptrdiff_t t = 0; t < channels; t++) contrast += sums[i * channels + t];
      weights[first + i] = weight_of[contrast];
    }
  }
}

void kmc_add_weights(const uint16_t *low, const uint16_t *high, const uint8_t *weights, ptrdiff_t n, int64_t *counts) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const ptrdiff_t number = high ? low[i] | (ptrdiff_t)high[i] << 16 : low[i];
    counts[number] += weights[i];
  }
}
