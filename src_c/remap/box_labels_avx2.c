/* Labels of boxes, AVX2. */
#include "remap/box_labels.h"

#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx2"
#include "target_push.inc.h"

static inline __m256i pair_of(const int16_t *two) {
  int32_t both;
  memcpy(&both, two, sizeof both);
  return _mm256_set1_epi32(both);
}

/* The squared distances to the octants' middles, less what is the same for all candidates; one octant to a lane. IN
 * middle: doubled, red in the lower half of a lane and green in the upper one; blue, and 0 for the index. */
static inline __m256i scores_of(const kmc_candidate *candidate, const __m256i *middle) {
  const __m256i red_green = _mm256_madd_epi16(middle[0], pair_of(&candidate->minus_red));
  const __m256i blue = _mm256_madd_epi16(middle[1], pair_of(&candidate->minus_blue));
  return _mm256_add_epi32(_mm256_add_epi32(red_green, blue), _mm256_set1_epi32(candidate->norm2));
}

static inline __m256i color_of(const kmc_candidate *candidate) {
  int32_t rgb;
  memcpy(&rgb, candidate->rgb, sizeof rgb);
  return _mm256_set1_epi32(rgb);
}

/* The nearest to each octant's middle, the first of equals. OUT its color; its index, in the upper half of a lane. */
static inline __m256i nearest_to_middles(const kmc_node *node, const __m256i *middle, __m256i *color, __m256i *index) {
  __m256i least = _mm256_set1_epi32(INT32_MAX);
  *color = *index = _mm256_setzero_si256();
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const kmc_candidate *own = node->candidates + i;
    const __m256i score = scores_of(own, middle), nearer = _mm256_cmpgt_epi32(least, score);
    *color = _mm256_blendv_epi8(*color, color_of(own), nearer);
    *index = _mm256_blendv_epi8(*index, pair_of(&own->minus_blue), nearer);
    least = _mm256_min_epi32(least, score);
  }
  return least;
}

void kmc_keep_in_octants_avx2(kmc_node *node, const uint8_t *corner, int32_t side) {
  int32_t red_green[8], blue[8];
  for (int c = 0; c < 8; c++) {
    red_green[c] = kmc_doubled_middle(corner, side, c, 0) | kmc_doubled_middle(corner, side, c, 1) * (1 << 16);
    blue[c] = kmc_doubled_middle(corner, side, c, 2);
  }
  const __m256i middle[2] = {_mm256_loadu_si256((const __m256i *)red_green), _mm256_loadu_si256((const __m256i *)blue)};
  const __m256i ones = _mm256_set1_epi8(1), diameter = _mm256_set1_epi16((int16_t)(side / 2 - 1));
  __m256i color, index;
  const __m256i least = nearest_to_middles(node, middle, &color, &index);
  int once = 0, twice = 0;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const kmc_candidate *own = node->candidates + i;
    const __m256i own_color = color_of(own);
    const __m256i far = _mm256_or_si256(_mm256_subs_epu8(own_color, color), _mm256_subs_epu8(color, own_color));
    const __m256i apart = _mm256_madd_epi16(_mm256_maddubs_epi16(far, ones), diameter);
    const __m256i left_out = _mm256_cmpgt_epi32(scores_of(own, middle), _mm256_add_epi32(least, apart));
    const int keep = ~_mm256_movemask_ps(_mm256_castsi256_ps(left_out)) & 255;
    node->keep[i] = (uint8_t)keep;
    twice |= once & keep;
    once |= keep;
  }
  node->whole = (uint8_t)~twice;
  _mm256_storeu_si256((__m256i *)node->single, _mm256_srli_epi32(index, 16));
}

/* 16 colours to a vector: lanes count up blue, green and red by one, then blue by two; the next vector has green two
 * higher, the two after that red. */
static void nearest_in_box(const kmc_node *node, int octant, const uint8_t *corner, uint16_t *labels) {
  const __m256i x_red = _mm256_setr_epi16(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i x_green = _mm256_setr_epi16(0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1);
  const __m256i x_blue = _mm256_setr_epi16(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3);
  int32_t reference = -1;
  __m256i best[4], label[4];
  for (int q = 0; q < 4; q++) best[q] = _mm256_set1_epi16(INT16_MAX), label[q] = _mm256_setzero_si256();
  for (ptrdiff_t i = 0; i < node->n; i++) {
    if (!(node->keep[i] >> octant & 1)) continue;
    const kmc_seen seen = kmc_see_from(corner, node->candidates + i);
    if (reference < 0) reference = seen.dist2;
    const __m256i red = _mm256_mullo_epi16(x_red, _mm256_set1_epi16(seen.step_red));
    const __m256i green = _mm256_mullo_epi16(x_green, _mm256_set1_epi16(seen.step_green));
    const __m256i blue = _mm256_mullo_epi16(x_blue, _mm256_set1_epi16(seen.step_blue));
    const __m256i next_green = _mm256_set1_epi16((int16_t)(2 * seen.step_green)), index = _mm256_set1_epi16(seen.index);
    const __m256i first = _mm256_add_epi16(_mm256_add_epi16(_mm256_set1_epi16((int16_t)(seen.dist2 - reference)), red),
                                           _mm256_add_epi16(green, blue));
    const __m256i third = _mm256_add_epi16(first, _mm256_set1_epi16((int16_t)(2 * seen.step_red)));
    const __m256i scores[4] = {first, _mm256_add_epi16(first, next_green), third, _mm256_add_epi16(third, next_green)};
    for (int q = 0; q < 4; q++) {
      label[q] = _mm256_blendv_epi8(label[q], index, _mm256_cmpgt_epi16(best[q], scores[q]));
      best[q] = _mm256_min_epi16(best[q], scores[q]);
    }
  }
  for (int q = 0; q < 4; q++) _mm256_storeu_si256((__m256i *)(labels + 16 * q), label[q]);
}

/* Which of two cells' labels are not those of the cells' first colours, and these. */
static inline __m256i unlike_first(__m256i labels, __m256i *first) {
  const __m256i first_words = _mm256_broadcastsi128_si256(_mm_set1_epi16(0x0100));
  *first = _mm256_shuffle_epi8(labels, first_words);
  return _mm256_cmpeq_epi16(labels, *first);
}

static int pack_box(const uint16_t *labels, uint16_t *cells, uint8_t *line) {
  uint64_t same = 0;
  for (int half = 0; half < 2; half++) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)(labels + 32 * half));
    const __m256i high = _mm256_loadu_si256((const __m256i *)(labels + 32 * half + 16));
    __m256i first_low, first_high;
    const __m256i unlike_low = unlike_first(low, &first_low), unlike_high = unlike_first(high, &first_high);
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(unlike_low, unlike_high), 0xd8);
    same |= (uint64_t)(uint32_t)_mm256_movemask_epi8(bytes) << 32 * half;
    const __m256i narrow = _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8);
    _mm256_storeu_si256((__m256i *)(line + 32 * half), narrow);
  }
  for (int cell = 0; cell < KMC_BOX_CELLS; cell++) {
    cells[cell] = (uint16_t)(labels[cell * KMC_CELL_COLORS] | (~same >> 8 * cell & 255) << 8);
  }
  return same != UINT64_MAX;
}

static ptrdiff_t label_keys(const uint16_t *cells, const uint32_t *keys, ptrdiff_t n, uint8_t *indices,
                            uint32_t *others) {
  uint32_t numbers[KMC_KEY_BATCH];
  uint16_t found[KMC_KEY_BATCH];
  ptrdiff_t i = 0, n_others = 0;
  for (ptrdiff_t j = 0; j < n; j++) numbers[j] = keys[j] / KMC_CELL_COLORS;
  kmc_find_cells(cells, numbers, n, found);
  for (; i + 16 <= n; i += 16) {
    const __m256i own = _mm256_loadu_si256((const __m256i *)(found + i));
    __m256i different[2];
    for (int half = 0; half < 2; half++) {
      const __m256i cell = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(found + i + 8 * half)));
      const __m256i key = _mm256_loadu_si256((const __m256i *)(keys + i + 8 * half));
      /* The key's bit of the high byte goes to the sign. */
      const __m256i to_sign = _mm256_sub_epi32(_mm256_set1_epi32(23), _mm256_and_si256(key, _mm256_set1_epi32(7)));
      different[half] = _mm256_sllv_epi32(cell, to_sign);
    }
    const int low = _mm256_movemask_ps(_mm256_castsi256_ps(different[0]));
    const int high = _mm256_movemask_ps(_mm256_castsi256_ps(different[1]));
    for (uint64_t left = (uint64_t)(high << 8 | low); left; left &= left - 1) {
      others[n_others++] = (uint32_t)i + (uint32_t)kmc_lowest_bit(left);
    }
    const __m256i labels = _mm256_and_si256(own, _mm256_set1_epi16(255));
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(labels, labels), 0x08);
    _mm_storeu_si128((__m128i *)(indices + i), _mm256_castsi256_si128(bytes));
  }
  for (; i < n; i++) {
    indices[i] = (uint8_t)found[i];
    if (found[i] >> (8 + keys[i] % KMC_CELL_COLORS) & 1) others[n_others++] = (uint32_t)i;
  }
  return n_others;
}

static int64_t squared_error(const uint8_t *pixels, const uint8_t *indices, ptrdiff_t n, const uint32_t *entries,
                             ptrdiff_t k) {
  (void)k;
  uint32_t own[KMC_KEY_BATCH];
  for (ptrdiff_t i = 0; i < n; i++) own[i] = entries[indices[i]];
  return kmc_pixel_kernels_avx2.squared_error(pixels, own, n);
}

static void keys_of_rgb(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) {
  kmc_pixel_kernels_avx2.keys_of_rgb(pixels, n, keys);
}

const kmc_label_kernels kmc_label_kernels_avx2 = {
    kmc_keep_in_octants_avx2, nearest_in_box, pack_box, keys_of_rgb, label_keys, squared_error};

#include "target_pop.inc.h"
#else
typedef int kmc_no_avx2_on_this_processor;
#endif
