/* Structural similarity of a part of two pictures: included by kernels.inc.h. Contract in kmc_kernels.h.
 *
 * A blur is eleven additions and six multiplications for each sample and direction, in a fixed order; samples lie in
 * lanes. One map after the other is blurred, so that the eleven rows it needs stay in the nearest cache. Rows have room
 * for a whole vector behind them. */

enum { SSIM_MAPS = 4 }; /* x, y, x y, x^2 + y^2: the two variances appear as their sum only */

/* Half of the window of Wang et al. (2004), sigma 1.5; the middle is last. */
static const double SSIM_WEIGHTS[KMC_SSIM_RADIUS + 1] = {0.0010283800844791092, 0.007598758135239185,
                                                         0.03600077212843083,   0.10936068950970002,
                                                         0.2130055377112537,    0.26601172486179436};
static const double SSIM_C1 = (0.01 * 255) * (0.01 * 255), SSIM_C2 = (0.03 * 255) * (0.03 * 255);

/* OUT to (n): the weighted means of the eleven values `step` apart, which are symmetric: add first, then scale. */
static inline void ssim_blur(const double *from, ptrdiff_t step, ptrdiff_t n, double *to) {
  for (ptrdiff_t i = 0; i < n; i += vf64_lanes) {
    const double *first = from + i, *last = first + 2 * KMC_SSIM_RADIUS * step;
    vf64 sum = vf64_mul(vf64_load(first + KMC_SSIM_RADIUS * step), vf64_set1(SSIM_WEIGHTS[KMC_SSIM_RADIUS]));
    for (int j = 0; j < KMC_SSIM_RADIUS; j++, first += step, last -= step) {
      const vf64 pair = vf64_add(vf64_load(first), vf64_load(last));
      sum = vf64_add(sum, vf64_mul(pair, vf64_set1(SSIM_WEIGHTS[j])));
    }
    vf64_store(to + i, sum);
  }
}

static inline double ssim_map(int map, double x, double y) {
  return map == 0 ? x : map == 1 ? y : map == 2 ? x * y : x * x + y * y;
}

/* OUT plane (height, room) of (height, stride). */
static inline void ssim_fill(int map, const double *restrict x, const double *restrict y, ptrdiff_t height,
                             ptrdiff_t stride, ptrdiff_t room, double *restrict plane) {
  for (ptrdiff_t row = 0; row < height; row++, x += stride, y += stride, plane += room) {
    for (ptrdiff_t i = 0; i < stride; i++) plane[i] = ssim_map(map, x[i], y[i]);
  }
}

/* Adds one row of similarities, and of their contrast and structure alone, to `similarity` and `contrast` (n). */
static inline void ssim_add_row(const double *restrict x, const double *restrict y, const double *restrict product,
                                const double *restrict squares, ptrdiff_t n, double *restrict similarity,
                                double *restrict contrast) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const double mean_product = x[i] * y[i], mean_squares = x[i] * x[i] + y[i] * y[i];
    const double covariance = product[i] - mean_product, variances = squares[i] - mean_squares;
    const double structure = (2 * covariance + SSIM_C2) / (variances + SSIM_C2);
    contrast[i] += structure;
    similarity[i] += (2 * mean_product + SSIM_C1) / (mean_squares + SSIM_C1) * structure;
  }
}

static void ssim(const double *x, const double *y, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                 double *scratch, double *similarity, double *contrast) {
  const ptrdiff_t stride = width * channels, room = stride + KMC_SSIM_PADDING;
  const ptrdiff_t n = (width - 2 * KMC_SSIM_RADIUS) * channels, rows = height - 2 * KMC_SSIM_RADIUS;
  double *plane = scratch, *columns = plane + height * room, *blurred[SSIM_MAPS];
  for (int map = 0; map < SSIM_MAPS; map++) {
    blurred[map] = columns + (1 + map * rows) * room;
    ssim_fill(map, x, y, height, stride, room, plane);
    for (ptrdiff_t row = 0; row < rows; row++) {
      ssim_blur(plane + row * room, room, stride, columns);
      ssim_blur(columns, channels, n, blurred[map] + row * room);
    }
  }
  for (ptrdiff_t i = 0; i < n; i++) similarity[i] = contrast[i] = 0;
  for (ptrdiff_t row = 0; row < rows; row++) {
    const ptrdiff_t at = row * room;
    ssim_add_row(blurred[0] + at, blurred[1] + at, blurred[2] + at, blurred[3] + at, n, similarity, contrast);
  }
}
