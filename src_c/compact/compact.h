/* Indices of a palette picture that a deflate stream holds in few bits.
 *
 * The picture is walked in the order of its file: bytes of 8, 4, 2 or 1 bits for each pixel; or, as PNG's filter Sub
 * leaves them, bytes that are the difference of a pixel's index to the one on its left. At every byte the walk takes
 * either the pixels' own best entries, which cost a literal, or a run of bytes that stood in the file before, which
 * costs a match: whichever has the least sum of error and price. So it is a parse of LZ77 (Ziv and Lempel 1977) whose
 * matches need not be exact.
 *
 * The error of an entry is its squared distance to `wanted`, the pixel's colour plus the weighted errors of its
 * neighbours in a window of 5x5: what an eye sees through a small blur, the other pixels held. With a scale of 0 it is
 * the distance to the colour alone. Each pixel has a weight, by which its error counts.
 *
 * A difference is chosen together with the next one, which then leads to the next pixel's present entry.
 *
 * A literal is one of the KMC_CANDIDATES entries nearest to the pixel's present one: all 256 gained 0.1 % and took
 * most of the time.
 *
 * All sums are float32 in a fixed order, without fused multiply-adds; stripes of rows do not read what another one of
 * the same half writes, and matches stay within their stripe: the bytes are the same for any number of threads.
 */
#ifndef KMC_COMPACT_H
#define KMC_COMPACT_H

#include "kmc_kernels.h"

#define KMC_COMPACT_REACH 2
#define KMC_LONGEST_MATCH 258 /* bytes, of deflate (RFC 1951) */
#define KMC_SHORTEST_MATCH 3
#define KMC_CANDIDATES 16

/* Entries and points have four channels as in dither.h; without alpha the fourth is 0 in both. A pixel of class c may
 * become the entries with forbidden[c][entry] == 0; those from k on are forbidden to all.
 *
 * differences: whether bytes are differences, of 8 bits then.
 *
 * literal: the price of a pixel after those before it in its byte, at 1 << bits | entry, then for the second pixel
 * 1 << 2 bits | first << bits | second, and so on. length[n] and distance[d] add up to that of a match; length[0] is
 * that of a bit. All prices are in the unit of errors times weights. */
typedef struct {
  ptrdiff_t height, width;
  const int16_t *points;    /* (height, width, 4) */
  const uint8_t *kind;      /* (height, width) class, 0 to 3 */
  const float *weight;      /* (height, width) */
  const int16_t *entries;   /* (k, 4) */
  const uint8_t *near;      /* (k, n_near) entries in the order of their distance to each, itself first */
  const uint8_t *forbidden; /* (4, 256) */
  const float *literal;     /* (512) */
  const float *length;      /* (KMC_LONGEST_MATCH + 1) */
  const float *distance;    /* (n_distances): 0 is not used */
  int32_t k, bits, differences, n_near, n_distances;
  float blur[2 * KMC_COMPACT_REACH + 1]; /* along rows and columns */
  float scale;                           /* of the blurred errors */
} kmc_compact;

/* Rows first .. last - 1. IN OUT indices (height, width). SCRATCH: kmc_compact_scratch bytes, aligned to 16. */
ptrdiff_t kmc_compact_scratch(const kmc_compact *picture, ptrdiff_t rows);
void kmc_compact_stripe(const kmc_compact *picture, ptrdiff_t first, ptrdiff_t last, uint8_t *scratch,
                        uint8_t *indices);

#endif
