/* sRGB to Oklab; see oklab.h. In batches, channel by channel, so that compilers make vectors of the loops. */
#include "oklab.h"

#include <string.h>

enum { BATCH = 256 };

/* The cube root of 0 or more: a third of the exponent, then Newton's steps, each of which doubles the right digits. Of
 * 0 it gives 1e-13. */
static inline float cube_root(float x) {
  int32_t bits;
  float y;
  memcpy(&bits, &x, sizeof bits);
  bits = (int32_t)((float)bits * (1.0f / 3.0f)) + 0x2a5137a0;
  memcpy(&y, &bits, sizeof y);
  y = (2.0f * y + x / (y * y)) * (1.0f / 3.0f);
  y = (2.0f * y + x / (y * y)) * (1.0f / 3.0f);
  return (2.0f * y + x / (y * y)) * (1.0f / 3.0f);
}

static void batch_to_oklab(float *restrict red, float *restrict green, float *restrict blue) {
  for (int i = 0; i < BATCH; i++) {
    const float r = red[i], g = green[i], b = blue[i];
    const float l = cube_root(0.4122214708f * r + 0.5363325363f * g + 0.0514459929f * b);
    const float m = cube_root(0.2119034982f * r + 0.6806995451f * g + 0.1073969566f * b);
    const float s = cube_root(0.0883024619f * r + 0.2817188376f * g + 0.6299787005f * b);
    red[i] = 0.2104542553f * l + 0.7936177850f * m - 0.0040720468f * s;
    green[i] = 1.9779984951f * l - 2.4285922050f * m + 0.4505937099f * s;
    blue[i] = 0.0259040371f * l + 0.7827717662f * m - 0.8086757660f * s;
  }
}

void kmc_oklab(const uint8_t *colors, ptrdiff_t n, ptrdiff_t channels, const float *linear, float *points) {
  float lightness[BATCH] = {0}, a[BATCH] = {0}, b[BATCH] = {0};
  for (ptrdiff_t first = 0; first < n; first += BATCH) {
    const int batch = n - first < BATCH ? (int)(n - first) : BATCH;
    for (int i = 0; i < batch; i++) {
      const uint8_t *color = colors + (first + i) * channels;
      lightness[i] = linear[color[0]];
      a[i] = linear[color[1]];
      b[i] = linear[color[2]];
    }
    batch_to_oklab(lightness, a, b); /* whole batches: what is left of the last one is not used */
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
