# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The boundary between Python and the C kernels: checked shapes in, parallel loops over ranges.

Nothing here computes. Each function cuts its points into ranges and hands them to a kernel of
``src_c``, on ``num_threads`` threads; ranges are of a fixed size where their results are added up,
so that the sum does not depend on the number of threads. Callers have validated their arguments:
what is asserted here is what would corrupt memory.

Shapes: points (n, d), centroids (k, d) float64, labels (n,) int32, weights (n,) float64 or None.
"real" is float32 for uint8 and float32 points and float64 for float64 points. `exact`, `transposed`,
`panels` and `half_norms` are the centroids, and `bounds` (relative, absolute, margin, margin_per_norm)
tell how wrong real may be, all as in ``kmc_kernels.h``.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memmove, memset

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
    TILE = _c.KMC_TILE
    BLOCK = _c.KMC_BLOCK
    PANEL = _c.KMC_PANEL

PART_SIZE = PART
TILE_POINTS = _c.KMC_TILE
BLOCK_CENTROIDS = _c.KMC_BLOCK
PANEL_CENTROIDS = _c.KMC_PANEL

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


def tile_points(
    const point_t[:, ::1] points, const real_t[::1] origin, real_t[:, :, ::1] tiles, int num_threads
):
    """Points less `origin` (d,), transposed, and their lengths: OUT tiles (n / TILE, d + 1, TILE)."""
    cdef Py_ssize_t n = points.shape[0], d = points.shape[1], r
    assert origin.shape[0] == d > 0 and tiles.shape[0] == n_ranges(n, TILE)
    assert tiles.shape[1] == d + 1 and tiles.shape[2] == TILE
    for r in prange(n_ranges(n, RANGE), nogil=True, schedule="static", num_threads=num_threads):
        tile_range(points, origin, tiles, r * RANGE)


cdef inline void tile_range(
    const point_t[:, ::1] points, const real_t[::1] origin, real_t[:, :, ::1] tiles, Py_ssize_t start
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, RANGE, points.shape[0]), d = points.shape[1]
    cdef real_t *tile = &tiles[start // TILE, 0, 0]
    if point_t is uint8_t and real_t is float:
        _c.kmc_tile_points_u8(&points[start, 0], n, d, &origin[0], tile)
    elif point_t is float and real_t is float:
        _c.kmc_tile_points_f32(&points[start, 0], n, d, &origin[0], tile)
    elif point_t is double and real_t is double:
        _c.kmc_tile_points_f64(&points[start, 0], n, d, &origin[0], tile)


cdef inline _c.kmc_centroids_f32 single_centroids(
    const double[:, ::1] exact, const float[:, ::1] transposed, const float[:, :, ::1] panels,
    const float[::1] half_norms, const float[::1] bounds,
) noexcept nogil:
    cdef _c.kmc_centroids_f32 centroids
    centroids.exact, centroids.transposed = &exact[0, 0], &transposed[0, 0]
    centroids.panels, centroids.half_norms = &panels[0, 0, 0], &half_norms[0]
    centroids.k, centroids.stride = exact.shape[0], transposed.shape[1]
    centroids.relative, centroids.absolute = bounds[0], bounds[1]
    centroids.margin, centroids.margin_per_norm = bounds[2], bounds[3]
    return centroids


cdef inline _c.kmc_centroids_f64 wide_centroids(
    const double[:, ::1] exact, const double[:, ::1] transposed, const double[:, :, ::1] panels,
    const double[::1] half_norms, const double[::1] bounds,
) noexcept nogil:
    cdef _c.kmc_centroids_f64 centroids
    centroids.exact, centroids.transposed = &exact[0, 0], &transposed[0, 0]
    centroids.panels, centroids.half_norms = &panels[0, 0, 0], &half_norms[0]
    centroids.k, centroids.stride = exact.shape[0], transposed.shape[1]
    centroids.relative, centroids.absolute = bounds[0], bounds[1]
    centroids.margin, centroids.margin_per_norm = bounds[2], bounds[3]
    return centroids


cdef bint centroids_fit(
    Py_ssize_t d, const double[:, ::1] exact, const real_t[:, ::1] transposed, const real_t[:, :, ::1] panels,
    const real_t[::1] half_norms, const real_t[::1] bounds,
):
    """Whether the arrays that describe the centroids have the shapes of ``kmc_kernels.h``."""
    cdef Py_ssize_t stride = transposed.shape[1]
    return (
        0 < exact.shape[0] <= stride and stride % BLOCK == 0 and exact.shape[1] == transposed.shape[0] == d > 0
        and panels.shape[0] == stride // PANEL and panels.shape[1] == d and panels.shape[2] == PANEL
        and half_norms.shape[0] == stride and bounds.shape[0] == 4
    )


def assign(
    const point_t[:, ::1] points, const real_t[:, :, ::1] tiles, const double[:, ::1] exact,
    const real_t[:, ::1] transposed, const real_t[:, :, ::1] panels, const real_t[::1] half_norms,
    const real_t[::1] bounds, int32_t[::1] labels, int num_threads,
):
    """Nearest centroid of each point: OUT labels."""
    cdef Py_ssize_t n = points.shape[0], d = points.shape[1], stride = transposed.shape[1], r
    assert centroids_fit(d, exact, transposed, panels, half_norms, bounds)
    assert tiles.shape[0] == n_ranges(n, TILE) and tiles.shape[1] == d + 1 and tiles.shape[2] == TILE
    assert labels.shape[0] == n
    cdef real_t *dist2 = <real_t *> allocate(num_threads * stride, sizeof(real_t))
    try:
        for r in prange(n_ranges(n, RANGE), nogil=True, schedule="static", num_threads=num_threads):
            assign_range(
                points, tiles, exact, transposed, panels, half_norms, bounds,
                dist2 + threadid() * stride, labels, r * RANGE,
            )
    finally:
        free(dist2)


cdef inline void assign_range(
    const point_t[:, ::1] points, const real_t[:, :, ::1] tiles, const double[:, ::1] exact,
    const real_t[:, ::1] transposed, const real_t[:, :, ::1] panels, const real_t[::1] half_norms,
    const real_t[::1] bounds, real_t *dist2, int32_t[::1] labels, Py_ssize_t start,
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, RANGE, points.shape[0]), d = points.shape[1]
    cdef const real_t *tile = &tiles[start // TILE, 0, 0]
    cdef _c.kmc_centroids_f32 single
    cdef _c.kmc_centroids_f64 wide
    if point_t is not double and real_t is float:
        single = single_centroids(exact, transposed, panels, half_norms, bounds)
        if point_t is uint8_t:
            kernels.assign_u8(&points[start, 0], n, d, tile, &single, dist2, &labels[start])
        else:
            kernels.assign_f32(&points[start, 0], n, d, tile, &single, dist2, &labels[start])
    elif point_t is double and real_t is double:
        wide = wide_centroids(exact, transposed, panels, half_norms, bounds)
        kernels.assign_f64(&points[start, 0], n, d, tile, &wide, dist2, &labels[start])


def elkan_assign(
    const point_t[:, ::1] points, const double[:, ::1] exact, const real_t[:, ::1] transposed,
    const real_t[:, :, ::1] panels, const real_t[::1] half_norms, const real_t[::1] bounds,
    const real_t[:, ::1] half_distances, const real_t[::1] half_nearest,
    const real_t[::1] travelled, int32_t[::1] labels, real_t[::1] upper, real_t[:, ::1] lower,
    int num_threads,
):
    """Elkan's assignment: IN OUT labels, upper (n,), lower (n, stride); see ``kmc_kernels.h``."""
    cdef Py_ssize_t n = points.shape[0], k = exact.shape[0], stride = transposed.shape[1], r
    assert centroids_fit(points.shape[1], exact, transposed, panels, half_norms, bounds)
    assert half_distances.shape[0] == half_nearest.shape[0] == k
    assert half_distances.shape[1] == travelled.shape[0] == lower.shape[1] == stride
    assert labels.shape[0] == upper.shape[0] == lower.shape[0] == n
    cdef real_t *dist2 = <real_t *> allocate(num_threads * stride, sizeof(real_t))
    try:
        for r in prange(n_ranges(n, RANGE), nogil=True, schedule="static", num_threads=num_threads):
            elkan_range(
                points, exact, transposed, panels, half_norms, bounds, half_distances, half_nearest,
                travelled, labels, upper, lower, dist2 + threadid() * stride, r * RANGE,
            )
    finally:
        free(dist2)


cdef inline void elkan_range(
    const point_t[:, ::1] points, const double[:, ::1] exact, const real_t[:, ::1] transposed,
    const real_t[:, :, ::1] panels, const real_t[::1] half_norms, const real_t[::1] bounds,
    const real_t[:, ::1] half_distances, const real_t[::1] half_nearest,
    const real_t[::1] travelled, int32_t[::1] labels, real_t[::1] upper, real_t[:, ::1] lower,
    real_t *dist2, Py_ssize_t start,
) noexcept nogil:
    cdef Py_ssize_t n = range_size(start, RANGE, points.shape[0]), d = points.shape[1]
    cdef _c.kmc_elkan_f32 single
    cdef _c.kmc_elkan_f64 wide
    if point_t is not double and real_t is float:
        single.centroids = single_centroids(exact, transposed, panels, half_norms, bounds)
        single.half_distances = &half_distances[0, 0]
        single.half_nearest, single.travelled = &half_nearest[0], &travelled[0]
        if point_t is uint8_t:
            kernels.elkan_u8(
                &points[start, 0], n, d, &single, &labels[start], &upper[start], &lower[start, 0], dist2
            )
        else:
            kernels.elkan_f32(
                &points[start, 0], n, d, &single, &labels[start], &upper[start], &lower[start, 0], dist2
            )
    elif point_t is double and real_t is double:
        wide.centroids = wide_centroids(exact, transposed, panels, half_norms, bounds)
        wide.half_distances = &half_distances[0, 0]
        wide.half_nearest, wide.travelled = &half_nearest[0], &travelled[0]
        kernels.elkan_f64(
            &points[start, 0], n, d, &wide, &labels[start], &upper[start], &lower[start, 0], dist2
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
    cdef Py_ssize_t moved = n if old_labels is None else count_moved(old_labels, new_labels)
    if moved == 0:
        return 0
    cdef Py_ssize_t affordable = min(MOST_PARTIAL_DOUBLES // stride, moved // k)  # a part costs as much as k moves
    cdef Py_ssize_t n_parts = max(1, min(n_ranges(n, PART), min(<Py_ssize_t>MOST_PARTS, affordable)))
    cdef Py_ssize_t part_size = n_ranges(n, n_parts), part, cell
    cdef double *partial = <double *> calloc(n_parts * stride, sizeof(double))
    if partial == NULL:
        raise MemoryError(f"kmc needs {n_parts * stride * sizeof(double)} bytes for partial sums")
    try:
        for part in prange(n_parts, nogil=True, schedule="static", num_threads=num_threads):
            update_part(
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


cdef Py_ssize_t count_moved(const int32_t[::1] old_labels, const int32_t[::1] new_labels) noexcept nogil:
    cdef Py_ssize_t i, moved = 0
    for i in range(old_labels.shape[0]):
        moved += old_labels[i] != new_labels[i]
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


cdef inline double weighted_sum(
    const real_t *values, const double[::1] weights, Py_ssize_t start, Py_ssize_t n
) noexcept nogil:
    """Sum of weights[start:start + n] * values[:n]."""
    cdef const double *weight = NULL
    if weights is not None:
        weight = &weights[start]
    if real_t is float:
        return _c.kmc_weighted_sum_f32(values, weight, n)
    else:
        return _c.kmc_weighted_sum_f64(values, weight, n)


def weighted_sums(
    const real_t[::1] values, const double[::1] weights, double[::1] part_sums, int num_threads
):
    """Sum of weights * values over each run of PART_SIZE values: OUT part_sums."""
    cdef Py_ssize_t n = values.shape[0], part
    assert part_sums.shape[0] == n_ranges(n, PART) and (weights is None or weights.shape[0] == n)
    for part in prange(n_ranges(n, PART), nogil=True, schedule="static", num_threads=num_threads):
        part_sums[part] = weighted_sum(&values[part * PART], weights, part * PART, range_size(part * PART, PART, n))


def distances(
    const real_t[:, :, ::1] tiles, const real_t[:, ::1] centroids, const real_t[::1] most,
    const double[::1] weights, real_t[:, ::1] dist2, double[:, ::1] part_sums, int num_threads,
):
    """Squared distances, at most `most` (n,): OUT dist2 (m, n) and their weighted sums (parts, m).

    IN centroids (m, d) less the origin of the tiles. A row of `part_sums` is one run of PART_SIZE points.
    """
    cdef Py_ssize_t n = most.shape[0], d = centroids.shape[1], m = centroids.shape[0], part
    assert tiles.shape[0] == n_ranges(n, TILE) and tiles.shape[1] == d + 1 and tiles.shape[2] == TILE
    assert d > 0 and m > 0 and dist2.shape[0] == m and dist2.shape[1] == n
    assert part_sums.shape[0] == n_ranges(n, PART) and part_sums.shape[1] == m
    assert weights is None or weights.shape[0] == n
    for part in prange(n_ranges(n, PART), nogil=True, schedule="static", num_threads=num_threads):
        distances_part(tiles, centroids, most, weights, dist2, part * PART, &part_sums[part, 0])


cdef inline void distances_part(
    const real_t[:, :, ::1] tiles, const real_t[:, ::1] centroids, const real_t[::1] most,
    const double[::1] weights, real_t[:, ::1] dist2, Py_ssize_t start, double *sums,
) noexcept nogil:
    cdef Py_ssize_t stride = most.shape[0], n = range_size(start, PART, stride)
    cdef Py_ssize_t d = centroids.shape[1], m = centroids.shape[0], j
    cdef const real_t *tile = &tiles[start // TILE, 0, 0]
    if real_t is float:
        kernels.distances_f32(tile, n, d, &centroids[0, 0], m, &most[start], &dist2[0, start], stride)
    else:
        kernels.distances_f64(tile, n, d, &centroids[0, 0], m, &most[start], &dist2[0, start], stride)
    for j in range(m):
        sums[j] = weighted_sum(&dist2[j, start], weights, start, n)


include "_colorspace.pxi"
include "_histogram.pxi"
include "_color_sample.pxi"
include "_remap.pxi"
include "_color_kmeans.pxi"
include "_alpha_kmeans.pxi"
include "_choose_k.pxi"
include "_dither.pxi"
include "_flatness.pxi"
include "_compact.pxi"
