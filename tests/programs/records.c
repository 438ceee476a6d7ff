// records N: functions whose arguments are known by name and type. Each is called N times, for i = 1 .. N:
//   record_point(&{x = i, y = -i, next = &{x = 10 * i, y = 7}}, 'a' + i mod 3, Green, true)   returns -i
//   record_bits({low = 5, high = -3, byte = 200})         bit fields in a structure of three bytes, by pointer
//   record_large({id = i, name = "large", rest = {…}})     by value, on the stack
//   record_small({a = 1, b = 2}, i)                         by value, in a register: `number` is in the second one
//   record_many(1, 2, 3, 4, 5, 6, 7, -8)                    two on the stack
//   record_mixed(1.5, i, 2.5f, "text")                      floating-point numbers take no integer register
//   record_first(&point) returns &point
//   record_tail(p)  three bytes, {low : 17 = 100000, high : 7 = 65}, at the end of a page behind which nothing is mapped
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEPT __attribute__((noinline, noclone))

volatile long sink;
unsigned record_calls;
unsigned long record_wide = 0x1122334455667788ul;

enum color { Red, Green = 5, Blue };
struct point {
  int x;
  short y;
  struct point *next;
};
struct bits {
  unsigned char low : 3;
  signed char high : 5;
  unsigned char byte;
  unsigned char last : 1;
} __attribute__((packed));
struct large {
  long id;
  char name[16];
  union {
    int first;
    unsigned char bytes[4];
  };
};
struct small { int a, b; };
struct opaque;

KEPT int record_point(const struct point *p, char letter, enum color color, bool flag) { sink = p->x + letter + (int)color + flag; return p->x * -1; }
KEPT void record_bits(const struct bits *bits) { sink = bits->low; }
KEPT void record_large(struct large large) { sink = large.id; }
KEPT void record_small(struct small small, long number) { sink = small.a + number; }
KEPT void record_many(int a, int b, int c, int d, int e, int f, long g, int h) { sink = a + b + c + d + e + f + g + h; }
KEPT void record_mixed(double ratio, int number, float part, const char *text) { sink = (long)(ratio + number + (double)part) + text[0]; }
KEPT struct point *record_first(struct point *p) { sink = p->x; ++record_calls; return p; }
KEPT void record_tail(const unsigned char *tail) { sink = tail[0]; }
KEPT void record_opaque(struct opaque *hidden) { sink = (long)hidden; }

int main(int argc, char **argv) {
  const long n = argc > 1 ? atol(argv[1]) : 1;
  unsigned char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || munmap(pages + 4096, 4096) != 0) return 1;
  const unsigned tail = 100000 | 65u << 17;
  memcpy(pages + 4093, &tail, 3);
  for (long i = 1; i <= n; ++i) {
    struct point inner = {.x = (int)(10 * i), .y = 7}, outer = {.x = (int)i, .y = (short)-i, .next = &inner};
    const struct bits bits = {.low = 5, .high = -3, .byte = 200, .last = 1};
    record_point(&outer, (char)('a' + i % 3), Green, true);
    record_bits(&bits);
    record_large((struct large){.id = i, .name = "large", .first = 0x01020304});
    record_small((struct small){1, 2}, i);
    record_many(1, 2, 3, 4, 5, 6, 7, -8);
    record_mixed(1.5, (int)i, 2.5f, "text");
    record_first(&outer);
    record_opaque(NULL);
    record_tail(pages + 4093);
  }
  printf("calls %ld\n", n);
  return 0;
}
