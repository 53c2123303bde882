# Part of _kernels.pyx: the boundary to color_map.h. Pixels are cut into parts as in _histogram.pxi.

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
        fill_blocks(&palettes.of_part[part], blocks, part, n_parts, block_start, &offsets[0], table)
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


def apply_palette(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] entries, ColorIndex sample, label_t[::1] indices,
    int num_threads,
):
    """OUT indices (n,): the entry, of entries (k, 3), nearest to each of pixels (n, 3); ties to the lowest index.

    Returns the sum of the squared differences. The blocks of `sample`, the index of a part of the pixels or None, are
    filled once; others by each thread that meets them.
    """
    cdef Py_ssize_t n = pixels.shape[0], i, start, n_parts = n_parts_of(n, num_threads)
    assert n > 0 and pixels.shape[1] == entries.shape[1] == 3
    assert indices.shape[0] == n and 0 < entries.shape[0] <= 65536
    known = () if sample is None or sample.is_small else np.flatnonzero(sample.block_start != _c.KMC_NO_BLOCK)
    cdef const int64_t[::1] blocks = np.asarray(known, np.int64)
    cdef Py_ssize_t n_shared = blocks.shape[0], n_own = min(<Py_ssize_t>_c.KMC_N_BLOCKS - n_shared, n // n_parts + 1)
    cdef uint32_t[:, ::1] block_starts = np.full((n_parts, _c.KMC_N_BLOCKS), _c.KMC_NO_BLOCK, np.uint32)
    cdef Py_ssize_t[::1] n_blocks = n_shared + n_own * np.arange(n_parts)
    scratch = Scratch((n_shared + n_own * n_parts) * _c.KMC_BLOCK_COLORS * indices.itemsize)
    cdef label_t[::1] table = scratch.array[: scratch.array.size // indices.itemsize * indices.itemsize].view(
        np.uint8 if label_t is uint8_t else np.uint16
    )
    cdef Palettes palettes = Palettes(entries, n_parts)
    cdef int64_t[::1] squares = np.zeros(n_parts, np.int64)
    np.asarray(block_starts)[:, blocks] = _c.KMC_BLOCK_COLORS * np.arange(n_shared)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        fill_blocks(&palettes.of_part[i], blocks, i, n_parts, block_starts[0], NULL, table)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        squares[i] = apply_part(
            &palettes.of_part[i], pixels, start, n * (i + 1) // n_parts, &block_starts[i, 0], &table[0], &n_blocks[i],
            indices,
        )
    return np.sum(squares)


def error_of_indices(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] entries, const uint8_t[::1] indices, int num_threads
):
    """Sum of the squared differences of pixels (n, c) and entries[indices]; colour under alpha 0 counts as 0."""
    cdef Py_ssize_t n = pixels.shape[0], channels = pixels.shape[1], i, start, n_parts = n_parts_of(n, num_threads)
    cdef int64_t[::1] squares = np.zeros(n_parts, np.int64)
    assert entries.shape[1] == channels and indices.shape[0] == n and np.max(indices) < entries.shape[0]
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        squares[i] = _c.kmc_error_of_indices(
            &pixels[start, 0], n * (i + 1) // n_parts - start, channels, &entries[0, 0], &indices[start]
        )
    return np.sum(squares)


cdef class Palettes:
    """One kmc_palette for each part, with scratch of its own."""

    cdef object coordinates, numbers, packed, floats, integers
    cdef _c.kmc_palette *of_part

    def __cinit__(self, const uint8_t[:, ::1] entries, Py_ssize_t n_parts):
        cdef Py_ssize_t k = entries.shape[0], i
        cdef float[:, ::1] coordinates = np.ascontiguousarray(np.transpose(entries), np.float32)
        cdef int32_t[::1] numbers = np.arange(k, dtype=np.int32)
        cdef float[:, :, ::1] floats = np.empty((n_parts, 7, k), np.float32)
        cdef int32_t[:, :, ::1] integers = np.empty((n_parts, 2, k), np.int32)
        cdef uint32_t[::1] packed = np.dot(np.asarray(entries, np.uint32), np.array([1, 1 << 8, 1 << 16], np.uint32))
        self.coordinates, self.numbers, self.floats, self.integers = coordinates, numbers, floats, integers
        self.packed = packed
        self.of_part = <_c.kmc_palette *> allocate(n_parts, sizeof(_c.kmc_palette))
        for i in range(n_parts):
            self.of_part[i].k = k
            self.of_part[i].entries = _c.kmc_entries(
                &coordinates[0, 0], &coordinates[1, 0], &coordinates[2, 0], &numbers[0]
            )
            self.of_part[i].packed = &packed[0]
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
    const uint32_t[::1] block_start, const int64_t *offsets, label_t[::1] table,
) noexcept nogil:
    """Every `step`-th block from `first` on, so that crowded regions are shared out."""
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef Py_ssize_t i = first
    cdef uint32_t block
    while i < blocks.shape[0]:
        block = <uint32_t>blocks[i]
        if label_t is uint8_t:
            _c.kmc_fill_block_u8(pixel_kernels, palette, block, offsets, &table[block_start[block]])
        else:
            _c.kmc_fill_block_u16(
                pixel_kernels, palette, block, offsets, &table[block_start[block]]
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
        return _c.kmc_squared_error_u16(
            pixel_kernels, &colors[start, 0], &counts[start], n, block_start, table, entries
        )


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
                pixel_kernels, &pixels[start, 0], n, block_start, table, &indices[start]
            )
        else:
            _c.kmc_map_rgb_u16(
                pixel_kernels, &pixels[start, 0], n, block_start, table, &indices[start]
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


cdef inline int64_t apply_part(
    const _c.kmc_palette *palette, const uint8_t[:, ::1] pixels, Py_ssize_t start, Py_ssize_t stop,
    uint32_t *block_start, label_t *table, Py_ssize_t *n_blocks, label_t[::1] indices,
) noexcept nogil:
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    if label_t is uint8_t:
        return _c.kmc_apply_rgb_u8(
            pixel_kernels, palette, &pixels[start, 0], stop - start, block_start, table, n_blocks, &indices[start]
        )
    else:
        return _c.kmc_apply_rgb_u16(
            pixel_kernels, palette, &pixels[start, 0], stop - start, block_start, table, n_blocks, &indices[start]
        )
