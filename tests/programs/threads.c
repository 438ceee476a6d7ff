// threads T N: T threads call thread_work(i) N times each; prints T * N.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static long n;
__attribute__((noinline, noclone)) long thread_work(long i) {
  __asm__ volatile("" : "+r"(i));
  return i;
}

static void *run(void *unused) {
  (void)unused;
  for (long i = 1; i <= n; ++i) thread_work(i);
  return NULL;
}

int main(int argc, char **argv) {
  const long threads = argc > 1 ? atol(argv[1]) : 2;
  n = argc > 2 ? atol(argv[2]) : 1;
  pthread_t *ids = calloc((size_t)threads, sizeof *ids);
  if (!ids) return 1;
  for (long i = 0; i < threads; ++i)
    if (pthread_create(&ids[i], NULL, run, NULL)) return 1;
  for (long i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  printf("calls %ld\n", threads * n);
  free(ids);
  return 0;
}
