# Part of _kernels.pyx: the boundary to color_kmeans.h.

cdef void parallel_for(void *num_threads, _c.kmc_task task, void *context, int32_t n_tasks) noexcept nogil:
    cdef int32_t i
    if n_tasks == 1:
        task(context, 0)
        return
    for i in prange(n_tasks, schedule="static", num_threads=(<int *>num_threads)[0]):
        task(context, i)


def color_kmeans(
    const uint8_t[:, ::1] colors, const int64_t[::1] counts, double[:, ::1] centroids, bint seeds_given,
    int max_rounds, tuple trials, bint thorough, double tol, double coarse_tol, bint on_cells, int num_threads,
):
    """k-means of distinct colours (u, c), in the order of their keys, with counts (u,).

    IN OUT centroids (k, c). trials: of the search on cells, on more cells and on colours; thorough: with
    noisy rounds before it, and going by what its trials have shown. Returns (inertia, rounds, converged), or None
    where counts are beyond the bounds of ``color_kmeans.h``.
    """
    cdef int32_t u = <int32_t>colors.shape[0], k = <int32_t>centroids.shape[0]
    cdef _c.kmc_color_kmeans_options options
    cdef _c.kmc_color_kmeans_result result
    assert 0 < k <= min(u, 65535) and colors.shape[1] == centroids.shape[1] and counts.shape[0] == u
    assert colors.shape[1] == 1 or colors.shape[1] == 3
    options.k, options.channels, options.max_rounds = k, <int32_t>colors.shape[1], max_rounds
    options.search_trials, options.polish_trials, options.fine_trials = trials
    options.thorough = thorough
    options.tol, options.coarse_tol = tol, coarse_tol
    options.seeding = _c.KMC_SEEDS_GIVEN if seeds_given else _c.KMC_SEEDS_SEARCHED
    options.on_cells = on_cells
    options.n_tasks = num_threads
    cdef size_t scratch_size = _c.kmc_color_kmeans_scratch(u, &options)
    scratch = Scratch(scratch_size + 64)
    cdef uint8_t[::1] room = scratch.array
    cdef uint8_t *aligned = &room[0] + (-<size_t>&room[0] & 63)
    with nogil:
        result = _c.kmc_color_kmeans(
            &colors[0, 0], &counts[0], u, &options, _c.kmc_color_kernels_for(kernels), parallel_for,
            &num_threads, aligned, &centroids[0, 0], NULL,
        )
    if result.out_of_bounds:
        return None
    return result.inertia, result.rounds or result.coarse_rounds, bool(result.converged)
