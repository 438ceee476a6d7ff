// Who is running: in the numbers that user space has for it, and whether it is the -c command.
#include "process_tree_abi.h"
#include "trc.bpf.h"

struct namespaced_ids {
  u32 tid, pid;
};

static long (*const bpf_get_ns_current_pid_tgid)(u64 device, u64 inode, struct namespaced_ids *ids, u32 size) = (void *)120;

extern const volatile u64 trc_pid_namespace_device, trc_pid_namespace_inode;

/// Process id << 32 | thread id, as trc's own pid namespace counts them; 0 for a task that is not in it.
TRC_INLINE u64 trc_pid_tgid(void) {
  if (trc_pid_namespace_inode == 0) return bpf_get_current_pid_tgid();
  struct namespaced_ids ids = {};
  if (bpf_get_ns_current_pid_tgid(trc_pid_namespace_device, trc_pid_namespace_inode, &ids, sizeof(ids)) != 0) return 0;
  return (u64)ids.pid << 32 | ids.tid;
}

extern char trc_tree, trc_tree_members;   // maps; see process_tree_abi.h

/// Does the running process belong to the -c command? Most commands are one process, so that is asked first, without a look-up.
TRC_INLINE u64 trc_in_tree(void) {
  const u32 zero = 0, process = bpf_get_current_pid_tgid() >> 32;
  const struct trc_tree *tree = bpf_map_lookup_elem(&trc_tree, &zero);
  if (!tree || tree->command == process) return 1;
  if (tree->state == TRC_TREE_FORKED) return bpf_map_lookup_elem(&trc_tree_members, &process) != 0;
  return tree->state == TRC_TREE_EVERYBODY;
}

// ---- tasks by their address ----

#define TRC_KERNEL_FIELD(symbol, structure, member) extern const volatile u64 trc_at_##symbol;
#include "kernel_fields.def"
#undef TRC_KERNEL_FIELD

#define MAX_PID_NS_LEVEL 32   // of the kernel
#define UPID_SIZE 16          // struct upid: int nr, struct pid_namespace *ns

TRC_LOCAL u64 word_at(u64 address) {
  u64 word = 0;
  bpf_probe_read_kernel(&word, sizeof(word), (const void *)address);
  return word;
}

TRC_LOCAL u32 half_at(u64 address) {
  u32 half = 0;
  bpf_probe_read_kernel(&half, sizeof(half), (const void *)address);
  return half;
}

/// Where trc's own pid namespace stands among the numbers of a struct pid: the address of a struct upid, 0 if the process is not in it. Without a
/// namespace of its own the first number counts.
TRC_SHARED u64 trc_own_number(u64 pid) {
  u64 numbers = pid + trc_at_pid_numbers;
  if (pid == 0) return 0;
  if (trc_pid_namespace_inode == 0) return numbers;
  u32 level = half_at(pid + trc_at_pid_level);
  for (u32 i = 0; i < MAX_PID_NS_LEVEL && i <= level; i++) {
    u64 number = numbers + i * UPID_SIZE;
    if (half_at(word_at(number + trc_at_upid_ns) + trc_at_pid_namespace_inode) == (u32)trc_pid_namespace_inode) return number;
  }
  return 0;
}

TRC_INLINE u64 trc_task_parent(u64 task) { return word_at(task + trc_at_task_parent); }
TRC_INLINE u64 trc_task_leader(u64 task) { return word_at(task + trc_at_task_leader); }

/// Thread id of a task, as user space of trc has it; 0 if it cannot see the task.
TRC_INLINE u64 trc_task_tid(u64 task) {
  u64 number = trc_own_number(word_at(task + trc_at_task_pid_struct));
  return number ? half_at(number) : 0;
}

TRC_INLINE void trc_task_comm(char *to, u64 task) { bpf_probe_read_kernel_str(to, 16, (const void *)(task + trc_at_task_comm)); }

#define NODE_BITS 6      // of the kernel's radix tree, XA_CHUNK_SHIFT
#define NODE_LEVELS 6    // 2^36 processes

/// The task with a process or thread id as user space of trc has it, 0: there is none. Looked up as the kernel does: in the tree of numbers of the
/// namespace. Task structures are freed late, and reads of freed memory do no harm.
TRC_SHARED u64 trc_find_task(u32 id) {
  u64 number = trc_own_number(word_at(bpf_get_current_task() + trc_at_task_pid_struct));
  if (number == 0) return 0;
  u64 entry = word_at(word_at(number + trc_at_upid_ns) + trc_at_pid_namespace_tree);
  u64 wanted = id;
  for (int i = 0; i < NODE_LEVELS && (entry & 3) == 2; i++) {   // an inner node, marked by these bits
    u64 node = entry - 2;
    u8 shift = 0;
    bpf_probe_read_kernel(&shift, sizeof(shift), (const void *)(node + trc_at_xa_node_shift));
    if (i == 0 && wanted >> ((shift & 63) + NODE_BITS)) return 0;   // beyond the largest number in use
    entry = word_at(node + trc_at_xa_node_slots + ((wanted >> (shift & 63)) & ((1 << NODE_BITS) - 1)) * sizeof(u64));
  }
  if (entry == 0 || (entry & 3) != 0) return 0;
  u64 links = word_at(entry + trc_at_pid_tasks);   // the first list is that of the task with this number
  return links ? links - trc_at_task_pid_links : 0;
}

TRC_INLINE void trc_comm_of(char *to, u32 id) {
  u64 task = trc_find_task(id);
  if (task) {
    trc_task_comm(to, task);
  } else {
    to[0] = 'N', to[1] = '/', to[2] = 'A';
  }
}

/// Where a CPU has its copy of a variable; 0: there is no such CPU. `offsets`: the kernel's table __per_cpu_offset.
TRC_INLINE u64 trc_percpu_address(u64 variable, u64 offsets, u64 cpu, u64 cpus) {
  return cpu < cpus ? variable + word_at(offsets + cpu * sizeof(u64)) : 0;
}
