// plugin_host LIBRARY N: opens LIBRARY by dlopen and calls its plugin_work(i), i = 1 .. N.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  void *library = dlopen(argv[1], RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  long (*work)(long);
  *(void **)&work = dlsym(library, "plugin_work");
  if (!work) return 1;
  const long n = atol(argv[2]);
  for (long i = 1; i <= n; ++i) work(i);
  printf("calls %ld\n", n);
  return 0;
}
