"""What the C kernels of src_c declare; the contracts are in their headers."""

from libc.stdint cimport int32_t, uint8_t

ctypedef Py_ssize_t size


cdef extern from "kmc_threads.h" nogil:
    bint kmc_has_openmp()
    int kmc_max_threads()


cdef extern from "kmc_kernels.h" nogil:
    enum: KMC_TILE
    enum: KMC_ELKAN_BLOCK

    ctypedef struct kmc_centroids_f32:
        const double *exact
        const float *rounded
        size k
        float relative, absolute

    ctypedef struct kmc_centroids_f64:
        const double *exact
        const double *rounded
        size k
        double relative, absolute

    ctypedef struct kmc_elkan_f32:
        kmc_centroids_f32 centroids
        const float *transposed
        const float *half_distances
        const float *half_nearest
        const float *travelled
        size stride

    ctypedef struct kmc_elkan_f64:
        kmc_centroids_f64 centroids
        const double *transposed
        const double *half_distances
        const double *half_nearest
        const double *travelled
        size stride

    ctypedef struct kmc_kernels:
        const char *name
        void (*assign_u8)(
            const uint8_t *, size, size, const kmc_centroids_f32 *, float *, int32_t *
        ) noexcept nogil
        void (*assign_f32)(
            const float *, size, size, const kmc_centroids_f32 *, float *, int32_t *
        ) noexcept nogil
        void (*assign_f64)(
            const double *, size, size, const kmc_centroids_f64 *, double *, int32_t *
        ) noexcept nogil
        void (*distances_u8)(
            const uint8_t *, size, size, const float *, size, float *, float *, size
        ) noexcept nogil
        void (*distances_f32)(
            const float *, size, size, const float *, size, float *, float *, size
        ) noexcept nogil
        void (*distances_f64)(
            const double *, size, size, const double *, size, double *, double *, size
        ) noexcept nogil
        void (*elkan_u8)(
            const uint8_t *, size, size, const kmc_elkan_f32 *, int32_t *, float *, float *
        ) noexcept nogil
        void (*elkan_f32)(
            const float *, size, size, const kmc_elkan_f32 *, int32_t *, float *, float *
        ) noexcept nogil
        void (*elkan_f64)(
            const double *, size, size, const kmc_elkan_f64 *, int32_t *, double *, double *
        ) noexcept nogil

    const kmc_kernels *kmc_available(int index)
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
    double kmc_capped_sum_f32(const float *, const float *, const double *, size)
    double kmc_capped_sum_f64(const double *, const double *, const double *, size)
