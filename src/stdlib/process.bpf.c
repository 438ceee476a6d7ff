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
