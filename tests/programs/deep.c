// deep [N]: main -> descend (N + 1 times, 10 unless given) -> bottom -> deep_end of libtrcdeep.so. No frame pointers anywhere: only unwind
// tables lead from the last to the first.
#include <stdlib.h>

int deep_end(int);
__attribute__((noinline, noclone)) int bottom(int n) { return deep_end(n) + 1; }
__attribute__((noinline, noclone)) int descend(int n) {
  volatile char room[40];
  room[n % 40] = (char)n;
  return (n == 0 ? bottom(n) : descend(n - 1)) + room[n % 40];
}
int main(int argc, char **argv) { return descend(argc > 1 ? atoi(argv[1]) : 10) == 12345; }
