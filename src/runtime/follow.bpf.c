// Stops every process that a traced command executes, at its exec, and tells who it is; the tracer attaches what waits for that program
// and lets it go on, before its first instruction.
#include "runtime/held_abi.h"

typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const map_delete)(void *map, const void *key) = (void *)3;
static long (*const probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static u64 (*const get_current_pid_tgid)(void) = (void *)14;
static long (*const send_signal)(u32 signal) = (void *)109;
static long (*const get_ns_current_pid_tgid)(u64 dev, u64 ino, void *result, u32 size) = (void *)120;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;
static void (*const ringbuf_discard)(void *data, u64 flags) = (void *)133;

enum { kSigStop = 19, kMostAncestors = 16, kMapTypeHash = 1, kMapTypeRing = 27 };

// The kernel's own, reduced to what is read; libbpf moves the offsets to where the running kernel has them.
struct task_struct {
  struct task_struct *real_parent;
  s32 tgid;
} __attribute__((preserve_access_index));

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

u32 tracer;                                   // as the first namespace counts processes, which is what task_struct has
const volatile u64 namespace_device = 0;      // of the tracer's pid namespace; inode 0: it is the first one
const volatile u64 namespace_inode = 0;

// Run once by the tracer itself: inside a container it does not know its own number outside.
SEC("trc/learn") int learn(void *context) {
  (void)context;
  tracer = get_current_pid_tgid() >> 32;
  return 0;
}

static int descends_from_tracer(struct task_struct *task) {
  for (int i = 0; i < kMostAncestors; ++i) {
    struct task_struct *parent = 0;
    s32 tgid = 0;
    if (probe_read_kernel(&parent, sizeof parent, &task->real_parent) != 0 || !parent) return 0;
    if (probe_read_kernel(&tgid, sizeof tgid, &parent->tgid) != 0) return 0;
    if ((u32)tgid == tracer) return 1;
    if (tgid <= 1) return 0;
    task = parent;
  }
  return 0;
}

static s32 pid_for_tracer(void) {
  if (namespace_inode == 0) return get_current_pid_tgid() >> 32;
  struct pid_in_namespace seen = {};
  if (get_ns_current_pid_tgid(namespace_device, namespace_inode, &seen, sizeof seen) != 0) return 0;
  return seen.tgid;
}

SEC("trc/executed") int executed(u64 *arguments) {
  if (!descends_from_tracer((struct task_struct *)arguments[0])) return 0;
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

char license_text[] SEC("license") = "GPL";
