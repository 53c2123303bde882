/* Dithering, AVX2: four rows to a register, two registers. Skylake: all but the shuffles between halves (3) and the
 * multiplications (5) take one cycle. */
#include <string.h>

#include "compiler.h"
#include "dither.h"

#if defined(__x86_64__) || defined(_M_X64)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#include <immintrin.h>

#define KMC_DITHER_TABLE kmc_dither_kernels_avx2

typedef struct {
  __m256i low, high;
} vp;

#define LANEWISE(name, instruction) \
  static inline vp vp_##name(vp a, vp b) { return (vp){instruction(a.low, b.low), instruction(a.high, b.high)}; }
LANEWISE(add, _mm256_add_epi16)
LANEWISE(sub, _mm256_sub_epi16)
LANEWISE(min, _mm256_min_epi16)
LANEWISE(max, _mm256_max_epi16)
LANEWISE(and, _mm256_and_si256)
LANEWISE(or, _mm256_or_si256)
LANEWISE(gt, _mm256_cmpgt_epi16)
LANEWISE(mulhrs, _mm256_mulhrs_epi16)
LANEWISE(adds, _mm256_adds_epi16)
LANEWISE(mullo, _mm256_mullo_epi16)

static inline vp vp_zero(void) { return (vp){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
static inline vp vp_set1_value(int16_t value) { return (vp){_mm256_set1_epi16(value), _mm256_set1_epi16(value)}; }
static inline vp vp_times(vp a, int16_t b) { return vp_mullo(a, vp_set1_value(b)); }
static inline long long bits_of(const int16_t *point) {
  long long bits;
  memcpy(&bits, point, sizeof bits);
  return bits;
}
static inline vp vp_set1(const int16_t *point) {
  const __m256i a = _mm256_set1_epi64x(bits_of(point));
  return (vp){a, a};
}
static inline vp vp_load(const int16_t *p) {
  return (vp){_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 16))};
}
static inline void vp_store(int16_t *p, vp a) {
  _mm256_storeu_si256((__m256i *)p, a.low);
  _mm256_storeu_si256((__m256i *)(p + 16), a.high);
}
static inline vp vp_gather(const int16_t *const *p) {
  return (vp){_mm256_setr_epi64x(bits_of(p[0]), bits_of(p[1]), bits_of(p[2]), bits_of(p[3])),
              _mm256_setr_epi64x(bits_of(p[4]), bits_of(p[5]), bits_of(p[6]), bits_of(p[7]))};
}
static inline vp vp_fourth(vp a) {
  const __m256i from = _mm256_setr_epi8(6, 7, 6, 7, 6, 7, 6, 7, 14, 15, 14, 15, 14, 15, 14, 15, 6, 7, 6, 7, 6, 7, 6, 7,
                                        14, 15, 14, 15, 14, 15, 14, 15);
  return (vp){_mm256_shuffle_epi8(a.low, from), _mm256_shuffle_epi8(a.high, from)};
}
static inline vp vp_colors_mask(void) {
  const __m256i mask = _mm256_set1_epi64x(0x0000ffffffffffff);
  return (vp){mask, mask};
}
static inline vp vp_clear_fourth(vp a) { return vp_and(a, vp_colors_mask()); }
static inline vp vp_down(vp a, const int16_t *point) {
  const __m256i low = _mm256_permute4x64_epi64(a.low, 0x93), high = _mm256_permute4x64_epi64(a.high, 0x93);
  return (vp){_mm256_blend_epi32(low, _mm256_set1_epi64x(bits_of(point)), 3), _mm256_blend_epi32(high, low, 3)};
}
static inline void vp_store_last(int16_t *point, vp a) {
  const long long bits = _mm256_extract_epi64(a.high, 3);
  memcpy(point, &bits, sizeof bits);
}
static inline vp vp_rows_between(ptrdiff_t t, ptrdiff_t width) {
  const __m256i before = _mm256_set1_epi64x(-1), low_rows = _mm256_setr_epi64x(0, 2, 4, 6);
  const __m256i high_rows = _mm256_setr_epi64x(8, 10, 12, 14), end = _mm256_set1_epi64x(width);
  const __m256i low = _mm256_sub_epi64(_mm256_set1_epi64x(t), low_rows);
  const __m256i high = _mm256_sub_epi64(_mm256_set1_epi64x(t), high_rows);
  return (vp){_mm256_and_si256(_mm256_cmpgt_epi64(low, before), _mm256_cmpgt_epi64(end, low)),
              _mm256_and_si256(_mm256_cmpgt_epi64(high, before), _mm256_cmpgt_epi64(end, high))};
}
/* Channels 0 and 2 are multiplied and added apart: strides need more than 16 bits. */
static inline __m256i cells_of(__m256i a, kmc_targets *targets) {
  const __m256i offset = _mm256_sub_epi16(a, _mm256_set1_epi64x(bits_of(targets->low)));
  const __m256i place = _mm256_mulhi_epu16(offset, _mm256_set1_epi64x(bits_of(targets->factor)));
  const __m256i even = _mm256_set1_epi32(0xffff);
  const int32_t *stride = targets->stride;
  const __m256i even_strides =
      _mm256_set1_epi64x((long long)((uint64_t)(uint32_t)stride[2] << 32 | (uint32_t)stride[0]));
  const __m256i odd_strides =
      _mm256_set1_epi64x((long long)((uint64_t)(uint32_t)stride[3] << 32 | (uint32_t)stride[1]));
  const __m256i halves = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_and_si256(place, even), even_strides),
                                          _mm256_mullo_epi32(_mm256_srli_epi32(place, 16), odd_strides));
  return _mm256_add_epi32(halves, _mm256_srli_epi64(halves, 32));
}
static inline void vp_store_cells(uint32_t *cells, vp a, kmc_targets *targets) {
  _mm256_storeu_si256((__m256i *)cells, cells_of(a.low, targets));
  _mm256_storeu_si256((__m256i *)(cells + 8), cells_of(a.high, targets));
}

static inline __m256i loaded(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

static KMC_ALWAYS_INLINE uint32_t nearest_in_list(const kmc_chunk *chunk, uint32_t n, const int16_t *point) {
  int32_t pairs[2];
  memcpy(pairs, point, sizeof pairs);
  const __m256i xy = _mm256_set1_epi32(pairs[0]), zw = _mm256_set1_epi32(pairs[1]);
  __m256i best = _mm256_set1_epi32(-1);
  do {
    const __m256i d_xy = _mm256_sub_epi16(loaded(chunk->xy), xy), d_zw = _mm256_sub_epi16(loaded(chunk->zw), zw);
    const __m256i dist2 = _mm256_add_epi32(_mm256_madd_epi16(d_xy, d_xy), _mm256_madd_epi16(d_zw, d_zw));
    best = _mm256_min_epu32(best, _mm256_or_si256(_mm256_slli_epi32(dist2, 8), loaded(chunk->index)));
    chunk++;
  } while (--n);
  __m128i least = _mm_min_epu32(_mm256_castsi256_si128(best), _mm256_extracti128_si256(best, 1));
  least = _mm_min_epu32(least, _mm_shuffle_epi32(least, 0x4e));
  least = _mm_min_epu32(least, _mm_shuffle_epi32(least, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(least) & 255;
}

static inline __m256i pairs_of(const int16_t *point, int first) {
  return _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)point[first + 1] << 16 | (uint16_t)point[first]));
}

/* See dither_generic.c. */
static ptrdiff_t candidates(const kmc_chunk *chunks, ptrdiff_t n, const int16_t *corner, const int16_t *side,
                            uint8_t *found) {
  const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi16(1);
  const __m256i corners[2] = {pairs_of(corner, 0), pairs_of(corner, 2)};
  const __m256i last[2] = {_mm256_sub_epi16(pairs_of(side, 0), one), _mm256_sub_epi16(pairs_of(side, 2), one)};
  __m256i nearest[KMC_MOST_ENTRIES / KMC_CHUNK], bound = _mm256_set1_epi32(INT32_MAX);
  for (ptrdiff_t i = 0; i < n; i++) {
    __m256i farthest = zero;
    nearest[i] = zero;
    for (int half = 0; half < 2; half++) {
      const __m256i entry = loaded(half ? chunks[i].zw : chunks[i].xy);
      const __m256i below = _mm256_sub_epi16(corners[half], entry);
      const __m256i above = _mm256_sub_epi16(_mm256_sub_epi16(entry, corners[half]), last[half]);
      const __m256i outside = _mm256_max_epi16(below, above), least = _mm256_max_epi16(outside, zero);
      const __m256i most = _mm256_add_epi16(outside, last[half]);
      nearest[i] = _mm256_add_epi32(nearest[i], _mm256_madd_epi16(least, least));
      farthest = _mm256_add_epi32(farthest, _mm256_madd_epi16(most, most));
    }
    bound = _mm256_min_epi32(bound, farthest);
  }
  bound = _mm256_min_epi32(bound, _mm256_permute2x128_si256(bound, bound, 1));
  bound = _mm256_min_epi32(bound, _mm256_shuffle_epi32(bound, 0x4e));
  bound = _mm256_min_epi32(bound, _mm256_shuffle_epi32(bound, 0xb1));
  ptrdiff_t n_found = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    unsigned beyond = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(nearest[i], bound)));
    for (beyond ^= 0xff; beyond; beyond &= beyond - 1) {
      found[n_found++] = (uint8_t)(i * KMC_CHUNK + kmc_lowest_bit(beyond));
    }
  }
  return n_found;
}

#include "dither_kernels.inc.h"

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#else
typedef int kmc_no_avx2_on_this_processor;
#endif
