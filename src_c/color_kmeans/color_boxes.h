/* Colours that are neighbours, taken for one. */
#ifndef KMC_COLOR_BOXES_H
#define KMC_COLOR_BOXES_H

#include <stddef.h>
#include <stdint.h>

/* IN colors (u, channels) in the order of their keys, 1 or 3 channels, counts (u) > 0 with a sum below 2^38. OUT
 * box_colors (m, channels): the means of those that differ in the lowest `bits` of their levels only, rounded, in the
 * same order; box_counts (m); scatter: the sum of count * squared distance to the mean. Returns m <= u. */
ptrdiff_t kmc_join_boxes(const uint8_t *colors, const int64_t *counts, ptrdiff_t u, ptrdiff_t channels, int bits,
                         uint8_t *box_colors, int64_t *box_counts, double *scatter);

#endif
