/* Which palette entries are the nearest to the colours of boxes of 4x4x4: their labels, and how they are found.
 *
 * Boxes are in a tree, of side 256, 128, ... 8, whose octants are boxes of 4x4x4 (color_keys.h: a box's number is the
 * key of its first colour less the bits of its colours). Down the tree the lists of entries that can be the nearest
 * become short: of 256 entries 3 to 6 remain for a box of 8x8x8. Of the boxes of 4x4x4 that occur in photographs 44 to
 * 84 % have one label.
 *
 * Distances are squared Euclidean ones in sRGB, exact; ties go to the lowest index.
 */
#ifndef KMC_BOX_LABELS_H
#define KMC_BOX_LABELS_H

#include "histogram/color_keys.h"

/* One of a palette's entries, in 16 bytes whose words are factors of vector products. */
typedef struct {
  int16_t minus_red, minus_green, minus_blue;
  uint16_t index;
  int32_t norm2; /* red^2 + green^2 + blue^2 */
  uint8_t rgb[4];
} kmc_candidate;

static inline kmc_candidate kmc_candidate_of(const uint8_t *rgb, ptrdiff_t index) {
  const int32_t norm2 = rgb[0] * rgb[0] + rgb[1] * rgb[1] + rgb[2] * rgb[2];
  return (kmc_candidate){(int16_t)-rgb[0],        (int16_t)-rgb[1], (int16_t)-rgb[2], (uint16_t)index, norm2,
                         {rgb[0], rgb[1], rgb[2]}};
}

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

/* What a picture's boxes have. With up to 256 entries, cells of 2x2x2 colours: in the low byte the label of the first
 * colour, in the high byte which colours have another one. These, 2 to 18 % of the pixels, find it in the box's line.
 * So 16 bytes tell the labels of a box. With more entries, only lines. */
typedef struct {
  uint16_t *cells;      /* (KMC_N_CELLS), or NULL */
  uint32_t *line_of;    /* (KMC_N_BOXES): the number of a box's line, if it has one */
  uint8_t *lines;       /* (lines, KMC_BOX_COLORS): a label for each colour */
  uint16_t *wide_lines; /* the same for more than 256 entries: line i of the first k has label i for all colours */
} kmc_box_map;

#define KMC_CELL_COLORS 8
#define KMC_BOX_CELLS 8
#define KMC_N_CELLS (KMC_N_BOXES * KMC_BOX_CELLS)
#define KMC_OTHERS_SLACK 16 /* places that label_keys may write behind the last one */

/* keep_in_octants  OUT node->keep, whole, single, from the rest of the node, whose box has this corner and side. A
 *                  candidate is left out if the one nearest to the octant's middle is nearer everywhere in the octant.
 *                  The difference of the squared distances i and j is linear, so its least value is in a corner:
 *                  |m - j|^2 - |m - i|^2 - 2 h (|j_r - i_r| + |j_g - i_g| + |j_b - i_b|), with the middle m and half
 *                  the side h. As 2 m is whole, so is |j|^2 - 2 m.j, and that is below 2^20.
 * nearest_in_box   OUT labels (KMC_BOX_COLORS): the index of the entry, of those that the node keeps for the octant, a
 *                  box of 4x4x4 at `corner`, that is nearest to each of its colours.
 * pack_box         IN labels (KMC_BOX_COLORS) below 256; OUT cells (KMC_BOX_CELLS), line (KMC_BOX_COLORS): the labels.
 *                  Returns whether the line is needed.
 * keys_of_rgb      As in color_keys.h.
 * label_keys       IN keys (n), n <= KMC_KEY_BATCH. OUT indices (n): the labels of their cells; others (how many those
 *                  are, and KMC_OTHERS_SLACK): which keys have another label, ascending. Returns how many.
 * squared_error    Sum of the squared differences of pixels (n, 3) and entries[indices[i]], n <= KMC_KEY_BATCH; entries
 *                  (256), of which k are used: red, green and blue from the lowest byte on, the highest 0. */
typedef struct {
  void (*keep_in_octants)(kmc_node *node, const uint8_t *corner, int32_t side);
  void (*nearest_in_box)(const kmc_node *node, int octant, const uint8_t *corner, uint16_t *labels);
  int (*pack_box)(const uint16_t *labels, uint16_t *cells, uint8_t *line);
  void (*keys_of_rgb)(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys);
  ptrdiff_t (*label_keys)(const uint16_t *cells, const uint32_t *keys, ptrdiff_t n, uint8_t *indices, uint32_t *others);
  int64_t (*squared_error)(const uint8_t *pixels, const uint8_t *indices, ptrdiff_t n, const uint32_t *entries,
                           ptrdiff_t k);
} kmc_label_kernels;

/* The middles of a box's octants, doubled: channel t of octant c. */
static inline int32_t kmc_doubled_middle(const uint8_t *corner, int32_t side, int octant, int t) {
  return 2 * corner[t] + side / 2 - 1 + (octant >> (2 - t) & 1) * side;
}

/* Four cells are read before one is written, so that compilers need not expect that they overlap. */
static inline void kmc_find_cells(const uint16_t *cells, const uint32_t *numbers, ptrdiff_t n, uint16_t *found) {
  ptrdiff_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const uint16_t cell0 = cells[numbers[i]], cell1 = cells[numbers[i + 1]];
    const uint16_t cell2 = cells[numbers[i + 2]], cell3 = cells[numbers[i + 3]];
    found[i] = cell0;
    found[i + 1] = cell1;
    found[i + 2] = cell2;
    found[i + 3] = cell3;
  }
  for (; i < n; i++) found[i] = cells[numbers[i]];
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
  const int32_t r = candidate->rgb[0] - corner[0], g = candidate->rgb[1] - corner[1];
  const int32_t b = candidate->rgb[2] - corner[2];
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
 * be filled. OUT what the map has of those in blocks first .. last - 1, and lines from number n_lines on, at most one
 * for each. */
void kmc_fill_boxes(const kmc_label_kernels *kernels, const kmc_box_map *map, kmc_node *path, const uint64_t *boxes,
                    ptrdiff_t first, ptrdiff_t last, uint32_t n_lines);

#endif
