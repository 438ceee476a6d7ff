// caller N: calls called(i, stack depth 8) N times as fast as it can; the events of the in-kernel measurements.
#include <stdio.h>
#include <stdlib.h>

static volatile long sink;
__attribute__((noinline, noclone)) void called(long n) {
  sink = n;
  __asm__ volatile("" : : "r"(__builtin_frame_address(0)));  // a leaf too gets its frame
}
__attribute__((noinline, noclone)) void level(long n, int depth) {
  if (depth > 0) {
    level(n, depth - 1);
    sink += 1;
  } else {
    called(n);
    sink += 1;
  }
}

int main(int argc, char **argv) {
  const long n = argc > 1 ? atol(argv[1]) : 1;
  for (long i = 0; i < n; ++i) level(i, 8);
  printf("calls %ld\n", n);
  return 0;
}
