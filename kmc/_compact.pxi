# Part of _kernels.pyx: the boundary to the kernel of compact.h. Which thread has a stripe does not change its result.

cdef enum:
    # Rows of a stripe. Matches stay in their stripe: files are 0.5 % larger than with 256.
    COMPACTED_ROWS = 64


def compact(
    const int16_t[:, :, ::1] points, const uint8_t[:, ::1] kind, const float[:, ::1] weight,
    const int16_t[:, ::1] entries, const uint8_t[:, ::1] near, const uint8_t[:, ::1] forbidden, int bits,
    int differences, tuple prices, const float[::1] blur, float scale, uint8_t[:, ::1] indices, int num_threads,
):
    """IN OUT indices (h, w): those that a deflate stream holds in fewer bits. prices: literal, length, distance."""
    cdef Py_ssize_t height = points.shape[0], width = points.shape[1], first, half, stripe
    cdef const float[::1] literal = prices[0], length = prices[1], distance = prices[2]
    assert points.shape[2] == entries.shape[1] == 4 and 0 < entries.shape[0] <= 1 << bits and bits in (1, 2, 4, 8)
    assert bits == 8 or not differences
    assert kind.shape[0] == weight.shape[0] == indices.shape[0] == height
    assert kind.shape[1] == weight.shape[1] == indices.shape[1] == width
    assert near.shape[0] == entries.shape[0] and near.shape[1] == min(entries.shape[0], _c.KMC_CANDIDATES)
    assert forbidden.shape[0] == 4 and forbidden.shape[1] == 256 and blur.shape[0] == 5
    assert literal.shape[0] == 512 and length.shape[0] == _c.KMC_LONGEST_MATCH + 1 and distance.shape[0] > 0
    cdef _c.kmc_compact picture
    picture.height, picture.width = height, width
    picture.points, picture.kind, picture.weight = &points[0, 0, 0], &kind[0, 0], &weight[0, 0]
    picture.entries, picture.near, picture.forbidden = &entries[0, 0], &near[0, 0], &forbidden[0, 0]
    picture.literal, picture.length, picture.distance = &literal[0], &length[0], &distance[0]
    picture.k, picture.bits, picture.n_distances = <int32_t>entries.shape[0], bits, <int32_t>distance.shape[0]
    picture.differences = differences
    picture.n_near = <int32_t>near.shape[1]
    for first in range(5):
        picture.blur[first] = blur[first]
    picture.scale = scale
    cdef Py_ssize_t n = n_ranges(height, COMPACTED_ROWS), room_size = _c.kmc_compact_scratch(&picture, COMPACTED_ROWS)
    scratch = Scratch(num_threads * room_size + 64)
    cdef uint8_t[::1] array = scratch.array
    cdef uint8_t *room = &array[0] + (-<size_t> &array[0] & 63)
    # A stripe reads two rows of each neighbour: first every second one, then the others.
    for half in range(2):
        for stripe in prange((n + 1 - half) // 2, nogil=True, schedule="static", num_threads=num_threads):
            first = (2 * stripe + half) * COMPACTED_ROWS
            _c.kmc_compact_stripe(
                &picture, first, min(first + COMPACTED_ROWS, height), room + threadid() * room_size, &indices[0, 0]
            )
