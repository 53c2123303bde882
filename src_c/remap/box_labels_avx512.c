/* Labels of boxes, AVX-512 with BW and VNNI. A pixel's box is one load of 16 bytes: 0.8 to 1.5 ns, where two gathers
 * take 1.9 to 2.8, Ice Lake. */
#include "remap/box_labels.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx512f,avx512bw,avx512vnni"
#include "target_push.inc.h"

/* 32 colours to a vector: lanes count up blue, green and red by one, then blue and green by two; the second vector has
 * red two higher. */
static void nearest_in_box(const kmc_node *node, int octant, const uint8_t *corner, uint16_t *labels) {
  const int64_t zeros = 0, ones = 0x0001000100010001, counted = 0x0001000000010000, pairs = 0x0001000100000000;
  const int64_t twos = 2 * ones;
  const __m512i x_red = _mm512_setr_epi64(zeros, ones, zeros, ones, zeros, ones, zeros, ones);
  const __m512i x_green =
      _mm512_setr_epi64(pairs, pairs, pairs, pairs, pairs + twos, pairs + twos, pairs + twos, pairs + twos);
  const __m512i x_blue = _mm512_setr_epi64(counted, counted, counted + twos, counted + twos, counted, counted,
                                           counted + twos, counted + twos);
  int32_t reference = -1;
  __m512i best0 = _mm512_set1_epi16(INT16_MAX), best1 = best0;
  __m512i label0 = _mm512_setzero_si512(), label1 = label0;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    if (!(node->keep[i] >> octant & 1)) continue;
    const kmc_seen seen = kmc_see_from(corner, node->candidates + i);
    if (reference < 0) reference = seen.dist2;
    const __m512i red = _mm512_mullo_epi16(x_red, _mm512_set1_epi16(seen.step_red));
    const __m512i green = _mm512_mullo_epi16(x_green, _mm512_set1_epi16(seen.step_green));
    const __m512i blue = _mm512_mullo_epi16(x_blue, _mm512_set1_epi16(seen.step_blue));
    const __m512i score0 = _mm512_add_epi16(_mm512_add_epi16(_mm512_set1_epi16((int16_t)(seen.dist2 - reference)), red),
                                            _mm512_add_epi16(green, blue));
    const __m512i score1 = _mm512_add_epi16(score0, _mm512_set1_epi16((int16_t)(2 * seen.step_red)));
    const __m512i index = _mm512_set1_epi16(seen.index);
    label0 = _mm512_mask_mov_epi16(label0, _mm512_cmplt_epi16_mask(score0, best0), index);
    label1 = _mm512_mask_mov_epi16(label1, _mm512_cmplt_epi16_mask(score1, best1), index);
    best0 = _mm512_min_epi16(best0, score0);
    best1 = _mm512_min_epi16(best1, score1);
  }
  _mm512_storeu_si512(labels, label0);
  _mm512_storeu_si512(labels + 32, label1);
}

static uint64_t equal_labels(const uint16_t *labels, uint16_t label) {
  const __m512i wanted = _mm512_set1_epi16((int16_t)label);
  const uint64_t low = _mm512_cmpeq_epi16_mask(_mm512_loadu_si512(labels), wanted);
  const uint64_t high = _mm512_cmpeq_epi16_mask(_mm512_loadu_si512(labels + 32), wanted);
  return high << 32 | low;
}

/* The labels of the boxes of keys i, i + 4, i + 8 and i + 12, each in its quarter. */
static inline __m512i load_boxes(const kmc_box_labels *boxes, const uint32_t *keys, int i) {
  const __m128i first = _mm_loadu_si128((const __m128i *)(boxes + keys[i] / KMC_BOX_COLORS));
  const __m128i second = _mm_loadu_si128((const __m128i *)(boxes + keys[i + 4] / KMC_BOX_COLORS));
  const __m128i third = _mm_loadu_si128((const __m128i *)(boxes + keys[i + 8] / KMC_BOX_COLORS));
  const __m128i fourth = _mm_loadu_si128((const __m128i *)(boxes + keys[i + 12] / KMC_BOX_COLORS));
  const __m512i two = _mm512_inserti32x4(_mm512_castsi128_si512(first), second, 1);
  return _mm512_inserti32x4(_mm512_inserti32x4(two, third, 2), fourth, 3);
}

/* 16 keys: their boxes, one load for each, are transposed to both halves of `which` and both values. */
static inline __m512i values_of_keys(const kmc_box_labels *boxes, const uint32_t *keys) {
  const __m512i box0 = load_boxes(boxes, keys, 0), box1 = load_boxes(boxes, keys, 1);
  const __m512i box2 = load_boxes(boxes, keys, 2), box3 = load_boxes(boxes, keys, 3);
  const __m512i halves01 = _mm512_unpacklo_epi32(box0, box1), halves23 = _mm512_unpacklo_epi32(box2, box3);
  const __m512i values01 = _mm512_unpackhi_epi32(box0, box1), values23 = _mm512_unpackhi_epi32(box2, box3);
  const __m512i low = _mm512_unpacklo_epi64(halves01, halves23), high = _mm512_unpackhi_epi64(halves01, halves23);
  const __m512i value0 = _mm512_unpacklo_epi64(values01, values23);
  const __m512i value1 = _mm512_unpackhi_epi64(values01, values23);
  const __m512i key = _mm512_loadu_si512(keys);
  const __mmask16 is_high = _mm512_test_epi32_mask(key, _mm512_set1_epi32(32));
  const __m512i in_half = _mm512_and_si512(key, _mm512_set1_epi32(31));
  const __m512i bit = _mm512_srlv_epi32(_mm512_mask_mov_epi32(low, is_high, high), in_half);
  return _mm512_mask_mov_epi32(value0, _mm512_test_epi32_mask(bit, _mm512_set1_epi32(1)), value1);
}

/* 16 pixels. IN OUT sums: of the squared differences to their values' entries, in the lanes of `known`. */
static inline __m512i add_squares(__m512i sums, const uint8_t *pixels, __m512i value, __mmask16 known) {
  const __m512i quarters = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  const __m512i to_lanes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  const __m512i bytes = _mm512_maskz_loadu_epi32(0xfff, pixels);
  const __m512i x = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, bytes), to_lanes);
  const __m512i y = _mm512_and_si512(value, _mm512_set1_epi32(0xffffff));
  const __m512i diff = _mm512_maskz_or_epi32(known, _mm512_subs_epu8(x, y), _mm512_subs_epu8(y, x));
  const __m512i even = _mm512_and_si512(diff, _mm512_set1_epi16(255)), odd = _mm512_srli_epi16(diff, 8);
  return _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(sums, even, even), odd, odd);
}

/* The sums in 32-bit lanes: 64 times 3 * 255^2 is below 2^31. */
static int64_t map_keys(const kmc_box_labels *boxes, uint32_t other, const uint8_t *pixels, const uint32_t *keys,
                        ptrdiff_t n, uint8_t *indices, uint64_t *others) {
  const __m512i no_value = _mm512_set1_epi32((int32_t)other);
  __m512i sums = _mm512_setzero_si512();
  ptrdiff_t first = 0;
  for (; first + 64 <= n; first += 64) {
    uint64_t found = 0;
    for (int i = 0; i < 64; i += 16) {
      const __m512i value = values_of_keys(boxes, keys + first + i);
      const __mmask16 known = _mm512_cmpneq_epi32_mask(value, no_value);
      sums = add_squares(sums, pixels + 3 * (first + i), value, known);
      _mm_storeu_si128((__m128i *)(indices + first + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(value, 24)));
      found |= (uint64_t)(uint16_t)~known << i;
    }
    others[first / 64] = found;
  }
  const int64_t sum = _mm512_reduce_add_epi32(sums);
  if (first == n) return sum;
  return sum + kmc_label_kernels_generic.map_keys(boxes, other, pixels + 3 * first, keys + first, n - first,
                                                  indices + first, others + first / 64);
}

const kmc_label_kernels kmc_label_kernels_avx512 = {kmc_keep_in_octants_avx2, nearest_in_box, equal_labels, map_keys};

#include "target_pop.inc.h"
#else
typedef int kmc_no_avx512_on_this_processor;
#endif
