/* Labels of boxes for every processor, and which kernels go with which instruction set. Plain loops over arrays:
 * compilers make vectors of them. */
#include <math.h>
#include <string.h>

#include "box_labels.h"

/* Coordinates are halves of integers and squared distances below 2^20: float is exact. */
static void keep_in_octants(const kmc_node *node, const uint8_t *corner, int32_t side) {
  const float half = 0.25f * (float)side - 0.5f;
  memset(node->keep, 0, (size_t)node->n);
  for (int octant = 0; octant < 8; octant++) {
    const float red = (float)(corner[0] + (octant >> 2) * side / 2) + half;
    const float green = (float)(corner[1] + (octant >> 1 & 1) * side / 2) + half;
    const float blue = (float)(corner[2] + (octant & 1) * side / 2) + half;
    float least = INFINITY;
    ptrdiff_t near = 0;
    for (ptrdiff_t i = 0; i < node->n; i++) {
      const float r = node->red[i] - red, g = node->green[i] - green, b = node->blue[i] - blue;
      const float dist2 = r * r + g * g + b * b;
      if (dist2 >= least) continue;
      least = dist2;
      near = i;
    }
    for (ptrdiff_t i = 0; i < node->n; i++) {
      const float r = node->red[i] - red, g = node->green[i] - green, b = node->blue[i] - blue;
      const float apart = fabsf(node->red[i] - node->red[near]) + fabsf(node->green[i] - node->green[near]) +
                          fabsf(node->blue[i] - node->blue[near]);
      const int keep = r * r + g * g + b * b - least <= 2 * half * apart;
      node->keep[i] |= (uint8_t)(keep << octant);
    }
  }
}

static void nearest_in_box(const kmc_node *node, int octant, const uint8_t *corner, uint16_t *labels) {
  int16_t scores[KMC_BOX_COLORS], x_red[KMC_BOX_COLORS], x_green[KMC_BOX_COLORS], x_blue[KMC_BOX_COLORS];
  const int32_t nearest = kmc_nearest_to_corner(node, octant, corner);
  for (int x = 0; x < KMC_BOX_COLORS; x++) {
    scores[x] = INT16_MAX;
    labels[x] = 0;
    x_red[x] = (int16_t)((x >> 2 & 1) | (x >> 4 & 2));
    x_green[x] = (int16_t)((x >> 1 & 1) | (x >> 3 & 2));
    x_blue[x] = (int16_t)((x & 1) | (x >> 2 & 2));
  }
  for (ptrdiff_t i = 0; i < node->n; i++) {
    if (!(node->keep[i] >> octant & 1)) continue;
    const kmc_candidate c = kmc_candidate_of(node, i, corner, nearest);
    for (int x = 0; x < KMC_BOX_COLORS; x++) {
      const int16_t score =
          (int16_t)(c.at_corner + c.step_red * x_red[x] + c.step_green * x_green[x] + c.step_blue * x_blue[x]);
      const int16_t nearer = (int16_t)-(score < scores[x]);
      scores[x] = score < scores[x] ? score : scores[x];
      labels[x] = (uint16_t)((labels[x] & ~nearer) | (c.index & nearer));
    }
  }
}

static uint64_t equal_labels(const uint16_t *labels, uint16_t label) {
  uint64_t bits = 0;
  for (int i = 0; i < KMC_BOX_COLORS; i++) bits |= (uint64_t)(labels[i] == label) << i;
  return bits;
}

static int64_t map_keys(const kmc_box_labels *boxes, uint32_t other, const uint8_t *pixels, const uint32_t *keys,
                        ptrdiff_t n, uint8_t *indices, uint64_t *others) {
  int64_t sum = 0;
  for (ptrdiff_t first = 0; first < n; first += 64) {
    const ptrdiff_t last = n - first < 64 ? n : first + 64;
    uint64_t found = 0;
    for (ptrdiff_t i = first; i < last; i++) {
      const uint32_t value = kmc_value_of_key(boxes, keys[i]);
      const int32_t error = kmc_squared_error_of_pixel(pixels + 3 * i, value & 0xffffff);
      indices[i] = (uint8_t)(value >> 24);
      found |= (uint64_t)(value == other) << (i - first);
      sum += value == other ? 0 : error;
    }
    others[first / 64] = found;
  }
  return sum;
}

const kmc_label_kernels kmc_label_kernels_generic = {keep_in_octants, nearest_in_box, equal_labels, map_keys};

const kmc_label_kernels *kmc_label_kernels_for(const kmc_kernels *kernels) {
#if defined(__x86_64__) || defined(_M_X64)
  if (!strcmp(kernels->name, "avx512")) return &kmc_label_kernels_avx512;
  if (!strcmp(kernels->name, "avx2")) return &kmc_label_kernels_avx2;
#endif
  (void)kernels;
  return &kmc_label_kernels_generic;
}
