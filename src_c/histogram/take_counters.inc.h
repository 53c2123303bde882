/* Part of pixel_kernels_*.c: over nonzero_bits and count_bits.
 *
 * Few of the boxes have colours and most of these have few: branches would be mispredicted. So boxes are listed first,
 * and of each box at least STEPS colours are written; those that there are not are overwritten by the next box. */

static uint32_t take_counters(uint8_t *counters, ptrdiff_t n, uint64_t *bits, uint32_t *before, uint16_t *places,
                              uint8_t *counts) {
  enum { STEPS = 4 };
  uint16_t occur[KMC_MOST_TAKEN];
  ptrdiff_t n_occur = 0;
  uint32_t taken = 0;
  for (ptrdiff_t box = 0; box < n; box++) {
    bits[box] = nonzero_bits(counters + box * KMC_BOX_COLORS);
    occur[n_occur] = (uint16_t)box;
    n_occur += bits[box] != 0;
  }
  for (ptrdiff_t i = 0; i < n_occur; i++) {
    const ptrdiff_t box = occur[i];
    uint8_t *const of_box = counters + box * KMC_BOX_COLORS;
    uint64_t left = bits[box];
    before[box] = taken;
    for (uint32_t j = taken; left;) {
      for (int step = 0; step < STEPS; step++, j++) {
        const int place = kmc_lowest_bit(left | (uint64_t)1 << 63);
        places[j] = (uint16_t)(box * KMC_BOX_COLORS + place);
        counts[j] = of_box[place];
        left &= left - 1;
      }
    }
    taken += (uint32_t)count_bits(bits[box]);
    memset(of_box, 0, KMC_BOX_COLORS);
  }
  return taken;
}
