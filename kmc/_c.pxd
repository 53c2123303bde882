"""What the C kernels of src_c declare; the contracts are in their headers."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef Py_ssize_t size


cdef extern from "kmc_threads.h" nogil:
    bint kmc_has_openmp()
    int kmc_max_threads()


cdef extern from "kmc_kernels.h" nogil:
    enum: KMC_TILE
    enum: KMC_BLOCK
    enum: KMC_PANEL
    enum: KMC_SSIM_RADIUS
    enum: KMC_SSIM_PADDING

    ctypedef struct kmc_centroids_f32:
        const double *exact
        const float *transposed
        const float *panels
        const float *half_norms
        size k, stride
        float relative, absolute, margin, margin_per_norm

    ctypedef struct kmc_centroids_f64:
        const double *exact
        const double *transposed
        const double *panels
        const double *half_norms
        size k, stride
        double relative, absolute, margin, margin_per_norm

    ctypedef struct kmc_elkan_f32:
        kmc_centroids_f32 centroids
        const float *half_distances
        const float *half_nearest
        const float *travelled

    ctypedef struct kmc_elkan_f64:
        kmc_centroids_f64 centroids
        const double *half_distances
        const double *half_nearest
        const double *travelled

    ctypedef struct kmc_kernels:
        const char *name
        void (*assign_u8)(
            const uint8_t *, size, size, const float *, const kmc_centroids_f32 *, float *, int32_t *
        ) noexcept nogil
        void (*assign_f32)(
            const float *, size, size, const float *, const kmc_centroids_f32 *, float *, int32_t *
        ) noexcept nogil
        void (*assign_f64)(
            const double *, size, size, const double *, const kmc_centroids_f64 *, double *, int32_t *
        ) noexcept nogil
        void (*elkan_u8)(
            const uint8_t *, size, size, const kmc_elkan_f32 *, int32_t *, float *, float *, float *
        ) noexcept nogil
        void (*elkan_f32)(
            const float *, size, size, const kmc_elkan_f32 *, int32_t *, float *, float *, float *
        ) noexcept nogil
        void (*elkan_f64)(
            const double *, size, size, const kmc_elkan_f64 *, int32_t *, double *, double *, double *
        ) noexcept nogil
        void (*distances_f32)(
            const float *, size, size, const float *, size, const float *, float *, size
        ) noexcept nogil
        void (*distances_f64)(
            const double *, size, size, const double *, size, const double *, double *, size
        ) noexcept nogil
        void (*distance_sums_f32)(
            const float *, size, const float *, const float *, size, double *
        ) noexcept nogil
        void (*distance_sums_f64)(
            const double *, size, const double *, const double *, size, double *
        ) noexcept nogil
        void (*ssim)(
            const double *, const double *, size, size, size, double *, double *, double *
        ) noexcept nogil

    const kmc_kernels *kmc_available(int index)
    void kmc_tile_points_u8(const uint8_t *, size, size, const float *, float *)
    void kmc_tile_points_f32(const float *, size, size, const float *, float *)
    void kmc_tile_points_f64(const double *, size, size, const double *, double *)
    void kmc_own_dist2_u8(
        const uint8_t *, size, size, const double *, const int32_t *, double *
    )
    void kmc_own_dist2_f32(const float *, size, size, const double *, const int32_t *, double *)
    void kmc_own_dist2_f64(const double *, size, size, const double *, const int32_t *, double *)
    size kmc_update_u8(
        const uint8_t *, size, size, const double *, const int32_t *, const int32_t *, double *,
        double *
    )
    size kmc_update_f32(
        const float *, size, size, const double *, const int32_t *, const int32_t *, double *,
        double *
    )
    size kmc_update_f64(
        const double *, size, size, const double *, const int32_t *, const int32_t *, double *,
        double *
    )
    double kmc_weighted_sum_f32(const float *, const double *, size)
    double kmc_weighted_sum_f64(const double *, const double *, size)


cdef extern from "compiler.h" nogil:
    int kmc_count_bits(uint64_t mask)


cdef extern from "histogram/color_keys.h" nogil:
    ctypedef struct kmc_pixel_kernels:
        pass
    const kmc_pixel_kernels *kmc_pixel_kernels_for(const kmc_kernels *kernels)
    enum: KMC_N_BLOCKS
    enum: KMC_BLOCK_COLORS
    enum: KMC_N_BOXES
    enum: KMC_KEY_BATCH
    enum: KMC_TAKEN_SLACK
    enum: KMC_BOX_COLORS
    enum: KMC_BLOCK_BOXES


cdef extern from "alpha_kmeans/alpha_kmeans.h" nogil:
    enum:
        KMC_ALPHA_CHANNELS
        KMC_ALPHA_BLOCK
        KMC_ALPHA_LANES
        KMC_ALPHA_MOMENTS

    ctypedef struct kmc_alpha_points:
        int32_t *xy
        int32_t *zw

    ctypedef struct kmc_alpha_near:
        int32_t *xy
        int32_t *zw
        int32_t *index
        int32_t *dist2

    ctypedef struct kmc_alpha_kernels:
        pass

    ctypedef struct kmc_alpha_group:
        double mean[4]

    ctypedef struct kmc_alpha_part:
        kmc_alpha_group group
        size first

    const kmc_alpha_kernels *kmc_alpha_kernels_for(const kmc_kernels *kernels)
    int32_t kmc_alpha_pair(int32_t low, int32_t high)
    const uint64_t *kmc_alpha_keys(
        const int16_t *points, size first, size n, const int16_t *low, uint64_t *keys, uint64_t *scratch
    )
    void kmc_alpha_splits(const uint64_t *keys, size n, int64_t *splits)
    size kmc_alpha_join(
        const uint64_t *keys, size n, int shift, const int16_t *points, const int64_t *weights,
        const kmc_alpha_points *cells, int64_t *cell_weights, int64_t *squares
    )
    void kmc_alpha_round(
        const kmc_alpha_kernels *kernels, const kmc_alpha_points *points, const int64_t *weights, size n,
        const kmc_alpha_points *centroids, size least, size stride, const kmc_alpha_near *near, int32_t *labels,
        int64_t *sums
    )
    void kmc_alpha_measure(
        const kmc_alpha_points *points, const int64_t *weights, size n, const int32_t *labels, size n_groups,
        double *moments, kmc_alpha_group *groups
    )
    size kmc_alpha_cuts(
        const kmc_alpha_points *points, const int64_t *weights, size n_soft, size n, size k, kmc_alpha_part *parts,
        int32_t *order, int32_t *scratch
    )
    void kmc_alpha_merges(
        const double *centroids, const double *weights, size k, size n_opaque, double *costs, int32_t *partners
    )


cdef extern from "measures/silhouette.h" nogil:
    void kmc_silhouettes(
        const double *sums, size k, const double *weight, const double *others, const int32_t *label, size n,
        double *silhouette
    )


cdef extern from "color_kmeans/color_boxes.h" nogil:
    size kmc_join_boxes(
        const uint8_t *colors, const int64_t *counts, size u, size channels, int bits, uint8_t *box_colors,
        int64_t *box_counts, double *scatter
    )


cdef extern from "colorspace/oklab.h" nogil:
    void kmc_oklab(const uint8_t *colors, size n, size channels, const float *linear, float *points)
    void kmc_oklab_grid(const float *points, size n, uint8_t *grid)


cdef extern from "color_kmeans/flatness.h" nogil:
    void kmc_flatness(
        const uint8_t *above, const uint8_t *row, const uint8_t *below, size width, size channels,
        const uint8_t *weight_of, int64_t *sums, int64_t *counts
    )
    enum: KMC_FLATNESS_BOXES


cdef extern from "histogram/key_partition.h" nogil:
    enum: KMC_PART_PIXELS
    enum: KMC_N_BUCKETS
    enum: KMC_BUCKET_COLORS

    ctypedef struct kmc_buckets:
        uint32_t singles[KMC_N_BUCKETS + 1]
        uint32_t runs[KMC_N_BUCKETS + 1]

    ctypedef struct kmc_wraps:
        uint32_t *keys
        size n

    ctypedef struct kmc_table:
        uint32_t *block_start
        uint8_t *counters
        size n_blocks
    enum: KMC_TABLE_BLOCKS

    ctypedef struct kmc_partition_scratch:
        kmc_wraps wraps
        kmc_table table

    enum: KMC_SAMPLE_RUN
    enum: KMC_BOX_SAMPLE

    ctypedef struct kmc_sample:
        const uint8_t *pixels
        size n
        size n_runs

    void kmc_partition_sample(
        const kmc_pixel_kernels *, const kmc_sample *, size first, size end, kmc_partition_scratch *, kmc_buckets *,
        uint16_t *places
    )
    size kmc_sampled_boxes(const kmc_pixel_kernels *, const uint8_t *pixels, size n)
    size kmc_sampled_blocks(const uint8_t *pixels, size n, size channels)
    void kmc_table_clear(kmc_table *)
    void kmc_partition_rgb(
        const kmc_pixel_kernels *, const uint8_t *pixels, size n, kmc_partition_scratch *, kmc_buckets *,
        uint16_t *places
    )
    size kmc_partition_rgba(
        const kmc_pixel_kernels *, const uint8_t *pixels, size n, kmc_partition_scratch *, kmc_buckets *,
        uint16_t *places, uint32_t *translucent, int64_t *n_transparent
    )


cdef extern from "histogram/histogram.h" nogil:
    ctypedef struct kmc_bucket_colors:
        uint16_t *places
        uint8_t *counts
        size n

    enum: KMC_SMALL_PICTURE
    void kmc_count_grey(const uint8_t *pixels, size n, int64_t *counts)
    void kmc_count_bucket(
        const kmc_buckets *, const uint16_t *places, size n_parts, size bucket, uint8_t *counters, kmc_wraps *
    )
    size kmc_blocks_of_bucket(const kmc_table *, size bucket)
    void kmc_add_table(const kmc_table *, size bucket, uint8_t *counters, kmc_wraps *)
    void kmc_take_bucket(
        const kmc_pixel_kernels *, size bucket, uint8_t *counters, uint64_t *bits, uint32_t *before, uint64_t *boxes,
        kmc_bucket_colors *
    )
    void kmc_emit_buckets(
        const kmc_bucket_colors *, size first_bucket, size last_bucket, size first, size channels, uint32_t *before,
        uint8_t *colors, int64_t *counts
    )
    void kmc_add_wraps(const kmc_wraps *, const uint64_t *bits, const uint32_t *before, int64_t *counts)
    size kmc_rank_pixels(
        const kmc_pixel_kernels *, const uint8_t *pixels, size n, size channels, uint64_t *sorted,
        uint64_t *scratch, uint8_t *colors, int64_t *counts, uint32_t *ranks
    )
    size kmc_sort_keys(uint32_t *keys, size n, uint32_t *counts)
    void kmc_sum_counts(
        const kmc_pixel_kernels *, const uint8_t *colors, size n, const uint64_t *bits, const uint32_t *before,
        const int64_t *counts, int64_t *sums
    )
    size kmc_merge_keys(
        const uint32_t *keys, const uint32_t *key_counts, const size *starts, const size *lengths,
        size n_lists, size *positions, uint8_t *colors, int64_t *counts
    )


cdef extern from "histogram/color_sample.h" nogil:
    enum: KMC_MOST_JOINED_BITS

    ctypedef struct kmc_moment:
        pass

    ctypedef struct kmc_joined_color:
        pass

    ctypedef struct kmc_joined_bucket:
        kmc_joined_color *colors
        size n

    ctypedef struct kmc_joiner:
        int bits
        uint64_t bound
        kmc_moment *moments

    void kmc_joiner_prepare(kmc_joiner *)
    void kmc_join_bucket(
        const kmc_buckets *, const uint16_t *places, size n_parts, size bucket, kmc_joiner *, kmc_joined_bucket *
    )
    void kmc_emit_joined(const kmc_joined_bucket *, uint8_t *colors, int64_t *counts)


cdef extern from "remap/nearest_entry.h" nogil:
    enum: KMC_MOST_COMPARED

    ctypedef struct kmc_entries:
        size k

    ctypedef struct kmc_entry_kernels:
        int64_t (*nearest)(
            const uint8_t *pixels, size n, const kmc_entries *entries, uint8_t *indices
        ) noexcept nogil
        size few
        size few_unmarked

    void kmc_set_entries(const uint8_t *colors, size k, kmc_entries *entries)
    const kmc_entry_kernels *kmc_entry_kernels_for(const kmc_kernels *kernels)


cdef extern from "remap/box_labels.h" nogil:
    enum: KMC_TREE_LEVELS
    uint32_t KMC_NO_NODE

    enum: KMC_N_CELLS

    ctypedef struct kmc_candidate:
        pass

    kmc_candidate kmc_candidate_of(const uint8_t *rgb, size index)

    ctypedef struct kmc_node:
        uint32_t number
        size n
        kmc_candidate *candidates
        uint8_t *keep

    ctypedef struct kmc_box_map:
        uint16_t *cells
        uint32_t *line_of
        uint8_t *lines
        uint16_t *wide_lines

    ctypedef struct kmc_label_kernels:
        pass

    const kmc_label_kernels *kmc_label_kernels_for(const kmc_kernels *kernels)
    void kmc_fill_boxes(
        const kmc_label_kernels *, const kmc_box_map *, kmc_node *path, const uint64_t *boxes, size first, size last,
        uint32_t n_lines
    )


cdef extern from "remap/color_map.h" nogil:
    int64_t kmc_error_of_indices(
        const kmc_label_kernels *, const uint8_t *pixels, size n, size channels, const uint8_t *entries, size k,
        const uint8_t *indices
    )
    void kmc_index_alphas(const uint8_t *colors, size n, uint32_t *keys, int64_t *alpha_start)
    void kmc_mark_boxes(const kmc_label_kernels *, const uint8_t *pixels, size n, uint8_t *marks)
    void kmc_join_marks(const kmc_pixel_kernels *, const uint8_t *marks, size first, size last, uint64_t *boxes)
    int64_t kmc_map_rgb_u8(
        const kmc_label_kernels *, const uint8_t *pixels, size n, const kmc_box_map *, const uint32_t *entries, size k,
        uint8_t *indices
    )
    void kmc_map_counted_u8(
        const kmc_pixel_kernels *, const uint8_t *pixels, size n, size channels, const uint64_t *bits,
        const uint32_t *before, const uint8_t *labels, const uint32_t *keys, const int64_t *alpha_start,
        const uint8_t *translucent_labels, uint8_t transparent_label, uint8_t *indices
    )
    int64_t kmc_map_rgb_u16(
        const kmc_pixel_kernels *, const uint8_t *pixels, size n, const kmc_box_map *, const uint32_t *entries,
        uint16_t *indices
    )
    void kmc_map_counted_u16(
        const kmc_pixel_kernels *, const uint8_t *pixels, size n, size channels, const uint64_t *bits,
        const uint32_t *before, const uint16_t *labels, const uint32_t *keys, const int64_t *alpha_start,
        const uint16_t *translucent_labels, uint16_t transparent_label, uint16_t *indices
    )
    void kmc_map_grey_u8(const uint8_t *pixels, size n, const uint8_t *labels, uint8_t *indices)
    void kmc_map_grey_u16(const uint8_t *pixels, size n, const uint16_t *labels, uint16_t *indices)
    void kmc_map_ranks_u8(const uint32_t *ranks, size n, const uint8_t *labels, uint8_t *indices)
    void kmc_map_ranks_u16(const uint32_t *ranks, size n, const uint16_t *labels, uint16_t *indices)


cdef extern from "color_kmeans/color_kmeans_dispatch.h" nogil:
    ctypedef void (*kmc_task)(void *context, int32_t i) noexcept nogil
    ctypedef void (*kmc_parallel_for)(
        void *threads, kmc_task task, void *context, int32_t n_tasks
    ) noexcept nogil

    ctypedef enum kmc_seeding:
        KMC_SEEDS_SEARCHED
        KMC_SEEDS_CUT
        KMC_SEEDS_GIVEN

    ctypedef struct kmc_color_kmeans_options:
        int32_t k
        int32_t channels
        int32_t max_rounds
        int32_t search_trials
        int32_t polish_trials
        int32_t fine_trials
        int32_t thorough
        double tol
        double coarse_tol
        kmc_seeding seeding
        int32_t on_cells
        int32_t n_tasks

    ctypedef struct kmc_color_kmeans_result:
        double inertia
        int32_t rounds
        int32_t coarse_rounds
        int32_t converged
        int32_t out_of_bounds

    ctypedef struct kmc_color_kernels:
        pass

    const kmc_color_kernels *kmc_color_kernels_for(const kmc_kernels *kernels)
    size_t kmc_color_kmeans_scratch(int32_t u, const kmc_color_kmeans_options *options)
    kmc_color_kmeans_result kmc_color_kmeans(
        const uint8_t *colors, const int64_t *counts, int32_t u,
        const kmc_color_kmeans_options *options, const kmc_color_kernels *kernels,
        kmc_parallel_for parallel_for, void *threads, void *scratch, double *centroids,
        uint16_t *labels
    )


cdef extern from "dither/dither.h" nogil:
    enum: KMC_POINT
    enum: KMC_GAIN_ONE
    enum: KMC_MOST_ENTRIES
    enum: KMC_CHUNK
    enum: KMC_BAND
    enum: KMC_WARM_UP
    enum: KMC_POLISH_REACH

    ctypedef struct kmc_chunk:
        pass

    ctypedef struct kmc_targets:
        int32_t n_classes
        int32_t n_cells
        int32_t has_alpha
        int32_t k
        int32_t most_chunks
        uint32_t *list
        kmc_chunk *chunks
        uint32_t *indices
        uint8_t *lengths

    ctypedef struct kmc_cones:
        pass

    void kmc_cones_init(kmc_cones *, const float *linear)

    ctypedef struct kmc_window:
        int16_t weight[5]

    ctypedef struct kmc_dithered:
        const uint8_t *pixels
        const int16_t *points
        size height
        size width
        int32_t channels
        int32_t space
        int32_t gain
        const kmc_cones *cones

    ctypedef struct kmc_dither_kernels:
        void (*points)(
            const uint8_t *pixels, size n, int channels, int space, const kmc_cones *cones, int gain, int16_t *points
        ) noexcept nogil
        void (*nearest)(kmc_targets *, const int16_t *points, size n, uint8_t *indices) noexcept nogil
        void (*solve)(double *matrix, double *right, int32_t k) noexcept nogil

    const kmc_dither_kernels *kmc_dither_kernels_for(const kmc_kernels *kernels)
    size kmc_polish_slots(size width)
    size kmc_stripe_scratch(size width)
    int32_t kmc_targets_cells(int space, int has_alpha, int32_t k, int is_small)
    void kmc_targets_init(
        kmc_targets *, int space, int has_alpha, const int16_t *entries, int32_t k, int is_small
    )
    void kmc_points_rows(
        const kmc_dither_kernels *, kmc_targets *, const kmc_dithered *, size first, size last, int16_t *points
    )
    enum: KMC_BUSY_LEVELS
    void kmc_mark_busy(
        const uint8_t *above, const uint8_t *row, const uint8_t *below, size width, const uint8_t *less_of,
        int16_t *points
    )
    void kmc_diffuse_stripe(
        const kmc_dither_kernels *, kmc_targets *, const kmc_dithered *, size first, size last,
        int16_t *scratch, uint8_t *indices
    )
    void kmc_noise_stripe(
        const kmc_dither_kernels *, kmc_targets *, const kmc_dithered *, const uint16_t *mask,
        const int16_t *amplitude, size first, size last, int16_t *scratch, uint8_t *indices
    )
    void kmc_polish_stripe(
        const kmc_dither_kernels *, kmc_targets *, const kmc_window *, const kmc_dithered *, size first,
        size last, int16_t *scratch, uint8_t *indices
    )
    void kmc_blur_rows(
        const kmc_dither_kernels *, const kmc_dithered *, const int32_t *weights, size first, size last,
        int16_t *blurred
    )
    ctypedef struct kmc_normal_sums:
        int64_t *meetings
        int64_t *blurred
        int64_t *points
        int64_t *counts
        int64_t *still
    void kmc_normal_rows(
        const kmc_dithered *, const int16_t *blurred, const uint8_t *indices, const int32_t *weights, int32_t k,
        size first, size last, uint32_t *table, const kmc_normal_sums *sums
    )


cdef extern from "compact/compact.h" nogil:
    enum: KMC_LONGEST_MATCH
    enum: KMC_CANDIDATES
    ctypedef struct kmc_compact:
        size height
        size width
        const int16_t *points
        const uint8_t *kind
        const float *weight
        const int16_t *entries
        const uint8_t *near
        const uint8_t *forbidden
        const float *literal
        const float *length
        const float *distance
        int32_t k
        int32_t bits
        int32_t differences
        int32_t n_near
        int32_t n_distances
        float blur[5]
        float scale
    size kmc_compact_scratch(const kmc_compact *, size rows)
    void kmc_compact_stripe(const kmc_compact *, size first, size last, uint8_t *scratch, uint8_t *indices)
