// stack_depth FRAMES: calls to that depth through three functions in turn, then obeys what it reads: "g N" calls getpgid() N times, "s N"
// calls getsid() N times; each is answered by "done". So two tracers can look at the same stack in turn. Built with and without frame pointers.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int obey(void) {
  char what;
  long times;
  puts("ready");
  fflush(stdout);
  while (scanf(" %c %ld", &what, &times) == 2) {
    for (long i = 0; i < times; ++i) what == 'g' ? getpgid(0) : getsid(0);
    puts("done");
    fflush(stdout);
  }
  return 0;
}

__attribute__((noinline, noclone)) int first(int left);
__attribute__((noinline, noclone)) int third(int left) {
  volatile char room[200];
  room[left % 200] = (char)left;
  return (left > 0 ? first(left - 1) : obey()) + room[left % 200];
}
__attribute__((noinline, noclone)) int second(int left) {
  volatile long room[4];
  room[left % 4] = left;
  return (left > 0 ? third(left - 1) : obey()) + (int)room[left % 4];
}
__attribute__((noinline, noclone)) int first(int left) { return (left > 0 ? second(left - 1) : obey()) + 1; }

int main(int argc, char **argv) { return first(argc > 1 ? atoi(argv[1]) : 100) == 12345; }
