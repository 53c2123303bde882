/* Weights of pixels by the local contrast; see flatness.h. */
#include "color_kmeans/flatness.h"

/* Without branches, so that compilers make vectors of it. */
static inline uint8_t difference(uint8_t a, uint8_t b) {
  const uint8_t high = a > b ? a : b, low = a > b ? b : a;
  return (uint8_t)(high - low);
}

/* The differences of n samples from those above, below, to the left and to the right. */
static void contrasts(const uint8_t *above, const uint8_t *row, const uint8_t *below, const uint8_t *left,
                      const uint8_t *right, ptrdiff_t n, uint16_t *sums) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint16_t vertical = (uint16_t)(difference(row[i], above[i]) + difference(row[i], below[i]));
    sums[i] = (uint16_t)(vertical + difference(row[i], left[i]) + difference(row[i], right[i]));
  }
}

static void add_pixels(const uint8_t *row, const uint16_t *contrast, ptrdiff_t pixels, ptrdiff_t channels,
                       const uint8_t *weight_of, int64_t *sums, int64_t *counts) {
  for (ptrdiff_t i = 0; i < pixels; i++) {
    const uint8_t *pixel = row + i * channels;
    ptrdiff_t box = pixel[0], total = contrast[i * channels];
    if (channels > 1) {
      box = (pixel[0] >> 3) << 10 | (pixel[1] >> 3) << 5 | pixel[2] >> 3;
      total += contrast[i * channels + 1] + contrast[i * channels + 2];
      if (channels == 4) total += contrast[i * channels + 3];
    }
    sums[box] += weight_of[total];
    counts[box]++;
  }
}

ptrdiff_t kmc_contrasts(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t first,
                        ptrdiff_t width, ptrdiff_t channels, uint16_t *contrast) {
  const ptrdiff_t pixels = width - first < KMC_CONTRASTS ? width - first : KMC_CONTRASTS;
  const ptrdiff_t start = first * channels, n = pixels * channels;
  /* The first pixel of a row is its own neighbour to the left, the last to the right. */
  const ptrdiff_t head = first == 0 ? channels : 0, tail = first + pixels == width ? n - channels : n;
  const uint8_t *at = row + start;
  if (head) contrasts(above, row, below, row, width > 1 ? row + channels : row, channels, contrast);
  if (tail > head)
    contrasts(above + start + head, at + head, below + start + head, at + head - channels, at + head + channels,
              tail - head, contrast + head);
  if (tail < n && start + tail > 0)
    contrasts(above + start + tail, at + tail, below + start + tail, at + tail - channels, at + tail, channels,
              contrast + tail);
  return pixels;
}

void kmc_flatness(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t width, ptrdiff_t channels,
                  const uint8_t *weight_of, int64_t *sums, int64_t *counts) {
  uint16_t contrast[KMC_CONTRASTS * KMC_MOST_CHANNELS];
  for (ptrdiff_t first = 0; first < width; first += KMC_CONTRASTS) {
    const ptrdiff_t pixels = kmc_contrasts(above, row, below, first, width, channels, contrast);
    add_pixels(row + first * channels, contrast, pixels, channels, weight_of, sums, counts);
  }
}
