// many_stacks N FRAMES: calls many_stacks_bottom() N times, each below a different stack of so many frames of two functions.
#include <stdlib.h>

#define KEPT static __attribute__((noinline, noclone))

static volatile int sink;

KEPT void left(int frames, unsigned way);
KEPT void right(int frames, unsigned way);
KEPT void many_stacks_bottom(void) { sink++; }

// The lowest bits of `way` say which of the two comes next.
static inline void go(int frames, unsigned way) {
  if (frames == 0) many_stacks_bottom();
  else if (way & 1) right(frames - 1, way >> 1);
  else left(frames - 1, way >> 1);
  sink++;
}
KEPT void left(int frames, unsigned way) { go(frames, way); }
KEPT void right(int frames, unsigned way) {
  sink++;
  go(frames, way);
}

int main(int argc, char **argv) {
  const int times = argc > 1 ? atoi(argv[1]) : 50000, frames = argc > 2 ? atoi(argv[2]) : 50;
  for (int i = 0; i < times; i++) go(frames, (unsigned)i);
  return 0;
}
