/* Labels of boxes for every processor, and which kernels go with which instruction set. Plain loops over arrays:
 * compilers make vectors of them. */
#include <stdlib.h>
#include <string.h>

#include "remap/box_labels.h"

static void keep_in_octants(kmc_node *node, const uint8_t *corner, int32_t side) {
  memset(node->keep, 0, (size_t)node->n);
  node->whole = 0;
  for (int octant = 0; octant < 8; octant++) {
    const int32_t r = kmc_doubled_middle(corner, side, octant, 0), g = kmc_doubled_middle(corner, side, octant, 1);
    const int32_t b = kmc_doubled_middle(corner, side, octant, 2);
    const kmc_candidate *near = NULL;
    int32_t least = INT32_MAX, n_kept = 0;
    for (ptrdiff_t i = 0; i < node->n; i++) {
      const kmc_candidate *own = node->candidates + i;
      const int32_t score = own->norm2 + r * own->minus_red + g * own->minus_green + b * own->minus_blue;
      if (score >= least) continue;
      least = score;
      near = own;
    }
    for (ptrdiff_t i = 0; i < node->n; i++) {
      const kmc_candidate *own = node->candidates + i;
      const int32_t score = own->norm2 + r * own->minus_red + g * own->minus_green + b * own->minus_blue;
      const int32_t apart =
          abs(own->rgb[0] - near->rgb[0]) + abs(own->rgb[1] - near->rgb[1]) + abs(own->rgb[2] - near->rgb[2]);
      const int keep = score - least <= (side / 2 - 1) * apart;
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

static int pack_box(const uint16_t *labels, uint16_t *cells, uint8_t *line) {
  int is_needed = 0;
  for (int cell = 0; cell < KMC_BOX_CELLS; cell++) {
    const uint16_t *own = labels + cell * KMC_CELL_COLORS;
    int different = 0;
    for (int i = 1; i < KMC_CELL_COLORS; i++) different |= (own[i] != own[0]) << i;
    cells[cell] = (uint16_t)(own[0] | different << 8);
    is_needed |= different;
  }
  for (int i = 0; i < KMC_BOX_COLORS; i++) line[i] = (uint8_t)labels[i];
  return is_needed != 0;
}

static ptrdiff_t label_keys(const uint16_t *cells, const uint32_t *keys, ptrdiff_t n, uint8_t *indices,
                            uint32_t *others) {
  ptrdiff_t n_others = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint32_t cell = cells[keys[i] / KMC_CELL_COLORS];
    indices[i] = (uint8_t)cell;
    others[n_others] = (uint32_t)i;
    n_others += cell >> (8 + keys[i] % KMC_CELL_COLORS) & 1;
  }
  return n_others;
}

static int64_t squared_error(const uint8_t *pixels, const uint8_t *indices, ptrdiff_t n, const uint32_t *entries,
                             ptrdiff_t k) {
  (void)k;
  int64_t sum = 0;
  for (ptrdiff_t i = 0; i < n; i++) sum += kmc_squared_error_of_pixel(pixels + 3 * i, entries[indices[i]]);
  return sum;
}

static void keys_of_rgb(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) {
  kmc_pixel_kernels_generic.keys_of_rgb(pixels, n, keys);
}

const kmc_label_kernels kmc_label_kernels_generic = {keep_in_octants, nearest_in_box, pack_box,
                                                     keys_of_rgb,     label_keys,     squared_error};

const kmc_label_kernels *kmc_label_kernels_for(const kmc_kernels *kernels) {
#if defined(__x86_64__) || defined(_M_X64)
  if (!strcmp(kernels->name, "avx512")) return &kmc_label_kernels_avx512;
  if (!strcmp(kernels->name, "avx2")) return &kmc_label_kernels_avx2;
#endif
  (void)kernels;
  return &kmc_label_kernels_generic;
}
