# Part of _kernels.pyx: the boundary to histogram.h.
#
# Pixels and colours are cut into parts, one to a thread. All is integers: the parts cannot change a result.

import numpy as np

from kmc._scratch import Scratch

cdef enum:
    # 64 Ki pixels are counted in 0.15 ms, about what it costs to wake a thread.
    PART_PIXELS = 1 << 16
    # Occupied blocks are unevenly spread over the colour space: many ranges share them out.
    BLOCK_RANGES = 64
    # Pixels of a sample that lie side by side. Neighbours are alike: of 131072 sampled pixels in runs of 64, 16, 8
    # and 4 the MSE of k=256 is 1.054, 1.037, 1.032 and 1.025 times that of all pixels (mean of five photographs).
    RUN_PIXELS = 4
    # Runs that are counted together.
    BATCH_RUNS = 256

SAMPLE_RUN = RUN_PIXELS
SMALL_PICTURE_PIXELS = _c.KMC_SMALL_PICTURE

ctypedef fused label_t:
    uint8_t
    uint16_t


cdef Py_ssize_t n_parts_of(Py_ssize_t n, int num_threads) noexcept nogil:
    return max(1, min(<Py_ssize_t>num_threads, n // PART_PIXELS))


cdef uint8_t *cache_lines(object scratch) except NULL:
    """The first byte of a Scratch that begins a cache line; it is 64 bytes longer than is needed."""
    cdef uint8_t[::1] room = scratch.array
    return &room[0] + (-<size_t> &room[0] & 63)


cdef Py_ssize_t in_cache_lines(Py_ssize_t n_bytes) noexcept:
    return (n_bytes + 63) // 64 * 64


cdef class ColorIndex:
    """Which colours of which boxes a histogram of RGB or RGBA pixels has, and what rank each has among opaque ones.

    Of a small picture: the row of each pixel's colour (`ranks`).
    """

    cdef object memory, ranks
    cdef uint64_t *bits
    cdef uint64_t *boxes
    cdef uint32_t *before
    cdef readonly Py_ssize_t n_transparent, n_translucent

    cdef void take_memory(self):
        cdef Py_ssize_t n_bits = _c.KMC_N_BOXES * sizeof(uint64_t), n_before = _c.KMC_N_BOXES * sizeof(uint32_t)
        self.memory = Scratch(n_bits + n_before + _c.KMC_N_BLOCKS * sizeof(uint64_t) + 64)
        cdef uint8_t *room = cache_lines(self.memory)
        self.bits = <uint64_t *> room
        self.before = <uint32_t *> (room + n_bits)
        self.boxes = <uint64_t *> (room + n_bits + n_before)


cdef class Counters:
    """One kmc_counter for each part of a picture, and the memory behind them, of which little is touched."""

    cdef object memory
    cdef _c.kmc_counter *of_part
    cdef Py_ssize_t n

    def __cinit__(self, Py_ssize_t n_pixels, Py_ssize_t n_parts):
        cdef Py_ssize_t i, part_pixels = n_pixels // n_parts + 1
        cdef Py_ssize_t n_wraps = in_cache_lines((part_pixels // 255 + 1) * sizeof(uint32_t)), n_first, n_second, size
        cdef bint is_marked = n_pixels <= _c.KMC_MARKED_PIXELS
        cdef uint8_t *room
        if is_marked:
            n_first = _c.KMC_N_BOXES * sizeof(uint64_t)
            n_second = in_cache_lines((part_pixels + 1) * sizeof(uint32_t))
        else:
            n_first = min(_c.KMC_N_BLOCKS, part_pixels) * _c.KMC_BLOCK_COLORS
            n_second = _c.KMC_N_BLOCKS * sizeof(uint32_t)
        size = n_first + n_second + n_wraps + (in_cache_lines(n_pixels) if is_marked else 0)
        self.n = n_parts
        self.memory = Scratch(n_parts * size + 64)
        self.of_part = <_c.kmc_counter *> allocate(n_parts, sizeof(_c.kmc_counter))
        for i in range(n_parts):
            room = cache_lines(self.memory) + i * size
            self.of_part[i].is_marked = is_marked
            self.of_part[i].bits, self.of_part[i].table = <uint64_t *> room, room
            self.of_part[i].again = self.of_part[i].block_start = <uint32_t *> (room + n_first)
            self.of_part[i].wraps = <uint32_t *> (room + n_first + n_second)
            self.of_part[i].more = room + n_first + n_second + n_wraps

    def __dealloc__(self):
        free(self.of_part)


def count_grey(const uint8_t[::1] pixels, int64_t[::1] counts):
    """How often each level occurs: IN pixels (n,); OUT counts (256,)."""
    assert counts.shape[0] == 256
    counts[:] = 0
    with nogil:
        _c.kmc_count_grey(&pixels[0], pixels.shape[0], &counts[0])


def count_colors(const uint8_t[:, ::1] pixels, int num_threads):
    """Distinct colours (u, c) in the order of their keys, counts (u,) int64, and their ColorIndex.

    IN pixels (n, c), c 3 or 4. RGBA: first the transparent colour, if any, then translucent ones, then opaque ones.
    """
    assert pixels.shape[0] > 0 and pixels.shape[1] in (3, 4)
    if pixels.shape[0] <= _c.KMC_SMALL_PICTURE:
        return count_small(pixels)
    return count_rgb(pixels, num_threads) if pixels.shape[1] == 3 else count_rgba(pixels, num_threads)


cdef tuple count_small(const uint8_t[:, ::1] pixels):
    """Sorting is cheaper than clearing and reading a table."""
    cdef Py_ssize_t n = pixels.shape[0], channels = pixels.shape[1], u
    color_array, count_array = np.empty((n, channels), np.uint8), np.empty(n, np.int64)
    cdef uint64_t[:, ::1] sorted_and_scratch = np.empty((2, n), np.uint64)
    cdef uint8_t[:, ::1] colors = color_array
    cdef int64_t[::1] counts = count_array
    cdef ColorIndex index = ColorIndex()
    cdef uint32_t[::1] ranks = np.empty(n, np.uint32)
    with nogil:
        u = _c.kmc_rank_pixels(
            _c.kmc_pixel_kernels_for(kernels), &pixels[0, 0], n, channels, &sorted_and_scratch[0, 0],
            &sorted_and_scratch[1, 0], &colors[0, 0], &counts[0], &ranks[0],
        )
    index.ranks = ranks
    return color_array[:u].copy(), count_array[:u].copy(), index


cdef tuple count_rgb(const uint8_t[:, ::1] pixels, int num_threads):
    cdef Py_ssize_t n = pixels.shape[0], i, start
    cdef Counters counters = Counters(n, n_parts_of(n, num_threads))
    cdef Py_ssize_t n_parts = counters.n
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        _c.kmc_counter_clear(&counters.of_part[i])
        _c.kmc_count_rgb(
            pixel_kernels, &pixels[start, 0], n * (i + 1) // n_parts - start, &counters.of_part[i]
        )
    return emit_opaque(counters, 3, 0)


def sum_counts(const uint8_t[:, ::1] colors, const int64_t[::1] counts, ColorIndex index, Py_ssize_t u):
    """Sums (u,) int64 of counts (n,) over equal colors (n, 3), whose index this is."""
    cdef int64_t[::1] sums = np.zeros(u, np.int64)
    cdef const uint32_t[::1] ranks
    cdef Py_ssize_t n = colors.shape[0], i
    assert counts.shape[0] == n > 0 and colors.shape[1] == 3
    if index.ranks is not None:
        ranks = index.ranks
        for i in range(n):
            sums[ranks[i]] += counts[i]
    else:
        with nogil:
            _c.kmc_sum_counts(
                _c.kmc_pixel_kernels_for(kernels), &colors[0, 0], n, index.bits, index.before, &counts[0], &sums[0]
            )
    return np.asarray(sums)


def count_sample(const uint8_t[:, ::1] pixels, Py_ssize_t n_runs, int joined_bits):
    """Colours (u, 3) in the order of their keys and counts (u,) int64 of a part of pixels (n, 3).

    That is a run of RUN_PIXELS somewhere in each of n_runs equal stretches. Colours in a box of 2^joined_bits levels a
    side become one, their rounded mean.
    """
    cdef Py_ssize_t n = pixels.shape[0], n_sampled = n_runs * RUN_PIXELS, u
    assert pixels.shape[1] == 3 and 0 < n_runs <= n // RUN_PIXELS and 0 <= joined_bits <= _c.KMC_MOST_JOINED_BITS
    cdef Py_ssize_t n_words = min(_c.KMC_N_BLOCKS, n_sampled) * (_c.KMC_BLOCK_COLORS >> 3 * joined_bits)
    cdef Py_ssize_t starts_size = _c.KMC_N_BLOCKS * sizeof(uint32_t)
    cdef Py_ssize_t full_size = in_cache_lines(2 * (n_sampled // 85 + 1) * sizeof(uint64_t))
    scratch = Scratch(starts_size + full_size + n_words * sizeof(uint32_t) + 64)
    cdef uint8_t *room = cache_lines(scratch)
    cdef _c.kmc_sampler sampler
    sampler.bits = joined_bits
    sampler.block_start = <uint32_t *> room
    sampler.full = <uint64_t *> (room + starts_size)
    sampler.words = <uint32_t *> (room + starts_size + full_size)
    color_array, count_array = np.empty((n_sampled, 3), np.uint8), np.empty(n_sampled, np.int64)
    cdef uint8_t[:, ::1] colors = color_array
    cdef int64_t[::1] counts = count_array
    with nogil:
        _c.kmc_sampler_clear(&sampler)
        sample_runs(pixels, n_runs, &sampler)
        u = _c.kmc_emit_sample(&sampler, &colors[0, 0], &counts[0])
    return color_array[:u], count_array[:u]


cdef void sample_runs(const uint8_t[:, ::1] pixels, Py_ssize_t n_runs, _c.kmc_sampler *sampler) noexcept nogil:
    """Where in its stretch a run lies is scattered, so that no pattern of the picture falls in with it."""
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef uint8_t batch[3 * RUN_PIXELS * BATCH_RUNS]
    cdef Py_ssize_t n = pixels.shape[0], run, start, room, filled = 0
    for run in range(n_runs):
        start = n * run // n_runs
        room = n * (run + 1) // n_runs - start - RUN_PIXELS
        start = start + <Py_ssize_t>((<uint64_t>room + 1) * (<uint32_t>run * <uint32_t>0x9e3779b1) >> 32)
        memcpy(batch + 3 * RUN_PIXELS * filled, &pixels[start, 0], 3 * RUN_PIXELS)
        filled = filled + 1
        if filled == BATCH_RUNS or run == n_runs - 1:
            _c.kmc_sample_rgb(pixel_kernels, batch, filled * RUN_PIXELS, sampler)
            filled = 0


cdef tuple count_rgba(const uint8_t[:, ::1] pixels, int num_threads):
    cdef Py_ssize_t n = pixels.shape[0], i, start, n_translucent = 0, first
    cdef Counters counters = Counters(n, n_parts_of(n, num_threads))
    cdef Py_ssize_t n_parts = counters.n
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    # Each part writes its keys from where its pixels start; rows that no key reaches cost no memory.
    cdef uint32_t[::1] keys = np.empty(n + n_parts, np.uint32), key_counts
    cdef Py_ssize_t[::1] list_starts = np.empty(n_parts, np.intp), lengths = np.empty(n_parts, np.intp)
    cdef int64_t[::1] transparent = np.zeros(n_parts, np.int64)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        _c.kmc_counter_clear(&counters.of_part[i])
        list_starts[i] = start + i
        lengths[i] = _c.kmc_count_rgba(
            pixel_kernels, &pixels[start, 0], n * (i + 1) // n_parts - start, &counters.of_part[i],
            &keys[start + i], &transparent[i],
        )
    key_counts = np.empty(np.max(np.add(list_starts, lengths)) + 1, np.uint32)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        if lengths[i]:
            lengths[i] = _c.kmc_sort_keys(&keys[list_starts[i]], lengths[i], &key_counts[list_starts[i]])
    cdef Py_ssize_t[::1] positions = np.empty(n_parts, np.intp)
    n_translucent = _c.kmc_merge_keys(
        &keys[0], &key_counts[0], &list_starts[0], &lengths[0], n_parts, &positions[0], NULL, NULL
    )
    first = 1 if np.any(transparent) else 0
    cdef ColorIndex index
    colors, counts, index = emit_opaque(counters, 4, first + n_translucent)
    cdef uint8_t[:, ::1] color_rows = colors
    cdef int64_t[::1] count_rows = counts
    if first:
        color_rows[0, :] = 0
        count_rows[0] = np.sum(transparent)
    if n_translucent:
        _c.kmc_merge_keys(
            &keys[0], &key_counts[0], &list_starts[0], &lengths[0], n_parts, &positions[0],
            &color_rows[first, 0], &count_rows[first],
        )
    index.n_transparent, index.n_translucent = first, n_translucent
    return colors, counts, index


cdef tuple emit_opaque(Counters counters, Py_ssize_t channels, Py_ssize_t n_skipped):
    """Colours, counts and index from the counters, behind `n_skipped` rows that are left for the caller."""
    cdef Py_ssize_t n_parts = counters.n, blocks = _c.KMC_N_BLOCKS // BLOCK_RANGES, i, u
    cdef int num_threads = <int>n_parts
    cdef _c.kmc_counter *of_part = counters.of_part
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef ColorIndex index = ColorIndex()
    index.take_memory()
    cdef int32_t[::1] n_colors = np.empty(_c.KMC_N_BLOCKS, np.int32)
    for i in prange(BLOCK_RANGES, nogil=True, schedule="dynamic", num_threads=num_threads):
        _c.kmc_join_bits(
            pixel_kernels, of_part, n_parts, i * blocks, (i + 1) * blocks, index.bits, index.boxes, index.before,
            &n_colors[0],
        )
    u = _c.kmc_number_boxes(&n_colors[0], index.before)
    color_array = np.empty((n_skipped + u, channels), np.uint8)
    count_array = np.empty(n_skipped + u, np.int64)
    if u == 0:
        return color_array, count_array, index
    cdef uint8_t[:, ::1] colors = color_array[n_skipped:]
    cdef int64_t[::1] counts = count_array[n_skipped:]
    if of_part[0].is_marked:
        for i in prange(n_parts, nogil=True, schedule="static", num_threads=num_threads):
            _c.kmc_count_again(pixel_kernels, &of_part[i], index.bits, index.before, u)
    for i in prange(BLOCK_RANGES, nogil=True, schedule="dynamic", num_threads=num_threads):
        _c.kmc_emit_colors(
            of_part, n_parts, index.bits, index.boxes, index.before, i * blocks, (i + 1) * blocks, channels,
            &colors[0, 0], &counts[0],
        )
    for i in range(n_parts):
        _c.kmc_add_wraps(&of_part[i], index.bits, index.before, &counts[0])
    return color_array, count_array, index
