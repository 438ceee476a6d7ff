// spin MS: spins in spin_here() until it has used MS milliseconds of CPU; then "spun for N ms", all that it has used.
// spin MS everywhere: so on each CPU at once, in a process each; says a line first, and all end when the first one does.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

volatile long sink;
__attribute__((noinline, noclone)) void spin_here(void) {
  for (int i = 0; i < 100000; ++i) sink += i;
}

static void stay_on(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  sched_setaffinity(0, sizeof one, &one);
}

static void go_everywhere(void) {
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  for (int cpu = 1; cpu < cpus; ++cpu) {
    if (fork() != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    stay_on(cpu);
    return;
  }
  stay_on(0);
  puts("spinning");
  fflush(stdout);
}

int main(int argc, char **argv) {
  const long ms = argc > 1 ? atol(argv[1]) : 100;
  if (argc > 2 && strcmp(argv[2], "everywhere") == 0) go_everywhere();
  struct timespec now;
  long used = 0;
  while (used < ms) {
    spin_here();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    used = now.tv_sec * 1000 + now.tv_nsec / 1000000;
  }
  printf("spun for %ld ms\n", used);
  return 0;
}
