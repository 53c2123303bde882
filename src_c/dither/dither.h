/* Dithering, and what fits a palette to a dithered picture.
 *
 * Points are KMC_POINT (4) int16 for each pixel: the colour in a working space in which 2040 is the whole range of a
 * channel (8-bit sRGB value times 8; Oklab times 2040). The fourth channel is the gain: which share of the errors of
 * its neighbours a pixel takes, of KMC_GAIN_ONE. With alpha points are those of colorspace.py, whose distance is the
 * mean of what is seen on black and on white: premultiplied, and what the background changes (sRGB's channels, Oklab's
 * and YCC's lightness) with half of what is missing from opacity added; the fourth channel is alpha times
 * KMC_SRGB_ALPHA or KMC_OKLAB_ALPHA or KMC_YCC_ALPHA, with KMC_LESS added for each sixteenth of its errors that a pixel
 * does not take, and KMC_FLAT where it takes none. An entry's fourth channel is alpha so, or 0.
 *
 * Everything is integers, and each operation is defined: the bytes are those of any instruction set and any number of
 * threads. The nearest entry is the one of the least squared distance, ties to the lowest index.
 *
 * Bounds: points and entries lie in a box whose sides sum, squared, to less than 2^24, so that a squared distance and
 * an index share 32 bits; an error is at most 2047 in size, so that sixteen of them fit in 16 bits.
 */
#ifndef KMC_DITHER_H
#define KMC_DITHER_H

#include "kmc_kernels.h"

#define KMC_POINT 4
#define KMC_BAND 16       /* rows that are dithered together: one to a lane */
#define KMC_STEPS 32      /* steps whose points and indices lie together while they are taken */
#define KMC_WARM_UP 8     /* rows that a stripe dithers before its first one */
#define KMC_BLUR_ONE 64   /* the sum of a blur's weights */
#define KMC_GAIN_ONE 2048 /* the gain at which all of an error is passed on */
#define KMC_MOST_ENTRIES 256
#define KMC_CHUNK 8        /* candidates compared at once */
#define KMC_KEY_SCALE 16   /* a squared distance of what is so much larger leaves 8 bits free for the index */
#define KMC_POLISH_REACH 2 /* rows and columns that the polishing looks at on each side */
#define KMC_POLISH_SKEW 3  /* columns that a row of a band is behind the row above it */
#define KMC_LESS 2048      /* above any alpha */
#define KMC_FLAT (15 * KMC_LESS)
#define KMC_SRGB_ALPHA 7 /* what a step of 8-bit alpha is in points */
#define KMC_OKLAB_ALPHA 4
#define KMC_YCC_ALPHA 4
#define KMC_SPACE_SRGB 0
#define KMC_SPACE_OKLAB 1
#define KMC_SPACE_YCC 2 /* of RGBA only: kmc_ycc of premultiplied sRGB; else it is sRGB */

/* Rows of colorspace.py's YCC_OF_SRGB, turned, times 4096. */
static const int16_t kmc_ycc[3][3] = {{1295, 1885, 916}, {1705, -816, -889}, {0, -1644, 1644}};

/* Candidates as pairs of channels, times KMC_KEY_SCALE, in one cache line. Without alpha the fourth channel, of which
 * points have 0, is the candidate's index. */
typedef struct {
  int16_t xy[2 * KMC_CHUNK], zw[2 * KMC_CHUNK];
} kmc_chunk;

/* A list: the place of its first chunk in bytes | KMC_LONG if there are more. Lists of larger boxes, from which those
 * of cells are still to be made, have a level beside it. */
#define KMC_LEVELS 3u
#define KMC_LONG 4u

/* Entries whose nearest one is looked for, and, for one thread, lists of those that can be the nearest in a cell, which
 * are made when the first point of a cell comes. A cell is a box of the working space. Lists of boxes of 4x4x4 cells
 * are made of all entries, those of 2x2x2 and of single cells only where the larger box has more than one chunk. There
 * are n_classes sets of cells: for pictures with alpha one for each of translucent, opaque and transparent pixels,
 * whose lists hold what these may become. */
typedef struct {
  int16_t entries[KMC_MOST_ENTRIES][KMC_POINT];
  int16_t low[KMC_POINT], high[KMC_POINT]; /* the box to which points are clamped */
  int16_t factor[KMC_POINT];               /* 65536 / side of a cell: (x - low) * factor >> 16 */
  int16_t side[KMC_POINT];
  int16_t stride[KMC_POINT];             /* the number of a cell is the sum of stride * that */
  int32_t along[KMC_POINT];              /* cells along each channel */
  int32_t has_alpha, n_classes, n_cells; /* n_cells: of one class */
  int32_t k, n_chunks, most_chunks;
  uint8_t marks[4096]; /* not 0 at what kmc_hash_of_point() makes of an entry */
  uint32_t *list;      /* (n_classes * n_cells) */
  kmc_chunk *chunks;   /* (most_chunks) */
  uint32_t *indices;   /* (most_chunks * KMC_CHUNK) of the candidates */
  uint8_t *lengths;    /* (most_chunks) chunks of the list that begins here, less one */
} kmc_targets;

static inline const kmc_chunk *kmc_chunks_of(kmc_targets *targets, uint32_t list) {
  return (const kmc_chunk *)((const char *)targets->chunks + (list & ~63u));
}
static inline const uint32_t *kmc_indices_of(kmc_targets *targets, uint32_t list) {
  return targets->indices + (list >> 6) * KMC_CHUNK;
}
static inline int32_t kmc_length_of(kmc_targets *targets, uint32_t list) { return targets->lengths[list >> 6] + 1; }

static inline unsigned kmc_hash_of_point(const int16_t *point) {
  return ((unsigned)point[0] * 40503u + (unsigned)point[1] * 2654435761u + (unsigned)point[2] * 2246822519u) >> 20;
}

/* The 24 neighbours of a pixel in a 5x5 window have five different distances; weights, of 32768, in the order
 * (1,0) (1,1) (2,0) (2,1) (2,2). */
typedef struct {
  int16_t weight[5];
} kmc_window;

/* What an 8-bit value of red, green and blue adds to the light of three cones, of which KMC_CONE_ONE is all: whole
 * numbers of KMC_CONE_BITS, side by side, so that one addition adds all three. White's sum, rounded up thrice, fits. */
#define KMC_CONE_BITS 21
#define KMC_CONE_MASK 0x1fffff
#define KMC_CONE_ONE 2097144.0
#define KMC_ROOT_OF_ONE 127.9998372f /* its cube root */
typedef struct {
  uint64_t light[3][256];
} kmc_cones;

/* IN linear (256): the light of an 8-bit value. */
void kmc_cones_init(kmc_cones *cones, const float *linear);

/* points     IN pixels (n, channels) uint8, channels 1, 3 or 4; OUT points (n, 4), the gain of pixels without alpha
 *            being `gain`. IN cones: for Oklab.
 * flat       IN three rows, from the second pixel on. OUT found: which of n <= 2^16 pixels are as the ones above,
 * below, to the left and to the right, in order; how many is returned. nearest    IN points (n, 4); OUT indices (n).
 * diffuse    Floyd and Steinberg's error diffusion (1976) of KMC_BAND rows, one to a lane, each two columns behind the
 *            one above. IN rows: their points; IN OUT errors (width + 2, 4): those of the row above, then of the last
 *            row; its first and last are 0. OUT indices: the rows. `gain` is that of pixels with alpha.
 * candidates IN a list; a box: corner (4), side (4). OUT found: the places in the list, in order, of entries that can
 *            be the nearest to a point of the box; how many is returned.
 * polish     Every pixel of KMC_BAND rows, in plain order, becomes the nearest entry to its colour plus the weighted
 *            errors of its neighbours: one Gauss-Seidel round of |G(picture - result)|^2 for a blur G. IN rows:
 * KMC_BAND
 *            + 4 rows of points, from two above, NULL where the picture ends; IN OUT indices: theirs; the outer four
 * are only read. SCRATCH errors (kmc_polish_slots(width), KMC_BAND + 4, 4). blur_row   IN rows: five rows of points,
 * NULL beyond the picture; weights (5) along columns and rows, whose sum is KMC_BLUR_ONE. OUT blurred (width, 4). solve
 * matrix (k, k) x = right (k, 4), in place, by elimination; the matrix is symmetric and positive definite. */
typedef struct {
  void (*points)(const uint8_t *pixels, ptrdiff_t n, int channels, int space, const kmc_cones *cones, int gain,
                 int16_t *points);
  ptrdiff_t (*flat)(const uint8_t *above, const uint8_t *row, const uint8_t *below, int channels, ptrdiff_t n,
                    uint16_t *found);
  void (*nearest)(kmc_targets *targets, const int16_t *points, ptrdiff_t n, uint8_t *indices);
  void (*diffuse)(kmc_targets *targets, const int16_t *const *rows, ptrdiff_t width, int gain, int16_t *errors,
                  uint8_t *const *indices);
  ptrdiff_t (*candidates)(kmc_targets *targets, uint32_t list, const int16_t *corner, const int16_t *side,
                          uint8_t *found);
  void (*polish)(kmc_targets *targets, const kmc_window *window, const int16_t *const *rows, ptrdiff_t width,
                 int16_t *errors, uint8_t *const *indices);
  void (*blur_row)(const int16_t *const *rows, const int32_t *weights, ptrdiff_t width, int16_t *blurred);
  void (*solve)(double *matrix, double *right, int32_t k);
} kmc_dither_kernels;

extern const kmc_dither_kernels kmc_dither_kernels_generic;
extern const kmc_dither_kernels kmc_dither_kernels_avx2; /* x86-64 builds only */

/* The kernels of the same instruction set as `kernels`, a table that kmc_available gave. */
const kmc_dither_kernels *kmc_dither_kernels_for(const kmc_kernels *kernels);

static inline ptrdiff_t kmc_polish_slots(ptrdiff_t width) {
  return width + KMC_POLISH_SKEW * (KMC_BAND + 2 * KMC_POLISH_REACH) + 2 * KMC_POLISH_REACH;
}

/* Sets all but list, chunks, indices, lengths and most_chunks, which are given, and makes the lists of all entries.
 * `list` has kmc_targets_cells() elements. most_chunks is at least 3 * KMC_MOST_ENTRIES / KMC_CHUNK; what has no room
 * keeps the list of a larger box. Pictures of so few pixels that lists do not pay have one cell: `is_small`. */
int32_t kmc_targets_cells(int space, int has_alpha, int32_t k, int is_small);
void kmc_targets_init(kmc_targets *targets, int space, int has_alpha, const int16_t *entries, int32_t k, int is_small);

/* Makes and returns the final list of a cell. */
uint32_t kmc_make_list(const kmc_dither_kernels *kernels, kmc_targets *targets, int32_t cell);

/* A picture to be dithered: points (height, width, 4), or pixels of which they are made band by band. */
typedef struct {
  const uint8_t *pixels; /* (height, width, channels), or NULL if points are given */
  const int16_t *points;
  ptrdiff_t height, width;
  int32_t channels, space, gain;
  const kmc_cones *cones;
} kmc_dithered;

/* OUT points (height, width, 4): rows first .. last - 1 of a picture of pixels; gain 0 inside areas of one colour that
 * is an entry. */
void kmc_points_rows(const kmc_dither_kernels *kernels, kmc_targets *targets, const kmc_dithered *picture,
                     ptrdiff_t first, ptrdiff_t last, int16_t *points);

/* Marks the points of a row of pixels (width, 4) that take less of their errors, the busier their surroundings are:
 * less_of (KMC_BUSY_LEVELS) is how many sixteenths, up to 14, at each sum of the differences from four neighbours, of
 * what is seen of the colour and of alpha. Transparent pixels and those with KMC_FLAT stay. IN OUT points (width, 4).
 */
enum { KMC_BUSY_LEVELS = 4 * 4 * 255 + 1 };
void kmc_mark_busy(const uint8_t *above, const uint8_t *row, const uint8_t *below, ptrdiff_t width,
                   const uint8_t *less_of, int16_t *points);

/* Rows first .. last - 1 by error diffusion. The errors that would come from above are those of rows that are dithered
 * for their errors alone, so that stripes do not wait for each other. IN OUT indices: the whole picture.
 * SCRATCH: kmc_stripe_scratch(width) int16. */
ptrdiff_t kmc_stripe_scratch(ptrdiff_t width);
void kmc_diffuse_stripe(const kmc_dither_kernels *kernels, kmc_targets *targets, const kmc_dithered *picture,
                        ptrdiff_t first, ptrdiff_t last, int16_t *scratch, uint8_t *indices);

/* Rows first .. last - 1 by adding the noise of a mask. SCRATCH (width, 4). */
void kmc_noise_stripe(const kmc_dither_kernels *kernels, kmc_targets *targets, const kmc_dithered *picture,
                      const uint16_t *mask, const int16_t *amplitude, ptrdiff_t first, ptrdiff_t last, int16_t *scratch,
                      uint8_t *indices);

/* Rows first .. last - 1 of a picture whose points are given. SCRATCH (kmc_polish_slots(width), KMC_BAND + 4, 4). */
void kmc_polish_stripe(const kmc_dither_kernels *kernels, kmc_targets *targets, const kmc_window *window,
                       const kmc_dithered *picture, ptrdiff_t first, ptrdiff_t last, int16_t *scratch,
                       uint8_t *indices);

/* The picture blurred twice by G: with weights (5) along columns and rows, whose sum is KMC_BLUR_ONE. Beyond the
 * picture all is 0. OUT blurred (height, width, 4): rows first .. last - 1. */
void kmc_blur_rows(const kmc_dither_kernels *kernels, const kmc_dithered *picture, const int32_t *weights,
                   ptrdiff_t first, ptrdiff_t last, int16_t *blurred);

/* Normal equations of |G(picture) - G(palette[indices])|^2. */
typedef struct {
  int64_t *meetings; /* (k, k) how often entries meet at each distance, times the blur's weight there; pairs are counted
                        in one order, so the transpose is to be added */
  int64_t *blurred, *points; /* (k, 4) sums of each entry's pixels */
  int64_t *counts, *still;   /* (k) its pixels, and those whose fourth channel is 0 */
} kmc_normal_sums;

/* Adds those of rows first .. last - 1 to sums. SCRATCH table (k, k). */
void kmc_normal_rows(const kmc_dithered *picture, const int16_t *blurred, const uint8_t *indices,
                     const int32_t *weights, int32_t k, ptrdiff_t first, ptrdiff_t last, uint32_t *table,
                     const kmc_normal_sums *sums);

#endif
