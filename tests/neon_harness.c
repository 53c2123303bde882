/* Compares the kernels of every vector instruction set that this processor has with those in generic C, and generic C
 * with the definitions, bit for bit on the same inputs.
 *
 * Prints one line for each difference, then a digest of everything that generic C gave, which is the same on every
 * machine, and the number of differences. Exits with 1 if there are any. test_neon.py builds it for AArch64, where it
 * may run in an emulator, and for the machine at hand. `neon_harness 0 2` and `neon_harness 1 2` run half of it each.
 *
 * To cover another kernel: write a run_* function that calls it from the table it is given and records what it wrote,
 * and a function that makes its inputs and calls `check`. */
#include "harness.inc.h"
#include "harness_points.inc.h"
#include "harness_pixels.inc.h"
#include "harness_selection.inc.h"
#include "harness_color_kmeans.inc.h"
#include "harness_alpha.inc.h"

int main(int n_arguments, char **arguments) {
  if (n_arguments == 3) own_part = atoi(arguments[1]), n_parts = atoi(arguments[2]);
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  for (; (tables[n_tables] = kmc_available(n_tables)) != NULL; n_tables++) {
    printf("%s%s", n_tables ? ", " : "instruction sets: ", tables[n_tables]->name);
  }
  puts("");
  check_all_points();
  check_keys();
  check_errors();
  check_taken();
  check_nearest();
  check_all_boxes();
  check_pack_box();
  check_map();
  check_selection();
  check_all_color_kmeans();
  check_alpha_kmeans();
  printf("digest: %016" PRIx64 "\ndifferences: %d\n", digest, n_differences);
  return n_differences > 0;
}
