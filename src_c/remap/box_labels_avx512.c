/* Labels of boxes, AVX-512 with BW, VL and VNNI. Cells are loaded one by one and palette entries permuted from
 * registers, without gathers: these take half as long again, Ice Lake. */
#include "remap/box_labels.h"

#if defined(__x86_64__) || defined(_M_X64)
#define KMC_TARGET "avx512f,avx512bw,avx512vl,avx512vnni,popcnt"
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

static int pack_box(const uint16_t *labels, uint16_t *cells, uint8_t *line) {
  const __m512i to_first = _mm512_set1_epi16(0x0100); /* within each cell, which is 128 bits */
  const __m128i firsts = _mm_setr_epi16(0, 8, 16, 24, 32, 40, 48, 56);
  const __m512i low = _mm512_loadu_si512(labels), high = _mm512_loadu_si512(labels + 32);
  const uint64_t different_low = _mm512_cmpneq_epi16_mask(low, _mm512_shuffle_epi8(low, to_first));
  const uint64_t different_high = _mm512_cmpneq_epi16_mask(high, _mm512_shuffle_epi8(high, to_first));
  const uint64_t different = different_high << 32 | different_low;
  const __m512i first = _mm512_permutex2var_epi16(low, _mm512_castsi128_si512(firsts), high);
  const __m128i in_high_bytes = _mm_unpacklo_epi8(_mm_setzero_si128(), _mm_cvtsi64_si128((int64_t)different));
  _mm_storeu_si128((__m128i *)cells, _mm_or_si128(_mm512_castsi512_si128(first), in_high_bytes));
  _mm256_storeu_si256((__m256i *)line, _mm512_cvtepi16_epi8(low));
  _mm256_storeu_si256((__m256i *)(line + 32), _mm512_cvtepi16_epi8(high));
  return different != 0;
}

/* 16 pixels' red, green and blue in the lanes' bytes, in the order that `to_lanes` tells for four. */
static inline __m512i pixels_in_lanes(__m512i bytes, __m512i to_lanes) {
  const __m512i quarters = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, bytes), to_lanes);
}

static inline __m512i load_pixels(const uint8_t *pixels, ptrdiff_t n) {
  return _mm512_maskz_loadu_epi8((UINT64_C(1) << 3 * n) - 1, pixels);
}

/* As in pixel_kernels_avx2.c, on 16 pixels. */
static inline __m512i join_bits(__m512i bgr, int mask, int weight) {
  const __m512i spread = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 8, 9, 64, 65, 72, 73, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m512i bits = _mm512_and_si512(bgr, _mm512_set1_epi8((char)mask));
  const __m512i halves = _mm512_maddubs_epi16(_mm512_set1_epi32(0x00040201), _mm512_shuffle_epi8(spread, bits));
  return _mm512_madd_epi16(halves, _mm512_set1_epi16((short)weight));
}

static inline __m512i keys_of_16(__m512i bytes) {
  const __m512i to_lanes = _mm512_broadcast_i32x4(_mm_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1));
  const __m512i bgr = pixels_in_lanes(bytes, to_lanes);
  const __m512i low = join_bits(bgr, 7, 1), middle = join_bits(_mm512_srli_epi32(bgr, 3), 7, 1 << 9);
  const __m512i high = _mm512_slli_epi32(join_bits(_mm512_srli_epi32(bgr, 6), 3, 1), 18);
  return _mm512_or_si512(_mm512_or_si512(low, middle), high);
}

static void keys_of_rgb(const uint8_t *pixels, ptrdiff_t n, uint32_t *keys) {
  ptrdiff_t i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_si512(keys + i, keys_of_16(load_pixels(pixels + 3 * i, 16)));
  if (i < n) {
    _mm512_mask_storeu_epi32(keys + i, (__mmask16)((1u << (n - i)) - 1),
                             keys_of_16(load_pixels(pixels + 3 * i, n - i)));
  }
}

/* The places of set bits, from `first` on. */
static inline ptrdiff_t append_places(uint32_t bits, ptrdiff_t first, uint32_t *places) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i own = _mm512_add_epi32(lanes, _mm512_set1_epi32((int32_t)first));
  _mm512_storeu_si512(places, _mm512_maskz_compress_epi32((__mmask16)bits, own));
  return _mm_popcnt_u32(bits & 0xffff);
}

/* 32 keys: their cells' numbers, and in 16 bits each which bit of a cell is theirs. */
static inline void split_keys(const uint32_t *keys, uint32_t *numbers, uint16_t *bits) {
  const __m512i key0 = _mm512_loadu_si512(keys), key1 = _mm512_loadu_si512(keys + 16);
  const __m512i words =
      _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(key0)), _mm512_cvtepi32_epi16(key1), 1);
  const __m512i in_cell = _mm512_and_si512(words, _mm512_set1_epi16(KMC_CELL_COLORS - 1));
  _mm512_storeu_si512(numbers, _mm512_srli_epi32(key0, 3));
  _mm512_storeu_si512(numbers + 16, _mm512_srli_epi32(key1, 3));
  _mm512_storeu_si512(bits, _mm512_sllv_epi16(_mm512_set1_epi16(1 << 8), in_cell));
}

static ptrdiff_t label_keys(const uint16_t *cells, const uint32_t *keys, ptrdiff_t n, uint8_t *indices,
                            uint32_t *others) {
  uint32_t numbers[KMC_KEY_BATCH];
  uint16_t found[KMC_KEY_BATCH], bits[KMC_KEY_BATCH];
  const ptrdiff_t whole = n & ~(ptrdiff_t)31;
  ptrdiff_t n_others = 0;
  for (ptrdiff_t i = 0; i < whole; i += 32) split_keys(keys + i, numbers + i, bits + i);
  kmc_find_cells(cells, numbers, whole, found);
  for (ptrdiff_t i = 0; i < whole; i += 32) {
    const __m512i cell = _mm512_loadu_si512(found + i);
    const uint32_t different = _mm512_test_epi16_mask(cell, _mm512_loadu_si512(bits + i));
    _mm256_storeu_si256((__m256i *)(indices + i), _mm512_cvtepi16_epi8(cell));
    n_others += append_places(different, i, others + n_others);
    n_others += append_places(different >> 16, i + 16, others + n_others);
  }
  for (ptrdiff_t i = whole; i < n; i++) {
    const uint32_t cell = cells[keys[i] / KMC_CELL_COLORS];
    indices[i] = (uint8_t)cell;
    if (cell >> (8 + keys[i] % KMC_CELL_COLORS) & 1) others[n_others++] = (uint32_t)i;
  }
  return n_others;
}

/* Entries of 16 labels, out of 64, 128 or 256 in registers. */
static inline __m512i entries_of_64(__m512i label, const __m512i *entries) {
  const __m512i low = _mm512_permutex2var_epi32(entries[0], label, entries[1]);
  const __m512i high = _mm512_permutex2var_epi32(entries[2], label, entries[3]);
  return _mm512_mask_mov_epi32(low, _mm512_test_epi32_mask(label, _mm512_set1_epi32(32)), high);
}

static inline __m512i entries_of_128(__m512i label, const __m512i *entries) {
  const __m512i low = entries_of_64(label, entries), high = entries_of_64(label, entries + 4);
  return _mm512_mask_mov_epi32(low, _mm512_test_epi32_mask(label, _mm512_set1_epi32(64)), high);
}

static KMC_ALWAYS_INLINE __m512i entries_of(__m512i label, const __m512i *entries, int most) {
  if (most == 64) return entries_of_64(label, entries);
  const __m512i low = entries_of_128(label, entries);
  if (most == 128) return low;
  const __m512i high = entries_of_128(label, entries + 8);
  return _mm512_mask_mov_epi32(low, _mm512_test_epi32_mask(label, _mm512_set1_epi32(128)), high);
}

/* Adds the squared differences of the bytes of x and y. */
static inline __m512i add_squares(__m512i sums, __m512i x, __m512i y) {
  const __m512i diff = _mm512_or_si512(_mm512_subs_epu8(x, y), _mm512_subs_epu8(y, x));
  const __m512i even = _mm512_and_si512(diff, _mm512_set1_epi16(255)), odd = _mm512_srli_epi16(diff, 8);
  return _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(sums, even, even), odd, odd);
}

/* The sums in 32-bit lanes: 64 times 3 * 255^2 is below 2^31. */
static KMC_ALWAYS_INLINE int64_t squared_error_of(const uint8_t *pixels, const uint8_t *indices, ptrdiff_t n,
                                                  const uint32_t *entries, int most) {
  const __m512i to_lanes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  __m512i all[16], sums = _mm512_setzero_si512();
  ptrdiff_t i = 0;
  for (int j = 0; j < most / 16; j++) all[j] = _mm512_loadu_si512(entries + 16 * j);
  for (; i + 16 <= n; i += 16) {
    const __m512i x = pixels_in_lanes(load_pixels(pixels + 3 * i, 16), to_lanes);
    const __m512i label = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(indices + i)));
    sums = add_squares(sums, x, entries_of(label, all, most));
  }
  if (i < n) {
    const __mmask16 mask = (__mmask16)((1u << (n - i)) - 1);
    const __m512i x = pixels_in_lanes(load_pixels(pixels + 3 * i, n - i), to_lanes);
    const __m512i label = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, indices + i));
    sums = add_squares(sums, x, _mm512_maskz_mov_epi32(mask, entries_of(label, all, most)));
  }
  return _mm512_reduce_add_epi32(sums);
}

static int64_t squared_error(const uint8_t *pixels, const uint8_t *indices, ptrdiff_t n, const uint32_t *entries,
                             ptrdiff_t k) {
  if (k <= 64) return squared_error_of(pixels, indices, n, entries, 64);
  if (k <= 128) return squared_error_of(pixels, indices, n, entries, 128);
  return squared_error_of(pixels, indices, n, entries, 256);
}

const kmc_label_kernels kmc_label_kernels_avx512 = {
    kmc_keep_in_octants_avx2, nearest_in_box, pack_box, keys_of_rgb, label_keys, squared_error};

#include "target_pop.inc.h"
#else
typedef int kmc_no_avx512_on_this_processor;
#endif
