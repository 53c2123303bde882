# Part of _kernels.pyx: the boundary to histogram.h.
#
# Pixels and colours are cut into parts, one to a thread. All is integers: the parts cannot change a result.

import numpy as np

from kmc._scratch import Scratch

cdef enum:
    # 64 Ki pixels are counted in 0.15 ms, about what it costs to wake a thread.
    PART_PIXELS = 1 << 16
    # Parts that are dealt to buckets before these are counted: 10 megapixels, 20 MiB of places.
    BATCH_PARTS = 160
    # A picture with as few blocks in a sample, and as many pixels for each, is counted in tables: 10 megapixels with 44
    # and 888 blocks in 16 and 23 ms in place of 27 and 28 ms; with 1400 blocks 45 in place of 35.
    FEW_BLOCKS = 256
    BLOCK_PIXELS = 8192
    BUCKET_RANGES = 64  # of buckets, which are unevenly occupied
    N_BUCKETS = _c.KMC_N_BUCKETS

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


cdef class Buckets:
    """Pixels dealt to buckets, a batch of parts at a time, and the colours that are counted in these."""

    cdef object memory, color_memory
    cdef ColorIndex index
    cdef int num_threads
    cdef Py_ssize_t n_pixels, n_parts, n_counted
    cdef bint is_one_batch, has_tables
    cdef _c.kmc_buckets *of_part
    cdef uint16_t *places
    cdef uint8_t *counters
    cdef _c.kmc_partition_scratch *scratch
    cdef _c.kmc_bucket_colors colors[_c.KMC_N_BUCKETS]
    cdef Py_ssize_t room[_c.KMC_N_BUCKETS]
    cdef bint is_clear[_c.KMC_N_BUCKETS]

    def __cinit__(self, const uint8_t[:, ::1] pixels, int most_threads):
        cdef Py_ssize_t n_pixels = pixels.shape[0], threads = n_parts_of(n_pixels, most_threads), i
        self.index = ColorIndex()
        self.index.take_memory()
        self.num_threads, self.n_pixels, self.n_counted = <int>threads, n_pixels, 0
        self.n_parts = n_ranges(n_ranges(n_pixels, _c.KMC_PART_PIXELS), threads) * threads
        self.is_one_batch = self.n_parts <= BATCH_PARTS
        cdef Py_ssize_t n_counters = _c.KMC_BUCKET_COLORS * (threads if self.is_one_batch else _c.KMC_N_BUCKETS)
        cdef Py_ssize_t batch_parts = min(self.n_parts, <Py_ssize_t>BATCH_PARTS)
        cdef Py_ssize_t places_size = batch_parts * _c.KMC_PART_PIXELS * sizeof(uint16_t)
        cdef Py_ssize_t scratch_size = in_cache_lines(threads * sizeof(_c.kmc_partition_scratch))
        cdef Py_ssize_t buckets_size = in_cache_lines(batch_parts * sizeof(_c.kmc_buckets))
        cdef Py_ssize_t wraps_size = in_cache_lines((n_pixels // 255 + 1) * sizeof(uint32_t))
        cdef Py_ssize_t n_blocks = _c.kmc_sampled_blocks(&pixels[0, 0], n_pixels, pixels.shape[1])
        self.has_tables = n_blocks <= FEW_BLOCKS and n_pixels >= n_blocks * BLOCK_PIXELS
        cdef Py_ssize_t table_size = _c.KMC_TABLE_BLOCKS * _c.KMC_BLOCK_COLORS * self.has_tables
        cdef Py_ssize_t starts_size = _c.KMC_N_BLOCKS * sizeof(uint32_t)
        self.memory = Scratch(
            n_counters + places_size + scratch_size + buckets_size + threads * (starts_size + table_size + wraps_size)
            + 64
        )
        self.counters = cache_lines(self.memory)
        self.places = <uint16_t *> (self.counters + n_counters)
        self.scratch = <_c.kmc_partition_scratch *> (self.counters + n_counters + places_size)
        self.of_part = <_c.kmc_buckets *> (self.counters + n_counters + places_size + scratch_size)
        cdef uint8_t *room = self.counters + n_counters + places_size + scratch_size + buckets_size
        for i in range(threads):
            self.scratch[i].table.block_start = <uint32_t *> room if self.has_tables else NULL
            self.scratch[i].table.counters = room + starts_size
            self.scratch[i].wraps.keys = <uint32_t *> (room + starts_size + table_size)
            self.scratch[i].wraps.n = 0
            room += starts_size + table_size + wraps_size
            if self.has_tables:
                _c.kmc_table_clear(&self.scratch[i].table)
        memset(self.room, 0, sizeof(self.room))
        memset(self.is_clear, self.is_one_batch, sizeof(self.is_clear))
        memset(self.colors, 0, sizeof(self.colors))
        memset(self.index.boxes, 0, _c.KMC_N_BLOCKS * sizeof(uint64_t))
        if self.is_one_batch:
            memset(self.counters, 0, n_counters)

    cdef Py_ssize_t first_pixel(self, Py_ssize_t part) noexcept nogil:
        return self.n_pixels * part // self.n_parts

    cdef uint8_t *counters_of(self, Py_ssize_t bucket, Py_ssize_t thread) noexcept nogil:
        """A thread's own, which it leaves at 0; or the bucket's, which last from one batch to the next."""
        return self.counters + (thread if self.is_one_batch else bucket) * _c.KMC_BUCKET_COLORS

    cdef void find_room(self, Py_ssize_t n_parts) noexcept nogil:
        """How many colours each bucket can have by now."""
        cdef Py_ssize_t bucket, part, thread, more
        for bucket in range(N_BUCKETS):
            more = 0
            for part in range(n_parts):
                more += self.of_part[part].singles[bucket + 1] - self.of_part[part].singles[bucket]
                more += self.of_part[part].runs[bucket + 1] - self.of_part[part].runs[bucket]
            if self.has_tables:
                for thread in range(self.num_threads):
                    more += _c.kmc_blocks_of_bucket(&self.scratch[thread].table, bucket) * _c.KMC_BLOCK_COLORS
            self.room[bucket] = min(self.room[bucket] + more, <Py_ssize_t>_c.KMC_BUCKET_COLORS)

    cdef int take_rooms(self) except -1:
        cdef Py_ssize_t bucket, n = 0
        for bucket in range(N_BUCKETS):
            n += self.room[bucket] + _c.KMC_TAKEN_SLACK
        self.color_memory = Scratch(n * (sizeof(uint16_t) + sizeof(uint8_t)) + 64)
        cdef uint16_t *places = <uint16_t *> cache_lines(self.color_memory)
        cdef uint8_t *counts = <uint8_t *> (places + n)
        n = 0
        for bucket in range(N_BUCKETS):
            self.colors[bucket].places, self.colors[bucket].counts = places + n, counts + n
            n += self.room[bucket] + _c.KMC_TAKEN_SLACK
        return 0

    cdef int deal_rgb(self, const uint8_t[:, ::1] pixels, Py_ssize_t first, Py_ssize_t n_parts) except -1:
        cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
        cdef Py_ssize_t i, start
        for i in prange(n_parts, nogil=True, schedule="dynamic", num_threads=self.num_threads):
            start = self.first_pixel(first + i)
            _c.kmc_partition_rgb(
                pixel_kernels, &pixels[start, 0], self.first_pixel(first + i + 1) - start, &self.scratch[threadid()],
                &self.of_part[i], self.places + i * _c.KMC_PART_PIXELS,
            )
        return 0

    cdef int deal_rgba(
        self, const uint8_t[:, ::1] pixels, Py_ssize_t first, Py_ssize_t n_parts, Py_ssize_t[::1] starts,
        uint32_t[::1] translucent, Py_ssize_t[::1] lengths, int64_t[::1] n_transparent,
    ) except -1:
        """The opaque pixels; OUT of each part the keys of translucent pixels, and how many of others there are."""
        cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
        cdef Py_ssize_t i, start
        for i in prange(n_parts, nogil=True, schedule="dynamic", num_threads=self.num_threads):
            start = self.first_pixel(first + i)
            starts[first + i] = start + first + i
            lengths[first + i] = _c.kmc_partition_rgba(
                pixel_kernels, &pixels[start, 0], self.first_pixel(first + i + 1) - start, &self.scratch[threadid()],
                &self.of_part[i], self.places + i * _c.KMC_PART_PIXELS, &translucent[starts[first + i]],
                &n_transparent[first + i],
            )
        return 0

    cdef int count(self, Py_ssize_t n_parts) except -1:
        """Count the next batch; after the last one the colours of each bucket are known."""
        cdef Py_ssize_t bucket
        self.find_room(n_parts)
        self.n_counted += n_parts
        cdef bint is_last = self.n_counted == self.n_parts
        if is_last:
            self.take_rooms()
        for bucket in prange(N_BUCKETS, nogil=True, schedule="dynamic", num_threads=self.num_threads):
            if self.room[bucket]:
                self.count_bucket(bucket, n_parts, is_last, threadid())
        return 0

    cdef void count_bucket(self, Py_ssize_t bucket, Py_ssize_t n_parts, bint is_last, int thread) noexcept nogil:
        cdef uint8_t *counters = self.counters_of(bucket, thread)
        cdef _c.kmc_wraps *wraps = &self.scratch[thread].wraps
        cdef Py_ssize_t i
        if not self.is_clear[bucket]:
            memset(counters, 0, _c.KMC_BUCKET_COLORS)
            self.is_clear[bucket] = True
        _c.kmc_count_bucket(self.of_part, self.places, n_parts, bucket, counters, wraps)
        if not is_last:
            return
        if self.has_tables:
            for i in range(self.num_threads):
                _c.kmc_add_table(&self.scratch[i].table, bucket, counters, wraps)
        _c.kmc_take_bucket(
            _c.kmc_pixel_kernels_for(kernels), bucket, counters, self.index.bits, self.index.before,
            self.index.boxes, &self.colors[bucket],
        )

    cdef tuple emit(self, Py_ssize_t channels, Py_ssize_t n_skipped):
        """Colours and counts, behind `n_skipped` rows that are left for the caller."""
        cdef Py_ssize_t firsts[BUCKET_RANGES + 1]
        cdef Py_ssize_t own = _c.KMC_N_BUCKETS // BUCKET_RANGES, i, j
        firsts[0] = 0
        for i in range(BUCKET_RANGES):
            firsts[i + 1] = firsts[i]
            for j in range(own):
                firsts[i + 1] += self.colors[i * own + j].n
        cdef Py_ssize_t u = firsts[BUCKET_RANGES]
        color_array, count_array = np.empty((n_skipped + u, channels), np.uint8), np.empty(n_skipped + u, np.int64)
        if u == 0:
            return color_array, count_array
        cdef uint8_t[:, ::1] colors = color_array[n_skipped:]
        cdef int64_t[::1] counts = count_array[n_skipped:]
        for i in prange(BUCKET_RANGES, nogil=True, schedule="dynamic", num_threads=self.num_threads):
            _c.kmc_emit_buckets(
                self.colors, i * own, (i + 1) * own, firsts[i], channels, self.index.before, &colors[0, 0], &counts[0]
            )
        for i in range(self.num_threads):
            _c.kmc_add_wraps(&self.scratch[i].wraps, self.index.bits, self.index.before, &counts[0])
        return color_array, count_array


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
    cdef Buckets buckets = Buckets(pixels, num_threads)
    cdef Py_ssize_t first, n_parts
    for first in range(0, buckets.n_parts, BATCH_PARTS):
        n_parts = range_size(first, BATCH_PARTS, buckets.n_parts)
        buckets.deal_rgb(pixels, first, n_parts)
        buckets.count(n_parts)
    colors, counts = buckets.emit(3, 0)
    return colors, counts, buckets.index


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


cdef tuple count_rgba(const uint8_t[:, ::1] pixels, int num_threads):
    cdef Py_ssize_t n = pixels.shape[0], first, n_parts
    cdef Buckets buckets = Buckets(pixels, num_threads)
    # Each part writes its keys from where its pixels start; rows that no key reaches cost no memory.
    keys, starts = np.empty(n + buckets.n_parts, np.uint32), np.empty(buckets.n_parts, np.intp)
    lengths, n_transparent = np.empty(buckets.n_parts, np.intp), np.empty(buckets.n_parts, np.int64)
    for first in range(0, buckets.n_parts, BATCH_PARTS):
        n_parts = range_size(first, BATCH_PARTS, buckets.n_parts)
        buckets.deal_rgba(pixels, first, n_parts, starts, keys, lengths, n_transparent)
        buckets.count(n_parts)
    n_skipped = int(np.any(n_transparent))
    cdef Translucent translucent = Translucent(keys, starts, lengths, num_threads)
    cdef Py_ssize_t n_translucent = translucent.merge(None, None)
    colors, counts = buckets.emit(4, n_skipped + n_translucent)
    if n_skipped:
        colors[0], counts[0] = 0, np.sum(n_transparent)
    if n_translucent:
        translucent.merge(colors[n_skipped:], counts[n_skipped:])
    buckets.index.n_transparent, buckets.index.n_translucent = n_skipped, n_translucent
    return colors, counts, buckets.index


cdef class Translucent:
    """Keys of translucent pixels (n,), in a sorted list for each thread."""

    cdef uint32_t[::1] keys, key_counts
    cdef Py_ssize_t[::1] starts, lengths, positions

    def __cinit__(
        self, uint32_t[::1] keys, Py_ssize_t[::1] starts, Py_ssize_t[::1] lengths, Py_ssize_t most_threads
    ):
        """IN OUT keys: first those of each part, from where it starts."""
        cdef Py_ssize_t n = 0, i, n_lists
        for i in range(starts.shape[0]):
            memmove(&keys[n], &keys[starts[i]], lengths[i] * sizeof(uint32_t))
            n += lengths[i]
        n_lists = n_parts_of(n, most_threads)
        self.keys, self.key_counts = keys, np.empty(n + 1, np.uint32)
        cuts = np.arange(n_lists + 1) * n // n_lists
        self.starts, self.lengths, self.positions = cuts[:n_lists].copy(), np.diff(cuts), np.empty(n_lists, np.intp)
        for i in prange(n_lists, nogil=True, schedule="static", num_threads=<int>n_lists):
            self.lengths[i] = _c.kmc_sort_keys(
                &self.keys[self.starts[i]], self.lengths[i], &self.key_counts[self.starts[i]]
            )

    cdef Py_ssize_t merge(self, uint8_t[:, ::1] colors, int64_t[::1] counts) except -1:
        """How many colours; OUT colors, counts, if there are any."""
        cdef bint written = colors is not None
        return _c.kmc_merge_keys(
            &self.keys[0], &self.key_counts[0], &self.starts[0], &self.lengths[0], self.starts.shape[0],
            &self.positions[0], &colors[0, 0] if written else NULL, &counts[0] if written else NULL,
        )
