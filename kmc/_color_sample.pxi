# Part of _kernels.pyx: the boundary to color_sample.h.
#
# Runs of pixels are cut into parts and colours into buckets, shared out to threads. All is integers: neither can change
# a result.

import numpy as np

from kmc._scratch import Scratch

cdef enum:
    # Pixels for each thread, at least.
    SAMPLE_THREAD_PIXELS = 1 << 15

SAMPLE_RUN = _c.KMC_SAMPLE_RUN
BOX_SAMPLE = _c.KMC_BOX_SAMPLE


cdef class SampledBuckets:
    """Sampled pixels dealt to buckets, and the boxes of colours in these.

    Parts are made of runs, or of pixels where all are taken.
    """

    cdef object memory
    cdef int num_threads
    cdef bint is_whole
    cdef Py_ssize_t n_parts
    cdef _c.kmc_sample sample
    cdef _c.kmc_partition_scratch *scratch
    cdef _c.kmc_joiner *joiners
    cdef _c.kmc_buckets *of_part
    cdef uint16_t *places
    cdef _c.kmc_joined_color *colors
    cdef _c.kmc_joined_bucket joined[_c.KMC_N_BUCKETS]

    def __cinit__(self, const uint8_t[:, ::1] pixels, Py_ssize_t n_runs, int bits, uint64_t bound, int most_threads):
        self.sample.pixels, self.sample.n, self.sample.n_runs = &pixels[0, 0], pixels.shape[0], n_runs
        self.is_whole = n_runs == pixels.shape[0] // _c.KMC_SAMPLE_RUN
        cdef Py_ssize_t run = 1 if self.is_whole else _c.KMC_SAMPLE_RUN
        cdef Py_ssize_t n = pixels.shape[0] if self.is_whole else n_runs
        cdef Py_ssize_t threads = max(1, min(<Py_ssize_t>most_threads, n * run // SAMPLE_THREAD_PIXELS)), thread
        self.num_threads = <int>threads
        self.n_parts = n_ranges(n_ranges(n, _c.KMC_PART_PIXELS // run), threads) * threads
        cdef Py_ssize_t moments_size = (_c.KMC_BUCKET_COLORS >> 3 * bits) * sizeof(_c.kmc_moment)
        cdef Py_ssize_t joiners_size = in_cache_lines(threads * sizeof(_c.kmc_joiner))
        cdef Py_ssize_t scratch_size = in_cache_lines(threads * sizeof(_c.kmc_partition_scratch))
        cdef Py_ssize_t buckets_size = in_cache_lines(self.n_parts * sizeof(_c.kmc_buckets))
        cdef Py_ssize_t places_size = self.n_parts * _c.KMC_PART_PIXELS * sizeof(uint16_t)
        self.memory = Scratch(
            threads * moments_size + joiners_size + scratch_size + buckets_size + places_size
            + n * run * sizeof(_c.kmc_joined_color) + 64
        )
        cdef uint8_t *room = cache_lines(self.memory)
        self.joiners = <_c.kmc_joiner *> (room + threads * moments_size)
        self.scratch = <_c.kmc_partition_scratch *> (room + threads * moments_size + joiners_size)
        for thread in range(threads):
            self.joiners[thread].bits, self.joiners[thread].bound = bits, bound
            self.joiners[thread].moments = <_c.kmc_moment *> (room + thread * moments_size)
            _c.kmc_joiner_prepare(&self.joiners[thread])
            self.scratch[thread].table.block_start = NULL
        room += threads * moments_size + joiners_size + scratch_size
        self.of_part = <_c.kmc_buckets *> room
        self.places = <uint16_t *> (room + buckets_size)
        self.colors = <_c.kmc_joined_color *> (room + buckets_size + places_size)

    cdef void deal(self) noexcept nogil:
        cdef const _c.kmc_pixel_kernels *pixel_kernels = _c.kmc_pixel_kernels_for(kernels)
        cdef Py_ssize_t i, n = self.sample.n if self.is_whole else self.sample.n_runs, first, end
        for i in prange(self.n_parts, schedule="dynamic", num_threads=self.num_threads):
            first, end = n * i // self.n_parts, n * (i + 1) // self.n_parts
            if self.is_whole:
                _c.kmc_partition_rgb(
                    pixel_kernels, self.sample.pixels + 3 * first, end - first, &self.scratch[threadid()],
                    &self.of_part[i], self.places + i * _c.KMC_PART_PIXELS,
                )
            else:
                _c.kmc_partition_sample(
                    pixel_kernels, &self.sample, first, end, &self.scratch[threadid()], &self.of_part[i],
                    self.places + i * _c.KMC_PART_PIXELS,
                )

    cdef void join(self) noexcept nogil:
        cdef Py_ssize_t bucket, part, n = 0, first
        for bucket in range(N_BUCKETS):
            self.joined[bucket].colors = self.colors + n
            first = n
            for part in range(self.n_parts):
                n += self.of_part[part].singles[bucket + 1] - self.of_part[part].singles[bucket]
                n += self.of_part[part].runs[bucket + 1] - self.of_part[part].runs[bucket]
            self.joined[bucket].n = n - first
        for bucket in prange(N_BUCKETS, schedule="dynamic", num_threads=self.num_threads):
            if self.joined[bucket].n:
                _c.kmc_join_bucket(
                    self.of_part, self.places, self.n_parts, bucket, &self.joiners[threadid()], &self.joined[bucket]
                )


def sampled_boxes(const uint8_t[:, ::1] pixels):
    """How many boxes of 8x8x8 colours KMC_BOX_SAMPLE of pixels (n, 3) lie in."""
    assert pixels.shape[1] == 3 and pixels.shape[0] >= _c.KMC_BOX_SAMPLE
    return _c.kmc_sampled_boxes(_c.kmc_pixel_kernels_for(kernels), &pixels[0, 0], pixels.shape[0])


def count_sample(const uint8_t[:, ::1] pixels, Py_ssize_t n_runs, int bits, uint64_t bound, int num_threads):
    """Colours (u, 3) in the order of their keys and counts (u,) int64 of a part of pixels (n, 3).

    That is a run of KMC_SAMPLE_RUN somewhere in each of n_runs equal stretches. Colours in a box become one, their
    rounded mean: a box has 2^bits to 8 levels a side, and, above 2^bits, a count that is at most bound / side^2.
    """
    assert pixels.shape[1] == 3 and 0 < n_runs <= pixels.shape[0] // _c.KMC_SAMPLE_RUN
    assert 0 <= bits <= _c.KMC_MOST_JOINED_BITS
    cdef SampledBuckets buckets = SampledBuckets(pixels, n_runs, bits, bound, num_threads)
    cdef Py_ssize_t first = 0, n = 0, bucket
    with nogil:
        buckets.deal()
        buckets.join()
    for bucket in range(N_BUCKETS):
        n += buckets.joined[bucket].n
    color_array, count_array = np.empty((n, 3), np.uint8), np.empty(n, np.int64)
    cdef uint8_t[:, ::1] colors = color_array
    cdef int64_t[::1] counts = count_array
    for bucket in range(N_BUCKETS):
        if buckets.joined[bucket].n:
            _c.kmc_emit_joined(&buckets.joined[bucket], &colors[first, 0], &counts[first])
            first += buckets.joined[bucket].n
    return color_array, count_array
