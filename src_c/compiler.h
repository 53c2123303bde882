/* What compilers say each in their own way. */
#ifndef KMC_COMPILER_H
#define KMC_COMPILER_H

#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define KMC_ALWAYS_INLINE __forceinline
#define KMC_NEVER_INLINE __declspec(noinline)
#define KMC_RARELY(condition) (condition)
#define KMC_THROUGH_MEMORY(array)
static inline int kmc_lowest_bit(uint64_t mask) {
  unsigned long index;
  if (_BitScanForward(&index, (unsigned long)mask)) return (int)index;
  _BitScanForward(&index, (unsigned long)(mask >> 32));
  return (int)index + 32;
}
static inline int kmc_highest_bit(uint32_t mask) {
  unsigned long index;
  _BitScanReverse(&index, mask);
  return (int)index;
}
#else
#define KMC_ALWAYS_INLINE inline __attribute__((always_inline))
#define KMC_NEVER_INLINE __attribute__((noinline))
#define KMC_RARELY(condition) __builtin_expect(condition, 0)
/* What was stored in the array is to be loaded again: gcc takes elements out of vectors, which is slower. */
#define KMC_THROUGH_MEMORY(array) __asm__ volatile("" : : "r"(array) : "memory")
static inline int kmc_lowest_bit(uint64_t mask) { return __builtin_ctzll(mask); }     /* mask is not 0 */
static inline int kmc_highest_bit(uint32_t mask) { return 31 - __builtin_clz(mask); } /* nor here */
#endif

/* Without an instruction that not every processor has. */
static inline int kmc_count_bits(uint64_t mask) {
  mask -= mask >> 1 & 0x5555555555555555u;
  mask = (mask & 0x3333333333333333u) + (mask >> 2 & 0x3333333333333333u);
  return (int)(((mask + (mask >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}

#endif
