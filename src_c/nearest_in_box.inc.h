/* Included by pixel_kernels_<isa>.c: the nearest palette entry of each colour of a box, and the table of kernels. Plain
 * loops over arrays: compilers make vectors of them. */

/* The score of an entry is its squared distance less what does not depend on the entry and less `nearest`, the least
 * squared distance of a candidate to the corner: r^2 + g^2 + b^2 - nearest - 2 (r, g, b) . x with 0 <= x <= 3, where
 * (r, g, b) is the entry less the corner. 16 bits hold it: with D = 3 sqrt(3), the diameter of a box, a candidate is at
 * most 3 D farther from the corner than the nearest one, which is at most 255 sqrt(3) away: 6 D 255 sqrt(3) + 9 D^2 =
 * 14013; the product is at most 2 * 255 * 3 * 3 = 4590; their sum is below 2^15. */
static void nearest_in_box(const kmc_node *node, int octant, const uint8_t *corner, uint16_t *labels) {
  int16_t scores[KMC_BOX_COLORS], x_red[KMC_BOX_COLORS], x_green[KMC_BOX_COLORS], x_blue[KMC_BOX_COLORS];
  int32_t nearest = INT32_MAX;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const int32_t r = (int32_t)node->red[i] - corner[0], g = (int32_t)node->green[i] - corner[1];
    const int32_t b = (int32_t)node->blue[i] - corner[2], dist2 = r * r + g * g + b * b;
    if ((node->keep[i] >> octant & 1) && dist2 < nearest) nearest = dist2;
  }
  for (int x = 0; x < KMC_BOX_COLORS; x++) {
    scores[x] = INT16_MAX;
    labels[x] = 0;
    x_red[x] = (int16_t)((x >> 2 & 1) | (x >> 4 & 2));
    x_green[x] = (int16_t)((x >> 1 & 1) | (x >> 3 & 2));
    x_blue[x] = (int16_t)((x & 1) | (x >> 2 & 2));
  }
  for (ptrdiff_t i = 0; i < node->n; i++) {
    if (!(node->keep[i] >> octant & 1)) continue;
    const int32_t r = (int32_t)node->red[i] - corner[0], g = (int32_t)node->green[i] - corner[1];
    const int32_t b = (int32_t)node->blue[i] - corner[2];
    const int16_t at_corner = (int16_t)(r * r + g * g + b * b - nearest), index = (int16_t)node->index[i];
    const int16_t step_red = (int16_t)(-2 * r), step_green = (int16_t)(-2 * g), step_blue = (int16_t)(-2 * b);
    for (int x = 0; x < KMC_BOX_COLORS; x++) {
      const int16_t score =
          (int16_t)(at_corner + step_red * x_red[x] + step_green * x_green[x] + step_blue * x_blue[x]);
      const int16_t nearer = (int16_t)-(score < scores[x]);
      scores[x] = score < scores[x] ? score : scores[x];
      labels[x] = (uint16_t)((labels[x] & ~nearer) | (index & nearer));
    }
  }
}

const kmc_pixel_kernels KMC_PIXEL_TABLE = {keys_of_rgb,   keys_of_rgba,  ranks_of_keys,   nonzero_bits,
                                           take_counters, squared_error, keep_in_octants, nearest_in_box};
