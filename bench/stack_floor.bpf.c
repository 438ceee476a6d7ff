// What the walker of user stacks is compared with: the kernel's own walk by frame pointers, with nothing around it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __uint(value_size, 1024 * 8);
} stacks SEC(".maps");

const volatile __u32 bytes = 0;
__u64 most = 0;   // bytes of the largest stack

SEC("tracepoint/syscalls/sys_enter_getsid")
int stack_floor(void *context) {
  __u32 zero = 0;
  void *stack = bpf_map_lookup_elem(&stacks, &zero);
  if (!stack) return 0;
  long got = bpf_get_stack(context, stack, bytes, BPF_F_USER_STACK);
  if (got > 0 && (__u64)got > most) most = got;
  return 0;
}

char stack_floor_license[] SEC("license") = "GPL";
