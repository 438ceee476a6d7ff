// usdt_probes N: fires each USDT probe of provider trctest N times, i = 1 .. N:
//   plain()   numbers(i, -i (int), i * 4294967296 (long), (signed char)-1)   text("item-<i mod 3>")   gated(i), only while its semaphore is set
// and prints how often it saw the semaphore set.
#define _SDT_HAS_SEMAPHORES 1
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>

// With semaphores on, every probe names one.
#define SEMAPHORE(name) __extension__ unsigned short trctest_##name##_semaphore __attribute__((unused, section(".probes")))
SEMAPHORE(plain);
SEMAPHORE(numbers);
SEMAPHORE(text);
SEMAPHORE(gated);

int main(int argc, char **argv) {
  static const char *const names[] = {"item-0", "item-1", "item-2"};
  const int n = argc > 1 ? atoi(argv[1]) : 1;
  int gated = 0;
  // A probe cannot wait for a page to be read in: touch what it will read.
  for (int i = 0; i < 3; ++i) (void)*(const volatile char *)names[i];
  for (int i = 1; i <= n; ++i) {
    DTRACE_PROBE(trctest, plain);
    const long wide = (long)i * 4294967296L;
    const signed char narrow = -1;
    DTRACE_PROBE4(trctest, numbers, i, -i, wide, narrow);
    DTRACE_PROBE1(trctest, text, names[i % 3]);
    if (*(volatile unsigned short *)&trctest_gated_semaphore) {
      ++gated;
      DTRACE_PROBE1(trctest, gated, i);
    }
  }
  printf("gated %d of %d\n", gated, n);
  return 0;
}
