/* Weights of pixels by the local contrast, and their sums in boxes of colours.
 *
 * The contrast of a pixel is the sum, over its samples, of the differences from the four neighbours; one that the
 * picture does not have counts as equal. All is integers: the same on every machine. */
#ifndef KMC_FLATNESS_H
#define KMC_FLATNESS_H

#include <stddef.h>
#include <stdint.h>

/* Boxes of 8x8x8 colours; of grey, single levels. */
enum { KMC_FLATNESS_BOXES = 32768 };
/* Pixels whose contrasts are made at once. */
enum { KMC_CONTRASTS = 256, KMC_MOST_CHANNELS = 4 };

/* OUT contrast: of each sample of up to KMC_CONTRASTS pixels of a row from the first one on, the sum of its differences
 * from the four neighbours. Returns how many pixels. */
ptrdiff_t kmc_contrasts(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t first,
                        ptrdiff_t width, ptrdiff_t channels, uint16_t *contrast);

/* IN rows (width, channels) with those above and below (the row itself where there is none), channels 1, 3 or 4;
 * weight_of (4 * 255 * channels + 1): the weight for each contrast. IN OUT sums, counts (KMC_FLATNESS_BOXES), to which
 * the weights and the number of the row's pixels in each box are added: box (r >> 3) << 10 | (g >> 3) << 5 | b >> 3. */
void kmc_flatness(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t width, ptrdiff_t channels,
                  const uint8_t *weight_of, int64_t *sums, int64_t *counts);

#endif
