/* The nearest palette entry of each pixel, AVX-512 with BW and VNNI: three instructions for an entry and 16 pixels. Ice
 * Lake: vpdpwssd 5 cycles, vpminsd 1, two a cycle; four vectors of pixels hide the first. */
#include "remap/nearest_entry.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx512f,avx512bw,avx512vnni"
#include "target_push.inc.h"

enum { LANES = 16, VECTORS = 4 };

/* Pixels less 128, times 256: red in the lower and green in the upper half of a lane; blue in the lower half. */
typedef struct {
  __m512i red_green, blue;
} pixels16;

/* 16 pixels, of which the first n are read. */
static inline pixels16 load_pixels(const uint8_t *pixels, ptrdiff_t n) {
  const __m512i quarters = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  const __m512i red_green =
      _mm512_broadcast_i32x4(_mm_setr_epi8(-1, 0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10));
  const __m512i blue =
      _mm512_broadcast_i32x4(_mm_setr_epi8(-1, 2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1));
  const __mmask64 bytes = n < LANES ? ((__mmask64)1 << 3 * n) - 1 : ((__mmask64)1 << 3 * LANES) - 1;
  const __m512i centred = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, pixels), _mm512_set1_epi8((char)0x80));
  const __m512i lanes = _mm512_permutexvar_epi32(quarters, centred);
  return (pixels16){_mm512_shuffle_epi8(lanes, red_green), _mm512_shuffle_epi8(lanes, blue)};
}

/* Squared distances; `best` are the least scores. */
static inline __m512i squares_of(pixels16 x, __m512i best) {
  const __m512i red_green = _mm512_srai_epi16(x.red_green, 8), blue = _mm512_srai_epi16(x.blue, 8);
  const __m512i square = _mm512_dpwssd_epi32(_mm512_srai_epi32(best, 8), red_green, red_green);
  return _mm512_dpwssd_epi32(square, blue, blue);
}

static inline __m512i score(pixels16 x, __m512i red_green, __m512i blue, __m512i bias) {
  return _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(bias, x.red_green, red_green), x.blue, blue);
}

/* 64 pixels; returns their squared distances, summed by fours. */
static inline __m512i nearest_of_64(const uint8_t *pixels, const kmc_entries *entries, uint8_t *indices) {
  const pixels16 x0 = load_pixels(pixels, LANES), x1 = load_pixels(pixels + 3 * LANES, LANES);
  const pixels16 x2 = load_pixels(pixels + 6 * LANES, LANES), x3 = load_pixels(pixels + 9 * LANES, LANES);
  __m512i best0 = _mm512_set1_epi32(INT32_MAX), best1 = best0, best2 = best0, best3 = best0;
  for (ptrdiff_t j = 0; j < entries->k; j++) {
    const __m512i red_green = _mm512_set1_epi32(entries->red_green[j]), blue = _mm512_set1_epi32(entries->blue[j]);
    const __m512i bias = _mm512_set1_epi32(entries->bias[j]);
    best0 = _mm512_min_epi32(best0, score(x0, red_green, blue, bias));
    best1 = _mm512_min_epi32(best1, score(x1, red_green, blue, bias));
    best2 = _mm512_min_epi32(best2, score(x2, red_green, blue, bias));
    best3 = _mm512_min_epi32(best3, score(x3, red_green, blue, bias));
  }
  _mm_storeu_si128((__m128i *)indices, _mm512_cvtepi32_epi8(best0));
  _mm_storeu_si128((__m128i *)(indices + LANES), _mm512_cvtepi32_epi8(best1));
  _mm_storeu_si128((__m128i *)(indices + 2 * LANES), _mm512_cvtepi32_epi8(best2));
  _mm_storeu_si128((__m128i *)(indices + 3 * LANES), _mm512_cvtepi32_epi8(best3));
  return _mm512_add_epi32(_mm512_add_epi32(squares_of(x0, best0), squares_of(x1, best1)),
                          _mm512_add_epi32(squares_of(x2, best2), squares_of(x3, best3)));
}

/* Up to 16 pixels. */
static inline __m512i nearest_of_rest(const uint8_t *pixels, ptrdiff_t n, const kmc_entries *entries,
                                      uint8_t *indices) {
  const __mmask16 mask = (__mmask16)((1u << n) - 1);
  const pixels16 x = load_pixels(pixels, n);
  __m512i best = _mm512_set1_epi32(INT32_MAX);
  for (ptrdiff_t j = 0; j < entries->k; j++) {
    best = _mm512_min_epi32(best, score(x, _mm512_set1_epi32(entries->red_green[j]),
                                        _mm512_set1_epi32(entries->blue[j]), _mm512_set1_epi32(entries->bias[j])));
  }
  _mm512_mask_cvtepi32_storeu_epi8(indices, mask, best);
  return _mm512_maskz_mov_epi32(mask, squares_of(x, best));
}

static inline int64_t total(__m512i sums) { return _mm512_reduce_add_epi32(sums); }

/* Sums in 32-bit lanes: 64 times 4 * 195075, and 4 * 195075 for the rest, in all 16 lanes below 2^31. */
static int64_t nearest(const uint8_t *pixels, ptrdiff_t n, const kmc_entries *entries, uint8_t *indices) {
  enum { AT_ONCE = LANES * VECTORS };
  int64_t sum = 0;
  ptrdiff_t i = 0;
  for (; i + AT_ONCE <= n; i += AT_ONCE) sum += total(nearest_of_64(pixels + 3 * i, entries, indices + i));
  for (; i < n; i += LANES) {
    const ptrdiff_t left = n - i < LANES ? n - i : LANES;
    sum += total(nearest_of_rest(pixels + 3 * i, left, entries, indices + i));
  }
  return sum;
}

/* 0.04 ns for each entry; boxes take 1.5 to 2.8 ns, to mark them 0.8. */
const kmc_entry_kernels kmc_entry_kernels_avx512 = {nearest, 36, 80};

#include "target_pop.inc.h"
#else
typedef int kmc_no_avx512_on_this_processor;
#endif
