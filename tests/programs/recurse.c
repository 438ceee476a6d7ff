// recurse DEPTH: main calls descend(DEPTH), which calls itself down to descend(0), which calls bottom() once. With frame pointers, so
// the stack in bottom() has DEPTH + 1 frames of descend between it and main.
#include <stdio.h>
#include <stdlib.h>

#define KEPT __attribute__((noinline, noclone))

volatile long sink;

KEPT void bottom(void) {
  sink += 1;
  __asm__ volatile("" : : "r"(__builtin_frame_address(0)));  // a leaf too gets its frame
}

KEPT long descend(long depth) {
  if (depth == 0) {
    bottom();
    return sink;
  }
  long below = descend(depth - 1);
  sink += below;  // after the call: no tail call
  return sink;
}

int main(int argc, char **argv) {
  long depth = argc > 1 ? atol(argv[1]) : 10;
  descend(depth);
  printf("depth %ld\n", depth);
  return 0;
}
