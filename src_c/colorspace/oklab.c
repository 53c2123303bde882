/* sRGB to Oklab; see oklab.h. In batches, channel by channel, so that compilers make vectors of the loops. */
#include "colorspace/oklab.h"

#include "colorspace/oklab.inc.h"

void kmc_oklab(const uint8_t *colors, ptrdiff_t n, ptrdiff_t channels, const float *linear, float *points) {
  float red[KMC_OKLAB_BATCH] = {0}, green[KMC_OKLAB_BATCH] = {0}, blue[KMC_OKLAB_BATCH] = {0};
  float lightness[KMC_OKLAB_BATCH], a[KMC_OKLAB_BATCH], b[KMC_OKLAB_BATCH];
  for (ptrdiff_t first = 0; first < n; first += KMC_OKLAB_BATCH) {
    const int batch = n - first < KMC_OKLAB_BATCH ? (int)(n - first) : KMC_OKLAB_BATCH;
    for (int i = 0; i < batch; i++) {
      const uint8_t *color = colors + (first + i) * channels;
      red[i] = linear[color[0]];
      green[i] = linear[color[1]];
      blue[i] = linear[color[2]];
    }
    kmc_oklab_batch(red, green, blue, lightness, a, b); /* whole: what is left of the last one is not used */
    for (int i = 0; i < batch; i++) {
      float *point = points + (first + i) * channels;
      const float alpha = channels == 4 ? (float)colors[(first + i) * channels + 3] * (1.0f / 255.0f) : 1.0f;
      point[0] = lightness[i] * alpha;
      point[1] = a[i] * alpha;
      point[2] = b[i] * alpha;
      if (channels == 4) point[3] = alpha;
    }
  }
}

/* Adding and taking off 1.5 * 2^52 leaves no bits behind the point. */
static inline uint8_t rounded_byte(double value) {
  const double whole = (value + 6755399441055744.0) - 6755399441055744.0;
  return (uint8_t)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
}

void kmc_oklab_grid(const float *points, ptrdiff_t n, uint8_t *grid) {
  for (ptrdiff_t i = 0; i < 3 * n; i += 3) {
    grid[i] = rounded_byte(points[i]);
    grid[i + 1] = rounded_byte((double)points[i + 1] + 128.0);
    grid[i + 2] = rounded_byte((double)points[i + 2] + 128.0);
  }
}
