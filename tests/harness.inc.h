/* What every part of neon_harness.c uses: tables, random numbers, memory, records, and `check`. */
#include "remap/box_labels.h"
#include "color_kmeans/color_kmeans_dispatch.h"
#include "remap/nearest_entry.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((ptrdiff_t)(sizeof(array) / sizeof *(array)))

static const kmc_kernels *tables[8]; /* those that this processor can run; generic is the last */
static int n_tables, n_differences;

/* ---- Random numbers: splitmix64, exact arithmetic only ---- */

static uint64_t random_state;

static uint64_t random_bits(void) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static ptrdiff_t random_below(ptrdiff_t n) { return (ptrdiff_t)(random_bits() % (uint64_t)n); }

static double uniform(void) { return (double)(random_bits() >> 11) * 0x1p-53; }

/* ---- Memory: arrays that start at any element, freed together ---- */

#define GUARD 64
#define UNTOUCHED 0xa5

static void *allocations[64];
static int n_allocations;

static unsigned char *allocate(size_t bytes) {
  unsigned char *memory = malloc(bytes ? bytes : 1);
  if (memory == NULL || n_allocations == COUNT(allocations)) {
    puts("out of memory");
    exit(2);
  }
  memset(memory, UNTOUCHED, bytes);
  return allocations[n_allocations++] = memory;
}

static void free_down_to(int n) {
  while (n_allocations > n) free(allocations[--n_allocations]);
}

/* Nothing follows the last element, so that address sanitizers see a kernel that reads on. */
static void *new_input(ptrdiff_t count, size_t size) {
  const size_t skip = (size_t)random_below(4) * size;
  return allocate(skip + (size_t)count * size) + skip;
}

/* Guarded on both sides; recorded with the guards. */
static void *new_output(ptrdiff_t count, size_t size) {
  const size_t skip = (size_t)random_below(4) * size;
  return allocate(skip + (size_t)count * size + 2 * GUARD) + skip + GUARD;
}

/* ---- Records: what a kernel wrote, in named parts ---- */

typedef struct {
  unsigned char *bytes;
  size_t size, capacity;
  const char *names[64];
  size_t ends[64];
  int n_parts;
} record;

static void record_output(record *out, const char *name, const void *data, ptrdiff_t count, size_t size) {
  const size_t bytes = (size_t)count * size + 2 * GUARD;
  if (out->size + bytes > out->capacity) {
    out->capacity = 2 * (out->size + bytes);
    out->bytes = realloc(out->bytes, out->capacity);
  }
  if (out->bytes == NULL || out->n_parts == COUNT(out->names)) {
    puts("out of memory");
    exit(2);
  }
  memcpy(out->bytes + out->size, (const unsigned char *)data - GUARD, bytes);
  out->size += bytes;
  out->names[out->n_parts] = name;
  out->ends[out->n_parts++] = out->size;
}

static uint64_t digest = 0xcbf29ce484222325u; /* FNV-1a */

static void add_to_digest(const record *out) {
  for (size_t i = 0; i < out->size; i++) digest = (digest ^ out->bytes[i]) * 0x100000001b3u;
}

static void report(const char *isa, const char *what, const char *where) {
  n_differences++;
  printf("DIFFERENT %s %s: %s\n", isa, what, where);
}

static void compare(const char *isa, const char *what, const record *expected, const record *got) {
  size_t start = 0;
  for (int part = 0; part < expected->n_parts; start = expected->ends[part++]) {
    const size_t bytes = expected->ends[part] - start;
    if (memcmp(expected->bytes + start, got->bytes + start, bytes) == 0) continue;
    size_t first = 0;
    while (expected->bytes[start + first] == got->bytes[start + first]) first++;
    char where[120];
    snprintf(where, sizeof where, "%s (part %d), from byte %td of %zu", expected->names[part], part,
             (ptrdiff_t)first - GUARD, bytes - 2 * GUARD);
    report(isa, what, where);
    return;
  }
}

/* This process runs the checks number own_part, own_part + n_parts and so on. */
static int own_part, n_parts = 1, n_checks;

/* Runs a kernel from every table on the same inputs and the same random numbers. What is skipped changes no others. */
static void check(const char *what, void (*run)(const kmc_kernels *, const void *, record *), const void *problem) {
  static record expected, got;
  const uint64_t seed = random_state;
  const int before = n_allocations;
  if (n_checks++ % n_parts != own_part) return;
  for (int i = n_tables - 1; i >= 0; i--) {
    record *out = i == n_tables - 1 ? &expected : &got;
    out->size = 0, out->n_parts = 0;
    random_state = seed;
    run(tables[i], problem, out);
    free_down_to(before);
    if (out == &got) compare(tables[i]->name, what, &expected, &got);
  }
  random_state = seed;
  add_to_digest(&expected);
}

static int is_generic(const kmc_kernels *kernels) { return kernels == tables[n_tables - 1]; }
