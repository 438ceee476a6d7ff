// generated DEPTH: goes DEPTH levels down, through a function that it has written into memory itself at each, and calls generated_bottom() there.
// Those have no unwind table, are in no file, and most keep no frame pointer; they take their frames down in as many ways as there are. The
// return addresses, innermost first, stand in generated_truth[] and are printed.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEPT __attribute__((noinline, noclone))
#define MAX_DEPTH 1000

typedef long (*made)(long depth, long (*callee)(long depth), void **returns_to);

// Each begins with mov (%rsp),%rax; mov %rax,(%rdx), and calls its second argument.
#define BEGIN "\x48\x8b\x04\x24\x48\x89\x02"
#define CALL "\xff\xd6"
static const struct { const char *code; size_t size; } shapes[] = {
#define SHAPE(code) {BEGIN code, sizeof(BEGIN code) - 1}
  SHAPE("\x48\x83\xec\x08" CALL "\x48\x83\xc4\x08\xc3"),                      // sub $8,%rsp … add $8,%rsp; ret: as CPython does for perf
  SHAPE("\x53\x41\x54\x41\x55\x48\x81\xec\x20\x01\x00\x00" CALL              // push rbx, r12, r13; sub $288,%rsp …
        "\x48\x81\xc4\x20\x01\x00\x00\x41\x5d\x41\x5c\x5b\xc3"),
  SHAPE("\x55\xbd\xff\xff\xff\x7f" CALL "\x5d\xc3"),                          // push %rbp; mov $0x7fffffff,%ebp …: no frame pointer
  SHAPE("\x55\x31\xed" CALL "\x5d\xc3"),                                      // push %rbp; xor %ebp,%ebp …
  SHAPE("\x55\x48\x89\xe5\x48\x83\xec\x10" CALL "\xc9\xc3"),                  // push %rbp; mov %rsp,%rbp; sub $16,%rsp … leave; ret
  SHAPE("\x53\x48\x83\xc4\x80" CALL "\x48\x83\xec\x80\x5b\xc3"),              // push %rbx; add $-128,%rsp … sub $-128,%rsp
  SHAPE("\x48\x83\xec\x18" CALL "\x90\x48\x89\xc2\x31\xc9\xb8\x07\x00\x00\x00\x48\x8d\x64\x24\x18\xf3\xc3"),   // … nop; mov; xor; mov; lea 24(%rsp),%rsp; repz ret
  SHAPE("\x55\x48\x89\xe5\x48\x83\xe4\xc0" CALL "\x48\x89\xec\x5d\xc3"),      // push %rbp; mov %rsp,%rbp; and $-64,%rsp … mov %rbp,%rsp; pop %rbp
  SHAPE("\x55\x48\x89\xe5\x53\x48\x83\xec\x08" CALL "\x48\x8d\x65\xf8\x5b\x5d\xc3"),   // … push %rbx; sub $8,%rsp … lea -8(%rbp),%rsp; pop %rbx; pop %rbp
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

void *generated_truth[2 * MAX_DEPTH + 1];
static made functions[SHAPES];
static volatile long sink;

KEPT void generated_bottom(void) { sink++; }

KEPT long descend(long depth) {
  generated_truth[2 * depth] = __builtin_return_address(0);
  if (depth == 0) {
    generated_bottom();
    return sink;
  }
  return functions[depth % SHAPES](depth - 1, descend, &generated_truth[2 * depth - 1]) + 1;
}

int main(int argc, char **argv) {
  const long levels = argc > 1 ? atol(argv[1]) : 20;
  if (levels < 0 || levels >= MAX_DEPTH) return 2;
  // Every second one ends where the memory ends that can be read.
  char *room = mmap(NULL, 2 * SHAPES * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return 1;
  for (size_t i = 0; i < SHAPES; i++) {
    char *page = room + 2 * i * 4096;
    if (mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0) return 1;
    char *code = memcpy(i % 2 == 0 ? page : page + 4096 - shapes[i].size, shapes[i].code, shapes[i].size);
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0) return 1;
    functions[i] = (made)code;
  }
  descend(levels);
  for (long i = 0; i < 2 * levels + 1; i++) printf("return %lx\n", (unsigned long)generated_truth[i]);
  return 0;
}
