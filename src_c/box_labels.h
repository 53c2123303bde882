/* Which palette entries are the nearest to the colours of boxes of 4x4x4: their labels, and how they are found.
 *
 * Boxes are in a tree, of side 256, 128, ... 8, whose octants are boxes of 4x4x4 (color_keys.h: a box's number is the
 * key of its first colour less the bits of its colours). Down the tree the lists of entries that can be the nearest
 * become short: of 256 entries 3 to 6 remain for a box of 8x8x8. Of the boxes of 4x4x4 that occur in photographs 62 to
 * 90 % have one label, 91 to 99 % at most two.
 *
 * Distances are squared Euclidean ones in sRGB, exact; ties go to the lowest index.
 */
#ifndef KMC_BOX_LABELS_H
#define KMC_BOX_LABELS_H

#include "color_keys.h"

/* A box of colours with those entries of a palette that can be the nearest to one of its colours, in order of index.
 * Coordinates are exact integers. */
typedef struct {
  uint32_t number; /* key / colours of the box, or KMC_NO_NODE */
  ptrdiff_t n;     /* 1 .. k */
  float *red, *green, *blue;
  int32_t *index;
  uint8_t *keep; /* (n) bit c: the entry can be the nearest in octant c of the box; not written for n = 1 */
} kmc_node;

#define KMC_NO_NODE UINT32_MAX
#define KMC_TREE_LEVELS 6 /* of boxes of side 256, 128, ... 8 */

/* The labels of a box of 4x4x4, in 16 bytes: colour i has values[bit i of `which`]. Where more than two entries share a
 * box both values are `other` of kmc_box_map, and `which` tells its line of labels; or KMC_NOT_FILLED. */
typedef struct {
  uint64_t which;
  uint32_t values[2];
} kmc_box_labels;

#define KMC_NOT_FILLED UINT64_MAX

/* What a picture's boxes have. */
typedef struct {
  kmc_box_labels *boxes;  /* (KMC_N_BOXES) */
  uint16_t *lines;        /* (lines, KMC_BOX_COLORS): a label for each colour of boxes with more than two */
  const uint32_t *values; /* (k): what stands for each label */
  uint32_t other;         /* none of them */
} kmc_box_map;

/* keep_in_octants  OUT node->keep, from the rest of the node, whose box has this corner and side. An entry is left out
 *                  if the one nearest to the octant's middle is nearer everywhere in the octant. The difference of the
 *                  squared distances i and j is linear, so its least value is in a corner: |m - j|^2 - |m - i|^2 -
 *                  2 h (|j_r - i_r| + |j_g - i_g| + |j_b - i_b|), with the middle m and half the side h.
 * nearest_in_box   OUT labels (KMC_BOX_COLORS): the index of the entry, of those that the node keeps for the octant, a
 *                  box of 4x4x4 at `corner`, that is nearest to each of its colours.
 * equal_labels     Bit i is set where labels[i] is `label`: of KMC_BOX_COLORS labels.
 * map_keys         IN pixels (n, 3), their keys (n), n <= KMC_KEY_BATCH, boxes whose values are the entry's red, green
 *                  and blue from the lowest byte on, then the label. OUT indices (n): the labels; others (n / 64
 * rounded up): bit i of word w is set where the value of pixel 64 w + i is `other`. Returns the sum of the squared
 * differences to the entries of the rest. */
typedef struct {
  void (*keep_in_octants)(const kmc_node *node, const uint8_t *corner, int32_t side);
  void (*nearest_in_box)(const kmc_node *node, int octant, const uint8_t *corner, uint16_t *labels);
  uint64_t (*equal_labels)(const uint16_t *labels, uint16_t label);
  int64_t (*map_keys)(const kmc_box_labels *boxes, uint32_t other, const uint8_t *pixels, const uint32_t *keys,
                      ptrdiff_t n, uint8_t *indices, uint64_t *others);
} kmc_label_kernels;

static inline uint32_t kmc_value_of_key(const kmc_box_labels *boxes, uint32_t key) {
  const kmc_box_labels *box = boxes + key / KMC_BOX_COLORS;
  return box->values[box->which >> key % KMC_BOX_COLORS & 1];
}

/* An entry seen from a box: its score, the squared distance less what does not depend on the entry, is at_corner + step
 * . x for a colour at corner + x, 0 <= x <= 3. It is less the least score of the entries kept for the box at its
 * corner, too, and so fits into 16 bits: with D = 3 sqrt(3), the diameter of a box, an entry that is kept is at most
 * 3 D farther from the corner than the nearest one, which is at most 255 sqrt(3) away: 6 D 255 sqrt(3) + 9 D^2 = 14013;
 * the product is at most 2 * 255 * 3 * 3 = 4590; their sum is below 2^15. */
typedef struct {
  int16_t at_corner, step_red, step_green, step_blue, index;
} kmc_candidate;

static inline int32_t kmc_nearest_to_corner(const kmc_node *node, int octant, const uint8_t *corner) {
  int32_t nearest = INT32_MAX;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const int32_t r = (int32_t)node->red[i] - corner[0], g = (int32_t)node->green[i] - corner[1];
    const int32_t b = (int32_t)node->blue[i] - corner[2], dist2 = r * r + g * g + b * b;
    if ((node->keep[i] >> octant & 1) && dist2 < nearest) nearest = dist2;
  }
  return nearest;
}

static inline kmc_candidate kmc_candidate_of(const kmc_node *node, ptrdiff_t i, const uint8_t *corner,
                                             int32_t nearest) {
  const int32_t r = (int32_t)node->red[i] - corner[0], g = (int32_t)node->green[i] - corner[1];
  const int32_t b = (int32_t)node->blue[i] - corner[2];
  return (kmc_candidate){(int16_t)(r * r + g * g + b * b - nearest), (int16_t)(-2 * r), (int16_t)(-2 * g),
                         (int16_t)(-2 * b), (int16_t)node->index[i]};
}

/* For AVX-512, too: octants fill eight lanes. */
void kmc_keep_in_octants_avx2(const kmc_node *node, const uint8_t *corner, int32_t side);

extern const kmc_label_kernels kmc_label_kernels_generic, kmc_label_kernels_avx2, kmc_label_kernels_avx512;

/* Those of the same instruction set as `kernels`, a table that kmc_available gave. */
const kmc_label_kernels *kmc_label_kernels_for(const kmc_kernels *kernels);

/* IN OUT path (KMC_TREE_LEVELS): the boxes around the box that was looked at last, of one thread; at first all numbers
 * are KMC_NO_NODE, and the first node has all entries. IN boxes (KMC_N_BLOCKS), bit i of word b: box i of block b is to
 * be filled; bits NULL, or for each of these boxes, which of its colours matter. OUT map->boxes of those in blocks
 * first .. last - 1, and lines from number n_lines on, at most one for each.
 *
 * has_rest: other boxes may be looked up too: then the labels of all are written, though they may be KMC_NOT_FILLED. */
void kmc_fill_boxes(const kmc_label_kernels *kernels, const kmc_box_map *map, kmc_node *path, const uint64_t *boxes,
                    const uint64_t *bits, int has_rest, ptrdiff_t first, ptrdiff_t last, uint64_t n_lines);

#endif
