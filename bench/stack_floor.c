// stack_floor FRAMES: at each getsid() of any process takes the user stack, of at most FRAMES, by bpf_get_stack(). Says "attached", waits for the
// end of its input, says how many frames the largest one had. What it costs stands in the kernel's statistics of its program.
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char trc_stack_floor_object[], trc_stack_floor_object_end[];

/// The data section `name` of `object`, which has one variable.
static struct bpf_map *section(struct bpf_object *object, const char *name) {
  struct bpf_map *map;
  bpf_object__for_each_map(map, object) {
    if (strstr(bpf_map__name(map), name)) return map;
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: stack_floor FRAMES\n"), 2;
  const size_t size = (size_t)(trc_stack_floor_object_end - trc_stack_floor_object);
  struct bpf_object *object = bpf_object__open_mem(trc_stack_floor_object, size, NULL);
  if (!object) return perror("stack_floor: open"), 1;
  const unsigned bytes = (unsigned)atoi(argv[1]) * 8;
  if (bpf_map__set_initial_value(section(object, ".rodata"), &bytes, sizeof bytes) != 0 || bpf_object__load(object) != 0) return perror("stack_floor: load"), 1;
  struct bpf_program *program = bpf_object__find_program_by_name(object, "stack_floor");
  if (!bpf_program__attach(program)) return perror("stack_floor: attach"), 1;
  puts("attached");
  fflush(stdout);
  while (getchar() != EOF) {}
  const unsigned zero = 0;
  unsigned long long most = 0;
  if (bpf_map__lookup_elem(section(object, ".bss"), &zero, sizeof zero, &most, sizeof most, 0) != 0) return perror("stack_floor: frames"), 1;
  printf("%llu frames\n", most / 8);
  return 0;
}
