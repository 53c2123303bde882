# Part of _kernels.pyx: the boundary to alpha_kmeans.h.

cdef enum:
    ALPHA_SUMS = _c.KMC_ALPHA_CHANNELS + 1
    # Doubles of a kmc_alpha_group.
    GROUP_DOUBLES = 3 + 2 * _c.KMC_ALPHA_CHANNELS

ALPHA_LANES = _c.KMC_ALPHA_LANES


cdef class AlphaPoints:
    """Points (n, 4) with weights (n,), the first `n_soft` of them translucent, in Z-order by sorted keys."""
    cdef const int16_t[:, ::1] points
    cdef const int64_t[::1] weights
    cdef readonly Py_ssize_t n_soft
    cdef uint64_t[:, ::1] room
    cdef const uint64_t *keys[2]

    def __init__(
        self, const int16_t[:, ::1] points, const int64_t[::1] weights, Py_ssize_t n_soft, const int16_t[::1] low,
        int num_threads,
    ):
        """low (4,): the least values."""
        cdef Py_ssize_t n = points.shape[0], kind, first, last
        assert points.shape[1] == low.shape[0] == 4 and weights.shape[0] == n > 0 and 0 <= n_soft <= n
        self.points, self.weights, self.n_soft = points, weights, n_soft
        self.room = np.empty((2, n), np.uint64)
        for kind in prange(2, nogil=True, schedule="static", num_threads=min(num_threads, 2)):
            first = n_soft if kind else <Py_ssize_t>0
            last = n if kind else n_soft
            if first < last:
                self.keys[kind] = _c.kmc_alpha_keys(
                    &points[0, 0], first, last - first, &low[0], &self.room[0, first], &self.room[1, first]
                )

    def __len__(self):
        return self.points.shape[0]

    def splits(self):
        """Give (32,) how many neighbours have this bit of their keys as the highest that differs."""
        cdef int64_t[::1] splits = np.zeros(32, np.int64)
        with nogil:
            _c.kmc_alpha_splits(self.keys[0], self.n_soft, &splits[0])
            _c.kmc_alpha_splits(self.keys[1], self.points.shape[0] - self.n_soft, &splits[0])
        return np.asarray(splits)

    def cells(self, int shift):
        """Give the AlphaCells of points whose keys agree but for their lowest `shift` bits; -1: of single points."""
        cdef AlphaCells cells = AlphaCells()
        cdef Py_ssize_t n = self.points.shape[0]
        cdef _c.kmc_alpha_points rest
        cells.pairs, cells.weights = np.zeros((2, n + _c.KMC_ALPHA_BLOCK), np.int32), np.empty(n, np.int64)
        cells.points.xy, cells.points.zw = &cells.pairs[0, 0], &cells.pairs[1, 0]
        with nogil:
            cells.n_soft = _c.kmc_alpha_join(
                self.keys[0], self.n_soft, 32 + shift if shift >= 0 else 0, &self.points[0, 0], &self.weights[0],
                &cells.points, &cells.weights[0], &cells.squares
            )
            rest.xy = cells.points.xy + cells.n_soft
            rest.zw = cells.points.zw + cells.n_soft
            cells.n = cells.n_soft + _c.kmc_alpha_join(
                self.keys[1], n - self.n_soft, 32 + shift if shift >= 0 else 0, &self.points[0, 0], &self.weights[0],
                &rest, &cells.weights[0] + cells.n_soft, &cells.squares
            )
        return cells


cdef class AlphaCells:
    """Points with weights, or the means of those that share a cell; the first `n_soft` are translucent.

    squares: the sum of weights times squared points.
    """
    cdef int32_t[:, ::1] pairs
    cdef int64_t[::1] weights
    cdef _c.kmc_alpha_points points
    cdef readonly Py_ssize_t n_soft, n
    cdef readonly int64_t squares

    def __len__(self):
        return self.n

    def round(self, const int16_t[:, ::1] centroids, Py_ssize_t n_opaque, int32_t[::1] labels, int num_threads):
        """Assign all points; give sums (k, 5) int64 of each centroid's points times their weights, and weights.

        OUT labels (n,): of the nearest centroid, ties to the lowest; opaque points have one of the last `n_opaque`.
        """
        cdef Py_ssize_t k = centroids.shape[0], stride = (k + _c.KMC_ALPHA_LANES - 1) & -_c.KMC_ALPHA_LANES
        cdef Py_ssize_t first_opaque = k - n_opaque if n_opaque else 0, i, j, t, n_parts = num_threads
        cdef const _c.kmc_alpha_kernels *alpha_kernels = _c.kmc_alpha_kernels_for(kernels)
        cdef int64_t[:, :, ::1] part_sums = np.zeros((n_parts, k, ALPHA_SUMS), np.int64)
        cdef int32_t[:, ::1] rows = np.empty((2, stride), np.int32), room = np.empty((n_parts, 4 * stride), np.int32)
        cdef _c.kmc_alpha_points columns
        assert 0 <= n_opaque <= k and centroids.shape[1] == 4 and labels.shape[0] == self.n
        for j in range(stride):
            i = min(j, k - 1)
            rows[0, j] = _c.kmc_alpha_pair(centroids[i, 0], centroids[i, 1])
            rows[1, j] = _c.kmc_alpha_pair(centroids[i, 2], centroids[i, 3])
        columns.xy, columns.zw = &rows[0, 0], &rows[1, 0]
        for i in prange(n_parts, nogil=True, schedule="static", num_threads=num_threads):
            self.round_part(alpha_kernels, i, n_parts, &columns, first_opaque, stride, &room[i, 0],
                            &labels[0], &part_sums[i, 0, 0])
        return np.asarray(part_sums).sum(axis=0)

    cdef void round_part(
        self, const _c.kmc_alpha_kernels *alpha_kernels, Py_ssize_t part, Py_ssize_t n_parts,
        const _c.kmc_alpha_points *columns, Py_ssize_t first_opaque, Py_ssize_t stride, int32_t *room,
        int32_t *labels, int64_t *sums,
    ) noexcept nogil:
        cdef _c.kmc_alpha_near near
        cdef _c.kmc_alpha_points points
        cdef Py_ssize_t kind, low, high, start
        near.xy = room
        near.zw = room + stride
        near.index = room + 2 * stride
        near.dist2 = room + 3 * stride
        for kind in range(2):
            low = self.n_soft if kind else <Py_ssize_t>0
            high = self.n if kind else self.n_soft
            start = low + (high - low) * part // n_parts
            high = low + (high - low) * (part + 1) // n_parts
            points.xy = self.points.xy + start
            points.zw = self.points.zw + start
            _c.kmc_alpha_round(
                alpha_kernels, &points, &self.weights[start], high - start, columns, first_opaque if kind else 0,
                stride, &near, labels + start, sums,
            )

    def measure(self, const int32_t[::1] labels, Py_ssize_t n_groups):
        """Give an array (n_groups, 11): the kmc_alpha_group of the points with each label."""
        groups_array = np.empty((n_groups, GROUP_DOUBLES))
        cdef double[:, ::1] groups = groups_array, moments = np.empty((n_groups, _c.KMC_ALPHA_MOMENTS))
        assert labels.shape[0] == self.n
        with nogil:
            _c.kmc_alpha_measure(
                &self.points, &self.weights[0], self.n, &labels[0], n_groups, &moments[0, 0],
                <_c.kmc_alpha_group *>&groups[0, 0],
            )
        return groups_array

    def cuts(self, Py_ssize_t k):
        """Give means (m, 4) of m <= k parts, cut where there is most inertia, and whether they are of opaque points."""
        cdef int32_t[:, ::1] room = np.empty((2, self.n), np.int32)
        cdef _c.kmc_alpha_part *parts = <_c.kmc_alpha_part *>malloc(k * sizeof(_c.kmc_alpha_part))
        cdef Py_ssize_t n, i
        if parts == NULL:
            raise MemoryError
        try:
            with nogil:
                n = _c.kmc_alpha_cuts(
                    &self.points, &self.weights[0], self.n_soft, self.n, k, parts, &room[0, 0], &room[1, 0]
                )
            means = [[parts[i].group.mean[t] for t in range(4)] for i in range(n)]
            return np.array(means), np.array([parts[i].first >= self.n_soft for i in range(n)])
        finally:
            free(parts)


def alpha_merges(const double[:, ::1] centroids, const double[::1] weights, Py_ssize_t n_opaque):
    """What it costs (k,) to do without each of centroids (k, 4), and which one (k,) its points would have."""
    cdef Py_ssize_t k = centroids.shape[0]
    cost_array, partner_array = np.empty(k), np.empty(k, np.int32)
    cdef double[::1] costs = cost_array
    cdef int32_t[::1] partners = partner_array
    assert centroids.shape[1] == 4 and weights.shape[0] == k and 0 <= n_opaque <= k
    with nogil:
        _c.kmc_alpha_merges(&centroids[0, 0], &weights[0], k, n_opaque, &costs[0], &partners[0])
    return cost_array, partner_array
