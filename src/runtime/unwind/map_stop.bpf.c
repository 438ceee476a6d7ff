// Stops a process that has mapped code of a file without unwind table, before it can run any of it: `linked` where the dynamic linker says
// that it has mapped libraries, `mapped` at whatever maps. That one hooks on the exit of every system call and not on mmap's own event: the
// kernel passes over programs on those when another one runs on the CPU.
#include "runtime/held_abi.h"
#include "runtime/unwind/map_stop_abi.h"
#include "stdlib/process_tree_abi.h"

typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*const probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static u64 (*const get_current_pid_tgid)(void) = (void *)14;
static long (*const send_signal_thread)(u32 signal) = (void *)117;
static long (*const get_ns_current_pid_tgid)(u64 dev, u64 ino, void *result, u32 size) = (void *)120;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;
static void (*const ringbuf_discard)(void *data, u64 flags) = (void *)133;
static void *(*const get_current_task_btf)(void) = (void *)158;
static u64 (*const get_attach_cookie)(void *context) = (void *)174;
static long (*const find_vma)(void *task, u64 address, void *found, void *context, u64 flags) = (void *)180;
static long (*const loop)(u32 rounds, void *body, void *context, u64 flags) = (void *)181;

enum { kSigStop = 19, kMapTypeHash = 1, kNoPrealloc = 1, kMostLibraries = 4096, kMapTypeRing = 27, kMmap = 9, kMprotect = 10, kExecutable = 4, kAnonymous = 0x20,
       kNothingThere = -2,
       kInstructionPointer = 16 };   // of struct pt_regs of x86-64, in words

struct { int (*type)[kMapTypeRing]; int (*max_entries)[TRC_MAP_STOP_RING]; } stops SEC(".maps");
// Who is stopped, for whoever lets them go on if the tracer dies.
struct { int (*type)[kMapTypeHash]; s32 *key; u64 *value; int (*max_entries)[TRC_HELD_PROCESSES]; } held SEC(".maps");
struct { int (*type)[kMapTypeHash]; struct trc_uw_file_key *key; struct trc_uw_file *value; int (*max_entries)[TRC_UW_MAX_FILES]; } trc_uw_files SEC(".maps");

struct {
  int (*type)[kMapTypeHash];
  u32 *key, *value;
  int (*max_entries)[TRC_TREE_PROCESSES];
  int (*map_flags)[kNoPrealloc];
} trc_tree_members SEC(".maps");

const volatile struct trc_map_stop_settings settings = {};
u32 tracer;        // as the first namespace counts processes
u32 padding;
u64 not_stopped;   // for want of room
u64 over;          // not 0: nobody is stopped any more

SEC("trc/learn") int learn(void *context) {
  (void)context;
  tracer = get_current_pid_tgid() >> 32;
  return 0;
}

static u64 read_word(u64 structure, u64 member) {
  u64 word = 0;
  if (structure != 0) probe_read_kernel(&word, sizeof word, (const void *)(structure + member));
  return word;
}

static s32 pid_for_tracer(void) {
  if (settings.namespace_inode == 0) return get_current_pid_tgid() >> 32;
  struct { u32 pid, tgid; } seen = {};
  if (get_ns_current_pid_tgid(settings.namespace_device, settings.namespace_inode, &seen, sizeof seen) != 0) return 0;
  return seen.tgid;
}

/// The process as the tracer counts it, 0 if it is not to be stopped.
static s32 in_scope(void) {
  const u32 process = get_current_pid_tgid() >> 32;
  if (over != 0 || process == tracer) return 0;
  if (settings.scope == TRC_MAP_STOP_TREE && !map_lookup(&trc_tree_members, &process)) return 0;
  const s32 pid = pid_for_tracer();
  return settings.scope == TRC_MAP_STOP_PROCESS && pid != settings.process ? 0 : pid;
}

static void read_file_key(u64 file, struct trc_uw_file_key *key) {
  const u64 inode = read_word(file, settings.at[TRC_AT_file_inode]);
  key->inode = read_word(inode, settings.at[TRC_AT_inode_number]);
  key->device = (u32)read_word(read_word(inode, settings.at[TRC_AT_inode_super_block]), settings.at[TRC_AT_super_block_device]);
}

static int has_table(struct trc_uw_file_key *key) {
  struct trc_uw_file *file = map_lookup(&trc_uw_files, key);
  return file && file->state != TRC_UW_FILE_ASKED;
}

static void stop(s32 pid, const struct trc_map_stop_record *what) {
  struct trc_map_stop_record *record = ringbuf_reserve(&stops, sizeof *record, 0);
  const u64 one = 1;
  if (!record || map_update(&held, &pid, &one, 0) != 0) {   // nobody would let it go on
    if (record) ringbuf_discard(record, 0);
    __sync_fetch_and_add(&not_stopped, 1);
    return;
  }
  *record = *what;
  record->pid = pid;
  // To the thread, which stops all of them when it handles it. One to the process would be dropped while another waits for its thread to
  // be scheduled, and this one would run on until then.
  if (send_signal_thread(kSigStop) == 0) {
    ringbuf_submit(record, 0);
  } else {
    ringbuf_discard(record, 0);
    __sync_fetch_and_add(&not_stopped, 1);
  }
}

static long look_at_mapping(void *task, void *vma, void *context) {
  (void)task;
  struct trc_map_stop_record *record = context;
  const u64 file = read_word((u64)vma, settings.at[TRC_AT_vma_file]);
  if (file == 0) return 0;
  read_file_key(file, &record->key);
  record->start = read_word((u64)vma, settings.at[TRC_AT_vma_start]);
  record->end = read_word((u64)vma, settings.at[TRC_AT_vma_end]);
  return 0;
}

// struct pt_regs of x86-64.
struct registers { u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax; };

SEC("trc/mapped") int mapped(u64 *arguments) {
  // Every system call of the machine comes here, so the number alone first.
  const u64 number = read_word(arguments[0], __builtin_offsetof(struct registers, orig_ax));
  if (number != kMmap && number != kMprotect) return 0;
  struct registers registers;
  if (probe_read_kernel(&registers, sizeof registers, (const void *)arguments[0]) != 0) return 0;
  const long result = (long)arguments[1];
  if ((registers.dx & kExecutable) == 0 || (result < 0 && result > -4096)) return 0;
  if (registers.orig_ax == kMmap && (registers.r10 & kAnonymous) != 0) return 0;
  const s32 pid = in_scope();
  if (pid <= 0) return 0;
  struct trc_map_stop_record record = {};
  const u64 address = registers.orig_ax == kMmap ? (u64)result : registers.di;
  const long looked = find_vma(get_current_task_btf(), address, look_at_mapping, &record, 0);
  if (looked == kNothingThere) return 0;                                       // unmapped again
  if (looked == 0 && (record.end == 0 || has_table(&record.key))) return 0;   // no file, or one that is known
  if (looked != 0) record.start = record.end = 0;                              // another thread maps at this moment
  stop(pid, &record);
  return 0;
}

// What the dynamic linker keeps for debuggers, see <link.h>; the same in glibc and musl.
struct debug_list { s32 version; u64 first, breakpoint; s32 state; };
struct library { u64 load_address, name, dynamic, next; };
enum { kConsistent = 0 };

struct library_walk { u64 library; s32 pid; };

static long look_at_library(u32 index, struct library_walk *walk) {
  (void)index;
  struct library library;
  if (walk->library == 0 || probe_read_user(&library, sizeof library, (const void *)walk->library) != 0) return 1;
  walk->library = library.next;
  struct trc_map_stop_record record = {};
  // Its dynamic section lies in a mapping of its file, whatever else of it is mapped.
  const long looked = find_vma(get_current_task_btf(), library.dynamic, look_at_mapping, &record, 0);
  if (looked == kNothingThere) return 0;
  if (looked == 0 && (record.end == 0 || has_table(&record.key))) return 0;
  if (looked != 0) record.start = record.end = 0;
  stop(walk->pid, &record);
  return looked != 0;   // then all mappings are looked up
}

/// The dynamic linker's function for debuggers. The cookie tells where its list is from there: twice the distance, and 1 if that is a pointer.
SEC("trc/linked") int linked(u64 *registers) {
  const s32 pid = in_scope();
  if (pid <= 0) return 0;
  const u64 cookie = get_attach_cookie(registers);
  u64 address = registers[kInstructionPointer] + (u64)((long)cookie >> 1);
  if ((cookie & 1) != 0 && probe_read_user(&address, sizeof address, (const void *)address) != 0) return 0;
  struct debug_list list;
  if (probe_read_user(&list, sizeof list, (const void *)address) != 0 || list.state != kConsistent) return 0;
  struct library_walk walk = {.library = list.first, .pid = pid};
  loop(kMostLibraries, look_at_library, &walk, 0);
  return 0;
}

SEC("trc/executed") int executed(u64 *arguments) {
  const s32 pid = in_scope();
  if (pid <= 0) return 0;
  struct trc_map_stop_record record = {};
  read_file_key(read_word(arguments[2], settings.at[TRC_AT_binprm_file]), &record.key);
  if (!has_table(&record.key)) stop(pid, &record);
  return 0;
}

char license_text[] SEC("license") = "GPL";
