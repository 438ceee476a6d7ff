// signals DEPTH: goes DEPTH levels down (outer), where an instruction that does not exist interrupts it (interrupted); the handler goes
// DEPTH levels down again (inner), calls signals_bottom() once and steps over the instruction. Needs nothing of the C library on the way, so
// that every library gives the same stack.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define KEPT __attribute__((noinline, noclone))

static volatile int sink;
static int levels;

KEPT void signals_bottom(void) { sink++; }

KEPT void inner(int depth) {
  if (depth > 0) inner(depth - 1);
  else signals_bottom();
  sink++;
}

KEPT void handler(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  inner(levels - 1);
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;   // ud2 is two bytes long
}

KEPT void interrupted(void) { __asm__ volatile("ud2" ::: "memory"); }

KEPT void outer(int depth) {
  if (depth > 0) outer(depth - 1);
  else interrupted();
  sink++;
}

int main(int argc, char **argv) {
  levels = argc > 1 ? atoi(argv[1]) : 3;
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGILL, &action, NULL);
  outer(levels - 1);
  printf("calls %d\n", sink);
  return 0;
}
