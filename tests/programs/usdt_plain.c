// usdt_plain N: one USDT probe without a semaphore, trcplain:tick(i, 10 * i), fired N times.
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>

int main(int argc, char **argv) {
  const int n = argc > 1 ? atoi(argv[1]) : 1;
  for (int i = 1; i <= n; ++i) DTRACE_PROBE2(trcplain, tick, i, 10 * i);
  printf("ticks %d\n", n);
  return 0;
}
