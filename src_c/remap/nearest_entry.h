/* The nearest palette entry of each pixel, by comparing it with every entry: no tables, no passes before.
 *
 * How it is decided: the score of entry c for pixel x is |c|^2 - 2 x.c, both less 128, in units of 2^-8 with the
 * entry's index in the 8 bits below. The least score wins, so ties go to the lowest index, and the squared distance is
 * the score without its index plus |x|^2: all exact. Bound: 256 * (3 * 128^2 + 2 * 3 * 128^2) < 2^26. */
#ifndef KMC_NEAREST_ENTRY_H
#define KMC_NEAREST_ENTRY_H

#include "kmc_kernels.h"

#define KMC_MOST_COMPARED 256 /* entries: their indices are a byte */

/* A palette as the kernels take it: in each element -2 * red in the lower 16 bits and -2 * green in the upper ones;
 * -2 * blue; 256 * |c|^2 + index. */
typedef struct {
  ptrdiff_t k; /* 1 .. KMC_MOST_COMPARED */
  int32_t red_green[KMC_MOST_COMPARED], blue[KMC_MOST_COMPARED], bias[KMC_MOST_COMPARED];
} kmc_entries;

/* IN colors (k, 3). */
void kmc_set_entries(const uint8_t *colors, ptrdiff_t k, kmc_entries *entries);

typedef struct {
  /* IN pixels (n, 3); OUT indices (n). Returns the sum of the squared distances, at most 2^63: 195075 for each. */
  int64_t (*nearest)(const uint8_t *pixels, ptrdiff_t n, const kmc_entries *entries, uint8_t *indices);
  /* Up to how many entries it is quicker than looking up boxes of colours (color_map.h), where these are known, and
   * where they must be marked first. */
  ptrdiff_t few, few_unmarked;
} kmc_entry_kernels;

extern const kmc_entry_kernels kmc_entry_kernels_generic, kmc_entry_kernels_avx2, kmc_entry_kernels_avx512;

/* Those of the same instruction set as `kernels`, a table that kmc_available gave. */
const kmc_entry_kernels *kmc_entry_kernels_for(const kmc_kernels *kernels);

#endif
