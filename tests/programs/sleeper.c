// sleeper [MS]: says "ready", then calls sleeper_tick() every 10 ms, for MS milliseconds or until it is killed.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

volatile long ticks;
__attribute__((noinline, noclone)) void sleeper_tick(long n) { ticks = n; }

int main(int argc, char **argv) {
  const long limit = argc > 1 ? atol(argv[1]) / 10 : -1;
  puts("ready");
  fflush(stdout);
  for (long i = 0; limit < 0 || i < limit; ++i) {
    sleeper_tick(i);
    usleep(10000);
  }
  return 0;
}
