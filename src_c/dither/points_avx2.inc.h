/* The words of points.inc.h, AVX2; see points_generic.inc.h. */

static inline uint32_t equal_32_bytes(const uint8_t *above, const uint8_t *row, const uint8_t *below, int apart) {
  const __m256i here = loaded(row);
  const __m256i sides =
      _mm256_and_si256(_mm256_cmpeq_epi8(here, loaded(row - apart)), _mm256_cmpeq_epi8(here, loaded(row + apart)));
  const __m256i others =
      _mm256_and_si256(_mm256_cmpeq_epi8(here, loaded(above)), _mm256_cmpeq_epi8(here, loaded(below)));
  return (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(sides, others));
}

/* See dither_generic.c. Near the end the bytes up to n are looked at in place of 32. */
static inline uint64_t equal_bytes(const uint8_t *above, const uint8_t *row, const uint8_t *below, int apart,
                                   ptrdiff_t n) {
  if (n >= 60) {
    const ptrdiff_t rest = n - 32;
    return equal_32_bytes(above, row, below, apart) |
           (uint64_t)equal_32_bytes(above + rest, row + rest, below + rest, apart) << rest;
  }
  uint64_t bits = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    const int sides = (row[i] == row[i - apart]) & (row[i] == row[i + apart]);
    bits |= (uint64_t)(sides & (row[i] == above[i]) & (row[i] == below[i])) << i;
  }
  return bits;
}

/* See kmc_cube_root(). */
static inline __m256 cube_roots(__m256i whole) {
  const float *terms = kmc_root_terms;
  const __m256 x = _mm256_cvtepi32_ps(whole);
  const __m256i third = _mm256_madd_epi16(_mm256_castps_si256(x), _mm256_set1_epi32(KMC_ROOT_THIRD << 16));
  const __m256 y = _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(KMC_ROOT_GUESS), third));
  const __m256 square = _mm256_mul_ps(x, _mm256_mul_ps(y, y)), cube = _mm256_mul_ps(square, y);
  __m256 sum = _mm256_add_ps(_mm256_set1_ps(terms[2]), _mm256_mul_ps(cube, _mm256_set1_ps(terms[3])));
  sum = _mm256_add_ps(_mm256_set1_ps(terms[1]), _mm256_mul_ps(cube, sum));
  sum = _mm256_add_ps(_mm256_set1_ps(terms[0]), _mm256_mul_ps(cube, sum));
  return _mm256_mul_ps(square, sum);
}

static KMC_ALWAYS_INLINE __m256i rounded_channel(const __m256 *roots, const float *weights, float unit,
                                                 const __m256 *scale) {
  const __m256 x = _mm256_mul_ps(_mm256_set1_ps(weights[0] * unit), roots[0]);
  const __m256 y = _mm256_mul_ps(_mm256_set1_ps(weights[1] * unit), roots[1]);
  const __m256 z = _mm256_mul_ps(_mm256_set1_ps(weights[2] * unit), roots[2]);
  const __m256 sum = _mm256_add_ps(_mm256_add_ps(x, y), z);
  return _mm256_castps_si256(_mm256_add_ps(scale ? _mm256_mul_ps(sum, *scale) : sum, _mm256_set1_ps(12582912.0f)));
}

static inline __m256i evens_of_32(__m256i a, __m256i b) {
  return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88));
}
static inline __m256i odds_of_32(__m256i a, __m256i b) {
  return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xdd));
}

/* Of pixels (8, 4), in this order: 0 1 4 5 2 3 6 7. */
static inline __m256i alphas_of(const uint8_t *pixels) {
  return _mm256_permute4x64_epi64(_mm256_srli_epi32(loaded(pixels), 24), 0xd8);
}

/* Pixels are in the order 0 1 4 5 2 3 6 7 from the first shuffle to the last one. */
static KMC_ALWAYS_INLINE void points_of_light(const uint64_t *light, const uint8_t *pixels, int channels, int gain,
                                              int16_t *points) {
  const __m256i first = loaded(light), second = loaded(light + 4), mask = _mm256_set1_epi32(KMC_CONE_MASK);
  const __m256i low = evens_of_32(first, second), high = odds_of_32(first, second);
  const __m256i middle =
      _mm256_or_si256(_mm256_srli_epi32(low, KMC_CONE_BITS), _mm256_slli_epi32(high, 32 - KMC_CONE_BITS));
  const __m256 roots[3] = {cube_roots(_mm256_and_si256(low, mask)), cube_roots(_mm256_and_si256(middle, mask)),
                           cube_roots(_mm256_srli_epi32(high, 2 * KMC_CONE_BITS - 32))};
  const __m256i alphas = channels == 4 ? alphas_of(pixels) : _mm256_set1_epi32(255);
  const __m256 scale = _mm256_cvtepi32_ps(alphas), *scaled = channels == 4 ? &scale : NULL;
  const float unit = (channels == 4 ? 8.0f : 2040.0f) / KMC_ROOT_OF_ONE;
  __m256i channel[3], fourth = _mm256_set1_epi32(gain);
  for (int t = 0; t < 3; t++) channel[t] = rounded_channel(roots, kmc_oklab_matrix[t], unit, scaled);
  if (channels == 4) {
    const __m256i missing = _mm256_sub_epi32(_mm256_set1_epi32(255), alphas);
    channel[0] = _mm256_add_epi32(channel[0], _mm256_slli_epi32(missing, 2));
    fourth = _mm256_mullo_epi16(alphas, _mm256_set1_epi32(KMC_OKLAB_ALPHA));
  }
  const __m256i la = _mm256_blend_epi16(channel[0], _mm256_slli_epi32(channel[1], 16), 0xaa);
  const __m256i b4 = _mm256_blend_epi16(channel[2], _mm256_slli_epi32(fourth, 16), 0xaa);
  store(points, _mm256_unpacklo_epi32(la, b4));
  store(points + 4 * KMC_POINT, _mm256_unpackhi_epi32(la, b4));
}

/* Four pixels at a time, of which 16 bytes are read. */
static void rgb_points(const uint8_t *pixels, ptrdiff_t n, int16_t gain, int16_t *points) {
  const __m128i apart = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  const __m256i fourth = _mm256_set1_epi64x((long long)((unsigned long long)(uint16_t)gain << 48));
  ptrdiff_t i = 0;
  for (; i + 6 <= n; i += 4) {
    const __m128i bytes = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(pixels + 3 * i)), apart);
    const __m256i values = _mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes), 3);
    store(points + i * KMC_POINT, _mm256_or_si256(values, fourth));
  }
  for (; i < n; i++) {
    for (int t = 0; t < 3; t++) points[i * KMC_POINT + t] = (int16_t)(pixels[3 * i + t] * 8);
    points[i * KMC_POINT + 3] = gain;
  }
}
