/* Included by alpha_kmeans_<isa>.c after its vocabulary.
 *
 * The triangle inequality for a block: no centroid that is farther from the block's box than another one is from the
 * box's farthest corner can be the nearest to a point of it. That leaves some 15 of 256. */
typedef struct {
  int32_t low_xy, low_zw, high_xy, high_zw;
} alpha_box;

static alpha_box box_of(const int32_t *xy, const int32_t *zw, ptrdiff_t n) {
  int32_t low[4] = {INT16_MAX, INT16_MAX, INT16_MAX, INT16_MAX}, high[4] = {INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN};
  for (ptrdiff_t i = 0; i < n; i++) {
    const int32_t p[4] = {kmc_alpha_low(xy[i]), kmc_alpha_high(xy[i]), kmc_alpha_low(zw[i]), kmc_alpha_high(zw[i])};
    for (int t = 0; t < 4; t++) {
      low[t] = p[t] < low[t] ? p[t] : low[t];
      high[t] = p[t] > high[t] ? p[t] : high[t];
    }
  }
  return (alpha_box){kmc_alpha_pair(low[0], low[1]), kmc_alpha_pair(low[2], low[3]), kmc_alpha_pair(high[0], high[1]),
                     kmc_alpha_pair(high[2], high[3])};
}

/* OUT near: the centroids that can be the nearest to a point of the box, in order. Returns how many. */
static ptrdiff_t find_near(const alpha_box *box, const kmc_alpha_points *centroids, ptrdiff_t least, ptrdiff_t stride,
                           const kmc_alpha_near *near) {
  const vi low_xy = vi_set1(box->low_xy), low_zw = vi_set1(box->low_zw), zero = vi_set1(0);
  const vi high_xy = vi_set1(box->high_xy), high_zw = vi_set1(box->high_zw);
  const ptrdiff_t first = least / KMC_ALPHA_LANES * KMC_ALPHA_LANES;
  vi bound = vi_set1(INT32_MAX);
  for (ptrdiff_t j = first; j < stride; j += LANES) {
    const vi xy = vi_load(centroids->xy + j), zw = vi_load(centroids->zw + j);
    const vi above_xy = vi_sub16(xy, low_xy), below_xy = vi_sub16(high_xy, xy);
    const vi above_zw = vi_sub16(zw, low_zw), below_zw = vi_sub16(high_zw, zw);
    const vi far2 = vi_add(vi_square(vi_max16(above_xy, below_xy)), vi_square(vi_max16(above_zw, below_zw)));
    const vi out_xy = vi_min16(vi_min16(above_xy, below_xy), zero);
    const vi out_zw = vi_min16(vi_min16(above_zw, below_zw), zero);
    vi_store(near->dist2 + j, vi_add(vi_square(out_xy), vi_square(out_zw)));
    if (j >= least) {
      bound = vi_min(bound, far2);
      continue;
    }
    int32_t each[LANES];
    vi_store(each, far2);
    for (ptrdiff_t i = least - j; i < LANES; i++) bound = vi_min(bound, vi_set1(each[i]));
  }
  const vi most = vi_set1(vi_least(bound));
  ptrdiff_t n = 0;
  for (ptrdiff_t j = first; j < stride; j += LANES) {
    for (unsigned mask = vi_le(vi_load(near->dist2 + j), most); mask; mask &= mask - 1) {
      const ptrdiff_t i = j + kmc_lowest_bit(mask);
      if (i < least) continue;
      near->xy[n] = centroids->xy[i];
      near->zw[n] = centroids->zw[i];
      near->index[n++] = (int32_t)i;
    }
  }
  return n;
}

static void nearest(const int32_t *xy, const int32_t *zw, ptrdiff_t n, const kmc_alpha_points *centroids,
                    ptrdiff_t least, ptrdiff_t stride, const kmc_alpha_near *near, int32_t *labels) {
  const alpha_box box = box_of(xy, zw, n);
  const ptrdiff_t n_near = find_near(&box, centroids, least, stride, near);
  for (ptrdiff_t i = 0; i < n; i += LANES) {
    const vi point_xy = vi_load(xy + i), point_zw = vi_load(zw + i);
    vi best = vi_set1(INT32_MAX), label = vi_set1(0);
    for (ptrdiff_t j = 0; j < n_near; j++) {
      const vi diff_xy = vi_sub16(point_xy, vi_set1(near->xy[j])), diff_zw = vi_sub16(point_zw, vi_set1(near->zw[j]));
      const vi dist2 = vi_add(vi_square(diff_xy), vi_square(diff_zw));
      label = vi_where_less(dist2, best, vi_set1(near->index[j]), label);
      best = vi_min(best, dist2);
    }
    vi_store(labels + i, label);
  }
}

const kmc_alpha_kernels KERNELS = {nearest};
