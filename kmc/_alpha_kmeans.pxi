# Part of _kernels.pyx: the boundary to alpha_kmeans.h.

def alpha_labels(
    const float[:, ::1] points, const float[:, ::1] centroids, int first, int k, int32_t[::1] labels, int num_threads,
):
    """OUT labels (n,): of the nearest of the columns `first` to k - 1 of centroids (4, stride), to points (n, 4)."""
    cdef Py_ssize_t n = points.shape[0], stride = centroids.shape[1], part, start
    assert points.shape[1] == centroids.shape[0] == 4 and labels.shape[0] == n
    assert 0 <= first < k and stride >= k + _c.KMC_ALPHA_BLOCK - 1
    for part in prange(n_ranges(n, PART), nogil=True, schedule="static", num_threads=num_threads):
        start = part * PART
        _c.kmc_alpha_labels(
            &points[start, 0], range_size(start, PART, n), &centroids[0, 0], stride, first, k, &labels[start]
        )
