/* sRGB colours in Oklab (Ottosson, "A perceptual color space for image processing", 2020).
 *
 * With nothing but IEEE additions and multiplications, one after another, and a table for the curve of sRGB:
 * the same floats on every machine. */
#ifndef KMC_OKLAB_H
#define KMC_OKLAB_H

#include <stddef.h>
#include <stdint.h>

/* IN colors (n, channels), channels 3 or 4, linear (256): the linear light of each level, 0 to 1. OUT points (n,
 * channels): lightness 0 to 1, a, b about -0.3 to 0.3; with 4 channels these times alpha, and alpha, 0 to 1. Less than
 * 3e-5 off. No arrays overlap. */
void kmc_oklab(const uint8_t *colors, ptrdiff_t n, ptrdiff_t channels, const float *linear, float *points);

/* IN points (n, 3): lightness 0 to 255, a and b times 255. OUT grid (n, 3): these rounded, halves to even, a and b plus
 * 128, and cut off to 8 bits. */
void kmc_oklab_grid(const float *points, ptrdiff_t n, uint8_t *grid);

#endif
