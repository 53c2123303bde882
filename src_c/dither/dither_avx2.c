/* Dithering, AVX2: four rows to a register, two registers. Skylake: all but the shuffles between halves (3) and the
 * multiplications (5) take one cycle. */
#include <string.h>

#include "colorspace/oklab.inc.h"
#include "compiler.h"
#include "dither/dither.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx2"
#include "target_push.inc.h"

#define KMC_DITHER_TABLE kmc_dither_kernels_avx2

static inline long long bits_of(const int16_t *point) {
  long long bits;
  memcpy(&bits, point, sizeof bits);
  return bits;
}
static inline __m256i loaded(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline void store(void *p, __m256i x) { _mm256_storeu_si256((__m256i *)p, x); }
/* Loads that broadcast and blends, where setting lanes one by one would shuffle. */
static inline __m256i four_points(const int16_t *const *p) {
  const __m256i low = _mm256_blend_epi32(_mm256_set1_epi64x(bits_of(p[0])), _mm256_set1_epi64x(bits_of(p[1])), 0x0c);
  const __m256i high = _mm256_blend_epi32(_mm256_set1_epi64x(bits_of(p[2])), _mm256_set1_epi64x(bits_of(p[3])), 0xc0);
  return _mm256_blend_epi32(low, high, 0xf0);
}

#include "dither/points_avx2.inc.h"

static inline void store_bytes(uint8_t *bytes, const uint32_t *values) {
  const __m256i low = loaded(values), high = loaded(values + 8); /* below 256 */
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xd8);
  _mm_storeu_si128((__m128i *)bytes,
                   _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}

/* See dither_generic.c: four rows and four steps at a time. */
static void turn_points(const int16_t *const *rows, ptrdiff_t first, int skew, int16_t *points) {
  for (int r = 0; r < KMC_BAND; r += 4) {
    const int16_t *row[4];
    for (int i = 0; i < 4; i++) row[i] = rows[r + i] + (first - skew * (r + i)) * KMC_POINT;
    int16_t *to = points + r * KMC_POINT;
    for (int step = 0; step < KMC_STEPS; step += 4, to += 4 * KMC_BAND * KMC_POINT) {
      const __m256i a = loaded(row[0] + step * KMC_POINT), b = loaded(row[1] + step * KMC_POINT);
      const __m256i c = loaded(row[2] + step * KMC_POINT), d = loaded(row[3] + step * KMC_POINT);
      const __m256i ab_even = _mm256_unpacklo_epi64(a, b), ab_odd = _mm256_unpackhi_epi64(a, b);
      const __m256i cd_even = _mm256_unpacklo_epi64(c, d), cd_odd = _mm256_unpackhi_epi64(c, d);
      store(to, _mm256_permute2x128_si256(ab_even, cd_even, 0x20));
      store(to + KMC_BAND * KMC_POINT, _mm256_permute2x128_si256(ab_odd, cd_odd, 0x20));
      store(to + 2 * KMC_BAND * KMC_POINT, _mm256_permute2x128_si256(ab_even, cd_even, 0x31));
      store(to + 3 * KMC_BAND * KMC_POINT, _mm256_permute2x128_si256(ab_odd, cd_odd, 0x31));
    }
  }
}

/* Sixteen steps at a time: each of four rounds puts side by side what was eight vectors apart. */
static void turn_indices(const uint8_t *steps, ptrdiff_t first, int skew, uint8_t *const *indices) {
  for (int step = 0; step < KMC_STEPS; step += 16) {
    __m128i from[16], to[16];
    for (int i = 0; i < 16; i++) from[i] = _mm_loadu_si128((const __m128i *)(steps + (step + i) * KMC_BAND));
    for (int round = 0; round < 4; round++) {
      for (int i = 0; i < 8; i++) {
        to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + 8]);
        to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + 8]);
      }
      memcpy(from, to, sizeof from);
    }
    for (int r = 0; r < KMC_BAND; r++) {
      _mm_storeu_si128((__m128i *)(indices[r] + first - skew * r + step), from[r]);
    }
  }
}

/* Squared distances, and in the lowest bits the candidates' indices. With KMC_KEY_SCALE those bits of a distance are 0.
 * Without alpha the difference in the fourth channel is minus the index, and is multiplied by -1 in place of itself. */
static KMC_ALWAYS_INLINE __m256i keys_in_chunk(const kmc_chunk *chunk, const uint32_t *indices, const int32_t *pairs,
                                               int has_alpha) {
  const __m256i d_xy = _mm256_sub_epi16(_mm256_set1_epi32(pairs[0]), loaded(chunk->xy));
  const __m256i d_zw = _mm256_sub_epi16(_mm256_set1_epi32(pairs[1]), loaded(chunk->zw));
  const __m256i other = has_alpha ? d_zw : _mm256_blend_epi16(d_zw, _mm256_set1_epi16(-1), 0xaa);
  const __m256i keys = _mm256_add_epi32(_mm256_madd_epi16(d_xy, d_xy), _mm256_madd_epi16(d_zw, other));
  return has_alpha ? _mm256_or_si256(keys, loaded(indices)) : keys;
}

static inline __m256i least_of_32(__m256i x, __m256i y) {
  return _mm256_min_epu32(_mm256_unpacklo_epi32(x, y), _mm256_unpackhi_epi32(x, y));
}
static inline __m256i least_of_64(__m256i x, __m256i y) {
  return _mm256_min_epu32(_mm256_unpacklo_epi64(x, y), _mm256_unpackhi_epi64(x, y));
}

/* The least of each row's eight keys, by a tree of transpositions: their indices. */
static inline void store_nearest(const __m256i *keys, uint32_t *nearest) {
  const __m256i low = least_of_64(least_of_32(keys[0], keys[1]), least_of_32(keys[2], keys[3]));
  const __m256i high = least_of_64(least_of_32(keys[4], keys[5]), least_of_32(keys[6], keys[7]));
  const __m256i least =
      _mm256_min_epu32(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
  store(nearest, _mm256_and_si256(least, _mm256_set1_epi32(255)));
}

/* Eight rows go through as many chunks as the longest of their lists, the others staying at their last one: a branch
 * for each row would be guessed wrongly for every second pixel. */
static KMC_ALWAYS_INLINE void nearest_of_eight(kmc_targets *targets, const uint32_t *lists, const int32_t *pairs,
                                               int has_alpha, uint32_t *nearest) {
  __m256i keys[8];
  int32_t lengths[8], most = 0;
  for (int r = 0; r < 8; r++) {
    keys[r] = _mm256_set1_epi32(-1);
    lengths[r] = kmc_length_of(targets, lists[r]);
    most = lengths[r] > most ? lengths[r] : most;
  }
  for (int32_t i = 0; i < most; i++) {
    for (int r = 0; r < 8; r++) {
      const int32_t place = i < lengths[r] ? i : lengths[r] - 1;
      const kmc_chunk *chunk = kmc_chunks_of(targets, lists[r]) + place;
      const uint32_t *indices = kmc_indices_of(targets, lists[r]) + place * KMC_CHUNK;
      keys[r] = _mm256_min_epu32(keys[r], keys_in_chunk(chunk, indices, pairs + 2 * r, has_alpha));
    }
  }
  store_nearest(keys, nearest);
}

static KMC_NEVER_INLINE void nearest_in_long_lists(kmc_targets *targets, const uint32_t *lists, const int32_t *pairs,
                                                   uint32_t *nearest) {
  for (int r = 0; r < KMC_BAND; r += 8) {
    if (targets->has_alpha) {
      nearest_of_eight(targets, lists + r, pairs + 2 * r, 1, nearest + r);
    } else {
      nearest_of_eight(targets, lists + r, pairs + 2 * r, 0, nearest + r);
    }
  }
}

static inline __m256i pairs_of(const int16_t *point, int first) {
  return _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)point[first + 1] << 16 | (uint16_t)point[first]));
}

/* See dither_generic.c. */
static ptrdiff_t candidates(kmc_targets *targets, uint32_t list, const int16_t *corner, const int16_t *side,
                            uint8_t *found) {
  const kmc_chunk *chunks = kmc_chunks_of(targets, list);
  const int32_t n = kmc_length_of(targets, list);
  const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi16(1);
  const __m256i used[2] = {_mm256_set1_epi32(-1), _mm256_set1_epi32(targets->has_alpha ? -1 : 0xffff)};
  const __m256i corners[2] = {pairs_of(corner, 0), pairs_of(corner, 2)};
  const __m256i last[2] = {_mm256_sub_epi16(pairs_of(side, 0), one), _mm256_sub_epi16(pairs_of(side, 2), one)};
  __m256i nearest[KMC_MOST_ENTRIES / KMC_CHUNK], bound = _mm256_set1_epi32(INT32_MAX);
  for (int32_t i = 0; i < n; i++) {
    __m256i farthest = zero;
    nearest[i] = zero;
    for (int half = 0; half < 2; half++) {
      const __m256i scaled = loaded(half ? chunks[i].zw : chunks[i].xy);
      const __m256i entry = _mm256_and_si256(_mm256_srai_epi16(scaled, 4), used[half]);
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
  for (int32_t i = 0; i < n; i++) {
    unsigned beyond = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(nearest[i], bound)));
    for (beyond ^= 0xff; beyond; beyond &= beyond - 1) {
      found[n_found++] = (uint8_t)(i * KMC_CHUNK + kmc_lowest_bit(beyond));
    }
  }
  return n_found;
}

typedef struct {
  __m256i a, b, c, d;
} vp;

#define LANEWISE(name, instruction)                                                                          \
  static inline vp vp_##name(vp x, vp y) {                                                                   \
    return (vp){instruction(x.a, y.a), instruction(x.b, y.b), instruction(x.c, y.c), instruction(x.d, y.d)}; \
  }
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

static inline vp vp_of(__m256i all) { return (vp){all, all, all, all}; }
static inline vp vp_zero(void) { return vp_of(_mm256_setzero_si256()); }
static inline vp vp_set1_value(int16_t value) { return vp_of(_mm256_set1_epi16(value)); }
static inline vp vp_times(vp x, int16_t y) { return vp_mullo(x, vp_set1_value(y)); }
static inline vp vp_set1(const int16_t *point) { return vp_of(_mm256_set1_epi64x(bits_of(point))); }
static inline vp vp_load(const int16_t *p) { return (vp){loaded(p), loaded(p + 16), loaded(p + 32), loaded(p + 48)}; }
static inline void vp_store(int16_t *p, vp x) {
  store(p, x.a);
  store(p + 16, x.b);
  store(p + 32, x.c);
  store(p + 48, x.d);
}
static inline void vp_store_pairs(int32_t *p, vp x) {
  store(p, x.a);
  store(p + 8, x.b);
  store(p + 16, x.c);
  store(p + 24, x.d);
}
static inline vp vp_scaled(vp x) {
  return (vp){_mm256_slli_epi16(x.a, 4), _mm256_slli_epi16(x.b, 4), _mm256_slli_epi16(x.c, 4),
              _mm256_slli_epi16(x.d, 4)};
}
static inline vp vp_gather(const int16_t *const *p) {
  return (vp){four_points(p), four_points(p + 4), four_points(p + 8), four_points(p + 12)};
}
static inline __m256i fourth_of(__m256i x) {
  const __m256i from = _mm256_setr_epi8(6, 7, 6, 7, 6, 7, 6, 7, 14, 15, 14, 15, 14, 15, 14, 15, 6, 7, 6, 7, 6, 7, 6, 7,
                                        14, 15, 14, 15, 14, 15, 14, 15);
  return _mm256_shuffle_epi8(x, from);
}
static inline vp vp_fourth(vp x) { return (vp){fourth_of(x.a), fourth_of(x.b), fourth_of(x.c), fourth_of(x.d)}; }
static inline vp vp_colors_mask(void) { return vp_of(_mm256_set1_epi64x(0x0000ffffffffffff)); }
static inline vp vp_clear_fourth(vp x) { return vp_and(x, vp_colors_mask()); }
static inline __m256i turned(__m256i x) { return _mm256_permute4x64_epi64(x, 0x93); }
static inline vp vp_down(vp x, const int16_t *point) {
  const vp y = {turned(x.a), turned(x.b), turned(x.c), turned(x.d)};
  return (vp){_mm256_blend_epi32(y.a, _mm256_set1_epi64x(bits_of(point)), 3), _mm256_blend_epi32(y.b, y.a, 3),
              _mm256_blend_epi32(y.c, y.b, 3), _mm256_blend_epi32(y.d, y.c, 3)};
}
static inline void vp_store_last(int16_t *point, vp x) {
  const long long bits = _mm256_extract_epi64(x.d, 3);
  memcpy(point, &bits, sizeof bits);
}
/* All bits of the rows, from `row` on, whose column t - 2 * row is from 0 to width - 1. */
static inline __m256i four_rows_between(ptrdiff_t t, ptrdiff_t width, int row) {
  const __m256i x = _mm256_sub_epi64(_mm256_set1_epi64x(t - 2 * row), _mm256_setr_epi64x(0, 2, 4, 6));
  return _mm256_and_si256(_mm256_cmpgt_epi64(x, _mm256_set1_epi64x(-1)),
                          _mm256_cmpgt_epi64(_mm256_set1_epi64x(width), x));
}
static inline vp vp_rows_between(ptrdiff_t t, ptrdiff_t width) {
  return (vp){four_rows_between(t, width, 0), four_rows_between(t, width, 4), four_rows_between(t, width, 8),
              four_rows_between(t, width, 12)};
}
static inline void store_four_cells(uint32_t *cells, __m256i x, kmc_targets *targets) {
  const __m256i offset = _mm256_sub_epi16(x, _mm256_set1_epi64x(bits_of(targets->low)));
  const __m256i place = _mm256_mulhi_epu16(offset, _mm256_set1_epi64x(bits_of(targets->factor)));
  const __m256i halves = _mm256_madd_epi16(place, _mm256_set1_epi64x(bits_of(targets->stride)));
  store(cells, _mm256_add_epi32(halves, _mm256_srli_epi64(halves, 32)));
}
static inline void vp_store_cells(uint32_t *cells, vp x, kmc_targets *targets) {
  store_four_cells(cells, x.a, targets);
  store_four_cells(cells + 8, x.b, targets);
  store_four_cells(cells + 16, x.c, targets);
  store_four_cells(cells + 24, x.d, targets);
}

/* Chunks of a list that is not yet made are read from some bytes further on. */
static KMC_ALWAYS_INLINE uint32_t nearest_in_chunks(kmc_targets *targets, const uint32_t *cells, const int32_t *pairs,
                                                    int has_alpha, uint32_t *nearest) {
  uint32_t any = 0;
  for (int first = 0; first < KMC_BAND; first += 8) {
    __m256i keys[8];
    for (int i = 0; i < 8; i++) {
      const uint32_t list = targets->list[cells[2 * (first + i)]];
      const kmc_chunk *chunk = (const kmc_chunk *)((const char *)targets->chunks + list);
      any |= list;
      keys[i] = keys_in_chunk(chunk, kmc_indices_of(targets, list), pairs + 2 * (first + i), has_alpha);
    }
    store_nearest(keys, nearest + first);
  }
  return any;
}

#include "dither/dither_kernels.inc.h"

#include "target_pop.inc.h"
#else
typedef int kmc_no_avx2_on_this_processor;
#endif
