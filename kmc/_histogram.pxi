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

ctypedef fused label_t:
    uint8_t
    uint16_t


cdef Py_ssize_t n_parts_of(Py_ssize_t n, int num_threads) noexcept nogil:
    return max(1, min(<Py_ssize_t>num_threads, n // PART_PIXELS))


cdef class ColorIndex:
    """Where the colours of a histogram stand in its table, which the map writes labels into.

    Of a small picture: the row of each pixel's colour (`ranks`).
    """

    cdef object block_start, table, offsets, ranks
    cdef Py_ssize_t n_blocks
    cdef readonly Py_ssize_t n_transparent, n_translucent

    @property
    def is_small(self):
        """Whether it holds ranks and no table."""
        return self.ranks is not None


cdef class Counters:
    """One kmc_counter for each part of a picture, and the memory behind them."""

    cdef object block_starts, tables, wraps
    cdef _c.kmc_counter *of_part
    cdef uint32_t *scratch
    cdef Py_ssize_t n, n_scratch

    def __cinit__(self, Py_ssize_t n_pixels, Py_ssize_t n_parts):
        cdef Py_ssize_t i, part_pixels = n_pixels // n_parts + 1
        cdef uint8_t[::1] table
        cdef uint32_t[:, ::1] starts, wraps
        self.n = n_parts
        self.block_starts = starts = np.empty((n_parts, _c.KMC_N_BLOCKS), np.uint32)
        self.n_scratch = part_pixels // _c.KMC_WRAP + 1
        self.wraps = wraps = np.empty((2 * n_parts, self.n_scratch), np.uint32)
        self.scratch = &wraps[n_parts, 0]
        self.tables = [
            Scratch(min(_c.KMC_N_BLOCKS, part_pixels if part else n_pixels) * _c.KMC_BLOCK_COLORS)
            for part in range(n_parts)
        ]
        self.of_part = <_c.kmc_counter *> allocate(n_parts, sizeof(_c.kmc_counter))
        for i in range(n_parts):
            table = self.tables[i].array
            self.of_part[i].table = &table[0]
            self.of_part[i].block_start = &starts[i, 0]
            self.of_part[i].wraps = &wraps[i, 0]
            _c.kmc_counter_clear(&self.of_part[i])

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
        _c.kmc_count_rgb(
            pixel_kernels, &pixels[start, 0], n * (i + 1) // n_parts - start, &counters.of_part[i]
        )
        _c.kmc_counter_finish(&counters.of_part[i], counters.scratch + i * counters.n_scratch)
    colors, counts, offsets = emit_opaque(counters, 3, 0)
    return colors, counts, index_of(counters, offsets, 0, 0)


def count_sample(const uint8_t[:, ::1] pixels, Py_ssize_t n_runs, int num_threads):
    """As count_colors, of a part of pixels (n, 3): a run of RUN_PIXELS somewhere in each of n_runs equal stretches."""
    cdef Py_ssize_t n = pixels.shape[0], n_parts = n_parts_of(n_runs * RUN_PIXELS, num_threads), i
    cdef Counters counters = Counters(n_runs * RUN_PIXELS, n_parts)
    assert pixels.shape[1] == 3 and 0 < n_runs <= n // RUN_PIXELS
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        count_runs(pixels, n_runs, n_runs * i // n_parts, n_runs * (i + 1) // n_parts, &counters.of_part[i])
        _c.kmc_counter_finish(&counters.of_part[i], counters.scratch + i * counters.n_scratch)
    colors, counts, offsets = emit_opaque(counters, 3, 0)
    return colors, counts, index_of(counters, offsets, 0, 0)


cdef void count_runs(
    const uint8_t[:, ::1] pixels, Py_ssize_t n_runs, Py_ssize_t first, Py_ssize_t last, _c.kmc_counter *counter
) noexcept nogil:
    """Where in its stretch a run lies is scattered, so that no pattern of the picture falls in with it."""
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef uint8_t batch[3 * RUN_PIXELS * BATCH_RUNS]
    cdef Py_ssize_t n = pixels.shape[0], run, start, room, filled = 0
    for run in range(first, last):
        start = n * run // n_runs
        room = n * (run + 1) // n_runs - start - RUN_PIXELS
        start = start + <Py_ssize_t>((<uint64_t>room + 1) * (<uint32_t>run * <uint32_t>0x9e3779b1) >> 32)
        memcpy(batch + 3 * RUN_PIXELS * filled, &pixels[start, 0], 3 * RUN_PIXELS)
        filled = filled + 1
        if filled == BATCH_RUNS or run == last - 1:
            _c.kmc_count_rgb(pixel_kernels, batch, filled * RUN_PIXELS, counter)
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
        list_starts[i] = start + i
        lengths[i] = _c.kmc_count_rgba(
            pixel_kernels, &pixels[start, 0], n * (i + 1) // n_parts - start, &counters.of_part[i],
            &keys[start + i], &transparent[i],
        )
        _c.kmc_counter_finish(&counters.of_part[i], counters.scratch + i * counters.n_scratch)
    key_counts = np.empty(np.max(np.add(list_starts, lengths)) + 1, np.uint32)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        if lengths[i]:
            lengths[i] = _c.kmc_sort_keys(&keys[list_starts[i]], lengths[i], &key_counts[list_starts[i]])
    cdef Py_ssize_t[::1] positions = np.empty(n_parts, np.intp)
    n_translucent = _c.kmc_merge_keys(
        &keys[0], &key_counts[0], &list_starts[0], &lengths[0], n_parts, &positions[0], NULL, NULL
    )
    first = 1 if np.any(transparent) else 0
    colors, counts, offsets = emit_opaque(counters, 4, first + n_translucent)
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
    return colors, counts, index_of(counters, offsets, first, n_translucent)


cdef tuple emit_opaque(Counters counters, Py_ssize_t channels, Py_ssize_t n_before):
    """Colours, counts and the cells' offsets from the counters, behind `n_before` rows that are left for the caller."""
    cdef Py_ssize_t n_parts = counters.n, blocks = _c.KMC_N_BLOCKS // BLOCK_RANGES, i
    cdef int num_threads = <int>n_parts
    cdef _c.kmc_counter *of_part = counters.of_part
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef int32_t[::1] n_colors = np.empty(_c.KMC_N_CELLS, np.int32)
    _c.kmc_join_blocks(of_part, n_parts)
    for i in prange(BLOCK_RANGES, nogil=True, schedule="dynamic", num_threads=num_threads):
        _c.kmc_count_distinct(pixel_kernels, of_part, n_parts, i * blocks, (i + 1) * blocks, &n_colors[0])
    cdef int64_t[::1] offsets = np.empty(_c.KMC_N_CELLS + 1, np.int64)
    offsets[0] = 0
    for i in range(_c.KMC_N_CELLS):
        offsets[i + 1] = offsets[i] + n_colors[i]
    cdef Py_ssize_t n_distinct = n_before + offsets[_c.KMC_N_CELLS]
    color_array = np.empty((n_distinct, channels), np.uint8)
    count_array = np.empty(n_distinct, np.int64)
    if n_distinct == n_before:
        return color_array, count_array, offsets
    cdef uint8_t[:, ::1] colors = color_array[n_before:]
    cdef int64_t[::1] counts = count_array[n_before:]
    for i in prange(BLOCK_RANGES, nogil=True, schedule="dynamic", num_threads=num_threads):
        _c.kmc_emit_colors(
            pixel_kernels, of_part, n_parts, i * blocks, (i + 1) * blocks, &offsets[0], channels, &colors[0, 0],
            &counts[0],
        )
    return color_array, count_array, offsets


cdef ColorIndex index_of(Counters counters, object offsets, Py_ssize_t n_transparent, Py_ssize_t n_translucent):
    cdef ColorIndex index = ColorIndex()
    index.block_start, index.table = counters.block_starts[0], counters.tables[0]
    index.n_blocks, index.offsets = counters.of_part[0].n_blocks, offsets
    index.n_transparent, index.n_translucent = n_transparent, n_translucent
    return index
