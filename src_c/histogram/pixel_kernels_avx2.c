/* Pixel kernels, AVX2. Keys: eight pixels at a time, 16 instructions once they lie one to a 32-bit lane.
 *
 * Groups of three bits are spread by a byte shuffle used as a table (abc -> a00b00c), and the three channels of a pixel
 * are joined by multiply-adds with weights 1, 2, 4: b + 2g in one 16-bit half, 4r in the other, then their sum. */
#include "histogram/color_keys.h"

#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx2,popcnt"
#include "target_push.inc.h"

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

#include "histogram/take_counters.inc.h"

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

const kmc_pixel_kernels kmc_pixel_kernels_avx2 = {keys_of_rgb,  keys_of_rgba,  ranks_of_keys,
                                                  nonzero_bits, take_counters, squared_error};

#include "target_pop.inc.h"
#else
typedef int kmc_no_avx2_on_this_processor;
#endif
