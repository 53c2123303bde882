/* Which kernels this processor can run.
 *
 * The contract on x86: an instruction set may be used when cpuid reports it AND the operating system saves its
 * registers, which xgetbv(0) tells: bits 1 and 2 for xmm and ymm (AVX2), bits 5 to 7 as well for opmask and zmm
 * (AVX-512). cpuid's OSXSAVE bit says that xgetbv exists. "avx2" means AVX2 and FMA. "avx512" means F, BW, DQ, VL and
 * VNNI (Ice Lake, Zen 4 and newer): the colour kernels multiply in VNNI, and older AVX-512 processors lower their
 * clock. On AArch64 NEON is always there. */
#include "kmc_kernels.h"

extern const kmc_kernels kmc_kernels_generic;

#if defined(__x86_64__) || defined(_M_X64)

extern const kmc_kernels kmc_kernels_avx2;
extern const kmc_kernels kmc_kernels_avx512;

#if defined(_MSC_VER)
#include <intrin.h>
static void cpuid(int leaf, int subleaf, unsigned registers[4]) { __cpuidex((int *)registers, leaf, subleaf); }
static uint64_t xgetbv0(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(int leaf, int subleaf, unsigned registers[4]) {
  __cpuid_count(leaf, subleaf, registers[0], registers[1], registers[2], registers[3]);
}
static uint64_t xgetbv0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}
#endif

enum { EBX = 1, ECX = 2 };

static int runs(const kmc_kernels *kernels) {
  unsigned registers[4];
  cpuid(0, 0, registers);
  if (registers[0] < 7) return 0;
  cpuid(1, 0, registers);
  if (!(registers[ECX] >> 27 & 1)) return 0; /* OSXSAVE */
  const unsigned has_fma = registers[ECX] >> 12 & 1;
  const uint64_t saved = xgetbv0();
  cpuid(7, 0, registers);
  if (kernels == &kmc_kernels_avx2) return (saved & 0x06) == 0x06 && (registers[EBX] >> 5 & 1) && has_fma;
  const unsigned wanted = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
  return (saved & 0xe6) == 0xe6 && (registers[EBX] & wanted) == wanted && (registers[ECX] >> 11 & 1); /* VNNI */
}

static const kmc_kernels *const vector_kernels[] = {&kmc_kernels_avx512, &kmc_kernels_avx2};

#elif defined(__aarch64__) || defined(_M_ARM64)

extern const kmc_kernels kmc_kernels_neon;
static int runs(const kmc_kernels *kernels) { return kernels != NULL; }
static const kmc_kernels *const vector_kernels[] = {&kmc_kernels_neon};

#else

static int runs(const kmc_kernels *kernels) { return kernels != NULL; }
static const kmc_kernels *const vector_kernels[] = {NULL};

#endif

const kmc_kernels *kmc_available(int index) {
  for (size_t i = 0; i < sizeof vector_kernels / sizeof *vector_kernels; i++) {
    if (runs(vector_kernels[i]) && index-- == 0) return vector_kernels[i];
  }
  return index == 0 ? &kmc_kernels_generic : NULL;
}
