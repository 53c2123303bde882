/* The conversion itself, for those that include it with a target of their own. */
#ifndef KMC_OKLAB_INC_H
#define KMC_OKLAB_INC_H

#include <stdint.h>

/* Cube root for 2^-12 <= x <= 2^21, or 0: a guess y of x^(-1/3) from the exponent, 3 % off, then x * y^2 times a
 * polynomial in x * y^3 for what that is off. The error is below 4e-6 of the root. Floats in a fixed order. */
#define KMC_ROOT_GUESS 0x54b8c000u
#define KMC_ROOT_THIRD 0x5555u /* a third of the guess's upper half, times 2^16: one instruction for vectors */
static const float kmc_root_terms[4] = {2.115323067f, -1.742822766f, 0.7469185591f, -0.1240040660f};
static inline float kmc_cube_root(float x) {
  union {
    float real;
    uint32_t bits;
  } guess = {x};
  guess.bits = KMC_ROOT_GUESS - (guess.bits >> 16) * KMC_ROOT_THIRD;
  const float y = guess.real, square = x * (y * y), cube = square * y, *terms = kmc_root_terms;
  return square * (terms[0] + cube * (terms[1] + cube * (terms[2] + cube * terms[3])));
}

enum { KMC_OKLAB_BATCH = 256 };

/* What a value of linear light adds to the three cones: of red, green and blue. */
static const float kmc_oklab_shares[3][3] = {{0.4122214708f, 0.2119034982f, 0.0883024619f},
                                             {0.5363325363f, 0.6806995451f, 0.2817188376f},
                                             {0.0514459929f, 0.1073969566f, 0.6299787005f}};

/* Ottosson, "A perceptual color space for image processing", 2020: lightness, a, b of the three cones' cube roots. */
static const float kmc_oklab_matrix[3][3] = {{0.2104542553f, 0.7936177850f, -0.0040720468f},
                                             {1.9779984951f, -2.4285922050f, 0.4505937099f},
                                             {0.0259040371f, 0.7827717662f, -0.8086757660f}};

static inline float kmc_weighted(const float *weights, float x, float y, float z) {
  return weights[0] * x + weights[1] * y + weights[2] * z;
}

/* Plain loops: compilers make vectors of them. */
static inline void kmc_oklab_batch(const float *restrict red, const float *restrict green, const float *restrict blue,
                                   float *restrict light, float *restrict a, float *restrict b) {
  for (int i = 0; i < KMC_OKLAB_BATCH; i++) {
    float roots[3];
    for (int t = 0; t < 3; t++) {
      roots[t] = kmc_cube_root(kmc_oklab_shares[0][t] * red[i] + kmc_oklab_shares[1][t] * green[i] +
                               kmc_oklab_shares[2][t] * blue[i]);
    }
    light[i] = kmc_weighted(kmc_oklab_matrix[0], roots[0], roots[1], roots[2]);
    a[i] = kmc_weighted(kmc_oklab_matrix[1], roots[0], roots[1], roots[2]);
    b[i] = kmc_weighted(kmc_oklab_matrix[2], roots[0], roots[1], roots[2]);
  }
}

#endif
