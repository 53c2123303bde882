/* The words of points.inc.h for every processor. */

/* Bits of the bytes, n <= 64, that are as those above, below and `apart` to the left and to the right. */
static inline uint64_t equal_bytes(const uint8_t *above, const uint8_t *row, const uint8_t *below, int apart,
                                   ptrdiff_t n) {
  uint8_t equal[64] = {0};
  uint64_t bits = 0;
  int any = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    equal[i] = (row[i] == row[i - apart]) & (row[i] == row[i + apart]) & (row[i] == above[i]) & (row[i] == below[i]);
    any |= equal[i];
  }
  for (int i = 0; i < 64 && any; i++) bits |= (uint64_t)equal[i] << i;
  return bits;
}

/* Adding 1.5 * 2^23 leaves no bits behind the point, and a whole number in the lowest 16. */
static inline int16_t rounded(float value) {
  union {
    float real;
    uint32_t bits;
  } whole = {value + 12582912.0f};
  return (int16_t)(uint16_t)whole.bits;
}

/* OUT points (8, 4): of light (8), and of the alpha of pixels (8, 4). */
static inline void points_of_light(const uint64_t *light, const uint8_t *pixels, int channels, int gain,
                                   int16_t *points) {
  const float unit = (channels == 4 ? 8.0f : 2040.0f) / KMC_ROOT_OF_ONE;
  for (int i = 0; i < 8; i++, points += KMC_POINT) {
    float roots[3];
    for (int t = 0; t < 3; t++) {
      roots[t] = kmc_cube_root((float)(int32_t)(light[i] >> t * KMC_CONE_BITS & KMC_CONE_MASK));
    }
    const int32_t alpha = channels == 4 ? pixels[4 * i + 3] : 255;
    for (int t = 0; t < 3; t++) {
      const float *row = kmc_oklab_matrix[t], weights[3] = {row[0] * unit, row[1] * unit, row[2] * unit};
      const float value = kmc_weighted(weights, roots[0], roots[1], roots[2]);
      points[t] = rounded(channels == 4 ? value * (float)alpha : value);
    }
    points[0] = (int16_t)(points[0] + 4 * (255 - alpha));
    points[3] = (int16_t)(channels == 4 ? KMC_OKLAB_ALPHA * alpha : gain);
  }
}

/* OUT points (n, 4): of pixels (n, 3) in sRGB. */
static void rgb_points(const uint8_t *pixels, ptrdiff_t n, int16_t gain, int16_t *points) {
  for (ptrdiff_t i = 0; i < n; i++, points += KMC_POINT) {
    for (int t = 0; t < 3; t++) points[t] = (int16_t)(pixels[3 * i + t] * 8);
    points[3] = gain;
  }
}
