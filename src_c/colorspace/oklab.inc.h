/* The conversion itself, for those that include it with a target of their own. */
#ifndef KMC_OKLAB_INC_H
#define KMC_OKLAB_INC_H

#include <stdint.h>

/* Cube root for 0 <= x <= 1: a guess of x^(-1/3) from the exponent, 4 % off, two steps of Newton's method, which needs
 * no division, then x times its square. The first step's constants make its largest error least: 8e-4 in place of
 * 3e-3. The error is below 2e-6. Floats in a fixed order. */
static inline float kmc_cube_root(float x) {
  union {
    float real;
    uint32_t bits;
  } guess = {x + 1e-9f};
  guess.bits = 0x54b8cc7cu - (uint32_t)(int32_t)((float)(int32_t)guess.bits * (1.0f / 3.0f));
  float y = guess.real;
  y = y * (1.17836841f - 0.20286382f * x * (y * y * y));
  y = y * (1.33333397f - (1.0f / 3.0f) * x * (y * y * y));
  return x * (y * y);
}

enum { KMC_OKLAB_BATCH = 256 };

/* What a value of linear light adds to the three cones: of red, green and blue. */
static const float kmc_oklab_shares[3][3] = {{0.4122214708f, 0.2119034982f, 0.0883024619f},
                                             {0.5363325363f, 0.6806995451f, 0.2817188376f},
                                             {0.0514459929f, 0.1073969566f, 0.6299787005f}};

/* Ottosson, "A perceptual color space for image processing", 2020: of the light that each of three cones gets. */
static inline void kmc_oklab_of_cones(float l, float m, float s, float *light, float *a, float *b) {
  l = kmc_cube_root(l);
  m = kmc_cube_root(m);
  s = kmc_cube_root(s);
  *light = 0.2104542553f * l + 0.7936177850f * m - 0.0040720468f * s;
  *a = 1.9779984951f * l - 2.4285922050f * m + 0.4505937099f * s;
  *b = 0.0259040371f * l + 0.7827717662f * m - 0.8086757660f * s;
}

/* Plain loops: compilers make vectors of them. */
static inline void kmc_oklab_batch(const float *restrict red, const float *restrict green, const float *restrict blue,
                                   float *restrict light, float *restrict a, float *restrict b) {
  for (int i = 0; i < KMC_OKLAB_BATCH; i++) {
    float cones[3];
    for (int t = 0; t < 3; t++) {
      cones[t] = kmc_oklab_shares[0][t] * red[i] + kmc_oklab_shares[1][t] * green[i] + kmc_oklab_shares[2][t] * blue[i];
    }
    kmc_oklab_of_cones(cones[0], cones[1], cones[2], light + i, a + i, b + i);
  }
}

/* The same from cones (KMC_OKLAB_BATCH, 4), the fourth unused. */
static inline void kmc_oklab_batch_of_cones(const float (*restrict cones)[4], float *restrict light, float *restrict a,
                                            float *restrict b) {
  for (int i = 0; i < KMC_OKLAB_BATCH; i++) {
    kmc_oklab_of_cones(cones[i][0], cones[i][1], cones[i][2], light + i, a + i, b + i);
  }
}

#endif
