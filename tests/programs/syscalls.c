// syscalls N: N times getppid(), openat() of /dev/null (read only) and of a path that does not exist, close(); prints N.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const long n = argc > 1 ? atol(argv[1]) : 1;
  static const char present[] = "/dev/null", absent[] = "/nonexistent/trc";
  // A probe cannot wait for a page to be read in: touch what it will read.
  (void)*(const volatile char *)present;
  (void)*(const volatile char *)absent;
  for (long i = 0; i < n; ++i) {
    syscall(SYS_getppid);
    const int fd = openat(AT_FDCWD, present, O_RDONLY);
    if (fd >= 0) close(fd);
    if (openat(AT_FDCWD, absent, O_RDONLY) >= 0) return 1;
  }
  printf("rounds %ld\n", n);
  return 0;
}
