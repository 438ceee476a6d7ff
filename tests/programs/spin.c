// spin MS: spins in spin_here() for MS milliseconds of its own CPU time.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

volatile long sink;
__attribute__((noinline, noclone)) void spin_here(void) {
  for (int i = 0; i < 100000; ++i) sink += i;
}

int main(int argc, char **argv) {
  const long ms = argc > 1 ? atol(argv[1]) : 100;
  struct timespec now;
  do {
    spin_here();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < ms);
  puts("spun");
  return 0;
}
