# Part of _kernels.pyx: the boundary to color_map.h. Pixels are cut into parts as in _histogram.pxi.

cdef enum:
    # What filling boxes costs, in pixels that could be looked up meanwhile.
    BOXES_PIXELS = 1 << 19


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
    """OUT indices (n,): the label of each pixel's colour; the histogram of `index` has these colours."""
    cdef Py_ssize_t n = pixels.shape[0], channels = pixels.shape[1], i, start
    cdef Py_ssize_t n_parts = n_parts_of(n, num_threads)
    cdef const uint32_t[::1] ranks
    assert colors.shape[1] == channels and labels.shape[0] == colors.shape[0] and indices.shape[0] == n
    if index.ranks is not None:
        ranks = index.ranks
        map_ranks(&ranks[0], n, &labels[0], &indices[0])
        return
    cdef uint32_t[::1] keys = np.empty(index.n_translucent + 1, np.uint32)
    cdef int64_t[::1] alpha_start = np.zeros(257, np.int64)
    if index.n_translucent:
        _c.kmc_index_alphas(&colors[index.n_transparent, 0], index.n_translucent, &keys[0], &alpha_start[0])
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        map_counted(pixels, start, n * (i + 1) // n_parts, index, &labels[0], &keys[0], &alpha_start[0], indices)


def apply_palette(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] entries, label_t[::1] indices, int num_threads
):
    """OUT indices (n,): the entry, of entries (k, 3), nearest to each of pixels (n, 3); ties to the lowest index.

    Returns the sum of the squared differences.
    """
    cdef Py_ssize_t n = pixels.shape[0], k = entries.shape[0]
    assert n > 0 and pixels.shape[1] == entries.shape[1] == 3
    assert indices.shape[0] == n and 0 < k <= 65536
    if label_t is uint8_t:
        if k * n <= _c.kmc_entry_kernels_for(kernels).few * (n + BOXES_PIXELS):
            return compare_pixels(pixels, entries, indices, num_threads)
    return look_up_boxes(pixels, entries, indices, num_threads)


cdef int64_t compare_pixels(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] colors, uint8_t[::1] indices, int num_threads
):
    cdef Py_ssize_t n = pixels.shape[0], i, start, n_parts = n_parts_of(n, num_threads)
    cdef const _c.kmc_entry_kernels *entry_kernels = _c.kmc_entry_kernels_for(kernels)
    cdef int64_t[::1] squares = np.zeros(n_parts, np.int64)
    cdef _c.kmc_entries entries
    _c.kmc_set_entries(&colors[0, 0], colors.shape[0], &entries)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        squares[i] = entry_kernels.nearest(
            &pixels[start, 0], n * (i + 1) // n_parts - start, &entries, &indices[start]
        )
    return np.sum(squares)


cdef int64_t look_up_boxes(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] colors, label_t[::1] indices, int num_threads
):
    cdef Py_ssize_t n = pixels.shape[0], k = colors.shape[0], i, start, n_parts = n_parts_of(n, num_threads)
    cdef Py_ssize_t of_batch = _c.KMC_KEY_BATCH
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef _c.kmc_entries entries
    cdef _c.kmc_comparison comparison
    comparison.kernels, comparison.entries = _c.kmc_entry_kernels_for(kernels), &entries
    if k <= _c.KMC_MOST_COMPARED:
        of_batch = comparison.kernels.filled_of_batch
        _c.kmc_set_entries(&colors[0, 0], k, &entries)
    cdef Lines lines = Lines(colors, indices.itemsize, n_parts)
    scratch = Scratch(n_parts * _c.KMC_N_BOXES + 64)
    cdef uint8_t *marks = cache_lines(scratch)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        memset(marks + i * _c.KMC_N_BOXES, 0, _c.KMC_N_BOXES)
        _c.kmc_mark_boxes(
            pixel_kernels, &pixels[start, 0], n * (i + 1) // n_parts - start, of_batch, marks + i * _c.KMC_N_BOXES
        )
    cdef uint64_t[::1] boxes = np.zeros(_c.KMC_N_BLOCKS, np.uint64)
    for i in range(n_parts):
        _c.kmc_join_marks(pixel_kernels, marks + i * _c.KMC_N_BOXES, &boxes[0])
    fill_lines(lines, &boxes[0], &indices[0])
    cdef int64_t[::1] squares = np.zeros(n_parts, np.int64)
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        squares[i] = map_part(pixels, start, n * (i + 1) // n_parts, lines, &comparison, indices)
    return np.sum(squares)


def error_of_indices(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] entries, const uint8_t[::1] indices, int num_threads
):
    """Sum of the squared differences of pixels (n, c) and entries[indices]; colour under alpha 0 counts as 0."""
    cdef Py_ssize_t n = pixels.shape[0], channels = pixels.shape[1], i, start, n_parts = n_parts_of(n, num_threads)
    cdef int64_t[::1] squares = np.zeros(n_parts, np.int64)
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    assert entries.shape[1] == channels and indices.shape[0] == n and np.max(indices) < entries.shape[0] <= 256
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        squares[i] = _c.kmc_error_of_indices(
            pixel_kernels, &pixels[start, 0], n * (i + 1) // n_parts - start, channels, &entries[0, 0],
            entries.shape[0], &indices[start],
        )
    return np.sum(squares)


cdef class Lines:
    """Labels of boxes of colours (see color_map.h), and for each part a kmc_palette to fill them."""

    cdef object scratch, packed, palette_scratch
    cdef _c.kmc_palette *palettes
    cdef uint32_t *line_of_box
    cdef uint8_t *labels
    cdef Py_ssize_t k, n_parts, label_size

    def __cinit__(self, const uint8_t[:, ::1] entries, Py_ssize_t label_size, Py_ssize_t n_parts):
        self.k, self.n_parts, self.label_size = entries.shape[0], n_parts, label_size
        self.packed = np.dot(np.asarray(entries, np.uint32), np.array([1, 1 << 8, 1 << 16], np.uint32))
        self.take_palettes(entries)

    cdef void take_lines(self, Py_ssize_t n_lines):
        cdef Py_ssize_t table_size = _c.KMC_N_BOXES * sizeof(uint32_t)
        self.scratch = Scratch(table_size + n_lines * _c.KMC_BOX_COLORS * self.label_size + 64)
        self.line_of_box = <uint32_t *> cache_lines(self.scratch)
        self.labels = <uint8_t *> self.line_of_box + table_size

    cdef void take_palettes(self, const uint8_t[:, ::1] entries):
        cdef Py_ssize_t k = self.k, level_size = in_cache_lines(17 * k + 17), part, level, i
        cdef const uint32_t[::1] packed = self.packed
        cdef _c.kmc_node *node
        cdef uint8_t *room
        self.palette_scratch = Scratch(self.n_parts * _c.KMC_TREE_LEVELS * level_size + 64)
        self.palettes = <_c.kmc_palette *> allocate(self.n_parts, sizeof(_c.kmc_palette))
        for part in range(self.n_parts):
            self.palettes[part].k, self.palettes[part].packed = k, &packed[0]
            for level in range(_c.KMC_TREE_LEVELS):
                room = cache_lines(self.palette_scratch) + (part * _c.KMC_TREE_LEVELS + level) * level_size
                node = &self.palettes[part].path[level]
                node.number, node.n = _c.KMC_NO_NODE, k
                node.red, node.green = <float *> room, <float *> room + k
                node.blue, node.index = <float *> room + 2 * k, <int32_t *> room + 3 * k
                node.keep = <uint8_t *> (<int32_t *> room + 4 * k)
            node = &self.palettes[part].path[0]
            for i in range(k):
                node.red[i], node.green[i], node.blue[i] = entries[i, 0], entries[i, 1], entries[i, 2]
                node.index[i] = <int32_t>i

    def __dealloc__(self):
        free(self.palettes)


cdef void fill_lines(Lines lines, const uint64_t *boxes, label_t *_):
    """Labels of the boxes that occur; the last argument only tells the type of labels."""
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef Py_ssize_t blocks = _c.KMC_N_BLOCKS // BLOCK_RANGES, i, j
    cdef Py_ssize_t starts[BLOCK_RANGES + 1]
    starts[0] = 1 + min(lines.k, <Py_ssize_t>_c.KMC_MOST_SHARED)
    for i in range(BLOCK_RANGES):
        starts[i + 1] = starts[i]
        for j in range(blocks):
            starts[i + 1] += _c.kmc_count_bits(boxes[i * blocks + j])
    lines.take_lines(starts[BLOCK_RANGES])
    cdef label_t *labels = <label_t *> lines.labels
    if label_t is uint8_t:
        _c.kmc_share_lines_u8(lines.k, labels)
    else:
        _c.kmc_share_lines_u16(lines.k, labels)
    for i in prange(BLOCK_RANGES, nogil=True, schedule="dynamic", num_threads=<int>lines.n_parts):
        if label_t is uint8_t:
            _c.kmc_fill_boxes_u8(
                pixel_kernels, &lines.palettes[threadid()], boxes, i * blocks, (i + 1) * blocks, lines.line_of_box,
                labels, starts[i],
            )
        else:
            _c.kmc_fill_boxes_u16(
                pixel_kernels, &lines.palettes[threadid()], boxes, i * blocks, (i + 1) * blocks, lines.line_of_box,
                labels, starts[i],
            )


cdef inline void map_ranks(
    const uint32_t *ranks, Py_ssize_t n, const label_t *labels, label_t *indices
) noexcept nogil:
    if label_t is uint8_t:
        _c.kmc_map_ranks_u8(ranks, n, labels, indices)
    else:
        _c.kmc_map_ranks_u16(ranks, n, labels, indices)


cdef inline void map_counted(
    const uint8_t[:, ::1] pixels, Py_ssize_t start, Py_ssize_t stop, ColorIndex index, const label_t *labels,
    const uint32_t *keys, const int64_t *alpha_start, label_t[::1] indices,
) noexcept nogil:
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef const label_t *translucent = labels + index.n_transparent
    cdef const label_t *opaque = translucent + index.n_translucent
    if label_t is uint8_t:
        _c.kmc_map_counted_u8(
            pixel_kernels, &pixels[start, 0], stop - start, pixels.shape[1], index.bits, index.before, opaque, keys,
            alpha_start, translucent, labels[0], &indices[start],
        )
    else:
        _c.kmc_map_counted_u16(
            pixel_kernels, &pixels[start, 0], stop - start, pixels.shape[1], index.bits, index.before, opaque, keys,
            alpha_start, translucent, labels[0], &indices[start],
        )


cdef inline int64_t map_part(
    const uint8_t[:, ::1] pixels, Py_ssize_t start, Py_ssize_t stop, Lines lines,
    const _c.kmc_comparison *comparison, label_t[::1] indices,
) noexcept nogil:
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    cdef const label_t *labels = <const label_t *> lines.labels
    cdef const uint32_t *packed = lines.palettes.packed
    if label_t is uint8_t:
        return _c.kmc_map_rgb_u8(
            pixel_kernels, &pixels[start, 0], stop - start, lines.line_of_box, labels, packed, comparison,
            &indices[start],
        )
    else:
        return _c.kmc_map_rgb_u16(
            pixel_kernels, &pixels[start, 0], stop - start, lines.line_of_box, labels, packed, comparison,
            &indices[start],
        )
