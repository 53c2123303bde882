/* The colours of a sample; color_sample.h tells the way. */
#include "histogram/color_sample.h"

#include <string.h>

#include "compiler.h"

enum { COUNT, PARTS = 8, WIDEST_COLORS = 1 << 3 * KMC_JOINED_BITS };

/* How many pixels the widest boxes of a bucket have, and which bits of a smallest box's index a pixel keeps: all, or,
 * where the box is not divided, those of its first. */
typedef struct {
  uint32_t counts[KMC_BUCKET_JOINED], kept_bits[KMC_BUCKET_JOINED];
} widest_boxes;

void kmc_joiner_prepare(kmc_joiner *joiner) {
  memset(joiner->moments, 0, (KMC_BUCKET_COLORS >> 3 * joiner->bits) * sizeof *joiner->moments);
  for (uint32_t i = 0; i < WIDEST_COLORS; i++) {
    uint8_t rgb[3];
    kmc_rgb_of_key(i, rgb);
    joiner->steps[i].sums[COUNT] = 1;
    for (int t = 0; t < 3; t++) joiner->steps[i].sums[1 + t] = rgb[t];
  }
}

static inline int is_divided(const kmc_joiner *joiner, uint64_t count, int b) {
  return b > joiner->bits && count << 2 * b > joiner->bound;
}

static inline int has_levels(const kmc_joiner *joiner, uint64_t count, int b) {
  return b == joiner->bits && joiner->bound && count << 2 * b > joiner->bound;
}

/* An addition waits for the one before it on the same box, and neighbours are often in the same: stretches take turns,
 * here and below. */
static KMC_ALWAYS_INLINE void count_widest(const uint16_t *places, ptrdiff_t n, uint32_t weight, uint32_t *counts) {
  const ptrdiff_t quarter = n / 4;
  for (ptrdiff_t i = 0; i < quarter; i++) {
    for (int s = 0; s < 4; s++) counts[places[i + s * quarter] / WIDEST_COLORS] += weight;
  }
  for (ptrdiff_t i = 4 * quarter; i < n; i++) counts[places[i] / WIDEST_COLORS] += weight;
}

static KMC_ALWAYS_INLINE void add_place(uint32_t place, uint32_t weight, const uint32_t *kept_bits,
                                        const kmc_moment *steps, int bits, kmc_moment *moments) {
  kmc_moment *const moment = moments + (place >> 3 * bits & kept_bits[place / WIDEST_COLORS]);
  const kmc_moment *const step = steps + place % WIDEST_COLORS;
  for (int i = 0; i < 4; i++) moment->sums[i] += weight * step->sums[i];
}

static KMC_ALWAYS_INLINE void add_places(const uint16_t *places, ptrdiff_t n, uint32_t weight,
                                         const uint32_t *kept_bits, const kmc_joiner *joiner) {
  const ptrdiff_t half = n / 2;
  const int bits = joiner->bits;
  kmc_moment *const moments = joiner->moments;
  for (ptrdiff_t i = 0; i < half; i++) {
    const uint32_t place0 = places[i], place1 = places[i + half];
    add_place(place0, weight, kept_bits, joiner->steps, bits, moments);
    add_place(place1, weight, kept_bits, joiner->steps, bits, moments);
  }
  for (ptrdiff_t i = 2 * half; i < n; i++) add_place(places[i], weight, kept_bits, joiner->steps, bits, moments);
}

static void count_bucket(const kmc_buckets *buckets, const uint16_t *places, ptrdiff_t n_parts, ptrdiff_t bucket,
                         const kmc_joiner *joiner, widest_boxes *widest) {
  memset(widest->counts, 0, sizeof widest->counts);
  for (ptrdiff_t part = 0; part < n_parts; part++) {
    const uint16_t *const of_part = places + part * KMC_PART_PIXELS;
    const uint32_t *const singles = buckets[part].singles + bucket, *const runs = buckets[part].runs + bucket;
    count_widest(of_part + singles[0], singles[1] - singles[0], 1, widest->counts);
    count_widest(of_part + runs[0], runs[1] - runs[0], KMC_RUN, widest->counts);
  }
  for (ptrdiff_t i = 0; i < KMC_BUCKET_JOINED; i++) {
    const uint32_t all = UINT32_MAX, first = all << 3 * (KMC_JOINED_BITS - joiner->bits);
    widest->kept_bits[i] = is_divided(joiner, widest->counts[i], KMC_JOINED_BITS) ? all : first;
  }
  for (ptrdiff_t part = 0; part < n_parts; part++) {
    const uint16_t *const of_part = places + part * KMC_PART_PIXELS;
    const uint32_t *const singles = buckets[part].singles + bucket, *const runs = buckets[part].runs + bucket;
    add_places(of_part + singles[0], singles[1] - singles[0], 1, widest->kept_bits, joiner);
    add_places(of_part + runs[0], runs[1] - runs[0], KMC_RUN, widest->kept_bits, joiner);
  }
}

/* The mean of a box; `corner`: the colour from which on its sums are. What is added in the end is less than a quotient
 * can be below a whole number, and more than it can be wrong. */
static inline kmc_joined_color mean_of(const kmc_moment *moment, uint32_t corner) {
  const double count = moment->sums[COUNT], inverse = 1 / count;
  kmc_joined_color mean = {corner, moment->sums[COUNT]};
  for (int t = 0; t < 3; t++) {
    mean.color += (uint32_t)(int32_t)(((int32_t)moment->sums[1 + t] + 0.5 * count) * inverse + 1e-10) << 8 * t;
  }
  return mean;
}

static inline void swap_if_less(uint64_t *first, uint64_t *second) {
  const uint64_t least = *first < *second ? *first : *second;
  *first ^= *second ^ least;
  *second = least;
}

/* The pixels of a box, dealt to the levels below and above its mean so that their sums stay: one that has the upper
 * level of a channel has those of all channels in which more do, as channels mostly rise and fall together. Returns to
 * how many colours. */
static ptrdiff_t write_levels(const kmc_moment *moment, uint32_t corner, kmc_joined_color *colors) {
  uint64_t above[3]; /* how many have the upper level, then where the channel is in a colour */
  uint32_t color = corner, left = moment->sums[COUNT];
  for (uint32_t t = 0; t < 3; t++) {
    const uint32_t level = moment->sums[1 + t] / left;
    color += level << 8 * t;
    above[t] = (uint64_t)(moment->sums[1 + t] - level * left) << 8 | 8 * t;
  }
  swap_if_less(&above[0], &above[1]);
  swap_if_less(&above[1], &above[2]);
  swap_if_less(&above[0], &above[1]);
  ptrdiff_t n = 0;
  for (int i = 0; i < 3; i++) {
    const uint32_t n_above = (uint32_t)(above[i] >> 8);
    if (left > n_above) colors[n++] = (kmc_joined_color){color, left - n_above};
    color += (uint32_t)1 << (above[i] & 255);
    left = n_above;
  }
  if (left) colors[n++] = (kmc_joined_color){color, left};
  return n;
}

/* Of a box of 2^b levels a side, whose smallest boxes these are. */
static kmc_moment moment_of(const kmc_moment *smallest, int bits, int b) {
  kmc_moment all = smallest[0];
  for (ptrdiff_t i = 1; i < (ptrdiff_t)1 << 3 * (b - bits); i++) {
    for (int j = 0; j < 4; j++) all.sums[j] += smallest[i].sums[j];
  }
  return all;
}

/* Writes the boxes that a divided box of 2^b levels a side has in the end; returns how many. */
static ptrdiff_t divide(const kmc_joiner *joiner, const kmc_moment *smallest, int b, uint32_t corner,
                        kmc_joined_color *colors) {
  const ptrdiff_t n_smallest = (ptrdiff_t)1 << 3 * (b - 1 - joiner->bits);
  ptrdiff_t n = 0;
  for (int i = 0; i < PARTS; i++, smallest += n_smallest) {
    const kmc_moment part = moment_of(smallest, joiner->bits, b - 1);
    if (part.sums[COUNT] == 0) continue;
    if (is_divided(joiner, part.sums[COUNT], b - 1)) {
      n += divide(joiner, smallest, b - 1, corner, colors + n);
    } else if (has_levels(joiner, part.sums[COUNT], b - 1)) {
      n += write_levels(&part, corner, colors + n);
    } else {
      colors[n++] = mean_of(&part, corner);
    }
  }
  return n;
}

void kmc_join_bucket(const kmc_buckets *buckets, const uint16_t *places, ptrdiff_t n_parts, ptrdiff_t bucket,
                     kmc_joiner *joiner, kmc_joined_bucket *joined) {
  const ptrdiff_t n_smallest = (ptrdiff_t)1 << 3 * (KMC_JOINED_BITS - joiner->bits);
  widest_boxes widest;
  count_bucket(buckets, places, n_parts, bucket, joiner, &widest);
  joined->n = 0;
  for (uint32_t box = 0; box < KMC_BUCKET_JOINED; box++) {
    if (widest.counts[box] == 0) continue;
    kmc_moment *const smallest = joiner->moments + box * n_smallest;
    kmc_joined_color *const colors = joined->colors + joined->n;
    uint8_t rgb[3];
    kmc_rgb_of_key((uint32_t)bucket * KMC_BUCKET_COLORS + box * WIDEST_COLORS, rgb);
    const uint32_t corner = (uint32_t)rgb[0] | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2] << 16;
    if (is_divided(joiner, widest.counts[box], KMC_JOINED_BITS)) {
      joined->n += divide(joiner, smallest, KMC_JOINED_BITS, corner, colors);
      memset(smallest, 0, (size_t)n_smallest * sizeof *smallest);
    } else {
      colors[0] = mean_of(smallest, corner);
      joined->n += 1;
      memset(smallest, 0, sizeof *smallest);
    }
  }
}

void kmc_emit_joined(const kmc_joined_bucket *joined, uint8_t *colors, int64_t *counts) {
  for (ptrdiff_t i = 0; i < joined->n; i++) {
    for (int t = 0; t < 3; t++) colors[3 * i + t] = (uint8_t)(joined->colors[i].color >> 8 * t);
    counts[i] = joined->colors[i].count;
  }
}
