/* Part of pixel_kernels_*.c. */

static uint32_t take_counters(uint8_t *counters, ptrdiff_t n, uint64_t *bits, uint32_t *before, uint16_t *places,
                              uint8_t *counts) {
  uint32_t taken = 0;
  for (ptrdiff_t box = 0; box < n; box++) {
    uint8_t *const of_box = counters + box * KMC_BOX_COLORS;
    uint64_t left = nonzero_bits(of_box);
    bits[box] = left;
    before[box] = taken;
    if (left == 0) continue;
    for (; left; left &= left - 1, taken++) {
      const int place = kmc_lowest_bit(left);
      places[taken] = (uint16_t)(box * KMC_BOX_COLORS + place);
      counts[taken] = of_box[place];
    }
    memset(of_box, 0, KMC_BOX_COLORS);
  }
  return taken;
}
