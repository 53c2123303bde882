/* The two OpenMP calls that kmc needs, with what they mean in a build without OpenMP. */
#ifndef KMC_THREADS_H
#define KMC_THREADS_H

#ifdef _OPENMP
#include <omp.h>
static inline int kmc_has_openmp(void) { return 1; }
static inline int kmc_max_threads(void) { return omp_get_max_threads(); }
#else
static inline int kmc_has_openmp(void) { return 0; }
static inline int kmc_max_threads(void) { return 1; }
#endif

#endif
