// work N: calls each work_* function N times with arguments that a test can compute, then prints how often.
//   work_add(i, 2 * i) returns 3 * i        work_negative(-i) returns -i
//   work_text("item-<i mod 3>")             work_six(1, 2, 3, 4, 5, 6)       for i = 1 .. N
#include <stdio.h>
#include <stdlib.h>

#define KEPT __attribute__((noinline, noclone))

volatile long sink;

KEPT long work_add(long a, long b) { return sink = a + b; }
KEPT int work_negative(int n) { sink = n; return n; }
KEPT void work_text(const char *text) { sink = text[0]; }
KEPT void work_six(long a, long b, long c, long d, long e, long f) { sink = a + b + c + d + e + f; }
KEPT void work_list(const char *const *words) { sink = words[0][0]; }
KEPT void work_never(void) { sink = 1; }

int main(int argc, char **argv) {
  static const char *const names[] = {"item-0", "item-1", "item-2"};
  static const char *const words[] = {"alpha", "beta", "gamma", NULL};
  long n = argc > 1 ? atol(argv[1]) : 1;
  // A probe cannot wait for a page to be read in: touch what it will read.
  for (int i = 0; i < 3; ++i) sink = *(const volatile char *)names[i] + *(const volatile char *)words[i];
  for (long i = 1; i <= n; ++i) {
    work_add(i, 2 * i);
    work_negative((int)-i);
    work_text(names[i % 3]);
    work_six(1, 2, 3, 4, 5, 6);
    work_list(words);
  }
  if (argc < 0) work_never();
  printf("calls %ld\n", n);
  return 0;
}
