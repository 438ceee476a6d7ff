// storm LIBRARY FOLDER T N: T threads load N copies of a library that they make in FOLDER, as fast as they can, and call storm_hit() through
// deep_call of each at once, close it and open it again. Its constructor has called storm_constructed() each time. Prints how many calls there were.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *bytes;
static long size, files;
static const char *folder;
static atomic_long next_file, calls;

__attribute__((noinline, noclone)) int storm_hit(int n) {
  __asm__ volatile("" : "+r"(n));
  return n;
}

static atomic_long constructed;
__attribute__((noinline, noclone)) void storm_constructed(void) {
  long n = 1;
  __asm__ volatile("" : "+r"(n));   // the kernel puts no probe on a locked instruction
  atomic_fetch_add(&constructed, n);
}

static void *run(void *unused) {
  (void)unused;
  for (long mine; (mine = atomic_fetch_add(&next_file, 1)) < files;) {
    char path[4096];
    snprintf(path, sizeof path, "%s/copy%ld.so", folder, mine);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    if (fd < 0 || write(fd, bytes, (size_t)size) != size || close(fd) != 0) abort();
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    int (*call)(int (*)(int), int) = library ? (int (*)(int (*)(int), int))dlsym(library, "deep_call") : NULL;
    if (!call) abort();
    call(storm_hit, (int)mine);
    atomic_fetch_add(&calls, 1);
    dlclose(library);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) abort();
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 5) return 1;
  FILE *in = fopen(argv[1], "rb");
  if (!in || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) <= 0) return 1;
  rewind(in);
  bytes = malloc((size_t)size);
  if (!bytes || fread(bytes, 1, (size_t)size, in) != (size_t)size) return 1;
  folder = argv[2];
  const long threads = atol(argv[3]);
  files = atol(argv[4]);
  pthread_t *ids = calloc((size_t)threads, sizeof *ids);
  for (long i = 0; i < threads; ++i)
    if (pthread_create(&ids[i], NULL, run, NULL)) return 1;
  for (long i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  printf("calls %ld, constructed %ld\n", (long)calls, (long)constructed);
  return 0;
}
