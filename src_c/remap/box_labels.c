/* The labels of boxes of 4x4x4 colours; see box_labels.h. */
#include "remap/box_labels.h"

#include <string.h>

#include "compiler.h"

/* Bits of a key below those of the number of a box on the path. */
static inline int key_bits(int level) { return 3 * (8 - level); }

static void keep_in_octants(const kmc_label_kernels *kernels, kmc_node *node, int level) {
  uint8_t corner[3];
  if (node->n == 1) {
    node->keep[0] = node->whole = 255;
    for (int octant = 0; octant < 8; octant++) node->single[octant] = node->candidates[0].index;
    return;
  }
  kmc_rgb_of_key(node->number << key_bits(level), corner);
  kernels->keep_in_octants(node, corner, 256 >> level);
}

/* Makes the next box on the path: an octant of `node`, whose level this is. */
static void enter_octant(const kmc_label_kernels *kernels, const kmc_node *node, int level, uint32_t octant,
                         kmc_node *next) {
  ptrdiff_t n = 0;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    next->candidates[n] = node->candidates[i];
    n += node->keep[i] >> octant & 1;
  }
  next->n = n;
  next->number = node->number << 3 | octant;
  keep_in_octants(kernels, next, level + 1);
}

/* The box of 8x8x8. They come in the order of their keys, so most of the path stays. */
static const kmc_node *node_of(const kmc_label_kernels *kernels, kmc_node *path, uint32_t number) {
  const uint32_t key = number << key_bits(KMC_TREE_LEVELS - 1);
  int level = KMC_TREE_LEVELS - 1;
  while (level > 0 && path[level].number != key >> key_bits(level)) level--;
  if (path[0].number != 0) { /* nothing was looked at */
    path[0].number = 0;
    keep_in_octants(kernels, &path[0], 0);
  }
  for (; level < KMC_TREE_LEVELS - 1; level++) {
    enter_octant(kernels, &path[level], level, key >> key_bits(level + 1) & 7, &path[level + 1]);
  }
  return &path[KMC_TREE_LEVELS - 1];
}

/* The boxes of a node as if each had one label: cheaper than to look which have. */
static void fill_whole(const kmc_box_map *map, const kmc_node *node) {
  const size_t first = (size_t)node->number * 8;
  for (int octant = 0; octant < 8; octant++) {
    const uint32_t label = (uint32_t)node->single[octant];
    if (!map->cells) {
      map->line_of[first + octant] = label;
      continue;
    }
    const uint64_t four = label * UINT64_C(0x0001000100010001), cells[2] = {four, four};
    memcpy(map->cells + (first + octant) * KMC_BOX_CELLS, cells, sizeof cells);
  }
}

/* A box that several entries may have. Returns how many lines there are by now. */
static uint32_t fill_box(const kmc_label_kernels *kernels, const kmc_box_map *map, const kmc_node *node, int octant,
                         uint32_t n_lines) {
  const uint32_t number = node->number << 3 | (uint32_t)octant;
  uint8_t corner[3];
  kmc_rgb_of_key(number * KMC_BOX_COLORS, corner);
  map->line_of[number] = n_lines;
  if (!map->cells) {
    kernels->nearest_in_box(node, octant, corner, map->wide_lines + (size_t)n_lines * KMC_BOX_COLORS);
    return n_lines + 1;
  }
  uint16_t labels[KMC_BOX_COLORS];
  kernels->nearest_in_box(node, octant, corner, labels);
  return n_lines + (uint32_t)kernels->pack_box(labels, map->cells + (size_t)number * KMC_BOX_CELLS,
                                               map->lines + (size_t)n_lines * KMC_BOX_COLORS);
}

void kmc_fill_boxes(const kmc_label_kernels *kernels, const kmc_box_map *map, kmc_node *path, const uint64_t *boxes,
                    ptrdiff_t first, ptrdiff_t last, uint32_t n_lines) {
  for (uint32_t number = 8 * (uint32_t)first; number < 8 * (uint32_t)last; number++) {
    const uint64_t wanted = boxes[number / 8] >> number % 8 * 8 & 255;
    if (!wanted) continue;
    const kmc_node *node = node_of(kernels, path, number);
    fill_whole(map, node);
    for (uint64_t left = wanted & ~(uint64_t)node->whole; left; left &= left - 1) {
      n_lines = fill_box(kernels, map, node, kmc_lowest_bit(left), n_lines);
    }
  }
}
