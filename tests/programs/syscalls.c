// syscalls N: N times getppid(), openat() of /dev/null (read only) and of a path that does not exist, close(); prints N.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const long n = argc > 1 ? atol(argv[1]) : 1;
  for (long i = 0; i < n; ++i) {
    syscall(SYS_getppid);
    const int fd = openat(AT_FDCWD, "/dev/null", O_RDONLY);
    if (fd >= 0) close(fd);
    if (openat(AT_FDCWD, "/nonexistent/trc", O_RDONLY) >= 0) return 1;
  }
  printf("rounds %ld\n", n);
  return 0;
}
