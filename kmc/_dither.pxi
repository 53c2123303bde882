# Part of _kernels.pyx: the boundary to the kernels of dither.h.
#
# Rows are cut into stripes of a fixed height, whose results do not depend on each other or on which thread has them;
# elsewhere all is integers.

cdef enum:
    # About so many rows are a stripe of error diffusion. Each repeats 8 rows of the one above it, 6 % of its work.
    DIFFUSED_ROWS = 120
    # Of so many stripes, two or four threads get the same number each: pictures of more rows have a multiple of it.
    EVEN_STRIPES = 4
    # Rows of a stripe where none are repeated: a multiple of KMC_BAND, and more than a window reaches.
    STRIPE_ROWS = 32
    # Chunks of lists that a thread has room for: photographs take 2000 to 20000 at k=256.
    MOST_CHUNKS = 1 << 15
    # Pixels below which lists cost more than they save.
    SMALL_PICTURE = 1 << 12


cdef class Targets:
    """Palette entries (k, 4) in a working space, and for each thread lists of those near a cell."""

    cdef _c.kmc_targets *of_thread
    cdef int num_threads
    cdef object rooms
    cdef readonly int space
    cdef readonly int channels

    def __cinit__(self, const int16_t[:, ::1] entries, int space, int channels, Py_ssize_t n_pixels, int num_threads):
        cdef int has_alpha = channels == 4, is_small = n_pixels < SMALL_PICTURE, i
        cdef int32_t k = <int32_t>entries.shape[0]
        assert 0 < k <= _c.KMC_MOST_ENTRIES and entries.shape[1] == _c.KMC_POINT
        self.space, self.channels, self.num_threads = space, channels, num_threads
        self.of_thread = <_c.kmc_targets *> allocate(num_threads, sizeof(_c.kmc_targets))
        cdef Py_ssize_t n_cells = _c.kmc_targets_cells(space, has_alpha, k, is_small)
        cdef Py_ssize_t lists_size = (n_cells * sizeof(uint32_t) + 63) // 64 * 64
        cdef Py_ssize_t chunks_size = MOST_CHUNKS * sizeof(_c.kmc_chunk)
        cdef Py_ssize_t indices_size = MOST_CHUNKS * _c.KMC_CHUNK * sizeof(uint32_t)
        cdef Py_ssize_t size = lists_size + chunks_size + indices_size + MOST_CHUNKS
        self.rooms = Scratch(num_threads * size + 64)
        cdef uint8_t[::1] array = self.rooms.array
        # From a cache line's start: a chunk is one.
        cdef uint8_t *room = &array[0] + (-<size_t> &array[0] & 63)
        for i in range(num_threads):
            self.of_thread[i].list = <uint32_t *> &room[i * size]
            self.of_thread[i].chunks = <_c.kmc_chunk *> &room[i * size + lists_size]
            self.of_thread[i].indices = <uint32_t *> &room[i * size + lists_size + chunks_size]
            self.of_thread[i].lengths = &room[i * size + lists_size + chunks_size + indices_size]
            self.of_thread[i].most_chunks = MOST_CHUNKS
        for i in prange(num_threads, nogil=True, schedule="static", num_threads=num_threads):
            _c.kmc_targets_init(&self.of_thread[i], space, has_alpha, &entries[0, 0], k, is_small)

    def __dealloc__(self):
        free(self.of_thread)


def dither_points(
    const uint8_t[:, ::1] pixels, int space, const float[::1] linear, int gain, int16_t[:, ::1] points,
    int num_threads,
):
    """OUT points (n, 4): pixels (n, c) in the working space."""
    cdef const _c.kmc_dither_kernels *kernel_table = _c.kmc_dither_kernels_for(kernels)
    cdef Py_ssize_t n = pixels.shape[0], part, first, n_parts = n_ranges(n, PART_PIXELS)
    cdef int channels = <int>pixels.shape[1]
    cdef _c.kmc_cones cones
    assert points.shape[0] == n and points.shape[1] == _c.KMC_POINT and linear.shape[0] == 256
    _c.kmc_cones_init(&cones, &linear[0])
    for part in prange(n_parts, nogil=True, schedule="static", num_threads=num_threads):
        first = part * PART_PIXELS
        kernel_table.points(
            &pixels[first, 0], min(n - first, <Py_ssize_t>PART_PIXELS), channels, space, &cones, gain,
            &points[first, 0],
        )


def points_of_picture(
    const uint8_t[:, :, ::1] pixels, Targets targets, const float[::1] linear, int gain, int16_t[:, :, ::1] points,
    int num_threads,
):
    """OUT points (h, w, 4): pixels (h, w, c), with the gain 0 inside areas of one colour that is an entry."""
    assert pixels.shape[2] == targets.channels and num_threads <= targets.num_threads and linear.shape[0] == 256
    assert points.shape[0] == pixels.shape[0] and points.shape[1] == pixels.shape[1] and points.shape[2] == 4
    cdef const _c.kmc_dither_kernels *kernel_table = _c.kmc_dither_kernels_for(kernels)
    cdef _c.kmc_targets *of_thread = targets.of_thread
    cdef _c.kmc_cones cones
    cdef _c.kmc_dithered picture = dithered_pixels(pixels, targets.space, linear, &cones, gain)
    cdef Py_ssize_t n = n_ranges(picture.height, STRIPE_ROWS), stripe, first
    for stripe in prange(n, nogil=True, schedule="static", num_threads=num_threads):
        first = stripe * STRIPE_ROWS
        _c.kmc_points_rows(
            kernel_table, &of_thread[threadid()], &picture, first, min(first + STRIPE_ROWS, picture.height),
            &points[0, 0, 0],
        )


def mark_busy_points(
    const uint8_t[:, :, ::1] pixels, const uint8_t[::1] less_of, int16_t[:, :, ::1] points, int num_threads
):
    """IN OUT points (h, w, 4) of pixels (h, w, 4): those in busy places take less of their errors; see ``dither.h``."""
    cdef Py_ssize_t height = pixels.shape[0], width = pixels.shape[1], y
    assert pixels.shape[2] == points.shape[2] == 4 and less_of.shape[0] == _c.KMC_BUSY_LEVELS
    assert points.shape[0] == height and points.shape[1] == width
    for y in prange(height, nogil=True, schedule="static", num_threads=num_threads):
        _c.kmc_mark_busy(
            &pixels[max(y - 1, 0), 0, 0], &pixels[y, 0, 0], &pixels[min(y + 1, height - 1), 0, 0], width, &less_of[0],
            &points[y, 0, 0],
        )


cdef _c.kmc_dithered dithered_points(const int16_t[:, :, ::1] points, int gain) noexcept:
    cdef _c.kmc_dithered picture
    picture.pixels, picture.points, picture.cones = NULL, &points[0, 0, 0], NULL
    picture.height, picture.width = points.shape[0], points.shape[1]
    picture.channels, picture.space, picture.gain = 0, 0, gain
    return picture


cdef _c.kmc_dithered dithered_pixels(
    const uint8_t[:, :, ::1] pixels, int space, const float[::1] linear, _c.kmc_cones *cones, int gain
) noexcept:
    """A picture of pixels. OUT cones, which it points to."""
    cdef _c.kmc_dithered picture
    _c.kmc_cones_init(cones, &linear[0])
    picture.pixels, picture.points, picture.cones = &pixels[0, 0, 0], NULL, cones
    picture.height, picture.width = pixels.shape[0], pixels.shape[1]
    picture.channels, picture.space, picture.gain = <int32_t>pixels.shape[2], space, gain
    return picture


cdef Py_ssize_t n_stripes(Py_ssize_t height) noexcept nogil:
    """How many stripes of error diffusion a picture has, whatever the number of threads."""
    if height < EVEN_STRIPES * DIFFUSED_ROWS:
        return max(1, (height + DIFFUSED_ROWS // 2) // DIFFUSED_ROWS)
    return EVEN_STRIPES * ((height + EVEN_STRIPES * DIFFUSED_ROWS // 2) // (EVEN_STRIPES * DIFFUSED_ROWS))


cdef Py_ssize_t first_row(Py_ssize_t stripe, Py_ssize_t n, Py_ssize_t height) noexcept nogil:
    """Where the stripe begins: with the rows that it repeats it is whole bands, as many as the others or one less."""
    if stripe == 0 or stripe == n:
        return 0 if stripe == 0 else height
    cdef Py_ssize_t n_bands = n_ranges(height + _c.KMC_WARM_UP * (n - 1), _c.KMC_BAND)
    return stripe * n_bands // n * _c.KMC_BAND - _c.KMC_WARM_UP * (stripe - 1)


cdef void diffuse(_c.kmc_dithered *picture, Targets targets, uint8_t[:, ::1] indices, int num_threads):
    cdef const _c.kmc_dither_kernels *kernel_table = _c.kmc_dither_kernels_for(kernels)
    cdef _c.kmc_targets *of_thread = targets.of_thread
    cdef Py_ssize_t n = n_stripes(picture.height), stripe
    cdef Py_ssize_t scratch_size = _c.kmc_stripe_scratch(picture.width)
    scratch = Scratch(num_threads * scratch_size * sizeof(int16_t))
    cdef uint8_t[::1] room = scratch.array
    cdef int16_t *rooms = <int16_t *> &room[0]
    for stripe in prange(n, nogil=True, schedule="dynamic", chunksize=1, num_threads=num_threads):
        _c.kmc_diffuse_stripe(
            kernel_table, &of_thread[threadid()], picture, first_row(stripe, n, picture.height),
            first_row(stripe + 1, n, picture.height), rooms + threadid() * scratch_size, &indices[0, 0],
        )


def diffuse_pixels(
    const uint8_t[:, :, ::1] pixels, Targets targets, const float[::1] linear, int gain, uint8_t[:, ::1] indices,
    int num_threads,
):
    """Error diffusion of pixels (h, w, c): OUT indices (h, w)."""
    assert pixels.shape[2] == targets.channels and num_threads <= targets.num_threads and linear.shape[0] == 256
    assert indices.shape[0] == pixels.shape[0] and indices.shape[1] == pixels.shape[1]
    cdef _c.kmc_cones cones
    cdef _c.kmc_dithered picture = dithered_pixels(pixels, targets.space, linear, &cones, gain)
    diffuse(&picture, targets, indices, num_threads)


def diffuse_points(
    const int16_t[:, :, ::1] points, Targets targets, int gain, uint8_t[:, ::1] indices, int num_threads
):
    """Error diffusion of points (h, w, 4): OUT indices (h, w)."""
    assert num_threads <= targets.num_threads
    assert indices.shape[0] == points.shape[0] and indices.shape[1] == points.shape[1]
    cdef _c.kmc_dithered picture = dithered_points(points, gain)
    diffuse(&picture, targets, indices, num_threads)


def noise_pixels(
    const uint8_t[:, :, ::1] pixels, Targets targets, const float[::1] linear, const uint16_t[:, ::1] mask,
    const int16_t[::1] amplitude, uint8_t[:, ::1] indices, int num_threads,
):
    """Ordered dithering of pixels (h, w, c) by a mask (64, 64): OUT indices (h, w)."""
    assert pixels.shape[2] == targets.channels and num_threads <= targets.num_threads and linear.shape[0] == 256
    assert mask.shape[0] == 64 and mask.shape[1] == 64 and amplitude.shape[0] == 3
    assert indices.shape[0] == pixels.shape[0] and indices.shape[1] == pixels.shape[1]
    cdef const _c.kmc_dither_kernels *kernel_table = _c.kmc_dither_kernels_for(kernels)
    cdef _c.kmc_targets *of_thread = targets.of_thread
    cdef _c.kmc_cones cones
    cdef _c.kmc_dithered picture = dithered_pixels(pixels, targets.space, linear, &cones, _c.KMC_GAIN_ONE)
    cdef Py_ssize_t n = n_ranges(picture.height, STRIPE_ROWS), stripe, first
    cdef int16_t[:, ::1] rooms = np.empty((num_threads, picture.width * _c.KMC_POINT), np.int16)
    for stripe in prange(n, nogil=True, schedule="static", num_threads=num_threads):
        first = stripe * STRIPE_ROWS
        _c.kmc_noise_stripe(
            kernel_table, &of_thread[threadid()], &picture, &mask[0, 0], &amplitude[0], first,
            min(first + STRIPE_ROWS, picture.height), &rooms[threadid(), 0], &indices[0, 0],
        )


def polish_points(
    const int16_t[:, :, ::1] points, Targets targets, const int16_t[::1] weights, uint8_t[:, ::1] indices,
    int num_threads,
):
    """One round of choosing each pixel's entry anew, the others held: IN OUT indices (h, w). See ``dither.h``."""
    assert num_threads <= targets.num_threads
    assert indices.shape[0] == points.shape[0] and indices.shape[1] == points.shape[1] and weights.shape[0] == 5
    cdef const _c.kmc_dither_kernels *kernel_table = _c.kmc_dither_kernels_for(kernels)
    cdef _c.kmc_targets *of_thread = targets.of_thread
    cdef _c.kmc_dithered picture = dithered_points(points, _c.KMC_GAIN_ONE)
    cdef _c.kmc_window window
    cdef Py_ssize_t n = n_ranges(picture.height, STRIPE_ROWS), half, stripe, first, i
    for i in range(5):
        window.weight[i] = weights[i]
    cdef Py_ssize_t room_size = (
        _c.kmc_polish_slots(picture.width) * (_c.KMC_BAND + 2 * _c.KMC_POLISH_REACH) * _c.KMC_POINT
    )
    scratch = Scratch(num_threads * room_size * sizeof(int16_t))
    cdef uint8_t[::1] room = scratch.array
    cdef int16_t *rooms = <int16_t *> &room[0]
    # A stripe reads two rows of each neighbour: first every second one, then the others.
    for half in range(2):
        for stripe in prange((n + 1 - half) // 2, nogil=True, schedule="static", num_threads=num_threads):
            first = (2 * stripe + half) * STRIPE_ROWS
            _c.kmc_polish_stripe(
                kernel_table, &of_thread[threadid()], &window, &picture, first,
                min(first + STRIPE_ROWS, picture.height), rooms + threadid() * room_size, &indices[0, 0],
            )


def blur_points(
    const int16_t[:, :, ::1] points, const int32_t[::1] weights, int16_t[:, :, ::1] blurred, int num_threads
):
    """OUT blurred (h, w, 4): points blurred with weights (5) along rows and columns."""
    assert weights.shape[0] == 5 and blurred.shape[0] == points.shape[0] and blurred.shape[1] == points.shape[1]
    cdef const _c.kmc_dither_kernels *kernel_table = _c.kmc_dither_kernels_for(kernels)
    cdef _c.kmc_dithered picture = dithered_points(points, _c.KMC_GAIN_ONE)
    cdef Py_ssize_t n = n_ranges(picture.height, STRIPE_ROWS), stripe, first
    for stripe in prange(n, nogil=True, schedule="static", num_threads=num_threads):
        first = stripe * STRIPE_ROWS
        _c.kmc_blur_rows(
            kernel_table, &picture, &weights[0], first, min(first + STRIPE_ROWS, picture.height), &blurred[0, 0, 0]
        )


def normal_equations(
    const int16_t[:, :, ::1] points, const int16_t[:, :, ::1] blurred, const uint8_t[:, ::1] indices,
    const int32_t[::1] weights, int k, int num_threads,
):
    """``kmc_normal_sums``: meetings (k, k), blurred (k, 4), points (k, 4), counts (k), still (k), all int64."""
    assert indices.shape[0] == points.shape[0] and indices.shape[1] == points.shape[1] and weights.shape[0] == 5
    cdef _c.kmc_dithered picture = dithered_points(points, _c.KMC_GAIN_ONE)
    cdef Py_ssize_t part, n_sums = k * (k + 2 * _c.KMC_POINT + 2)
    cdef uint32_t[:, ::1] tables = np.empty((num_threads, k * k), np.uint32)
    cdef int64_t[:, ::1] rooms = np.zeros((num_threads, n_sums), np.int64)
    for part in prange(num_threads, nogil=True, schedule="static", num_threads=num_threads):
        normal_part(
            &picture, &blurred[0, 0, 0], &indices[0, 0], &weights[0], k, picture.height * part // num_threads,
            picture.height * (part + 1) // num_threads, &tables[part, 0], &rooms[part, 0],
        )
    total = np.asarray(rooms).sum(axis=0)
    meetings, both, counts, still = np.split(total, np.cumsum([k * k, 2 * k * _c.KMC_POINT, k]))
    both = both.reshape(2, k, _c.KMC_POINT)
    return meetings.reshape(k, k), both[0], both[1], counts, still


cdef void normal_part(
    const _c.kmc_dithered *picture, const int16_t *blurred, const uint8_t *indices, const int32_t *weights, int k,
    Py_ssize_t first, Py_ssize_t last, uint32_t *table, int64_t *room,
) noexcept nogil:
    cdef _c.kmc_normal_sums sums
    sums.meetings = room
    sums.blurred = sums.meetings + <Py_ssize_t>k * k
    sums.points = sums.blurred + k * _c.KMC_POINT
    sums.counts = sums.points + k * _c.KMC_POINT
    sums.still = sums.counts + k
    _c.kmc_normal_rows(picture, blurred, indices, weights, k, first, last, table, &sums)


def solve(double[:, ::1] matrix, double[:, ::1] right):
    """IN OUT right (k, 4): the solution of matrix (k, k) x = right. The matrix is used up."""
    assert matrix.shape[0] == matrix.shape[1] == right.shape[0] and right.shape[1] == _c.KMC_POINT
    cdef const _c.kmc_dither_kernels *kernel_table = _c.kmc_dither_kernels_for(kernels)
    with nogil:
        kernel_table.solve(&matrix[0, 0], &right[0, 0], <int32_t>matrix.shape[0])
