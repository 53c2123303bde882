/* Weights of pixels by the local contrast, and colours counted by them.
 *
 * The contrast of a pixel is the sum, over its samples, of the differences from the four neighbours; one that the
 * picture does not have counts as equal. All is integers: the same on every machine. */
#ifndef KMC_FLATNESS_H
#define KMC_FLATNESS_H

#include <stddef.h>
#include <stdint.h>

/* IN rows (width, channels) with those above and below (the row itself where there is none), channels 1 to 4;
 * weight_of (4 * 255 * channels + 1): the weight for each contrast. OUT weights (width). */
void kmc_flatness(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t width, ptrdiff_t channels,
                  const uint8_t *weight_of, uint8_t *weights);

/* IN weights (n), low, high (n): the colour of each pixel is number low + 65536 * high; high is NULL where that is 0.
 * IN OUT counts: of each colour, to which its pixels' weights are added. No arrays overlap. */
void kmc_add_weights(const uint16_t *low, const uint16_t *high, const uint8_t *weights, ptrdiff_t n, int64_t *counts);

#endif
