# Part of _kernels.pyx: the boundary to oklab.h.


def oklab(const uint8_t[:, ::1] colors, const float[::1] linear, float[:, ::1] points, int num_threads):
    """OUT points (n, c) of colors (n, c), c 3 or 4; linear (256,): the linear light of each level."""
    cdef Py_ssize_t n = colors.shape[0], channels = colors.shape[1], i, start
    assert channels in (3, 4) and points.shape[0] == n and points.shape[1] == channels and linear.shape[0] == 256
    for i in prange(n_ranges(n, PART), nogil=True, schedule="static", num_threads=num_threads):
        start = i * PART
        _c.kmc_oklab(&colors[start, 0], range_size(start, PART, n), channels, &linear[0], &points[start, 0])


def oklab_grid(const float[:, ::1] points, uint8_t[:, ::1] grid, int num_threads):
    """OUT grid (n, 3): points (n, 3), 255 times those of `oklab`, rounded to 8 bits."""
    cdef Py_ssize_t n = points.shape[0], i, start
    assert points.shape[1] == grid.shape[1] == 3 and grid.shape[0] == n
    for i in prange(n_ranges(n, PART), nogil=True, schedule="static", num_threads=num_threads):
        start = i * PART
        _c.kmc_oklab_grid(&points[start, 0], range_size(start, PART, n), &grid[start, 0])
