/* The nearest palette entry of each pixel, AVX2: five instructions for an entry and eight pixels. */
#include "remap/nearest_entry.h"

#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx2"
#include "target_push.inc.h"

enum { LANES = 8, VECTORS = 2, AT_ONCE = LANES * VECTORS };

/* Pixels less 128, times 256: red in the lower and green in the upper half of a lane; blue in the lower half. */
typedef struct {
  __m256i red_green, blue;
} pixels8;

/* Eight pixels; the loads reach 4 bytes past the eighth. */
static inline pixels8 load_pixels(const uint8_t *pixels) {
  const __m256i red_green =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, 0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10));
  const __m256i blue =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, 2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1));
  const __m128i first = _mm_loadu_si128((const __m128i *)pixels);
  const __m128i second = _mm_loadu_si128((const __m128i *)(pixels + 12));
  const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
  const __m256i centred = _mm256_xor_si256(both, _mm256_set1_epi8((char)0x80));
  return (pixels8){_mm256_shuffle_epi8(centred, red_green), _mm256_shuffle_epi8(centred, blue)};
}

static inline __m256i score(pixels8 x, __m256i red_green, __m256i blue, __m256i bias) {
  const __m256i two = _mm256_add_epi32(bias, _mm256_madd_epi16(x.red_green, red_green));
  return _mm256_add_epi32(two, _mm256_madd_epi16(x.blue, blue));
}

/* Squared distances; `best` are the least scores. */
static inline __m256i squares_of(pixels8 x, __m256i best) {
  const __m256i red_green = _mm256_srai_epi16(x.red_green, 8), blue = _mm256_srai_epi16(x.blue, 8);
  const __m256i two = _mm256_add_epi32(_mm256_srai_epi32(best, 8), _mm256_madd_epi16(red_green, red_green));
  return _mm256_add_epi32(two, _mm256_madd_epi16(blue, blue));
}

/* 16 pixels, whose loads reach 4 bytes past the last. OUT squares (16). */
static inline void nearest_of_16(const uint8_t *pixels, const kmc_entries *entries, uint8_t *indices,
                                 int32_t *squares) {
  const __m256i low_bytes = _mm256_set1_epi32(255);
  const pixels8 x0 = load_pixels(pixels), x1 = load_pixels(pixels + 3 * LANES);
  __m256i best0 = _mm256_set1_epi32(INT32_MAX), best1 = best0;
  for (ptrdiff_t j = 0; j < entries->k; j++) {
    const __m256i red_green = _mm256_set1_epi32(entries->red_green[j]), blue = _mm256_set1_epi32(entries->blue[j]);
    const __m256i bias = _mm256_set1_epi32(entries->bias[j]);
    best0 = _mm256_min_epi32(best0, score(x0, red_green, blue, bias));
    best1 = _mm256_min_epi32(best1, score(x1, red_green, blue, bias));
  }
  const __m256i words = _mm256_packus_epi32(_mm256_and_si256(best0, low_bytes), _mm256_and_si256(best1, low_bytes));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
  _mm_storeu_si128((__m128i *)indices,
                   _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
  _mm256_storeu_si256((__m256i *)squares, squares_of(x0, best0));
  _mm256_storeu_si256((__m256i *)(squares + LANES), squares_of(x1, best1));
}

static int64_t nearest(const uint8_t *pixels, ptrdiff_t n, const kmc_entries *entries, uint8_t *indices) {
  enum { BEYOND = 2 }; /* pixels that the last load of a whole step may reach */
  int32_t squares[AT_ONCE];
  int64_t sum = 0;
  ptrdiff_t i = 0;
  for (; i + AT_ONCE + BEYOND <= n; i += AT_ONCE) {
    nearest_of_16(pixels + 3 * i, entries, indices + i, squares);
    for (int lane = 0; lane < AT_ONCE; lane++) sum += squares[lane];
  }
  for (; i < n; i += AT_ONCE) {
    uint8_t rest[3 * (AT_ONCE + BEYOND)] = {0}, rest_indices[AT_ONCE];
    const ptrdiff_t left = n - i < AT_ONCE ? n - i : AT_ONCE;
    memcpy(rest, pixels + 3 * i, 3 * (size_t)left);
    nearest_of_16(rest, entries, rest_indices, squares);
    memcpy(indices + i, rest_indices, (size_t)left);
    for (ptrdiff_t lane = 0; lane < left; lane++) sum += squares[lane];
  }
  return sum;
}

/* 0.08 ns for each entry; boxes take 2.5 to 4 ns, to mark them 0.9. */
const kmc_entry_kernels kmc_entry_kernels_avx2 = {nearest, 24, 44};

#include "target_pop.inc.h"
#else
typedef int kmc_no_avx2_on_this_processor;
#endif
