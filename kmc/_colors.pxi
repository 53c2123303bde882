# Part of _kernels.pyx: the boundary to the C kernels for pictures, histogram and map.
#
# Pixels and colours are cut into parts, one to a thread. All is integers: the parts cannot change a result.

import numpy as np

from kmc._scratch import Scratch

cdef enum:
    # 64 Ki pixels are counted in 0.15 ms, about what it costs to wake a thread.
    PART_PIXELS = 1 << 16
    # Occupied blocks are unevenly spread over the colour space: many ranges share them out.
    BLOCK_RANGES = 64

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


def map_grey(const uint8_t[::1] pixels, const label_t[::1] labels, label_t[::1] indices):
    """OUT indices (n,): the label, of labels (256,), of each pixel."""
    assert labels.shape[0] == 256 and indices.shape[0] == pixels.shape[0]
    with nogil:
        if label_t is uint8_t:
            _c.kmc_map_grey_u8(&pixels[0], pixels.shape[0], &labels[0], &indices[0])
        else:
            _c.kmc_map_grey_u16(&pixels[0], pixels.shape[0], &labels[0], &indices[0])


def map_colors(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] colors, const label_t[::1] labels, ColorIndex index,
    label_t[::1] indices, int num_threads,
):
    """OUT indices (n,): the label of each pixel's colour; the histogram of `index` has these colours.

    The labels are written over the histogram's counters where they fit, so count again before the next map.
    """
    cdef Py_ssize_t n = pixels.shape[0], channels = pixels.shape[1], i, start
    cdef Py_ssize_t n_before = index.n_transparent + index.n_translucent, u = colors.shape[0] - n_before
    cdef Py_ssize_t n_parts = n_parts_of(n, num_threads)
    cdef const uint32_t[::1] ranks
    assert colors.shape[1] == channels and labels.shape[0] == colors.shape[0] and indices.shape[0] == n
    if index.ranks is not None:
        ranks = index.ranks
        map_ranks(&ranks[0], n, &labels[0], &indices[0])
        return
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef uint32_t[::1] block_start = index.block_start
    cdef label_t[::1] table
    if label_t is uint8_t:
        table = index.table.array
    else:
        table = np.empty(max(1, index.n_blocks) * _c.KMC_BLOCK_COLORS, np.uint16)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n_before + u * i // n_parts
        place_labels(colors, labels, start, n_before + u * (i + 1) // n_parts, &block_start[0], &table[0])
    cdef uint32_t[::1] keys = np.empty(index.n_translucent + 1, np.uint32)
    cdef int64_t[::1] alpha_start = np.zeros(257, np.int64)
    if index.n_translucent:
        _c.kmc_index_alphas(&colors[index.n_transparent, 0], index.n_translucent, &keys[0], &alpha_start[0])
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        map_part(
            pixel_kernels, pixels, start, n * (i + 1) // n_parts, &block_start[0], &table[0], &keys[0],
            &alpha_start[0], labels, index.n_transparent, indices,
        )


def map_to_palette(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] colors, const int64_t[::1] counts,
    const uint8_t[:, ::1] entries, ColorIndex index, label_t[::1] indices, int num_threads,
):
    """OUT indices (n,): the entry, of entries (k, 3), nearest to each of pixels (n, 3); ties to the lowest index.

    The histogram of `index` has colors (u, 3) and counts (u,). Returns the sum of the squared differences. Whole blocks
    of colour space are decided at once, which for many colours costs less than deciding each of them.
    """
    cdef Py_ssize_t n = pixels.shape[0], u = colors.shape[0], part, start
    cdef Py_ssize_t n_parts = n_parts_of(n, num_threads)
    assert pixels.shape[1] == colors.shape[1] == entries.shape[1] == 3 and index.ranks is None
    assert counts.shape[0] == u and indices.shape[0] == n and 0 < entries.shape[0] <= 65536
    cdef uint32_t[::1] block_start = index.block_start
    cdef const int64_t[::1] blocks = np.flatnonzero(index.block_start != _c.KMC_NO_BLOCK)
    cdef label_t[::1] table
    if label_t is uint8_t:
        table = index.table.array
    else:
        table = np.empty(blocks.shape[0] * _c.KMC_BLOCK_COLORS, np.uint16)
    cdef const int64_t[::1] offsets = index.offsets
    cdef Palettes palettes = Palettes(entries, n_parts)
    cdef int64_t[::1] squares = np.zeros(n_parts, np.int64)
    for part in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        fill_blocks(&palettes.of_part[part], blocks, part, n_parts, block_start, offsets, table)
    for part in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = u * part // n_parts
        squares[part] = squared_error(
            colors, counts, start, u * (part + 1) // n_parts - start, &block_start[0], &table[0], &entries[0, 0]
        )
        start = n * part // n_parts
        map_part(
            _c.kmc_pixel_kernels_for(kernels), pixels, start, n * (part + 1) // n_parts, &block_start[0],
            &table[0], NULL, NULL, table, 0, indices,
        )
    return np.sum(squares)


cdef class Palettes:
    """One kmc_palette for each part, with scratch of its own."""

    cdef object coordinates, numbers, floats, integers
    cdef _c.kmc_palette *of_part

    def __cinit__(self, const uint8_t[:, ::1] entries, Py_ssize_t n_parts):
        cdef Py_ssize_t k = entries.shape[0], i
        cdef float[:, ::1] coordinates = np.ascontiguousarray(np.transpose(entries), np.float32)
        cdef int32_t[::1] numbers = np.arange(k, dtype=np.int32)
        cdef float[:, :, ::1] floats = np.empty((n_parts, 7, k), np.float32)
        cdef int32_t[:, :, ::1] integers = np.empty((n_parts, 2, k), np.int32)
        self.coordinates, self.numbers, self.floats, self.integers = coordinates, numbers, floats, integers
        self.of_part = <_c.kmc_palette *> allocate(n_parts, sizeof(_c.kmc_palette))
        for i in range(n_parts):
            self.of_part[i].k = k
            self.of_part[i].entries = _c.kmc_entries(
                &coordinates[0, 0], &coordinates[1, 0], &coordinates[2, 0], &numbers[0]
            )
            self.of_part[i].of_block = _c.kmc_entries(
                &floats[i, 0, 0], &floats[i, 1, 0], &floats[i, 2, 0], &integers[i, 0, 0]
            )
            self.of_part[i].of_cell = _c.kmc_entries(
                &floats[i, 3, 0], &floats[i, 4, 0], &floats[i, 5, 0], &integers[i, 1, 0]
            )
            self.of_part[i].distances = &floats[i, 6, 0]

    def __dealloc__(self):
        free(self.of_part)


cdef inline void fill_blocks(
    const _c.kmc_palette *palette, const int64_t[::1] blocks, Py_ssize_t first, Py_ssize_t step,
    const uint32_t[::1] block_start, const int64_t[::1] offsets, label_t[::1] table,
) noexcept nogil:
    """Every `step`-th block from `first` on, so that crowded regions are shared out."""
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef Py_ssize_t i = first
    cdef uint32_t block
    while i < blocks.shape[0]:
        block = <uint32_t>blocks[i]
        if label_t is uint8_t:
            _c.kmc_fill_block_u8(pixel_kernels, palette, block, &offsets[0], &table[block_start[block]])
        else:
            _c.kmc_fill_block_u16(
                pixel_kernels, palette, block, &offsets[0], &table[block_start[block]]
            )
        i = i + step


cdef inline int64_t squared_error(
    const uint8_t[:, ::1] colors, const int64_t[::1] counts, Py_ssize_t start, Py_ssize_t n,
    const uint32_t *block_start, const label_t *table, const uint8_t *entries,
) noexcept nogil:
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    if n <= 0:
        return 0
    if label_t is uint8_t:
        return _c.kmc_squared_error_u8(pixel_kernels, &colors[start, 0], &counts[start], n, block_start, table, entries)
    else:
        return _c.kmc_squared_error_u16(pixel_kernels, &colors[start, 0], &counts[start], n, block_start, table, entries)


cdef inline void map_ranks(
    const uint32_t *ranks, Py_ssize_t n, const label_t *labels, label_t *indices
) noexcept nogil:
    if label_t is uint8_t:
        _c.kmc_map_ranks_u8(ranks, n, labels, indices)
    else:
        _c.kmc_map_ranks_u16(ranks, n, labels, indices)


cdef inline void place_labels(
    const uint8_t[:, ::1] colors, const label_t[::1] labels, Py_ssize_t start, Py_ssize_t stop,
    const uint32_t *block_start, label_t *table,
) noexcept nogil:
    cdef Py_ssize_t n = stop - start, channels = colors.shape[1]
    if n <= 0:
        return
    if label_t is uint8_t:
        _c.kmc_place_labels_u8(&colors[start, 0], channels, &labels[start], n, block_start, table)
    else:
        _c.kmc_place_labels_u16(&colors[start, 0], channels, &labels[start], n, block_start, table)


cdef inline void map_part(
    const _c.kmc_pixel_kernels *pixel_kernels, const uint8_t[:, ::1] pixels, Py_ssize_t start, Py_ssize_t stop,
    uint32_t *block_start, label_t *table, const uint32_t *keys, const int64_t *alpha_start,
    const label_t[::1] labels, Py_ssize_t n_transparent, label_t[::1] indices,
) noexcept nogil:
    cdef Py_ssize_t n = stop - start
    if pixels.shape[1] == 3:
        if label_t is uint8_t:
            _c.kmc_map_rgb_u8(
                pixel_kernels, &pixels[start, 0], n, block_start, table, NULL, NULL, &indices[start]
            )
        else:
            _c.kmc_map_rgb_u16(
                pixel_kernels, &pixels[start, 0], n, block_start, table, NULL, NULL, &indices[start]
            )
    elif label_t is uint8_t:
        _c.kmc_map_rgba_u8(
            pixel_kernels, &pixels[start, 0], n, block_start, table, keys, alpha_start,
            &labels[0] + n_transparent, labels[0], &indices[start],
        )
    else:
        _c.kmc_map_rgba_u16(
            pixel_kernels, &pixels[start, 0], n, block_start, table, keys, alpha_start,
            &labels[0] + n_transparent, labels[0], &indices[start],
        )


cdef void parallel_for(void *num_threads, _c.kmc_task task, void *context, int32_t n_tasks) noexcept nogil:
    cdef int32_t i
    if n_tasks == 1:
        task(context, 0)
        return
    for i in prange(n_tasks, schedule="static", num_threads=(<int *>num_threads)[0]):
        task(context, i)


def color_kmeans(
    const uint8_t[:, ::1] colors, const int64_t[::1] counts, double[:, ::1] centroids, bint seeds_given,
    int max_rounds, int search_trials, double tol, double coarse_tol, int num_threads,
):
    """k-means of distinct colours (u, c), in the order of their keys, with counts (u,).

    IN OUT centroids (k, c). Returns (inertia, rounds, converged). See ``color_kmeans.h``.
    """
    cdef int32_t u = <int32_t>colors.shape[0], k = <int32_t>centroids.shape[0]
    cdef _c.kmc_color_kmeans_options options
    cdef _c.kmc_color_kmeans_result result
    assert 0 < k <= min(u, 65535) and colors.shape[1] == centroids.shape[1] and counts.shape[0] == u
    assert colors.shape[1] == 1 or colors.shape[1] == 3
    options.k, options.channels, options.max_rounds = k, <int32_t>colors.shape[1], max_rounds
    options.search_trials, options.tol, options.coarse_tol = search_trials, tol, coarse_tol
    options.seeding = _c.KMC_SEEDS_GIVEN if seeds_given else _c.KMC_SEEDS_SEARCHED
    options.n_tasks = num_threads
    cdef size_t scratch_size = _c.kmc_color_kmeans_scratch(u, &options)
    scratch = Scratch(scratch_size + u * sizeof(uint16_t) + 64)
    cdef uint8_t[::1] room = scratch.array
    cdef uint8_t *aligned = &room[0] + (-<size_t>&room[0] & 63)
    with nogil:
        result = _c.kmc_color_kmeans(
            &colors[0, 0], &counts[0], u, &options, _c.kmc_color_kernels_for(kernels), parallel_for,
            &num_threads, aligned, &centroids[0, 0], <uint16_t *> (aligned + scratch_size),
        )
    return result.inertia, result.rounds, bool(result.converged)
