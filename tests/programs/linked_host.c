// linked_host N: calls plugin_work(i), i = 1 .. N, of the library it links.
#include <stdio.h>
#include <stdlib.h>

long plugin_work(long);

int main(int argc, char **argv) {
  const long n = argc > 1 ? atol(argv[1]) : 1;
  for (long i = 1; i <= n; ++i) plugin_work(i);
  printf("calls %ld\n", n);
  return 0;
}
