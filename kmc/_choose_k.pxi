# Part of _kernels.pyx: the boundary to color_boxes.h, to silhouette.h and to the kernels for structural similarity.

SSIM_RADIUS = _c.KMC_SSIM_RADIUS


def join_boxes(
    const uint8_t[:, ::1] colors, const int64_t[::1] counts, int bits, uint8_t[:, ::1] box_colors,
    int64_t[::1] box_counts,
):
    """Join the colours (u, c), in the order of their keys, that differ in the lowest `bits` only.

    OUT box_colors (u, c), box_counts (u,), of which the first m are used. Returns m and the scatter within boxes.
    """
    cdef Py_ssize_t u = colors.shape[0], channels = colors.shape[1], m
    cdef double scatter
    assert channels in (1, 3) and 0 <= bits <= 8 and u == counts.shape[0] == box_colors.shape[0] == box_counts.shape[0]
    assert u > 0 and box_colors.shape[1] == channels
    with nogil:
        m = _c.kmc_join_boxes(
            &colors[0, 0], &counts[0], u, channels, bits, &box_colors[0, 0], &box_counts[0], &scatter
        )
    return m, scatter


def silhouettes(
    const real_t[:, :, ::1] tiles, const int32_t[::1] labels, const real_t[:, ::1] targets,
    const real_t[::1] target_weights, const int64_t[::1] starts, const double[::1] weights, const double[::1] others,
    double[::1] values, int num_threads,
):
    """Silhouettes of the points of `tiles`, with `labels` (n,): OUT values (n,).

    Cluster j is targets[starts[j]:starts[j + 1]]; weights (k,) and others (k,) as in ``silhouette.h``.
    """
    cdef Py_ssize_t n = labels.shape[0], k = weights.shape[0], d = targets.shape[1], i
    assert tiles.shape[0] == n_ranges(n, TILE) and tiles.shape[1] == d + 1 and tiles.shape[2] == TILE
    assert values.shape[0] == n and k > 1 and starts.shape[0] == k + 1 and others.shape[0] == k
    assert np.min(np.diff(starts)) >= 0 and starts[0] == 0 and starts[k] == targets.shape[0] == target_weights.shape[0]
    assert n > 0 and targets.shape[0] > 0 and 0 <= np.min(labels) and np.max(labels) < k
    cdef double *sums = <double *> allocate(num_threads * k * TILE, sizeof(double))
    try:
        for i in prange(n_ranges(n, TILE), nogil=True, schedule="static", num_threads=num_threads):
            silhouettes_of_tile(
                &tiles[i, 0, 0], &labels[i * TILE], range_size(i * TILE, TILE, n), targets, &target_weights[0], starts,
                weights, others, sums + threadid() * k * TILE, &values[i * TILE],
            )
    finally:
        free(sums)


cdef inline void silhouettes_of_tile(
    const real_t *tile, const int32_t *labels, Py_ssize_t n, const real_t[:, ::1] targets, const real_t *target_weights,
    const int64_t[::1] starts, const double[::1] weights, const double[::1] others, double *sums, double *values,
) noexcept nogil:
    cdef Py_ssize_t k = weights.shape[0], d = targets.shape[1], j, first, m
    cdef const real_t *base = &targets[0, 0]
    for j in range(k):
        first, m = starts[j], starts[j + 1] - starts[j]
        if real_t is float:
            kernels.distance_sums_f32(tile, d, base + first * d, target_weights + first, m, sums + j * TILE)
        else:
            kernels.distance_sums_f64(tile, d, base + first * d, target_weights + first, m, sums + j * TILE)
    _c.kmc_silhouettes(sums, k, &weights[0], &others[0], labels, n, values)


def ssim(
    const double[:, :, ::1] x, const double[:, :, ::1] y, int channels, double[:, :, ::1] sums, int num_threads
):
    """Structural similarity of tiles x and y (m, h, w * channels): OUT sums (m, 2, (w - 10) * channels).

    Over the rows where the window lies in the tile: of the similarity, and of its part for contrast and structure.
    """
    cdef Py_ssize_t m = x.shape[0], height = x.shape[1], stride = x.shape[2], width = stride // channels, i
    cdef Py_ssize_t margin = 2 * _c.KMC_SSIM_RADIUS, room = (5 * height + 1) * (stride + _c.KMC_SSIM_PADDING)
    assert y.shape[0] == m and y.shape[1] == height and y.shape[2] == stride == width * channels
    assert height > margin and width > margin
    assert sums.shape[0] == m and sums.shape[1] == 2 and sums.shape[2] == (width - margin) * channels
    scratch = Scratch((num_threads * room + 1) * sizeof(double))
    cdef uint8_t[::1] memory = scratch.array
    cdef double *rows = <double *> (&memory[0] + (-<size_t>&memory[0] & (sizeof(double) - 1)))
    for i in prange(m, nogil=True, schedule="static", num_threads=num_threads):
        kernels.ssim(
            &x[i, 0, 0], &y[i, 0, 0], height, width, channels, rows + threadid() * room, &sums[i, 0, 0], &sums[i, 1, 0]
        )
