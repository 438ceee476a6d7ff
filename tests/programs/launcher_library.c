// liblauncher.so.1: the code of the launcher program.
#include <stdio.h>
#include <stdlib.h>

volatile long launcher_sink;
__attribute__((noinline, noclone)) long launcher_step(long n) { return launcher_sink = n; }

int launcher_main(int argc, char **argv) {
  const long n = argc > 1 ? atol(argv[1]) : 1;
  for (long i = 1; i <= n; ++i) launcher_step(i);
  printf("steps %ld\n", n);
  return 0;
}
