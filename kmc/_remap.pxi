# Part of _kernels.pyx: the boundary to color_map.h. Pixels are cut into parts as in _histogram.pxi.

cdef enum:
    # What filling a box costs, in pixels that could be looked up meanwhile; and all boxes, where it is not known which
    # occur.
    BOX_PIXELS = 13
    BOXES_PIXELS = 1 << 16
    # Small, so that threads end a step within the 10 microseconds that they look for the next: to wake one takes 50.
    # With pieces of 64 Ki pixels and 64 ranges two threads took 0.88 of one's time at 0.4 megapixels, so 0.7 to 0.8.
    PIECE_PIXELS = 1 << 13
    FILLED_RANGES = 512


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
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] entries, ColorIndex index, label_t[::1] indices,
    int num_threads,
):
    """OUT indices (n,): the entry, of entries (k, 3), nearest to each of pixels (n, 3); ties to the lowest index.

    `index`: of a histogram with all of their colours, or None. Returns the sum of the squared differences.
    """
    cdef Py_ssize_t n = pixels.shape[0], k = entries.shape[0]
    assert n > 0 and pixels.shape[1] == entries.shape[1] == 3
    assert indices.shape[0] == n and 0 < k <= 65536
    if label_t is uint8_t:
        if k * n <= comparisons_of_look_up(n, index):
            return compare_pixels(pixels, entries, indices, num_threads)
    return look_up_boxes(pixels, entries, index, indices, num_threads)


cdef Py_ssize_t comparisons_of_look_up(Py_ssize_t n, ColorIndex index):
    """How many comparisons of a pixel with an entry take as long as filling boxes and looking n pixels up."""
    cdef const _c.kmc_entry_kernels *entry_kernels = _c.kmc_entry_kernels_for(kernels)
    cdef Py_ssize_t n_boxes = 0, block
    if index is None or index.bits == NULL:
        return entry_kernels.few_unmarked * (n + BOXES_PIXELS)
    for block in range(_c.KMC_N_BLOCKS):
        n_boxes += _c.kmc_count_bits(index.boxes[block])
    return entry_kernels.few * (n + BOX_PIXELS * n_boxes)


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
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] colors, ColorIndex index, label_t[::1] indices,
    int num_threads,
):
    """All is done in one parallel region: to wake the threads takes 50 microseconds."""
    cdef Py_ssize_t n = pixels.shape[0], i, n_parts = n_parts_of(n, num_threads)
    cdef Py_ssize_t n_pieces = max(n_parts, n // PIECE_PIXELS)
    cdef BoxMap map = BoxMap(colors, indices.itemsize, n_parts, index)
    cdef int64_t[::1] squares = np.zeros(n_pieces, np.int64)
    with nogil, parallel(num_threads=<int>n_parts):
        if map.marks != NULL:
            for i in prange(n_pieces, schedule="dynamic"):
                map.mark(pixels, n * i // n_pieces, n * (i + 1) // n_pieces, threadid())
        for i in prange(FILLED_RANGES, schedule="dynamic"):
            map.fill(i, threadid())
        for i in prange(n_pieces, schedule="dynamic"):
            squares[i] = map_part(pixels, n * i // n_pieces, n * (i + 1) // n_pieces, map, indices)
    return np.sum(squares)


def error_of_indices(
    const uint8_t[:, ::1] pixels, const uint8_t[:, ::1] entries, const uint8_t[::1] indices, int num_threads
):
    """Sum of the squared differences of pixels (n, c) and entries[indices]; colour under alpha 0 counts as 0."""
    cdef Py_ssize_t n = pixels.shape[0], channels = pixels.shape[1], i, start, n_parts = n_parts_of(n, num_threads)
    cdef int64_t[::1] squares = np.zeros(n_parts, np.int64)
    cdef const _c.kmc_label_kernels *label_kernels = _c.kmc_label_kernels_for(kernels)
    assert entries.shape[1] == channels and indices.shape[0] == n and np.max(indices) < entries.shape[0] <= 256
    for i in prange(n_parts, nogil=True, schedule="static", num_threads=<int>n_parts):
        start = n * i // n_parts
        squares[i] = _c.kmc_error_of_indices(
            label_kernels, &pixels[start, 0], n * (i + 1) // n_parts - start, channels, &entries[0, 0],
            entries.shape[0], &indices[start],
        )
    return np.sum(squares)


cdef class BoxMap:
    """The labels of boxes of colours (see box_labels.h), and for each part a path to find them.

    Which boxes occur is taken from the index of a histogram, if there is one, else found from each part's marks.
    """

    cdef object scratch, path_scratch, packed, index
    cdef _c.kmc_box_map labels
    cdef const uint32_t *entries
    cdef uint64_t *boxes
    cdef uint8_t *marks
    cdef uint8_t[::1] has_marks
    cdef _c.kmc_node *paths
    cdef Py_ssize_t k, n_parts
    cdef bint is_wide

    def __cinit__(self, const uint8_t[:, ::1] entries, Py_ssize_t label_size, Py_ssize_t n_parts, ColorIndex index):
        self.k, self.n_parts, self.is_wide, self.index = entries.shape[0], n_parts, label_size > 1, index
        self.packed = np.zeros(max(self.k, 256), np.uint32)
        np.dot(np.asarray(entries, np.uint32), np.array([1, 1 << 8, 1 << 16], np.uint32), self.packed[:self.k])
        cdef const uint32_t[::1] packed = self.packed
        self.entries = &packed[0]
        self.take_paths(entries)
        self.has_marks = np.zeros(n_parts, np.uint8)
        self.take_tables(index is None or index.bits == NULL)
        if self.marks == NULL:
            self.boxes = index.boxes

    cdef void take_paths(self, const uint8_t[:, ::1] entries):
        cdef Py_ssize_t k = self.k, level_size = in_cache_lines(17 * k + 17), part, level, i
        cdef _c.kmc_node *node
        cdef uint8_t *room
        self.path_scratch = Scratch(self.n_parts * _c.KMC_TREE_LEVELS * level_size + 64)
        self.paths = <_c.kmc_node *> allocate(self.n_parts * _c.KMC_TREE_LEVELS, sizeof(_c.kmc_node))
        for i in range(self.n_parts * _c.KMC_TREE_LEVELS):
            room, node = cache_lines(self.path_scratch) + i * level_size, &self.paths[i]
            node.number, node.n = _c.KMC_NO_NODE, k
            node.candidates = <_c.kmc_candidate *> room
            node.keep = <uint8_t *> (node.candidates + k)
        for part in range(self.n_parts):
            node = &self.paths[part * _c.KMC_TREE_LEVELS]
            for i in range(k):
                node.candidates[i] = _c.kmc_candidate_of(&entries[i, 0], i)

    cdef void take_tables(self, bint is_marked):
        """Memory for a line for each box, of which little is touched."""
        cdef Py_ssize_t cells_size = 0 if self.is_wide else _c.KMC_N_CELLS * sizeof(uint16_t), i, j
        cdef Py_ssize_t line_of_size = _c.KMC_N_BOXES * sizeof(uint32_t)
        cdef Py_ssize_t boxes_size = _c.KMC_N_BLOCKS * sizeof(uint64_t)
        cdef Py_ssize_t marks_size = self.n_parts * _c.KMC_N_BOXES if is_marked else 0
        cdef Py_ssize_t n_lines = _c.KMC_N_BOXES + (self.k if self.is_wide else 0)
        cdef Py_ssize_t line_size = _c.KMC_BOX_COLORS * (2 if self.is_wide else 1)
        self.scratch = Scratch(cells_size + line_of_size + boxes_size + marks_size + n_lines * line_size + 64)
        cdef uint8_t *room = cache_lines(self.scratch)
        self.labels.cells = NULL if self.is_wide else <uint16_t *> room
        self.labels.line_of = <uint32_t *> (room + cells_size)
        self.boxes = <uint64_t *> (room + cells_size + line_of_size)
        room += cells_size + line_of_size + boxes_size
        self.marks = room if is_marked else NULL
        self.labels.lines = room + marks_size
        self.labels.wide_lines = <uint16_t *> self.labels.lines
        for i in range(self.k if self.is_wide else 0):
            for j in range(_c.KMC_BOX_COLORS):
                self.labels.wide_lines[i * _c.KMC_BOX_COLORS + j] = <uint16_t>i

    cdef void mark(self, const uint8_t[:, ::1] pixels, Py_ssize_t start, Py_ssize_t stop, int part) noexcept nogil:
        cdef uint8_t *own = self.marks + part * _c.KMC_N_BOXES
        if not self.has_marks[part]:
            self.has_marks[part] = True
            memset(own, 0, _c.KMC_N_BOXES)
        _c.kmc_mark_boxes(_c.kmc_label_kernels_for(kernels), &pixels[start, 0], stop - start, own)

    cdef void join_marks(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
        cdef Py_ssize_t part
        memset(self.boxes + first, 0, (last - first) * sizeof(uint64_t))
        for part in range(self.n_parts):
            if self.has_marks[part]:
                _c.kmc_join_marks(
                    _c.kmc_pixel_kernels_for(kernels), self.marks + part * _c.KMC_N_BOXES, first, last, self.boxes
                )

    cdef void fill(self, Py_ssize_t filled_range, int part) noexcept nogil:
        cdef Py_ssize_t blocks = _c.KMC_N_BLOCKS // FILLED_RANGES, first = filled_range * blocks, n_lines
        n_lines = first * _c.KMC_BLOCK_BOXES + (self.k if self.is_wide else 0)
        if self.marks != NULL:
            self.join_marks(first, first + blocks)
        _c.kmc_fill_boxes(
            _c.kmc_label_kernels_for(kernels), &self.labels, self.paths + part * _c.KMC_TREE_LEVELS, self.boxes, first,
            first + blocks, <uint32_t>n_lines,
        )

    def __dealloc__(self):
        free(self.paths)


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
    const uint8_t[:, ::1] pixels, Py_ssize_t start, Py_ssize_t stop, BoxMap map, label_t[::1] indices
) noexcept nogil:
    cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
    if label_t is uint8_t:
        return _c.kmc_map_rgb_u8(
            _c.kmc_label_kernels_for(kernels), &pixels[start, 0], stop - start, &map.labels, map.entries, map.k,
            &indices[start],
        )
    else:
        return _c.kmc_map_rgb_u16(
            pixel_kernels, &pixels[start, 0], stop - start, &map.labels, map.entries, &indices[start]
        )
