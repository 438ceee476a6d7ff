// Keeps the list of the processes of a traced command, and stops each at its exec and tells who it is; the tracer attaches what waits for
// that program and lets it go on, before its first instruction.
#include "runtime/held_abi.h"
#include "stdlib/process_tree_abi.h"

typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const map_delete)(void *map, const void *key) = (void *)3;
static long (*const probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static u64 (*const get_current_pid_tgid)(void) = (void *)14;
static long (*const send_signal)(u32 signal) = (void *)109;
static long (*const get_ns_current_pid_tgid)(u64 dev, u64 ino, void *result, u32 size) = (void *)120;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;
static void (*const ringbuf_discard)(void *data, u64 flags) = (void *)133;

enum { kSigStop = 19, kMapTypeHash = 1, kMapTypeArray = 2, kMapTypeRing = 27, kNoPrealloc = 1 };

// The kernel's own, reduced to what is read; libbpf moves the offsets to where the running kernel has them.
struct signal_struct { struct { s32 counter; } live; } __attribute__((preserve_access_index));
struct task_struct { s32 tgid; struct signal_struct *signal; } __attribute__((preserve_access_index));

struct pid_in_namespace { u32 pid, tgid; };

struct {
  int (*type)[kMapTypeRing];
  int (*max_entries)[65536];
} execs SEC(".maps");

// Who is stopped, for whoever lets them go on if the tracer dies.
struct {
  int (*type)[kMapTypeHash];
  s32 *key;
  u64 *value;
  int (*max_entries)[TRC_HELD_PROCESSES];
} held SEC(".maps");

struct { int (*type)[kMapTypeArray]; u32 *key; struct trc_tree *value; int (*max_entries)[1]; } trc_tree SEC(".maps");
struct {
  int (*type)[kMapTypeHash];
  u32 *key, *value;
  int (*max_entries)[TRC_TREE_PROCESSES];
  int (*map_flags)[kNoPrealloc];
} trc_tree_members SEC(".maps");

u64 not_followed;                             // processes that found no room in the list
const volatile u64 namespace_device = 0;      // of the tracer's pid namespace; inode 0: it is the first one
const volatile u64 namespace_inode = 0;
const volatile s32 command = 0;               // the process of the command, as the tracer counts it

static s32 pid_for_tracer(void) {
  if (namespace_inode == 0) return get_current_pid_tgid() >> 32;
  struct pid_in_namespace seen = {};
  if (get_ns_current_pid_tgid(namespace_device, namespace_inode, &seen, sizeof seen) != 0) return 0;
  return seen.tgid;
}

static struct trc_tree *get_tree(void) {
  const u32 zero = 0;
  return map_lookup(&trc_tree, &zero);
}

static int add(u32 process) {
  const u32 one = 1;
  if (map_update(&trc_tree_members, &process, &one, 0) == 0) return 1;
  __sync_fetch_and_add(&not_followed, 1);
  return 0;
}

/// The running process is one of the tree; the command becomes its first when it executes something.
static int is_member(struct trc_tree *tree) {
  const u32 process = get_current_pid_tgid() >> 32;
  if (map_lookup(&trc_tree_members, &process)) return 1;
  if (tree->command != TRC_TREE_NOBODY || pid_for_tracer() != command || !add(process)) return 0;
  tree->command = process;
  return 1;
}

SEC("trc/executed") int executed(u64 *arguments) {
  (void)arguments;
  struct trc_tree *tree = get_tree();
  if (!tree || !is_member(tree)) return 0;
  const s32 pid = pid_for_tracer();
  if (pid <= 0) return 0;
  s32 *record = ringbuf_reserve(&execs, sizeof *record, 0);
  if (!record) return 0;                      // nobody would let it go on
  const u64 one = 1;
  *record = pid;
  if (map_update(&held, &pid, &one, 0) != 0) {
    ringbuf_discard(record, 0);
  } else if (send_signal(kSigStop) == 0) {
    ringbuf_submit(record, 0);
  } else {
    map_delete(&held, &pid);
    ringbuf_discard(record, 0);
  }
  return 0;
}

/// Runs in the parent, before the new task does anything.
SEC("trc/forked") int forked(u64 *arguments) {
  const struct task_struct *task = (const struct task_struct *)arguments[1];
  const u32 parent = get_current_pid_tgid() >> 32;
  u32 process = 0;
  struct trc_tree *tree = get_tree();
  if (!tree || !map_lookup(&trc_tree_members, &parent)) return 0;
  if (probe_read_kernel(&process, sizeof process, &task->tgid) != 0 || process == parent) return 0;   // a thread
  if (add(process)) tree->state = TRC_TREE_FORKED;
  return 0;
}

/// The last thread of a process takes it off the list; its number may come again.
SEC("trc/ended") int ended(u64 *arguments) {
  const struct task_struct *task = (const struct task_struct *)arguments[0];
  const u32 process = get_current_pid_tgid() >> 32;
  struct trc_tree *tree = get_tree();
  if (!tree || !map_lookup(&trc_tree_members, &process)) return 0;
  const struct signal_struct *signal = 0;
  s32 live = 0;
  if (probe_read_kernel(&signal, sizeof signal, &task->signal) != 0 || probe_read_kernel(&live, sizeof live, &signal->live.counter) != 0 || live != 0) return 0;
  map_delete(&trc_tree_members, &process);
  if (tree->command == process) {
    tree->command = TRC_TREE_NOBODY - 1;      // nor will anybody be it again
    tree->state = TRC_TREE_FORKED;
  }
  return 0;
}

char license_text[] SEC("license") = "GPL";
