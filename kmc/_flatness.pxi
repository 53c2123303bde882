# Part of _kernels.pyx: the boundary to flatness.h.

def flatness(const uint8_t[:, :, ::1] pixels, const uint8_t[::1] weight_of, uint8_t[:, ::1] weights, int num_threads):
    """OUT weights (h, w) of pixels (h, w, c); weight_of (4 * 255 * c + 1,): the weight for each contrast."""
    cdef Py_ssize_t height = pixels.shape[0], width = pixels.shape[1], channels = pixels.shape[2], y
    assert 0 < channels <= 4 and weight_of.shape[0] == 4 * 255 * channels + 1
    assert weights.shape[0] == height > 0 and weights.shape[1] == width > 0
    for y in prange(height, nogil=True, schedule="static", num_threads=num_threads):
        _c.kmc_flatness(
            &pixels[max(y - 1, 0), 0, 0], &pixels[y, 0, 0], &pixels[min(y + 1, height - 1), 0, 0], width, channels,
            &weight_of[0], &weights[y, 0],
        )


def add_weights(
    const uint16_t[::1] low, const uint16_t[::1] high, const uint8_t[::1] weights, Py_ssize_t n_colors, int num_threads,
):
    """Sums (n_colors,) int64 of the weights (n,) of each colour; that of a pixel is low (n,) + 65536 * high (or None).

    Below n_colors, which the caller answers for.
    """
    cdef Py_ssize_t n = weights.shape[0], n_parts = n_parts_of(n, num_threads), part, start
    sum_array = np.zeros((n_parts, n_colors), np.int64)
    cdef int64_t[:, ::1] sums = sum_array
    cdef const uint16_t *high_start = NULL
    assert low.shape[0] == n > 0 and n_colors > 0
    if high is not None:
        assert high.shape[0] == n
        high_start = &high[0]
    for part in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * part // n_parts
        _c.kmc_add_weights(
            &low[start], high_start + start if high_start != NULL else NULL, &weights[start],
            n * (part + 1) // n_parts - start, &sums[part, 0],
        )
    return sum_array.sum(axis=0)
