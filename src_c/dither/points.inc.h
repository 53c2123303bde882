/* Pixels to points, and which of them lie in flat areas: included by dither_kernels.inc.h. */

enum { GROUP = 8, GROUPS = 4 }; /* pixels that become points together, and groups whose light lies ready */

/* The sums of three cones' light, of KMC_CONE_BITS bits each. */
static KMC_ALWAYS_INLINE void light_of_group(const uint8_t *pixels, int channels, const kmc_cones *cones,
                                             uint64_t *light) {
  const int green = channels > 1 ? 1 : 0, blue = channels > 1 ? 2 : 0;
  for (int i = 0; i < GROUP; i++, pixels += channels) {
    light[i] = cones->light[0][pixels[0]] + cones->light[1][pixels[green]] + cones->light[2][pixels[blue]];
  }
}

/* What was just stored cannot be loaded in wider pieces without waiting: so the light of a group is computed some
 * groups before its points. */
static KMC_ALWAYS_INLINE void oklab_points_of(const uint8_t *pixels, ptrdiff_t n, int channels, const kmc_cones *cones,
                                              int gain, int16_t *points) {
  uint64_t light[GROUPS][GROUP];
  const ptrdiff_t n_groups = n / GROUP;
  for (ptrdiff_t group = 0; group < n_groups + GROUPS - 1; group++) {
    if (group < n_groups) light_of_group(pixels + group * GROUP * channels, channels, cones, light[group % GROUPS]);
    const ptrdiff_t ready = group - (GROUPS - 1);
    if (ready < 0) continue;
    points_of_light(light[ready % GROUPS], pixels + ready * GROUP * channels, channels, gain,
                    points + ready * GROUP * KMC_POINT);
  }
  const ptrdiff_t whole = n_groups * GROUP, rest = n - whole;
  if (rest) {
    uint8_t last_pixels[GROUP * 4] = {0};
    int16_t last_points[GROUP * KMC_POINT];
    memcpy(last_pixels, pixels + whole * channels, (size_t)(rest * channels));
    light_of_group(last_pixels, channels, cones, light[0]);
    points_of_light(light[0], last_pixels, channels, gain, last_points);
    memcpy(points + whole * KMC_POINT, last_points, (size_t)(rest * KMC_POINT) * sizeof *points);
  }
}

static void oklab_points(const uint8_t *pixels, ptrdiff_t n, int channels, const kmc_cones *cones, int gain,
                         int16_t *points) {
  if (channels == 3) {
    oklab_points_of(pixels, n, 3, cones, gain, points);
  } else if (channels == 4) {
    oklab_points_of(pixels, n, 4, cones, gain, points);
  } else {
    oklab_points_of(pixels, n, 1, cones, gain, points);
  }
}

static void srgb_points(const uint8_t *pixels, ptrdiff_t n, int channels, int gain, int16_t *points) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint8_t *pixel = pixels + i * channels;
    const int alpha = channels == 4 ? pixel[3] : 255;
    for (int t = 0; t < 3; t++) {
      const int value = pixel[channels > 1 ? t : 0];
      points[i * KMC_POINT + t] =
          (int16_t)(channels == 4 ? (value * alpha * 16 + 255) / 510 + 4 * (255 - alpha) : value * 8);
    }
    points[i * KMC_POINT + 3] = (int16_t)(channels == 4 ? KMC_SRGB_ALPHA * alpha : gain);
  }
}

/* What is seen of RGBA, by kmc_ycc; the sums of grey are whole, those of the axes of colour 0. */
static void ycc_points(const uint8_t *pixels, ptrdiff_t n, int16_t *points) {
  for (ptrdiff_t i = 0; i < n; i++, pixels += 4, points += KMC_POINT) {
    const int alpha = pixels[3];
    int seen[3];
    for (int t = 0; t < 3; t++) seen[t] = (pixels[t] * alpha * 16 + 255) / 510;
    for (int t = 0; t < 3; t++) {
      const int sum = kmc_ycc[t][0] * seen[0] + kmc_ycc[t][1] * seen[1] + kmc_ycc[t][2] * seen[2];
      points[t] = (int16_t)((sum + 2048) >> 12);
    }
    points[0] = (int16_t)(points[0] + 4 * (255 - alpha));
    points[3] = (int16_t)(KMC_YCC_ALPHA * alpha);
  }
}

static void points(const uint8_t *pixels, ptrdiff_t n, int channels, int space, const kmc_cones *cones, int gain,
                   int16_t *out) {
  if (space == KMC_SPACE_OKLAB) {
    oklab_points(pixels, n, channels, cones, gain, out);
  } else if (space == KMC_SPACE_YCC && channels == 4) {
    ycc_points(pixels, n, out);
  } else if (channels == 3) {
    rgb_points(pixels, n, (int16_t)gain, out);
  } else {
    srgb_points(pixels, n, channels, gain, out);
  }
}

/* Bits of whole pixels, of `channels` bits each: a pixel's lowest bit stays if all of its bits are set. */
static inline uint64_t whole_pixels(uint64_t bits, int channels) {
  if (channels == 1) return bits;
  if (channels == 3) return bits & bits >> 1 & bits >> 2 & 0x1249249249249249u;
  bits &= bits >> 1;
  return bits & bits >> 2 & 0x1111111111111111u;
}

static ptrdiff_t flat(const uint8_t *above, const uint8_t *row, const uint8_t *below, int channels, ptrdiff_t n,
                      uint16_t *found) {
  const ptrdiff_t group = channels == 3 ? 20 : 64 / channels; /* as many as whole_pixels() takes */
  ptrdiff_t n_found = 0;
  for (ptrdiff_t start = 0; start < n; start += group) {
    const ptrdiff_t first = start * channels, size = (n - start < group ? n - start : group) * channels;
    const uint64_t equal = equal_bytes(above + first, row + first, below + first, channels, size);
    for (uint64_t pixels = whole_pixels(equal, channels); pixels; pixels &= pixels - 1) {
      found[n_found++] = (uint16_t)(start + kmc_lowest_bit(pixels) / channels);
    }
  }
  return n_found;
}
