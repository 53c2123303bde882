# Part of _kernels.pyx: the boundary to flatness.h.

FLATNESS_BOXES = _c.KMC_FLATNESS_BOXES


def flatness(const uint8_t[:, :, ::1] pixels, const uint8_t[::1] weight_of, int num_threads):
    """Sums of weights and numbers of pixels (2, FLATNESS_BOXES) int64 in boxes of colours, of pixels (h, w, c).

    weight_of (4 * 255 * c + 1,): the weight for each contrast.
    """
    cdef Py_ssize_t height = pixels.shape[0], width = pixels.shape[1], channels = pixels.shape[2], y, part
    cdef Py_ssize_t n_parts = min(n_parts_of(height * width, num_threads), height)
    assert channels in (1, 3, 4) and weight_of.shape[0] == 4 * 255 * channels + 1 and height > 0 and width > 0
    sum_array = np.zeros((n_parts, 2, _c.KMC_FLATNESS_BOXES), np.int64)
    cdef int64_t[:, :, ::1] sums = sum_array
    for part in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        for y in range(height * part // n_parts, height * (part + 1) // n_parts):
            _c.kmc_flatness(
                &pixels[max(y - 1, 0), 0, 0], &pixels[y, 0, 0], &pixels[min(y + 1, height - 1), 0, 0], width, channels,
                &weight_of[0], &sums[part, 0, 0], &sums[part, 1, 0],
            )
    return sum_array.sum(axis=0)
