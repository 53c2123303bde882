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

#include "histogram/color_keys.h"

/* Coordinates are exact integers. */
typedef struct {
  float red, green, blue;
  int32_t index;
} kmc_candidate;

/* A box of colours with those entries of a palette that can be the nearest to one of its colours, in order of index. */
typedef struct {
  uint32_t number; /* key / colours of the box, or KMC_NO_NODE */
  ptrdiff_t n;     /* 1 .. k */
  kmc_candidate *candidates;
  uint8_t *keep;     /* (n) bit c: the candidate can be the nearest in octant c of the box */
  uint8_t whole;     /* bit c: only one candidate can be the nearest in octant c */
  int32_t single[8]; /* its index, where it is only one */
} kmc_node;

#define KMC_NO_NODE UINT32_MAX
#define KMC_TREE_LEVELS 6 /* of boxes of side 256, 128, ... 8 */

/* The labels of a box of 4x4x4, in 16 bytes: colour i has values[bit i of `which`]. Where more than two entries share a
 * box both values are `other` of kmc_box_map, and `which` tells its line of labels. */
typedef struct {
  uint64_t which;
  uint32_t values[2];
} kmc_box_labels;

/* What a picture's boxes have. */
typedef struct {
  kmc_box_labels *boxes;  /* (KMC_N_BOXES) */
  uint16_t *lines;        /* (lines, KMC_BOX_COLORS): a label for each colour of boxes with more than two */
  const uint32_t *values; /* (k): what stands for each label */
  uint32_t other;         /* none of them */
} kmc_box_map;

/* keep_in_octants  OUT node->keep, whole, single, from the rest of the node, whose box has this corner and side. A
 * candidate is left out if the one nearest to the octant's middle is nearer everywhere in the octant. The difference of
 * the squared distances i and j is linear, so its least value is in a corner: |m - j|^2 - |m - i|^2 - 2 h (|j_r - i_r|
 * + |j_g - i_g| + |j_b - i_b|), with the middle m and half the side h. nearest_in_box   OUT labels (KMC_BOX_COLORS):
 * the index of the entry, of those that the node keeps for the octant, a box of 4x4x4 at `corner`, that is nearest to
 * each of its colours. equal_labels     Bit i is set where labels[i] is `label`: of KMC_BOX_COLORS labels. map_keys IN
 * pixels (n, 3), their keys (n), n <= KMC_KEY_BATCH, boxes whose values are the entry's red, green and blue from the
 * lowest byte on, then the label. OUT indices (n): the labels; others (n / 64 rounded up): bit i of word w is set where
 * the value of pixel 64 w + i is `other`. Returns the sum of the squared differences to the entries of the rest. */
typedef struct {
  void (*keep_in_octants)(kmc_node *node, const uint8_t *corner, int32_t side);
  void (*nearest_in_box)(const kmc_node *node, int octant, const uint8_t *corner, uint16_t *labels);
  uint64_t (*equal_labels)(const uint16_t *labels, uint16_t label);
  int64_t (*map_keys)(const kmc_box_labels *boxes, uint32_t other, const uint8_t *pixels, const uint32_t *keys,
                      ptrdiff_t n, uint8_t *indices, uint64_t *others);
} kmc_label_kernels;

static inline uint32_t kmc_value_of_key(const kmc_box_labels *boxes, uint32_t key) {
  const kmc_box_labels *box = boxes + key / KMC_BOX_COLORS;
  return box->values[box->which >> key % KMC_BOX_COLORS & 1];
}

/* A candidate seen from a box: its score, the squared distance less what does not depend on the candidate, is at_corner
 * + step . x for a colour at corner + x, 0 <= x <= 3. It is less the score at the corner of another one, too, and so
 * fits into 16 bits: with D = 3 sqrt(3), the diameter of a box, one that is kept is at most 3 D farther from the corner
 * than the nearest, which is at most 255 sqrt(3) away: 6 D 255 sqrt(3) + 9 D^2 = 14013 is the most that two scores at
 * the corner differ by; the product is at most 2 * 255 * 3 * 3 = 4590; their sum is below 2^15. */
typedef struct {
  int32_t dist2; /* to the corner */
  int16_t step_red, step_green, step_blue, index;
} kmc_seen;

static inline kmc_seen kmc_see_from(const uint8_t *corner, const kmc_candidate *candidate) {
  const int32_t r = (int32_t)candidate->red - corner[0], g = (int32_t)candidate->green - corner[1];
  const int32_t b = (int32_t)candidate->blue - corner[2];
  return (kmc_seen){r * r + g * g + b * b, (int16_t)(-2 * r), (int16_t)(-2 * g), (int16_t)(-2 * b),
                    (int16_t)candidate->index};
}

/* For AVX-512, too: octants fill eight lanes. */
void kmc_keep_in_octants_avx2(kmc_node *node, const uint8_t *corner, int32_t side);

extern const kmc_label_kernels kmc_label_kernels_generic, kmc_label_kernels_avx2, kmc_label_kernels_avx512;

/* Those of the same instruction set as `kernels`, a table that kmc_available gave. */
const kmc_label_kernels *kmc_label_kernels_for(const kmc_kernels *kernels);

/* IN OUT path (KMC_TREE_LEVELS): the boxes around the box that was looked at last, of one thread; at first all numbers
 * are KMC_NO_NODE, and the first node has all entries. IN boxes (KMC_N_BLOCKS), bit i of word b: box i of block b is to
 * be filled; bits NULL, or for each of these boxes, which of its colours matter. OUT map->boxes of those in blocks
 * first .. last - 1, and lines from number n_lines on, at most one for each. */
void kmc_fill_boxes(const kmc_label_kernels *kernels, const kmc_box_map *map, kmc_node *path, const uint64_t *boxes,
                    const uint64_t *bits, ptrdiff_t first, ptrdiff_t last, uint64_t n_lines);

#endif
