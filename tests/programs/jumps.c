// jumps: ways of leaving a function that are no return, and a loop in the vDSO. Each calls jumps_bottom(), from a place of its own.
// jumps longjmp: jumped() is left by longjmp() three times; then again() is called, whose frame lies where that of jumped() was.
// jumps vfork: a child on its parent's stack, which then executes `true`.
// jumps clock MS: asks for the time for so long.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))

static volatile int sink;
static jmp_buf target;

KEPT void jumps_bottom(void) { sink++; }

KEPT void jumped(int depth) {
  if (depth > 0) jumped(depth - 1);
  else longjmp(target, 1);
  sink++;
}

KEPT void again(int depth) {
  if (depth > 0) again(depth - 1);
  else jumps_bottom();
  sink++;
}

KEPT void jump(void) {
  volatile int times = 0;
  setjmp(target);
  if (times++ < 3) jumped(4);
  again(4);
  sink++;
}

KEPT void in_child(void) {
  jumps_bottom();
  sink++;
}

KEPT int have_child(void) {
  int status = 0;
  const pid_t child = vfork();
  if (child == 0) {
    in_child();
    execlp("true", "true", (char *)NULL);
    _exit(1);
  }
  waitpid(child, &status, 0);
  jumps_bottom();
  return status;
}

KEPT long ask_for_the_time(long ms) {
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ms);
  return now.tv_nsec + sink;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "longjmp") == 0) jump();
  if (argc > 1 && strcmp(argv[1], "vfork") == 0 && have_child() != 0) return 1;
  if (argc > 2 && strcmp(argv[1], "clock") == 0 && ask_for_the_time(atol(argv[2])) < 0) return 1;
  printf("calls %d\n", sink);
  return 0;
}
