/* Labels of boxes, AVX2. */
#include "remap/box_labels.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx2"
#include "target_push.inc.h"

/* One octant to a lane. Coordinates are halves of integers and squared distances below 2^20: float is exact. */
static inline __m256 squared_distance(const kmc_candidate *candidate, const __m256 *middle) {
  const __m256 r = _mm256_sub_ps(_mm256_set1_ps(candidate->red), middle[0]);
  const __m256 g = _mm256_sub_ps(_mm256_set1_ps(candidate->green), middle[1]);
  const __m256 b = _mm256_sub_ps(_mm256_set1_ps(candidate->blue), middle[2]);
  return _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(r, r), _mm256_mul_ps(g, g)), _mm256_mul_ps(b, b));
}

static inline __m256 apart_from(float coordinate, __m256 from) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_sub_ps(_mm256_set1_ps(coordinate), from));
}

void kmc_keep_in_octants_avx2(kmc_node *node, const uint8_t *corner, int32_t side) {
  const float half = 0.25f * (float)side - 0.5f, next = 0.5f * (float)side;
  const float r0 = corner[0] + half, g0 = corner[1] + half, b0 = corner[2] + half;
  const float r1 = r0 + next, g1 = g0 + next, b1 = b0 + next;
  const __m256 middle[3] = {_mm256_setr_ps(r0, r0, r0, r0, r1, r1, r1, r1),
                            _mm256_setr_ps(g0, g0, g1, g1, g0, g0, g1, g1),
                            _mm256_setr_ps(b0, b1, b0, b1, b0, b1, b0, b1)};
  const __m256 diameter = _mm256_set1_ps(2 * half);
  __m256 least = _mm256_set1_ps(1e9f), red = least, green = least, blue = least;
  __m256i n_kept = _mm256_setzero_si256(), single = n_kept;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const kmc_candidate *own = node->candidates + i;
    const __m256 dist2 = squared_distance(own, middle), nearer = _mm256_cmp_ps(dist2, least, _CMP_LT_OQ);
    red = _mm256_blendv_ps(red, _mm256_set1_ps(own->red), nearer);
    green = _mm256_blendv_ps(green, _mm256_set1_ps(own->green), nearer);
    blue = _mm256_blendv_ps(blue, _mm256_set1_ps(own->blue), nearer);
    least = _mm256_min_ps(least, dist2);
  }
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const kmc_candidate *own = node->candidates + i;
    const __m256 apart = _mm256_add_ps(_mm256_add_ps(apart_from(own->red, red), apart_from(own->green, green)),
                                       apart_from(own->blue, blue));
    const __m256 farther = _mm256_sub_ps(squared_distance(own, middle), least);
    const __m256 keep = _mm256_cmp_ps(farther, _mm256_mul_ps(diameter, apart), _CMP_LE_OQ);
    const __m256i kept = _mm256_castps_si256(keep);
    node->keep[i] = (uint8_t)_mm256_movemask_ps(keep);
    n_kept = _mm256_sub_epi32(n_kept, kept);
    single = _mm256_blendv_epi8(single, _mm256_set1_epi32(own->index), kept);
  }
  const __m256i whole = _mm256_cmpeq_epi32(n_kept, _mm256_set1_epi32(1));
  node->whole = (uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(whole));
  _mm256_storeu_si256((__m256i *)node->single, single);
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

static uint64_t equal_labels(const uint16_t *labels, uint16_t label) {
  const __m256i wanted = _mm256_set1_epi16((int16_t)label);
  uint64_t bits = 0;
  for (int half = 0; half < 2; half++) {
    const __m256i *two = (const __m256i *)(labels + 32 * half);
    const __m256i low = _mm256_cmpeq_epi16(_mm256_loadu_si256(two), wanted);
    const __m256i high = _mm256_cmpeq_epi16(_mm256_loadu_si256(two + 1), wanted);
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);
    bits |= (uint64_t)(uint32_t)_mm256_movemask_epi8(bytes) << 32 * half;
  }
  return bits;
}

/* The labels of the boxes of keys i and i + 4, each in its half. */
static inline __m256i load_boxes(const kmc_box_labels *boxes, const uint32_t *keys, int i) {
  const __m128i first = _mm_loadu_si128((const __m128i *)(boxes + keys[i] / KMC_BOX_COLORS));
  const __m128i second = _mm_loadu_si128((const __m128i *)(boxes + keys[i + 4] / KMC_BOX_COLORS));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
}

/* Eight keys: their boxes, one load for each, are transposed to both halves of `which` and both values. */
static inline __m256i values_of_keys(const kmc_box_labels *boxes, const uint32_t *keys) {
  const __m256i box0 = load_boxes(boxes, keys, 0), box1 = load_boxes(boxes, keys, 1);
  const __m256i box2 = load_boxes(boxes, keys, 2), box3 = load_boxes(boxes, keys, 3);
  const __m256i halves01 = _mm256_unpacklo_epi32(box0, box1), halves23 = _mm256_unpacklo_epi32(box2, box3);
  const __m256i values01 = _mm256_unpackhi_epi32(box0, box1), values23 = _mm256_unpackhi_epi32(box2, box3);
  const __m256i low = _mm256_unpacklo_epi64(halves01, halves23), high = _mm256_unpackhi_epi64(halves01, halves23);
  const __m256i value0 = _mm256_unpacklo_epi64(values01, values23);
  const __m256i value1 = _mm256_unpackhi_epi64(values01, values23);
  /* A blend takes the sign: bit 5 of the key, and the bit of `which` that its lowest five bits tell. */
  const __m256i key = _mm256_loadu_si256((const __m256i *)keys);
  const __m256 is_high = _mm256_castsi256_ps(_mm256_slli_epi32(key, 26));
  const __m256 half = _mm256_blendv_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), is_high);
  const __m256i to_sign = _mm256_andnot_si256(key, _mm256_set1_epi32(31));
  const __m256 sign = _mm256_castsi256_ps(_mm256_sllv_epi32(_mm256_castps_si256(half), to_sign));
  return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(value0), _mm256_castsi256_ps(value1), sign));
}

/* Eight pixels; the loads reach 4 bytes past them. IN OUT sums: of the squared differences to their values' entries,
 * where these are not `no_value`. Returns where they are. */
static inline int add_squares(const uint8_t *pixels, __m256i value, __m256i no_value, __m256i *sums) {
  const __m256i to_lanes =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  const __m128i first = _mm_loadu_si128((const __m128i *)pixels);
  const __m128i second = _mm_loadu_si128((const __m128i *)(pixels + 12));
  const __m256i rgb = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
  const __m256i is_other = _mm256_cmpeq_epi32(value, no_value);
  const __m256i x = _mm256_shuffle_epi8(rgb, to_lanes), y = _mm256_and_si256(value, _mm256_set1_epi32(0xffffff));
  const __m256i far = _mm256_or_si256(_mm256_subs_epu8(x, y), _mm256_subs_epu8(y, x));
  const __m256i diff = _mm256_andnot_si256(is_other, far);
  const __m256i even = _mm256_and_si256(diff, _mm256_set1_epi16(255)), odd = _mm256_srli_epi16(diff, 8);
  *sums = _mm256_add_epi32(*sums, _mm256_add_epi32(_mm256_madd_epi16(even, even), _mm256_madd_epi16(odd, odd)));
  return _mm256_movemask_ps(_mm256_castsi256_ps(is_other));
}

/* The highest byte of each lane. */
static inline void store_labels(__m256i value, uint8_t *indices) {
  const __m256i labels = _mm256_srli_epi32(value, 24), words = _mm256_packus_epi32(labels, labels);
  const __m128i both = _mm256_castsi256_si128(_mm256_permute4x64_epi64(words, 0x08));
  _mm_storel_epi64((__m128i *)indices, _mm_packus_epi16(both, both));
}

/* The sums in 32-bit lanes: 128 times 3 * 255^2 is below 2^31. */
static int64_t map_keys(const kmc_box_labels *boxes, uint32_t other, const uint8_t *pixels, const uint32_t *keys,
                        ptrdiff_t n, uint8_t *indices, uint64_t *others) {
  enum { BEYOND = 2 }; /* pixels that the last load may reach */
  const __m256i no_value = _mm256_set1_epi32((int32_t)other);
  __m256i sums = _mm256_setzero_si256();
  int32_t lanes[8];
  int64_t sum = 0;
  ptrdiff_t first = 0;
  for (; first + 64 + BEYOND <= n; first += 64) {
    uint64_t found = 0;
    for (int i = 0; i < 64; i += 8) {
      const __m256i value = values_of_keys(boxes, keys + first + i);
      found |= (uint64_t)(uint32_t)add_squares(pixels + 3 * (first + i), value, no_value, &sums) << i;
      store_labels(value, indices + first + i);
    }
    others[first / 64] = found;
  }
  _mm256_storeu_si256((__m256i *)lanes, sums);
  for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
  if (first == n) return sum;
  return sum + kmc_label_kernels_generic.map_keys(boxes, other, pixels + 3 * first, keys + first, n - first,
                                                  indices + first, others + first / 64);
}

const kmc_label_kernels kmc_label_kernels_avx2 = {kmc_keep_in_octants_avx2, nearest_in_box, equal_labels, map_keys};

#include "target_pop.inc.h"
#else
typedef int kmc_no_avx2_on_this_processor;
#endif
