/* Pixel kernels, AVX2. Keys: eight pixels at a time, 16 instructions once they lie one to a 32-bit lane.
 *
 * Groups of three bits are spread by a byte shuffle used as a table (abc -> a00b00c), and the three channels of a pixel
 * are joined by multiply-adds with weights 1, 2, 4: b + 2g in one 16-bit half, 4r in the other, then their sum. */
#include "color_keys.h"

#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,popcnt"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2,popcnt")
#endif

#include <immintrin.h>

#define KMC_PIXEL_TABLE kmc_pixel_kernels_avx2

/* IN bgr: in each 32-bit lane the bytes b, g, r, 0. OUT nine bits of key for three bits of each channel. */
static inline __m256i join_bits(__m256i bgr, int shift, int mask, int weight) {
  const __m256i spread = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 8, 9, 64, 65, 72, 73, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i channel_weights = _mm256_set1_epi32(0x00040201);
  const __m256i bits = _mm256_and_si256(_mm256_srli_epi32(bgr, shift), _mm256_set1_epi8((char)mask));
  const __m256i halves = _mm256_maddubs_epi16(channel_weights, _mm256_shuffle_epi8(spread, bits));
  return _mm256_madd_epi16(halves, _mm256_set1_epi16((short)weight));
}

static inline __m256i keys_of_lanes(__m256i bgr) {
  const __m256i low = join_bits(bgr, 0, 7, 1);
  const __m256i middle = join_bits(bgr, 3, 7, 1 << 9);
  const __m256i high = _mm256_slli_epi32(join_bits(bgr, 6, 3, 1), 18);
  return _mm256_or_si256(_mm256_or_si256(low, middle), high);
}

/* Eight pixels; the loads of 16 bytes reach 4 bytes, less than two pixels, past the eighth. */
static inline __m256i load_rgb(const uint8_t *pixels) {
  const __m128i first = _mm_loadu_si128((const __m128i *)pixels);
  const __m128i second = _mm_loadu_si128((const __m128i *)(pixels + 12));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
}

static void keys_of_rgb(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) {
  const __m256i to_lanes =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1));
  ptrdiff_t i = 0;
  for (; i + 10 <= n; i += 8) {
    const __m256i lanes = _mm256_shuffle_epi8(load_rgb(pixels + 3 * i), to_lanes);
    _mm256_storeu_si256((__m256i *)(keys + i), keys_of_lanes(lanes));
  }
  for (; i < n; i++) keys[i] = kmc_key_of_rgb(pixels + 3 * i);
}

static void keys_of_rgba(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) {
  const __m256i to_lanes =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 1, 0, -1, 6, 5, 4, -1, 10, 9, 8, -1, 14, 13, 12, -1));
  ptrdiff_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i packed = _mm256_loadu_si256((const __m256i *)(pixels + 4 * i));
    _mm256_storeu_si256((__m256i *)(keys + i), keys_of_lanes(_mm256_shuffle_epi8(packed, to_lanes)));
  }
  for (; i < n; i++) keys[i] = kmc_key_of_rgb(pixels + 4 * i);
}

/* Processors with AVX2 have popcnt, which Nehalem brought. */
static void ranks_of_keys(const uint64_t *bits, const uint32_t *before, ptrdiff_t n, uint32_t *keys) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const uint32_t box = keys[i] / KMC_BOX_COLORS;
    const uint64_t lower = ((uint64_t)1 << keys[i] % KMC_BOX_COLORS) - 1;
    keys[i] = before[box] + (uint32_t)_mm_popcnt_u64(bits[box] & lower);
  }
}

static uint64_t nonzero_bits(const uint8_t *counters) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)counters), zero);
  const __m256i high = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(counters + 32)), zero);
  return ~((uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 | (uint32_t)_mm256_movemask_epi8(low));
}

static inline int count_bits(uint64_t word) { return (int)_mm_popcnt_u64(word); }

#include "take_counters.inc.h"

/* In 32-bit lanes: 128 times 3 * 255^2 is below 2^31. */
static int64_t squared_error(const uint8_t *pixels, const uint32_t *entries, ptrdiff_t n) {
  const __m256i to_lanes =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  const __m256i zero = _mm256_setzero_si256();
  __m256i sums = zero;
  ptrdiff_t i = 0;
  for (; i + 10 <= n; i += 8) {
    const __m256i x = _mm256_shuffle_epi8(load_rgb(pixels + 3 * i), to_lanes);
    const __m256i entry = _mm256_loadu_si256((const __m256i *)(entries + i));
    const __m256i diff = _mm256_or_si256(_mm256_subs_epu8(x, entry), _mm256_subs_epu8(entry, x));
    const __m256i low = _mm256_unpacklo_epi8(diff, zero), high = _mm256_unpackhi_epi8(diff, zero);
    sums = _mm256_add_epi32(sums, _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high)));
  }
  int32_t lanes[8];
  _mm256_storeu_si256((__m256i *)lanes, sums);
  int64_t sum = 0;
  for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
  for (; i < n; i++) sum += kmc_squared_error_of_pixel(pixels + 3 * i, entries[i]);
  return sum;
}

/* One octant to a lane. Coordinates are halves of integers and squared distances below 2^20: float is exact. */
static inline __m256 squared_distance(const kmc_node *node, ptrdiff_t i, const __m256 *middle) {
  const __m256 r = _mm256_sub_ps(_mm256_set1_ps(node->red[i]), middle[0]);
  const __m256 g = _mm256_sub_ps(_mm256_set1_ps(node->green[i]), middle[1]);
  const __m256 b = _mm256_sub_ps(_mm256_set1_ps(node->blue[i]), middle[2]);
  return _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(r, r), _mm256_mul_ps(g, g)), _mm256_mul_ps(b, b));
}

static inline __m256 apart_from(const float *coordinate, ptrdiff_t i, __m256 from) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_sub_ps(_mm256_set1_ps(coordinate[i]), from));
}

static void keep_in_octants(const kmc_node *node, const uint8_t *corner, int32_t side) {
  const float half = 0.25f * (float)side - 0.5f, next = 0.5f * (float)side;
  const float r0 = corner[0] + half, g0 = corner[1] + half, b0 = corner[2] + half;
  const float r1 = r0 + next, g1 = g0 + next, b1 = b0 + next;
  const __m256 middle[3] = {_mm256_setr_ps(r0, r0, r0, r0, r1, r1, r1, r1),
                            _mm256_setr_ps(g0, g0, g1, g1, g0, g0, g1, g1),
                            _mm256_setr_ps(b0, b1, b0, b1, b0, b1, b0, b1)};
  const __m256 diameter = _mm256_set1_ps(2 * half);
  __m256 least = _mm256_set1_ps(1e9f), red = least, green = least, blue = least;
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const __m256 dist2 = squared_distance(node, i, middle), nearer = _mm256_cmp_ps(dist2, least, _CMP_LT_OQ);
    red = _mm256_blendv_ps(red, _mm256_set1_ps(node->red[i]), nearer);
    green = _mm256_blendv_ps(green, _mm256_set1_ps(node->green[i]), nearer);
    blue = _mm256_blendv_ps(blue, _mm256_set1_ps(node->blue[i]), nearer);
    least = _mm256_min_ps(least, dist2);
  }
  for (ptrdiff_t i = 0; i < node->n; i++) {
    const __m256 apart = _mm256_add_ps(_mm256_add_ps(apart_from(node->red, i, red), apart_from(node->green, i, green)),
                                       apart_from(node->blue, i, blue));
    const __m256 farther = _mm256_sub_ps(squared_distance(node, i, middle), least);
    const __m256 keep = _mm256_cmp_ps(farther, _mm256_mul_ps(diameter, apart), _CMP_LE_OQ);
    node->keep[i] = (uint8_t)_mm256_movemask_ps(keep);
  }
}

#include "nearest_in_box.inc.h"

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#else
typedef int kmc_no_avx2_on_this_processor;
#endif
