# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The boundary between Python and the C kernels: checked shapes in, parallel loops over ranges.

Nothing here computes. Each function cuts its points into ranges and hands them to a kernel of
``src_c``, on ``num_threads`` threads; ranges are of a fixed size where their results are added up,
so that the sum does not depend on the number of threads. Callers have validated their arguments:
what is asserted here is what would corrupt memory.

Shapes: points (n, d), centroids (k, d) float64, labels (n,) int32, weights (n,) float64 or None.
"real" is float32 for uint8 and float32 points and float64 for float64 points; `rounded` are the
centroids in it, and `relative` and `absolute` bound its error, as in ``kmc_kernels.h``.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

from kmc cimport _c

ctypedef fused point_t:
    uint8_t
    float
    double

ctypedef fused real_t:
    float
    double

cdef enum:
    # Points per range where nothing is added up: small enough to share out, large enough to forget
    # the cost of a call.
    RANGE = 1024
    # Points per partial sum. Part of what a result is: another value gives other last bits for
    # float points.
    PART = 4096
    # Partial centroid sums at most, and doubles that they may take together (32 MiB).
    MOST_PARTS = 32
    MOST_PARTIAL_DOUBLES = 1 << 22

PART_SIZE = PART
ELKAN_BLOCK = _c.KMC_ELKAN_BLOCK

cdef const _c.kmc_kernels *kernels = _c.kmc_available(0)


def instruction_sets():
    """Names of the instruction sets that this build and this processor have, best first."""
    names = []
    while _c.kmc_available(<int>len(names)) != NULL:
        names.append(_c.kmc_available(<int>len(names)).name.decode())
    return tuple(names)


def instruction_set():
    """Name of the instruction set in use."""
    return kernels.name.decode()


def set_instruction_set(str name):
    """Use the kernels of one of ``instruction_sets()``: for tests and for KMC_ISA."""
    global kernels
    kernels = _c.kmc_available(instruction_sets().index(name))


def has_openmp():
    """Whether this build runs on more than one thread."""
    return bool(_c.kmc_has_openmp())


def max_threads():
    """Threads that OpenMP would use: respects OMP_NUM_THREADS, affinity and threadpoolctl."""
    return _c.kmc_max_threads()


cdef inline Py_ssize_t n_ranges(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    return (n + size - 1) // size


cdef inline Py_ssize_t range_size(Py_ssize_t start, Py_ssize_t size, Py_ssize_t n) noexcept nogil:
    return min(size, n - start)


cdef void *allocate(size_t count, size_t size) except NULL:
    cdef void *block = malloc((count if count else 1) * size)
    if block == NULL:
        raise MemoryError(f"kmc needs {count * size} bytes of scratch memory")
    return block


def assign(
    const point_t[:, ::1] points, const double[:, ::1] exact, const real_t[:, ::1] rounded,
    double relative, double absolute, int32_t[::1] labels, int num_threads,
):
    """Nearest centroid of each point: OUT labels."""
    cdef Py_ssize_t n = points.shape[0], d = points.shape[1], r
    assert exact.shape[0] == rounded.shape[0] > 0 and exact.shape[1] == rounded.shape[1] == d > 0
    assert labels.shape[0] == n
    cdef real_t *tiles = <real_t *> allocate(num_threads * d * _c.KMC_TILE, sizeof(real_t))
    try:
        for r in prange(n_ranges(n, RANGE), nogil=True, schedule="static", num_threads=num_threads):
            assign_range(
                points, exact, rounded, relative, absolute, tiles + threadid() * d * _c.KMC_TILE,
                labels, r * RANGE,
            )
    finally:
        free(tiles)


cdef inline void assign_range(
    const point_t[:, ::1] points, const double[:, ::1] exact, const real_t[:, ::1] rounded,
    double relative, double absolute, real_t *tile, int32_t[::1] labels, Py_ssize_t start,
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, RANGE, points.shape[0]), d = points.shape[1]
    cdef _c.kmc_centroids_f32 single
    cdef _c.kmc_centroids_f64 wide
    if point_t is not double and real_t is float:
        single.exact, single.rounded, single.k = &exact[0, 0], &rounded[0, 0], exact.shape[0]
        single.relative, single.absolute = <float>relative, <float>absolute
        if point_t is uint8_t:
            kernels.assign_u8(&points[start, 0], n, d, &single, tile, &labels[start])
        else:
            kernels.assign_f32(&points[start, 0], n, d, &single, tile, &labels[start])
    elif point_t is double and real_t is double:
        wide.exact, wide.rounded, wide.k = &exact[0, 0], &rounded[0, 0], exact.shape[0]
        wide.relative, wide.absolute = relative, absolute
        kernels.assign_f64(&points[start, 0], n, d, &wide, tile, &labels[start])


def elkan_assign(
    const point_t[:, ::1] points, const double[:, ::1] exact, const real_t[:, ::1] rounded,
    double relative, double absolute, const real_t[:, ::1] transposed,
    const real_t[:, ::1] half_distances, const real_t[::1] half_nearest,
    const real_t[::1] travelled, int32_t[::1] labels, real_t[::1] upper, real_t[:, ::1] lower,
    int num_threads,
):
    """Elkan's assignment: IN OUT labels, upper (n,), lower (n, stride); see ``kmc_kernels.h``."""
    cdef Py_ssize_t n = points.shape[0], k = exact.shape[0], stride = transposed.shape[1], r
    assert k > 0 and rounded.shape[0] == k and exact.shape[1] == rounded.shape[1] == points.shape[1]
    assert transposed.shape[0] == points.shape[1] > 0
    assert stride % _c.KMC_ELKAN_BLOCK == 0 and stride >= k
    assert half_distances.shape[0] == half_nearest.shape[0] == k
    assert half_distances.shape[1] == travelled.shape[0] == lower.shape[1] == stride
    assert labels.shape[0] == upper.shape[0] == lower.shape[0] == n
    for r in prange(n_ranges(n, RANGE), nogil=True, schedule="static", num_threads=num_threads):
        elkan_range(
            points, exact, rounded, relative, absolute, transposed, half_distances, half_nearest,
            travelled, labels, upper, lower, r * RANGE,
        )


cdef inline void elkan_range(
    const point_t[:, ::1] points, const double[:, ::1] exact, const real_t[:, ::1] rounded,
    double relative, double absolute, const real_t[:, ::1] transposed,
    const real_t[:, ::1] half_distances, const real_t[::1] half_nearest,
    const real_t[::1] travelled, int32_t[::1] labels, real_t[::1] upper, real_t[:, ::1] lower,
    Py_ssize_t start,
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, RANGE, points.shape[0]), d = points.shape[1]
    cdef _c.kmc_elkan_f32 single
    cdef _c.kmc_elkan_f64 wide
    if point_t is not double and real_t is float:
        single.centroids.exact, single.centroids.rounded = &exact[0, 0], &rounded[0, 0]
        single.centroids.k = exact.shape[0]
        single.centroids.relative = <float>relative
        single.centroids.absolute = <float>absolute
        single.transposed, single.half_distances = &transposed[0, 0], &half_distances[0, 0]
        single.half_nearest, single.travelled = &half_nearest[0], &travelled[0]
        single.stride = travelled.shape[0]
        if point_t is uint8_t:
            kernels.elkan_u8(
                &points[start, 0], n, d, &single, &labels[start], &upper[start], &lower[start, 0]
            )
        else:
            kernels.elkan_f32(
                &points[start, 0], n, d, &single, &labels[start], &upper[start], &lower[start, 0]
            )
    elif point_t is double and real_t is double:
        wide.centroids.exact, wide.centroids.rounded = &exact[0, 0], &rounded[0, 0]
        wide.centroids.k = exact.shape[0]
        wide.centroids.relative, wide.centroids.absolute = relative, absolute
        wide.transposed, wide.half_distances = &transposed[0, 0], &half_distances[0, 0]
        wide.half_nearest, wide.travelled = &half_nearest[0], &travelled[0]
        wide.stride = travelled.shape[0]
        kernels.elkan_f64(
            &points[start, 0], n, d, &wide, &labels[start], &upper[start], &lower[start, 0]
        )


def own_dist2(
    const point_t[:, ::1] points, const double[:, ::1] centroids, const int32_t[::1] labels,
    double[::1] dist2, int num_threads,
):
    """Squared distance of each point to the centroid of its label: OUT dist2 (n,)."""
    cdef Py_ssize_t n = points.shape[0], d = points.shape[1], r, i, m
    assert centroids.shape[1] == d and labels.shape[0] == n and dist2.shape[0] == n
    for r in prange(n_ranges(n, RANGE), nogil=True, schedule="static", num_threads=num_threads):
        i = r * RANGE
        m = range_size(i, RANGE, n)
        if point_t is uint8_t:
            _c.kmc_own_dist2_u8(&points[i, 0], m, d, &centroids[0, 0], &labels[i], &dist2[i])
        elif point_t is float:
            _c.kmc_own_dist2_f32(&points[i, 0], m, d, &centroids[0, 0], &labels[i], &dist2[i])
        else:
            _c.kmc_own_dist2_f64(&points[i, 0], m, d, &centroids[0, 0], &labels[i], &dist2[i])


def update(
    const point_t[:, ::1] points, const double[::1] weights, const int32_t[::1] old_labels,
    const int32_t[::1] new_labels, double[:, ::1] sums, double[::1] weight_sums, int num_threads,
):
    """Move points whose label changed between clusters: IN OUT sums (k, d), weight_sums (k,).

    `weights` None: each is 1. `old_labels` None: every point joins its cluster. Returns how many
    points moved. Partial sums are added in the order of the points.
    """
    cdef Py_ssize_t n = points.shape[0], d = points.shape[1], k = sums.shape[0], stride = k * (d + 1)
    assert new_labels.shape[0] == n and sums.shape[1] == d and weight_sums.shape[0] == k
    assert weights is None or weights.shape[0] == n
    assert old_labels is None or old_labels.shape[0] == n
    cdef Py_ssize_t affordable = max(1, MOST_PARTIAL_DOUBLES // stride)
    cdef Py_ssize_t n_parts = min(n_ranges(n, PART), min(<Py_ssize_t>MOST_PARTS, affordable))
    cdef Py_ssize_t part_size = n_ranges(n, n_parts), part, cell, moved = 0
    cdef double *partial = <double *> calloc(n_parts * stride, sizeof(double))
    if partial == NULL:
        raise MemoryError(f"kmc needs {n_parts * stride * sizeof(double)} bytes for partial sums")
    try:
        for part in prange(n_parts, nogil=True, schedule="static", num_threads=num_threads):
            moved += update_part(
                points, weights, old_labels, new_labels, part * part_size, part_size, k,
                partial + part * stride,
            )
        for part in range(n_parts):
            for cell in range(k * d):
                (&sums[0, 0])[cell] += partial[part * stride + cell]
            for cell in range(k):
                weight_sums[cell] += partial[part * stride + k * d + cell]
    finally:
        free(partial)
    return moved


cdef inline Py_ssize_t update_part(
    const point_t[:, ::1] points, const double[::1] weights, const int32_t[::1] old_labels,
    const int32_t[::1] new_labels, Py_ssize_t start, Py_ssize_t size, Py_ssize_t k, double *sums,
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, size, points.shape[0]), d = points.shape[1]
    cdef const double *weight = NULL
    cdef const int32_t *old = NULL
    if n <= 0:
        return 0
    if weights is not None:
        weight = &weights[start]
    if old_labels is not None:
        old = &old_labels[start]
    if point_t is uint8_t:
        return _c.kmc_update_u8(
            &points[start, 0], n, d, weight, old, &new_labels[start], sums, sums + k * d
        )
    elif point_t is float:
        return _c.kmc_update_f32(
            &points[start, 0], n, d, weight, old, &new_labels[start], sums, sums + k * d
        )
    else:
        return _c.kmc_update_f64(
            &points[start, 0], n, d, weight, old, &new_labels[start], sums, sums + k * d
        )


def weighted_sums(
    const real_t[::1] values, const double[::1] weights, double[::1] part_sums, int num_threads
):
    """Sum of weights * values over each run of PART_SIZE values: OUT part_sums."""
    cdef Py_ssize_t n = values.shape[0], part
    assert part_sums.shape[0] == n_ranges(n, PART) and (weights is None or weights.shape[0] == n)
    for part in prange(n_ranges(n, PART), nogil=True, schedule="static", num_threads=num_threads):
        part_sums[part] = weighted_sum_part(values, weights, part * PART)


cdef inline double weighted_sum_part(
    const real_t[::1] values, const double[::1] weights, Py_ssize_t start
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, PART, values.shape[0])
    cdef const double *weight = NULL
    if weights is not None:
        weight = &weights[start]
    if real_t is float:
        return _c.kmc_weighted_sum_f32(&values[start], weight, n)
    else:
        return _c.kmc_weighted_sum_f64(&values[start], weight, n)


cdef inline void distances_range(
    const point_t *points, Py_ssize_t n, Py_ssize_t d, const real_t *centroids, Py_ssize_t m,
    real_t *tile, real_t *dist2, Py_ssize_t stride,
) noexcept nogil:
    if point_t is uint8_t and real_t is float:
        kernels.distances_u8(points, n, d, centroids, m, tile, dist2, stride)
    elif point_t is float and real_t is float:
        kernels.distances_f32(points, n, d, centroids, m, tile, dist2, stride)
    elif point_t is double and real_t is double:
        kernels.distances_f64(points, n, d, centroids, m, tile, dist2, stride)


def distances(
    const point_t[:, ::1] points, const real_t[:, ::1] centroids, real_t[:, ::1] dist2,
    int num_threads,
):
    """All squared distances, in real: OUT dist2 (k, n)."""
    cdef Py_ssize_t n = points.shape[0], d = points.shape[1], k = centroids.shape[0], r, start
    assert centroids.shape[1] == d > 0 and dist2.shape[0] == k and dist2.shape[1] == n
    cdef real_t *tiles = <real_t *> allocate(num_threads * d * _c.KMC_TILE, sizeof(real_t))
    try:
        for r in prange(n_ranges(n, RANGE), nogil=True, schedule="static", num_threads=num_threads):
            start = r * RANGE
            distances_range(
                &points[start, 0], range_size(start, RANGE, n), d, &centroids[0, 0], k,
                tiles + threadid() * d * _c.KMC_TILE, &dist2[0, start], n,
            )
    finally:
        free(tiles)


def candidate_potentials(
    const point_t[:, ::1] points, const real_t[:, ::1] candidates, const real_t[::1] closest,
    const double[::1] weights, double[:, ::1] potentials, int num_threads,
):
    """What each candidate would leave of k-means++'s potential: OUT potentials (parts, m).

    A row is one run of PART_SIZE points: the sums of weight * min(closest, squared distance).
    """
    cdef Py_ssize_t n = points.shape[0], d = points.shape[1], m = candidates.shape[0], part
    assert candidates.shape[1] == d > 0 and closest.shape[0] == n
    assert weights is None or weights.shape[0] == n
    assert potentials.shape[0] == n_ranges(n, PART) and potentials.shape[1] == m
    cdef Py_ssize_t scratch_size = d * _c.KMC_TILE + m * PART
    cdef real_t *scratch = <real_t *> allocate(num_threads * scratch_size, sizeof(real_t))
    try:
        for part in prange(n_ranges(n, PART), nogil=True, schedule="static", num_threads=num_threads):
            potentials_part(
                points, candidates, closest, weights, part * PART,
                scratch + threadid() * scratch_size, &potentials[part, 0],
            )
    finally:
        free(scratch)


cdef inline void potentials_part(
    const point_t[:, ::1] points, const real_t[:, ::1] candidates, const real_t[::1] closest,
    const double[::1] weights, Py_ssize_t start, real_t *scratch, double *potentials,
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, PART, points.shape[0]), d = points.shape[1]
    cdef Py_ssize_t m = candidates.shape[0], j
    cdef real_t *dist2 = scratch + d * _c.KMC_TILE
    cdef const double *weight = NULL
    if weights is not None:
        weight = &weights[start]
    distances_range(&points[start, 0], n, d, &candidates[0, 0], m, scratch, dist2, PART)
    for j in range(m):
        if real_t is float:
            potentials[j] = _c.kmc_capped_sum_f32(dist2 + j * PART, &closest[start], weight, n)
        else:
            potentials[j] = _c.kmc_capped_sum_f64(dist2 + j * PART, &closest[start], weight, n)


def lower_closest(
    const point_t[:, ::1] points, const real_t[:, ::1] centroid, real_t[::1] closest,
    const double[::1] weights, double[::1] part_sums, int num_threads,
):
    """One more centroid (1, d) of k-means++: IN OUT closest (n,); OUT their ``weighted_sums``."""
    cdef Py_ssize_t n = points.shape[0], d = points.shape[1], part
    assert centroid.shape[0] == 1 and centroid.shape[1] == d > 0 and closest.shape[0] == n
    assert part_sums.shape[0] == n_ranges(n, PART) and (weights is None or weights.shape[0] == n)
    cdef Py_ssize_t scratch_size = d * _c.KMC_TILE + PART
    cdef real_t *scratch = <real_t *> allocate(num_threads * scratch_size, sizeof(real_t))
    try:
        for part in prange(n_ranges(n, PART), nogil=True, schedule="static", num_threads=num_threads):
            part_sums[part] = lower_part(
                points, centroid, closest, weights, part * PART,
                scratch + threadid() * scratch_size,
            )
    finally:
        free(scratch)


cdef inline double lower_part(
    const point_t[:, ::1] points, const real_t[:, ::1] centroid, real_t[::1] closest,
    const double[::1] weights, Py_ssize_t start, real_t *scratch,
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, PART, points.shape[0]), d = points.shape[1], i
    cdef real_t *dist2 = scratch + d * _c.KMC_TILE
    distances_range(&points[start, 0], n, d, &centroid[0, 0], 1, scratch, dist2, PART)
    for i in range(n):
        closest[start + i] = min(closest[start + i], dist2[i])
    return weighted_sum_part(closest, weights, start)


include "_colors.pxi"
include "_dither.pxi"
