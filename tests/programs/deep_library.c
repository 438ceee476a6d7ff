// libtrcdeep.so: a function for deep to end in, with a system call, and one that calls back, both without frame pointers; and a constructor
// that calls a function of storm.
#include <sys/resource.h>

__attribute__((weak)) void storm_constructed(void);
__attribute__((constructor)) static void construct(void) {
  if (storm_constructed) storm_constructed();
}

__attribute__((noinline, noclone)) int deep_end(int n) { return getpriority(PRIO_PROCESS, 0) + n; }
__attribute__((noinline, noclone)) int deep_call(int (*function)(int), int n) {
  volatile char room[72];
  room[n % 72] = 1;
  return function(n) + room[n % 72];
}
