/* Labels of boxes for every processor, and which kernels go with which instruction set. Plain loops over arrays:
 * compilers make vectors of them. */
#include <math.h>
#include <string.h>

#include "remap/box_labels.h"

/* Coordinates are halves of integers and squared distances below 2^20: float is exact. */
static float squared_distance(const kmc_candidate *candidate, const float *point) {
  const float r = candidate->red - point[0], g = candidate->green - point[1], b = candidate->blue - point[2];
  return r * r + g * g + b * b;
}

static void keep_in_octants(kmc_node *node, const uint8_t *corner, int32_t side) {
  const float half = 0.25f * (float)side - 0.5f;
  memset(node->keep, 0, (size_t)node->n);
  node->whole = 0;
  for (int octant = 0; octant < 8; octant++) {
    const float middle[3] = {(float)(corner[0] + (octant >> 2) * side / 2) + half,
                             (float)(corner[1] + (octant >> 1 & 1) * side / 2) + half,
                             (float)(corner[2] + (octant & 1) * side / 2) + half};
    const kmc_candidate *near = node->candidates;
    float least = squared_distance(near, middle);
    ptrdiff_t n_kept = 0;
    for (ptrdiff_t i = 1; i < node->n; i++) {
      const float dist2 = squared_distance(node->candidates + i, middle);
      if (dist2 >= least) continue;
      least = dist2;
      near = node->candidates + i;
    }
    for (ptrdiff_t i = 0; i < node->n; i++) {
      const kmc_candidate *own = node->candidates + i;
      const float apart = fabsf(own->red - near->red) + fabsf(own->green - near->green) + fabsf(own->blue - near->blue);
      const int keep = squared_distance(own, middle) - least <= 2 * half * apart;
      node->keep[i] |= (uint8_t)(keep << octant);
      n_kept += keep;
    }
    node->whole |= (uint8_t)((n_kept == 1) << octant);
    node->single[octant] = near->index;
  }
}

static void nearest_in_box(const kmc_node *node, int octant, const uint8_t *corner, uint16_t *labels) {
  int16_t scores[KMC_BOX_COLORS], x_red[KMC_BOX_COLORS], x_green[KMC_BOX_COLORS], x_blue[KMC_BOX_COLORS];
  int32_t reference = -1;
  for (int x = 0; x < KMC_BOX_COLORS; x++) {
    scores[x] = INT16_MAX;
    labels[x] = 0;
    x_red[x] = (int16_t)((x >> 2 & 1) | (x >> 4 & 2));
    x_green[x] = (int16_t)((x >> 1 & 1) | (x >> 3 & 2));
    x_blue[x] = (int16_t)((x & 1) | (x >> 2 & 2));
  }
  for (ptrdiff_t i = 0; i < node->n; i++) {
    if (!(node->keep[i] >> octant & 1)) continue;
    const kmc_seen seen = kmc_see_from(corner, node->candidates + i);
    if (reference < 0) reference = seen.dist2;
    const int16_t at_corner = (int16_t)(seen.dist2 - reference);
    for (int x = 0; x < KMC_BOX_COLORS; x++) {
      const int16_t score =
          (int16_t)(at_corner + seen.step_red * x_red[x] + seen.step_green * x_green[x] + seen.step_blue * x_blue[x]);
      const int16_t nearer = (int16_t)-(score < scores[x]);
      scores[x] = score < scores[x] ? score : scores[x];
      labels[x] = (uint16_t)((labels[x] & ~nearer) | (seen.index & nearer));
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
