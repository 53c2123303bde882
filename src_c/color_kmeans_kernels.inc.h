/* The kernels of color_kmeans_level.h over a vector vocabulary: vf (float), vi (int32), `LANES` of each; vm (4 x
 * int64).
 *
 * assign is the hot one: for a candidate and a vector of points two multiply-adds of int16 pairs and a minimum. */

static inline float box_radius(const float *half) {
  float sum = 0;
  for (int t = 0; t < KMC_CHANNELS; t++) sum += half[t] * half[t];
  return sqrtf(sum);
}

/* From n centroids those that can be nearest to a point of the box while none moves by more than its slack.
 *
 * With `best` the nearest to the middle, the least of |x-c|^2 - |x-best|^2 over the box is its value at the middle less
 * 2 sum_t half_t |c_t - best_t|. Divided by a bound on |x-c| + |x-best| it bounds how much farther c is; if that is
 * more than both slacks together, c stays out. The quarter covers the rounding of scores. OUT index, and where kept is
 * not NULL the coordinates and slacks of those kept. */
static KMC_ALWAYS_INLINE int32_t choose(const kmc_list_scratch *all, const int32_t *from, int32_t n, int32_t channels,
                                        const float *middle, const float *half, float *dist2, int32_t *index,
                                        int32_t *nearest, const kmc_list_scratch *kept) {
  vf least = vf_set1(INFINITY);
  for (int32_t j = 0; j < n; j += LANES) {
    vf sum = vf_set1(0);
    for (int32_t t = 0; t < channels; t++) {
      const vf diff = vf_sub(vf_load(all->coordinate[t] + j), vf_set1(middle[t]));
      sum = vf_add(sum, vf_mul(diff, diff));
    }
    sum = vf_tail(sum, n - j);
    vf_store(dist2 + j, sum);
    least = vf_min(least, sum);
  }
  const float nearest2 = vf_least(least);
  int32_t best = 0;
  for (int32_t j = 0; j < n; j += LANES) {
    const unsigned found = vf_le(vf_load(dist2 + j), vf_set1(nearest2));
    if (!found) continue;
    best = j + lowest_bit(found);
    break;
  }
  *nearest = from ? from[best] : best;
  /* No centroid farther than reach is nearest to any point; sqrt(d) <= (d / reach + reach) / 2, which is tight there.
   */
  const float reach = sqrtf(nearest2) + 2 * box_radius(half) + 0.001f;
  int32_t n_kept = 0;
  for (int32_t j = 0; j < n; j += LANES) {
    const vf d = vf_load(dist2 + j);
    vf margin = vf_sub(d, vf_set1(nearest2));
    for (int32_t t = 0; t < channels; t++) {
      const vf diff = vf_abs(vf_sub(vf_load(all->coordinate[t] + j), vf_set1(all->coordinate[t][best])));
      margin = vf_sub(margin, vf_mul(diff, vf_set1(2 * half[t])));
    }
    const vf slacks = vf_add(vf_load(all->slack + j), vf_set1(all->slack[best]));
    const vf both = vf_add(vf_mul(d, vf_set1(0.5f / reach)), vf_set1(1.5f * reach));
    unsigned keep = vf_le(margin, vf_add(vf_mul(both, slacks), vf_set1(0.25f))) & lane_mask(n - j);
    if (!keep) continue;
    if (kept) {
      for (int32_t t = 0; t < channels; t++) vf_keep(kept->coordinate[t] + n_kept, keep, all->coordinate[t] + j);
      vf_keep(kept->slack + n_kept, keep, all->slack + j);
    }
    n_kept += vi_keep(index + n_kept, keep, from ? from + j : NULL, j);
  }
  return n_kept;
}

static inline int any_moved(const kmc_centroids *centroids, const uint16_t *list, int32_t n) {
  for (int32_t i = 0; i < n; i++) {
    if (centroids->moved[list[i]]) return 1;
  }
  return 0;
}

static inline void keep_list(const int32_t *index, int32_t n, int32_t room, uint16_t *list, int32_t *n_kept) {
  *n_kept = n <= room ? n : 0;
  for (int32_t j = 0; j < *n_kept; j++) list[j] = (uint16_t)index[j];
}

static inline void list_groups(const kmc_level *level, const kmc_centroids *centroids, const kmc_list_scratch *all,
                               int32_t channels, int32_t begin, int32_t end, const kmc_list_scratch *scratch) {
  int32_t ignored;
  for (int32_t g = begin; g < end; g++) {
    kmc_group *group = &level->group[g];
    if (!group->stale) continue;
    group->stale = 0;
    group->lost = 1;
    const int32_t n = choose(all, NULL, centroids->k, channels, group->middle, group->half, scratch->dist2,
                             scratch->index, &group->nearest, scratch);
    keep_list(scratch->index, n, level->list_stride, level->group_candidate + (size_t)g * level->list_stride,
              &group->n_candidates);
    for (int32_t b = group->begin; b < group->end; b++) {
      kmc_block *block = &level->block[b];
      const int32_t m = choose(scratch, scratch->index, n, channels, block->middle, block->half, scratch->dist2,
                               scratch->chosen, &ignored, NULL);
      uint16_t *list = level->candidate + (size_t)b * level->list_stride;
      /* A centroid may move out of the list: its points have to be looked at. */
      block->lost |= block->n_candidates == 0 || any_moved(centroids, list, block->n_candidates);
      keep_list(scratch->chosen, m, level->list_stride, list, &block->n_candidates);
    }
  }
}

static void list_candidates(const kmc_level *level, const kmc_centroids *centroids, int32_t begin, int32_t end,
                            const kmc_list_scratch *scratch) {
  kmc_list_scratch all = {.slack = centroids->slack};
  for (int t = 0; t < KMC_CHANNELS; t++) all.coordinate[t] = centroids->listed[t];
  if (centroids->channels == 3)
    list_groups(level, centroids, &all, 3, begin, end, scratch);
  else
    list_groups(level, centroids, &all, centroids->channels, begin, end, scratch);
}

/* Takes the point from its cluster's moment and adds it to another's. */
static inline void move_point(const kmc_level *level, int32_t p, int32_t label, kmc_moment *moments) {
  const int32_t old = level->label[p];
  const kmc_moment *moment = level->moment ? &level->moment[p] : NULL;
  const int64_t count = moment ? moment->count : level->count[p];
  const vm sum = moment ? vm_load(moment->sum) : vm_times(vm_bytes(level->color[p]), vm_set1(level->count[p]));
  level->label[p] = (uint16_t)label;
  moments[label].count += count;
  vm_store(moments[label].sum, vm_add(vm_load(moments[label].sum), sum));
  if (old == KMC_NO_LABEL) return;
  moments[old].count -= count;
  vm_store(moments[old].sum, vm_sub(vm_load(moments[old].sum), sum));
}

static int64_t sum_points(const uint32_t *color, const uint32_t *count, int32_t n, kmc_moment *moment) {
  vm sum = vm_zero(), square = vm_zero();
  moment->count = 0;
  for (int32_t p = 0; p < n; p++) {
    const vm x = vm_bytes(color[p]), weight = vm_set1(count[p]);
    sum = vm_add(sum, vm_times(x, weight));
    square = vm_add(square, vm_times(vm_times(x, x), weight));
    moment->count += count[p];
  }
  vm_store(moment->sum, sum);
  int64_t squares[KMC_CHANNELS];
  vm_store(squares, square);
  return squares[0] + squares[1] + squares[2] + squares[3];
}

static int32_t assign_whole(const kmc_level *level, kmc_block *block, int32_t label, kmc_moment *moments) {
  if (block->uniform == label) return 0;
  int32_t moved = 0;
  for (int32_t p = block->begin; p < block->end; p++) {
    if (level->label[p] == label) continue;
    move_point(level, p, label, moments);
    moved++;
  }
  block->uniform = label;
  return moved;
}

/* Up to `vectors` vectors of points against a list of at most 256; OUT the tags of the winners. */
static KMC_ALWAYS_INLINE void nearest_tags(const uint32_t *color, int vectors, const kmc_centroids *centroids,
                                           const uint16_t *list, int32_t n, int tag_is_slot, vi *best) {
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
    const vi bias = vi_set1(centroids->bias[j] | (tag_is_slot ? i : j));
    for (int v = 0; v < vectors; v++) {
      best[v] = vi_min(best[v], vi_add_products(vi_add_products(bias, even[v], c_even), odd[v], c_odd));
    }
  }
}

/* Moves the points whose winner is not their label. */
static inline int32_t move_changed(const kmc_level *level, int32_t begin, int32_t end, const uint16_t *list,
                                   int tag_is_slot, const vi *best, int vectors, kmc_moment *moments) {
  int32_t moved = 0;
  for (int v = 0; v < vectors; v++) {
    const int32_t first = begin + v * LANES;
    const vi tags = vi_and(best[v], vi_set1(255));
    unsigned changed = lane_mask(end - first);
    if (!tag_is_slot) changed &= vi_differ(tags, vi_load_u16(level->label + first));
    if (!changed) continue;
    int32_t tag[LANES];
    vi_store(tag, tags);
    for (; changed; changed &= changed - 1) {
      const int lane = lowest_bit(changed);
      const int32_t label = tag_is_slot ? list[tag[lane]] : tag[lane];
      if (label == level->label[first + lane]) continue;
      move_point(level, first + lane, label, moments);
      moved++;
    }
  }
  return moved;
}

static int32_t assign_listed(const kmc_level *level, int32_t begin, int32_t end, const kmc_centroids *centroids,
                             const uint16_t *list, int32_t n, kmc_moment *moments) {
  vi best[MOST_VECTORS];
  const int tag_is_slot = centroids->k > 256;
  int32_t moved = 0;
  for (int32_t p = begin; p < end; p += MOST_VECTORS * LANES) {
    const int vectors = (end - p + LANES - 1) / LANES;
#define RUN(count) nearest_tags(level->color + p, count, centroids, list, n, tag_is_slot, best)
    if (vectors == 1)
      RUN(1);
    else if (vectors == 2)
      RUN(2);
    else if (vectors == 3)
      RUN(3);
    else
      RUN(4);
#undef RUN
    moved +=
        move_changed(level, p, end, list, tag_is_slot, best, vectors < MOST_VECTORS ? vectors : MOST_VECTORS, moments);
  }
  return moved;
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

static int32_t assign_block(const kmc_level *level, const kmc_centroids *centroids, int32_t b, kmc_moment *moments) {
  kmc_block *block = &level->block[b];
  const uint16_t *list = level->candidate + (size_t)b * level->list_stride;
  const int32_t n = block->n_candidates;
  if (n && !block->lost && !any_moved(centroids, list, n)) return 0;
  block->lost = 0;
  if (n == 1) return assign_whole(level, block, list[0], moments);
  block->uniform = -1;
  if (n == 0) return assign_unlisted(level, block, centroids, moments);
  return assign_listed(level, block->begin, block->end, centroids, list, n, moments);
}

static int32_t assign(const kmc_level *level, const kmc_centroids *centroids, int32_t begin, int32_t end,
                      kmc_moment *moments) {
  int32_t moved = 0;
  for (int32_t g = begin; g < end; g++) {
    kmc_group *group = &level->group[g];
    const uint16_t *list = level->group_candidate + (size_t)g * level->list_stride;
    const int32_t n = group->n_candidates;
    if (n && !group->lost && !any_moved(centroids, list, n)) continue;
    group->lost = 0;
    for (int32_t b = group->begin; b < group->end; b++) moved += assign_block(level, centroids, b, moments);
  }
  return moved;
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

const kmc_color_kernels KERNELS = {KERNELS_NAME, list_candidates, assign, sum_points, merge_costs};
