// family COUNT alone|fork|threads|daemon|vfork: calls family_call() COUNT times, and does as many in three children, three threads, a daemon
// (whose parent is gone before it begins) or a child of vfork(). Says how many there were in all. Each call touches a page of memory that is new.
// family COUNT forever: again and again, after saying "ready".
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sys/sdt.h>

static long count;

__attribute__((noinline, noclone)) long family_call(char *page) {
  *page = 1;
  DTRACE_PROBE(trctest, family);
  return *page;
}

static void *call(void *unused) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = page * (size_t)count;
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) exit(1);
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  for (long i = 0; i < count; ++i) family_call(memory + page * (size_t)i);
  munmap(memory, bytes);
  return unused;
}

static void call_in_children(void) {
  for (int i = 0; i < 3; ++i) {
    if (fork() == 0) {
      call(NULL);
      _exit(0);
    }
  }
  while (wait(NULL) > 0) {}
}

static void call_in_threads(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, call, NULL);
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
}

static void call_in_daemon(void) {
  int done[2];
  char word;
  if (pipe(done) != 0) exit(1);
  const pid_t first = fork();
  if (first == 0) {
    const pid_t parent = getpid();
    if (fork() != 0) _exit(0);
    setsid();
    while (getppid() == parent) usleep(1000);
    call(NULL);
    _exit(write(done[1], "x", 1) != 1);
  }
  waitpid(first, NULL, 0);
  close(done[1]);
  if (read(done[0], &word, 1) != 1) exit(1);
}

static void call_in_vfork(void) {
  const pid_t pid = vfork();
  if (pid == 0) {
    call(NULL);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
}

int main(int argc, char **argv) {
  count = argc > 1 ? atol(argv[1]) : 1;
  const char *how = argc > 2 ? argv[2] : "alone";
  long others = 3;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (strcmp(how, "forever") == 0) {
    puts("ready");
    while (1) call(NULL);
  }
  call(NULL);
  if (strcmp(how, "fork") == 0) call_in_children();
  else if (strcmp(how, "threads") == 0) call_in_threads();
  else if (strcmp(how, "daemon") == 0) call_in_daemon(), others = 1;
  else if (strcmp(how, "vfork") == 0) call_in_vfork(), others = 1;
  else others = 0;
  printf("%ld calls\n", count * (1 + others));
  return 0;
}
