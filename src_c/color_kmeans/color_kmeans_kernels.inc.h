/* The kernels of color_kmeans_level.h over a vector vocabulary: vf (float), vi (int32), `LANES` of each; vm (4 x
 * int64).
 *
 * assign is the hot one: for a candidate and a vector of points two multiply-adds of int16 pairs and a minimum. */

/* A box and the centroid, any of them, that others are compared with.
 *
 * Over the box the least of |x-c|^2 - |x-r|^2 = |c|^2 - |r|^2 - 2 x.(c-r) is reached in each channel at one of the two
 * faces. If it is above the margin, no point of the box is nearest to c; a margin of 1/4 covers the rounding of scores.
 */
typedef struct {
  vf low[KMC_CHANNELS], high[KMC_CHANNELS], rival[KMC_CHANNELS], bound;
} reach;

static KMC_ALWAYS_INLINE reach reach_of(const kmc_centroids *centroids, int32_t rival, int32_t channels,
                                        const kmc_box *box) {
  reach reach = {.bound = vf_set1(centroids->all.square[rival] + 0.25f)};
  for (int32_t t = 0; t < channels; t++) {
    reach.low[t] = vf_set1(box->low2[t]);
    reach.high[t] = vf_set1(box->high2[t]);
    reach.rival[t] = vf_set1(centroids->all.at[t][rival]);
  }
  return reach;
}

/* Which of the centroids from j on can be nearest to a point of the box. */
static KMC_ALWAYS_INLINE unsigned within(const reach *reach, const kmc_list *from, int32_t j, int32_t channels) {
  vf sum = vf_sub(vf_load(from->square + j), reach->bound);
  for (int32_t t = 0; t < channels; t++) {
    const vf diff = vf_sub(vf_load(from->at[t] + j), reach->rival[t]);
    sum = vf_sub(sum, vf_max(vf_mul(reach->low[t], diff), vf_mul(reach->high[t], diff)));
  }
  return vf_le(sum, vf_set1(0)) & lane_mask(from->n - j);
}

/* Whether a centroid that moved can have been, or can be, nearest to a point of the box. */
static KMC_ALWAYS_INLINE int is_concerned(const kmc_centroids *centroids, int32_t rival, const reach *reach,
                                          const kmc_list *moved, int32_t channels) {
  unsigned found = centroids->has_moved[rival];
  for (int32_t j = 0; j < moved->n; j += LANES) found |= within(reach, moved, j, channels);
  return found != 0;
}

/* The candidates: those that can be nearest, in the order of `from`. A list may hold more than it has to: labels do not
 * depend on that. */
static KMC_ALWAYS_INLINE void keep_near(const reach *reach, const kmc_list *from, int32_t channels, kmc_list *kept) {
  int32_t n = 0;
  for (int32_t j = 0; j < from->n; j += LANES) {
    const unsigned near = within(reach, from, j, channels);
    for (int32_t t = 0; t < channels; t++) vf_keep(kept->at[t] + n, near, from->at[t] + j);
    vf_keep(kept->square + n, near, from->square + j);
    n += vi_keep(kept->index + n, near, from->index + j);
  }
  kept->n = n;
}

static KMC_ALWAYS_INLINE int32_t index_near(const reach *reach, const kmc_list *from, int32_t channels,
                                            int32_t *index) {
  int32_t n = 0;
  for (int32_t j = 0; j < from->n; j += LANES)
    n += vi_keep(index + n, within(reach, from, j, channels), from->index + j);
  return n;
}

/* The centroid that others are compared with: the label of a point in the middle of the run, which is one of the
 * nearest to all of them, or without labels the nearest to that point. */
static inline int32_t rival_of(const kmc_level *level, const kmc_centroids *centroids, int32_t begin, int32_t end) {
  const int32_t p = begin + (end - begin) / 2;
  return level->label[p] != KMC_NO_LABEL ? level->label[p] : kmc_nearest(centroids, level->color[p]);
}

static inline vm moment_of(const kmc_level *level, int32_t p) {
  if (level->moment) return vm_load(&level->moment[p]);
  const uint32_t color = level->color[p], count = color >> 24;
  return vm_times(vm_bytes((color & 0xffffff) | 1 << 24),
                  vm_set1(KMC_RARELY(count == 0) ? (uint32_t)level->count[p] : count));
}

/* Takes the point from its cluster's moment and adds it to another's. */
static inline void move_point(const kmc_level *level, int32_t p, int32_t label, kmc_moment *moments) {
  const int32_t old = level->label[p];
  const vm moment = moment_of(level, p);
  level->label[p] = (uint16_t)label;
  vm_store(&moments[label], vm_add(vm_load(&moments[label]), moment));
  if (old == KMC_NO_LABEL) return;
  vm_store(&moments[old], vm_sub(vm_load(&moments[old]), moment));
}

static void pack_colors(const uint8_t *rgb, int32_t n, uint32_t *colors) {
  for (int32_t p = 0; p < n; p += LANES) {
    vi_store((int32_t *)colors + p, vi_or(vi_xor(vi_load_rgb(rgb + 3 * p), vi_set1(0x808080)), vi_set1(1 << 24)));
  }
}

/* The tight box of a block's points, in vectors that reach back where the last one is not full. */
static void find_box(const uint32_t *color, kmc_block *block) {
  int8_t low[LANES][4], high[LANES][4];
  uint32_t few[LANES];
  const int32_t n = block->end - block->begin;
  for (int32_t i = 0; n < LANES && i < LANES; i++) few[i] = color[block->begin + (i < n ? i : 0)];
  const uint32_t *from = n < LANES ? few : color + block->begin;
  vi least = vi_load(from), most = least;
  for (int32_t p = LANES; p < n; p += LANES) {
    const vi points = vi_load(from + (p + LANES < n ? p : n - LANES));
    least = vi_min_bytes(least, points);
    most = vi_max_bytes(most, points);
  }
  memcpy(low, &least, sizeof low);
  memcpy(high, &most, sizeof high);
  for (int lanes = LANES / 2; lanes > 0; lanes /= 2) {
    for (int i = 0; i < lanes; i++) {
      for (int c = 0; c < 4; c++) {
        low[i][c] = low[i + lanes][c] < low[i][c] ? low[i + lanes][c] : low[i][c];
        high[i][c] = high[i + lanes][c] > high[i][c] ? high[i + lanes][c] : high[i][c];
      }
    }
  }
  for (int t = 0; t < KMC_CHANNELS; t++) {
    block->box.low2[t] = (float)(2 * low[0][t]);
    block->box.high2[t] = (float)(2 * high[0][t]);
  }
}

static void find_boxes(const uint32_t *color, kmc_block *block, int32_t n) {
  for (int32_t b = 0; b < n; b++) find_box(color, &block[b]);
}

static void find_means(const kmc_moment *moment, int32_t n, uint32_t *color) {
  for (int32_t p = 0; p < n; p++) {
    const double scale = 1 / (double)moment[p].count;
    uint32_t mean = 1 << 24;
    for (int t = 0; t < KMC_CHANNELS; t++) {
      mean |= (((uint32_t)(int32_t)((double)moment[p].sum[t] * scale + 128.5)) ^ 128) << 8 * t;
    }
    color[p] = mean;
  }
}

static uint64_t measure(uint32_t *color, const int64_t *count, int32_t n, uint64_t *any) {
  uint64_t square = 0, bits = 0;
  for (int32_t p = 0; p < n; p++) { /* written for compilers, which make vectors of it */
    const int32_t c = (int32_t)color[p], weight = (int32_t)count[p];
    const int32_t x0 = (int32_t)((uint32_t)c << 24) >> 24, x1 = (int32_t)((uint32_t)c << 16) >> 24;
    const int32_t x2 = (int32_t)((uint32_t)c << 8) >> 24;
    square += (uint64_t)((int64_t)(x0 * x0 + x1 * x1 + x2 * x2) * weight);
    bits |= (uint64_t)count[p];
    color[p] = (uint32_t)(c & 0xffffff) | (uint32_t)(weight < 256 ? weight : 0) << 24;
  }
  *any |= bits;
  return square;
}

/* Adds n colours to the moment; OUT before (n): what it was before each of them. */
static KMC_ALWAYS_INLINE vm add_colors(const uint32_t *color, const int64_t *count, int32_t n, vm moment,
                                       kmc_moment *before) {
  for (int32_t i = 0; i < n; i++) {
    vm_store(&before[i], moment);
    moment = vm_add(moment, vm_times(vm_bytes(color[i]), vm_set1((uint32_t)count[i])));
  }
  return moment;
}

/* Where a node begins the one before it ends: LANES colours are summed first, without a look at nodes. */
static int32_t join_colors(const kmc_level *level, int32_t begin, int32_t end, uint32_t bits, uint32_t last,
                           kmc_moment *sum, int32_t *node_end, kmc_moment *through) {
  const uint32_t *color = level->color;
  const int64_t *count = level->count;
  const vi which = vi_set1((int32_t)bits);
  kmc_moment before[LANES];
  vm moment = vm_load(sum);
  ptrdiff_t node = -1;
  for (int32_t p = begin; p < end; p += LANES) {
    const int32_t n = end - p < LANES ? end - p : LANES;
    unsigned begins = vi_differ(vi_and(vi_load(color + p + 1), which), vi_and(vi_load(color + p), which)) << 1;
    begins = (begins | (((color[p] ^ last) & bits) != 0)) & lane_mask(n);
    moment = n == LANES ? add_colors(color + p, count + p, LANES, moment, before)
                        : add_colors(color + p, count + p, n, moment, before);
    for (; begins; begins &= begins - 1, node++) {
      const int i = lowest_bit(begins);
      through[node] = before[i];
      node_end[node] = p + i;
    }
    last = color[p + n - 1];
  }
  vm_store(&through[node], moment);
  node_end[node] = end;
  vm_store(sum, moment);
  return (int32_t)node + 1;
}

static int32_t assign_whole(const kmc_level *level, kmc_block *block, int32_t label, kmc_moment *moments) {
  if (block->uniform == label) return 0;
  block->uniform = label;
  unsigned differ = 0;
  for (int32_t p = block->begin; p < block->end; p++) differ |= (unsigned)level->label[p] ^ (unsigned)label;
  if (!differ) return 0;
  int32_t moved = 0;
  for (int32_t p = block->begin; p < block->end; p++) {
    if (level->label[p] == label) continue;
    move_point(level, p, label, moments);
    moved++;
  }
  return moved;
}

/* Up to `vectors` vectors of points against a list of at most 256; OUT the tags of the winners. */
static KMC_ALWAYS_INLINE void nearest_tags(const uint32_t *color, int vectors, const kmc_centroids *centroids,
                                           const int32_t *list, int32_t n, int tag_is_slot, vi *best) {
  vi even[MOST_VECTORS], odd[MOST_VECTORS];
  for (int v = 0; v < vectors; v++) {
    const vi packed = vi_load(color + v * LANES);
    even[v] = vi_and(vi_shift_left_8(packed), vi_set1((int32_t)0xff00ff00));
    odd[v] = vi_and(packed, vi_set1((int32_t)0xff00ff00));
    best[v] = vi_set1(INT32_MAX);
  }
  for (int32_t i = 0; i < n; i++) {
    const int32_t j = list[i];
    const vi c_even = vi_set1(centroids->minus_even[j]), c_odd = vi_set1(centroids->minus_odd[j]);
    const vi bias = vi_set1(tag_is_slot ? centroids->bias[j] | i : centroids->bias[j]);
    for (int v = 0; v < vectors; v++) {
      best[v] = vi_min(best[v], vi_add_products(vi_add_products(bias, even[v], c_even), odd[v], c_odd));
    }
  }
}

/* Notes the points whose winner is not their label, as tag + 256 * (place in the block). Returns how many. */
static KMC_ALWAYS_INLINE int32_t note_changed(const uint16_t *label, int32_t place, int32_t n, int tag_is_slot,
                                              const vi *best, int vectors, int32_t *changed) {
  static const uint32_t LANE_PLACES[] = {0,      1 << 8, 2 << 8,  3 << 8,  4 << 8,  5 << 8,  6 << 8,  7 << 8,
                                         8 << 8, 9 << 8, 10 << 8, 11 << 8, 12 << 8, 13 << 8, 14 << 8, 15 << 8};
  unsigned differ[MOST_VECTORS], any = 0;
  vi tags[MOST_VECTORS];
  for (int v = 0; v < vectors; v++) {
    tags[v] = vi_and(best[v], vi_set1(255));
    differ[v] = lane_mask(n - place - v * LANES);
    if (!tag_is_slot) differ[v] &= vi_differ(tags[v], vi_load_u16(label + place + v * LANES));
    any |= differ[v];
  }
  if (!any) return 0;
  int32_t noted[LANES], n_changed = 0;
  for (int v = 0; v < vectors; v++) {
    vi_store(noted, vi_or(tags[v], vi_or(vi_load(LANE_PLACES), vi_set1((place + v * LANES) << 8))));
    n_changed += vi_keep(changed + n_changed, differ[v], noted);
  }
  return n_changed;
}

/* Up to `vectors` vectors of a block's points from `place` on. */
static KMC_ALWAYS_INLINE int32_t assign_some(const kmc_level *level, const kmc_block *block, int32_t place, int vectors,
                                             const kmc_centroids *centroids, const int32_t *list, int32_t n,
                                             int32_t *changed) {
  vi best[MOST_VECTORS];
  const int tag_is_slot = centroids->k > 256;
  nearest_tags(level->color + block->begin + place, vectors, centroids, list, n, tag_is_slot, best);
  return note_changed(level->label + block->begin, place, block->end - block->begin, tag_is_slot, best, vectors,
                      changed);
}

/* Moves what was noted: apart from the comparisons, so that processors have many moves under way at once. */
static int32_t move_changed(const kmc_level *level, const kmc_block *block, const kmc_centroids *centroids,
                            const int32_t *list, const int32_t *changed, int32_t n, kmc_moment *moments) {
  int32_t moved = 0;
  for (int32_t i = 0; i < n; i++) {
    const int32_t p = block->begin + (changed[i] >> 8), tag = changed[i] & 255;
    const int32_t label = centroids->k > 256 ? list[tag] : tag;
    if (label == level->label[p]) continue;
    move_point(level, p, label, moments);
    moved++;
  }
  return moved;
}

static int32_t assign_listed(const kmc_level *level, const kmc_block *block, const kmc_centroids *centroids,
                             const int32_t *list, int32_t n, kmc_moment *moments) {
  int32_t changed[KMC_BLOCK_POINTS + LANES], n_changed = 0;
  const int32_t n_points = block->end - block->begin;
  for (int32_t place = 0; place < n_points; place += MOST_VECTORS * LANES) {
    const int vectors = (n_points - place + LANES - 1) / LANES;
    int32_t *to = changed + n_changed;
    if (vectors == 1)
      n_changed += assign_some(level, block, place, 1, centroids, list, n, to);
    else if (vectors == 2)
      n_changed += assign_some(level, block, place, 2, centroids, list, n, to);
    else if (vectors == 3)
      n_changed += assign_some(level, block, place, 3, centroids, list, n, to);
    else
      n_changed += assign_some(level, block, place, 4, centroids, list, n, to);
  }
  return move_changed(level, block, centroids, list, changed, n_changed, moments);
}

/* A block with more candidates than a list holds: all centroids, in plain integers. */
static int32_t assign_unlisted(const kmc_level *level, const kmc_block *block, const kmc_centroids *centroids,
                               kmc_moment *moments) {
  int32_t moved = 0;
  for (int32_t p = block->begin; p < block->end; p++) {
    const int label = kmc_nearest(centroids, level->color[p]);
    if (label == level->label[p]) continue;
    move_point(level, p, label, moments);
    moved++;
  }
  return moved;
}

static int32_t assign_block(const kmc_level *level, const kmc_centroids *centroids, kmc_block *block,
                            const int32_t *list, int32_t n, kmc_moment *moments) {
  if (n == 1) return assign_whole(level, block, list[0], moments);
  block->uniform = -1;
  if (n > KMC_MAX_CANDIDATES) return assign_unlisted(level, block, centroids, moments);
  return assign_listed(level, block, centroids, list, n, moments);
}

/* Lists the candidates of a block. Returns how many, or 0 if none of them, now or before, moved: the labels stay. */
static KMC_ALWAYS_INLINE int32_t list_block(const kmc_level *level, const kmc_centroids *centroids,
                                            const kmc_block *block, int32_t channels, const kmc_list_scratch *scratch,
                                            int32_t *chosen) {
  const int32_t rival = rival_of(level, centroids, block->begin, block->end);
  const reach around = reach_of(centroids, rival, channels, &block->box);
  if (centroids->moved.n >= 0 && !is_concerned(centroids, rival, &around, &scratch->moved, channels)) return 0;
  return index_near(&around, &scratch->group, channels, chosen);
}

static KMC_ALWAYS_INLINE int32_t assign_group(const kmc_level *level, const kmc_centroids *centroids, kmc_group *group,
                                              int32_t channels, const kmc_list *from, kmc_list_scratch *scratch,
                                              kmc_moment *moments) {
  const int32_t first = level->block[group->begin].begin, last = level->block[group->end - 1].end;
  const int32_t rival = rival_of(level, centroids, first, last);
  const reach around = reach_of(centroids, rival, channels, &group->box);
  if (centroids->moved.n >= 0) {
    keep_near(&around, &centroids->moved, channels, &scratch->moved);
    if (scratch->moved.n == 0 && !centroids->has_moved[rival]) return 0;
  }
  keep_near(&around, from, channels, &scratch->group);
  group->touched = 1;
  if (group->end == group->begin + 1) { /* its block has the same box */
    return assign_block(level, centroids, &level->block[group->begin], scratch->group.index, scratch->group.n, moments);
  }
  int32_t moved = 0;
  for (int32_t b = group->begin; b < group->end; b += KMC_BATCH) {
    const int32_t n = group->end - b < KMC_BATCH ? group->end - b : KMC_BATCH;
    const size_t room = (size_t)centroids->k + KMC_PADDING;
    int32_t n_chosen[KMC_BATCH];
    for (int32_t i = 0; i < n; i++) {
      n_chosen[i] = list_block(level, centroids, &level->block[b + i], channels, scratch, scratch->chosen + i * room);
    }
    for (int32_t i = 0; i < n; i++) {
      if (n_chosen[i] == 0) continue;
      moved += assign_block(level, centroids, &level->block[b + i], scratch->chosen + i * room, n_chosen[i], moments);
    }
  }
  return moved;
}

/* With few centroids the lists of regions cost more than they save. */
enum { REGIONS_FROM = 65 };

static KMC_ALWAYS_INLINE int32_t assign_groups(const kmc_level *level, const kmc_centroids *centroids, int32_t begin,
                                               int32_t end, int32_t channels, kmc_list_scratch *scratch,
                                               kmc_moment *moments) {
  int32_t moved = 0;
  for (int32_t r = 0; r < level->n_regions; r++) {
    const kmc_region *region = &level->region[r];
    const int32_t first = region->begin > begin ? region->begin : begin, last = region->end < end ? region->end : end;
    if (first >= last) continue;
    const kmc_list *from = &centroids->all;
    if (centroids->k >= REGIONS_FROM) {
      const int32_t p = level->block[level->group[first].begin].begin;
      const reach around = reach_of(centroids, rival_of(level, centroids, p, p), channels, &region->box);
      keep_near(&around, from, channels, &scratch->region);
      from = &scratch->region;
    }
    for (int32_t g = first; g < last; g++) {
      moved += assign_group(level, centroids, &level->group[g], channels, from, scratch, moments);
    }
  }
  return moved;
}

static int32_t assign(const kmc_level *level, const kmc_centroids *centroids, int32_t begin, int32_t end,
                      kmc_list_scratch *scratch, kmc_moment *moments) {
  if (centroids->channels == 3) return assign_groups(level, centroids, begin, end, 3, scratch, moments);
  return assign_groups(level, centroids, begin, end, 1, scratch, moments);
}

static void merge_costs(float *const *mean, const float *weight, int32_t k, float *row, float *cost, int32_t *partner) {
  for (int32_t j = 0; j < k; j++) {
    vf least = vf_set1(INFINITY);
    for (int32_t i = 0; i < k; i += LANES) {
      vf dist2 = vf_set1(0);
      for (int t = 0; t < KMC_CHANNELS; t++) {
        const vf diff = vf_sub(vf_load(mean[t] + i), vf_set1(mean[t][j]));
        dist2 = vf_add(dist2, vf_mul(diff, diff));
      }
      const vf both = vf_add(vf_load(weight + i), vf_set1(weight[j]));
      vf_store(row + i, vf_mul(dist2, vf_mul(vf_load(weight + i), vf_div(vf_set1(weight[j]), both))));
    }
    row[j] = INFINITY;
    for (int32_t i = 0; i < k; i += LANES) least = vf_min(least, vf_tail(vf_load(row + i), k - i));
    cost[j] = vf_least(least);
    partner[j] = -1;
    for (int32_t i = 0; i < k && partner[j] < 0; i += LANES) {
      const unsigned found = vf_le(vf_load(row + i), vf_set1(cost[j])) & lane_mask(k - i);
      if (found) partner[j] = i + lowest_bit(found);
    }
  }
}

const kmc_color_kernels KERNELS = {KERNELS_NAME, assign,     pack_colors, measure,
                                   join_colors,  find_boxes, find_means,  merge_costs};
