// names_host JOB ARGUMENT...: code that is gone when somebody wants its name. Each call of a library's function work() makes one getppid
// system call, and the program says what the dynamic loader called the function, a line "called NAME TIMES" for each.
//   swap N A B       loads A and B in turn, N times each, at one address as long as the kernel gives it ("at one address" says so)
//   memfd A          loads a copy of A that has no path
//   delete A         loads A, deletes it, and calls
//   replace A B      loads A, puts B in its place, and calls
//   child N A        N children, each loads A, calls and ends at once
//   threads T N A…   T threads, each N times: load one of the libraries, call, unload
//   forks N          N children, each calls a function of this program and ends at once; "called in_child N"
//   generate         writes a function into memory, then its name into the perf map of its namespace, and calls it
//   chroot DIR A     loads A below DIR after making DIR the root, without a path that leads there from outside
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef long (*work_function)(long);

static void *load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return library;
}

static work_function work_of(void *library) { return (work_function)(intptr_t)dlsym(library, "work"); }

static void say(void *function, long times) {
  Dl_info info;
  if (dladdr(function, &info) && info.dli_sname) printf("called %s %ld\n", info.dli_sname, times);
}

// The call does not stand last, so that it is no jump.
__attribute__((noinline)) static long call(work_function work) {
  const long result = work(1);
  __asm__ volatile("");
  return result;
}

__attribute__((noinline)) long in_child(void) {
  const long result = getppid();
  __asm__ volatile("");
  return result;
}

static int swap(long n, char **libraries) {
  intptr_t first = 0;
  int same = 1;
  for (long i = 0; i < 2 * n; ++i) {
    void *library = load(libraries[i % 2]);
    const work_function work = work_of(library);
    call(work);
    Dl_info info;
    if (!dladdr((void *)(intptr_t)work, &info)) return 1;
    if (i == 0) first = (intptr_t)info.dli_fbase;
    same &= (intptr_t)info.dli_fbase == first;
    if (i >= 2 * n - 2) printf("called %s %ld\n", info.dli_sname, n);
    dlclose(library);
  }
  if (same) puts("at one address");
  return 0;
}

static int run_from_memory(const char *path) {
  char buffer[1 << 16], name[64];
  const int from = open(path, O_RDONLY), to = memfd_create("library", 0);
  for (ssize_t got; (got = read(from, buffer, sizeof buffer)) > 0;) {
    if (write(to, buffer, (size_t)got) != got) return 1;
  }
  snprintf(name, sizeof name, "/proc/self/fd/%d", to);
  const work_function work = work_of(load(name));
  call(work);
  say((void *)(intptr_t)work, 1);
  return 0;
}

static int children(long n, const char *path) {
  for (long i = 0; i < n; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      if (path) call(work_of(load(path)));
      else in_child();
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  if (path) say((void *)(intptr_t)work_of(load(path)), n);
  else printf("called in_child %ld\n", n);
  return 0;
}

// getppid() as a compiler with frame pointers writes it.
static int generate(void) {
  static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xb8, 0x6e, 0, 0, 0, 0x0f, 0x05, 0x5d, 0xc3};   // push; mov; mov $110, %eax; syscall; pop; ret
  void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  memcpy(memory, code, sizeof code);
  usleep(100000);   // the map comes later than the memory, as with real compilers
  char name[64];
  snprintf(name, sizeof name, "/tmp/perf-%d.map", getpid());
  FILE *map = fopen(name, "w");
  if (!map) return 1;
  fprintf(map, "%lx %zx generated_one\n", (unsigned long)memory, sizeof code);
  fclose(map);
  call((work_function)(intptr_t)memory);
  puts("called generated_one 1");
  return 0;
}

struct job { long n, first, count; char **libraries; };

static void *many(void *argument) {
  const struct job *job = argument;
  for (long i = 0; i < job->n; ++i) {
    void *library = load(job->libraries[(job->first + i) % job->count]);
    call(work_of(library));
    dlclose(library);
  }
  return NULL;
}

static int threads(long count, long n, char **libraries) {
  long libraries_count = 0;
  while (libraries[libraries_count]) ++libraries_count;
  if (count > 64 || n % libraries_count != 0) return 2;
  pthread_t ids[64];
  struct job jobs[64];
  for (long i = 0; i < count; ++i) {
    jobs[i] = (struct job){n, i, libraries_count, libraries};
    pthread_create(&ids[i], NULL, many, &jobs[i]);
  }
  for (long i = 0; i < count; ++i) pthread_join(ids[i], NULL);
  for (long i = 0; i < libraries_count; ++i) say((void *)(intptr_t)work_of(load(libraries[i])), count * n / libraries_count);
  return 0;
}

int main(int argc, char **argv) {
  prctl(PR_SET_NAME, "names_host");   // whatever file it is executed from
  const char *job = argc > 1 ? argv[1] : "";
  if (!strcmp(job, "swap") && argc == 5) return swap(atol(argv[2]), argv + 3);
  if (!strcmp(job, "memfd") && argc == 3) return run_from_memory(argv[2]);
  if (!strcmp(job, "child") && argc == 4) return children(atol(argv[2]), argv[3]);
  if (!strcmp(job, "forks") && argc == 3) return children(atol(argv[2]), NULL);
  if (!strcmp(job, "threads") && argc > 4) return threads(atol(argv[2]), atol(argv[3]), argv + 4);
  if (!strcmp(job, "generate") && argc == 2) return generate();
  if (!strcmp(job, "chroot") && argc == 4 && chroot(argv[2]) == 0 && chdir("/") == 0) {
    const work_function work = work_of(load(argv[3]));
    call(work);
    say((void *)(intptr_t)work, 1);
    return 0;
  }
  if ((!strcmp(job, "delete") && argc == 3) || (!strcmp(job, "replace") && argc == 4)) {
    const work_function work = work_of(load(argv[2]));
    if (argc == 3 ? unlink(argv[2]) : rename(argv[3], argv[2])) return 1;
    call(work);
    say((void *)(intptr_t)work, 1);
    return 0;
  }
  return 2;
}
