// Walks the frames of CPython: finds the interpreter in the process, the state of the running thread in it, and from there the chain of
// frames. What is read and why it can be trusted: docs/python-stacks.md. Everything that differs between versions is in struct trc_py_layout.
//
// What is large is a global function, verified once; they share the claimed memory and pass its number on.
#include "trc.bpf.h"
#include "python_abi.h"
#include "python_walk.h"
#include "stack_hash.h"
#include "walk.bpf.h"

extern char trc_py_files, trc_py_late, trc_py_runtimes, trc_py_processes, trc_py_codes, trc_py_walks;

// What code generation chose.
extern const volatile u64 trc_py_capacity;     // words that an element of trc_py_walks has room for
extern const volatile u64 trc_py_code_event;   // numbers of the events of the two kinds of record
extern const volatile u64 trc_py_file_event;

/// In unwind.bpf.c. (nodebug: clang 19 crashes on describing it here.)
__attribute__((nodebug)) int trc_stack_store(u32 index, struct trc_stack_name *name);

#define VM_EXEC 4
#define PY_MAX_MAPPINGS 8192     // of a process that are looked through
#define PY_MAX_THREADS 4096      // states that are looked through
#define PY_MAX_STEPS (1 << 17)   // frames that are looked at; each call from C puts in one that is not shown
#define PY_SHAPE_FROM 24         // bytes of a code object of 3.11 that tell it from others: sizes, flags and pointers that say what it is
#define PY_SHAPE_WORDS 15        // made of
#define PY_OWNED_BY_GENERATOR 1
// Only the innermost frame may be in the middle of its function's prologue; others that have not begun are those which the interpreter puts in, and
// they stand at their start. So a frame further on in its code is complete, which saves looking at the code object when frames are only counted.
#define PY_PROLOGUE 32

enum py_process { PY_NO_INTERPRETER, PY_HAS_INTERPRETER, PY_NOT_LOADED, PY_UNKNOWN_VERSION };

TRC_LOCAL struct trc_py_walk *py_walk_at(u32 index) { return bpf_map_lookup_elem(&trc_py_walks, &index); }
TRC_LOCAL u64 *words_of(struct trc_py_walk *s) { return (u64 *)(s + 1); }
TRC_LOCAL struct trc_py_runtime *runtime_at(u32 index) { return bpf_map_lookup_elem(&trc_py_runtimes, &index); }

/// 0 if it cannot be read: nothing that is looked for lies there.
TRC_LOCAL u64 user_word(u64 address) {
  u64 value = 0;
  if (bpf_probe_read_user(&value, sizeof value, (const void *)address)) return 0;
  return value;
}
TRC_LOCAL u32 kernel_half(u64 address) {
  u32 value = 0;
  bpf_probe_read_kernel(&value, sizeof value, (const void *)address);
  return value;
}

// ---- which interpreter ------------------------------------------------------------------------------------------------------------------

TRC_GLOBAL u32 trc_py_find_slot(u32 index, u32 end, u64 address) {
  struct trc_py_walk *s = py_walk_at(index);
  return s ? find_slot(s->node, end, address) : 0;
}

/// What is mapped at s->address, 0 for a gap; s->address becomes where the next range begins, 0 after the last. Reads the kernel's maple
/// tree without its lock: a change at the same time may give nonsense, which the checks of the caller catch.
TRC_LOCAL u64 next_mapping(u32 index, struct trc_py_walk *s) {
  u64 entry = s->maple_root, address = s->address, last = ~0ull;
  s->address = 0;
  if ((entry & 3) != 2) return 0;
  for (int depth = 0; depth < 8; depth++) {
    if (entry < 4096) return 0;
    u32 type = (entry >> 3) & 15;
    if (bpf_probe_read_kernel(s->node, sizeof s->node, (const void *)(entry & ~255ull))) return 0;
    // word 0 is the parent; then 15 pivots and 16 slots, or 9 and 10 where gaps are kept too
    u32 pivots = 15, slots = 16, end;
    if (type == 3) {
      pivots = 9;
      slots = 10;
      end = s->node[30] & 255;
    } else if (type == 1 || type == 2) {
      end = s->node[15] == 0 ? s->node[31] & 255 : s->node[15] == last ? 14 : 15;
    } else {
      return 0;
    }
    u32 at = trc_py_find_slot(index, end, address);
    if (at < pivots && s->node[(1 + at) & 31]) last = s->node[(1 + at) & 31];
    entry = s->node[(slots + at) & 31];
    if (type == 1) {
      if (last + 1 > address) s->address = last + 1;
      return entry;
    }
  }
  return 0;
}

/// A file that was not looked at yet stands in the way of this stack, unless it turns out to hold no interpreter.
TRC_LOCAL void count_late(struct trc_py_walk *s, const struct trc_uw_file_key *file) {
  struct trc_py_late_key key = {.file = *file, .program = s->program};
  u64 first = 1, *stacks = bpf_map_lookup_elem(&trc_py_late, &key);
  s->asked = 1;
  if (stacks) __sync_fetch_and_add(stacks, 1);
  else bpf_map_update_elem(&trc_py_late, &key, &first, BPF_NOEXIST);
}

/// Looks at one mapping. 1: there are no more.
static long look_at_mapping(u32 i, const u32 *index) {
  (void)i;
  struct trc_py_walk *s = py_walk_at(*index);
  if (!s) return 1;
  u64 vma = next_mapping(*index, s);
  int last = s->address == 0;
  if (vma < 4096) return last;
  u64 file = kernel_word(vma + trc_at_vma_file);
  if (!file || !(kernel_word(vma + trc_at_vma_flags) & VM_EXEC)) return last;
  u64 inode = kernel_word(file + trc_at_file_inode);
  struct trc_uw_file_key key = {.device = kernel_half(kernel_word(inode + trc_at_inode_super_block) + trc_at_super_block_device),
                                .inode = kernel_word(inode + trc_at_inode_number)};
  struct trc_py_file *known = bpf_map_lookup_elem(&trc_py_files, &key);
  if (!known) {
    struct trc_py_file fresh = {.state = TRC_PY_FILE_ASKED};
    struct trc_py_file_record record = {.event = (u32)trc_py_file_event, .program = s->program, .key = key, .tgid = s->tgid};
    record.start = kernel_word(vma + trc_at_vma_start);
    record.end = kernel_word(vma + trc_at_vma_end);
    count_late(s, &key);
    if (bpf_map_update_elem(&trc_py_files, &key, &fresh, BPF_NOEXIST) == 0 &&
        bpf_ringbuf_output(&trc_ring, &record, sizeof record, 0)) {
      bpf_map_delete_elem(&trc_py_files, &key);   // asked again next time
    }
    return last;
  }
  if (known->state == TRC_PY_FILE_ASKED) count_late(s, &key);
  if (known->state == TRC_PY_FILE_UNKNOWN) s->process.unknown = 1;
  if (known->state != TRC_PY_FILE_READY) return last;
  u32 number = known->runtime;
  struct trc_py_runtime *runtime = runtime_at(number);
  if (!runtime) return last;
  u64 offset = kernel_word(vma + trc_at_vma_page_offset) << 12, start = kernel_word(vma + trc_at_vma_start);
  if (offset < runtime->code_offset || offset >= runtime->code_end) return last;
  u32 n = s->process.modules;
  if (n >= TRC_PY_MODULES) return 1;
  u64 bias = start - offset + runtime->code_offset - runtime->code_address;
  if (n && s->process.module[0].bias == bias && s->process.module[0].runtime == number) return last;   // another piece of the same
  s->process.module[n].bias = bias;
  s->process.module[n].runtime = number;
  s->process.modules = n + 1;
  return last;
}


/// Makes sure that s->process is about the current process. enum py_process.
TRC_GLOBAL int trc_py_find_process(u32 index) {
  struct trc_py_walk *s = py_walk_at(index);
  if (!s) return PY_NO_INTERPRETER;
  u64 mm = kernel_word(bpf_get_current_task() + trc_at_task_mm);
  if (!mm) return PY_NO_INTERPRETER;
  u32 tgid = s->tgid;
  u64 stack = kernel_word(mm + trc_at_mm_start_stack);
  u64 now = 0;
  struct trc_py_process *known = bpf_map_lookup_elem(&trc_py_processes, &tgid);
  if (known && known->mm == mm && known->stack == stack) {
    if (known->modules) {
      s->process = *known;
      return PY_HAS_INTERPRETER;
    }
    if (known->mappings == kernel_half(mm + trc_at_mm_map_count)) return known->unknown ? PY_UNKNOWN_VERSION : PY_NO_INTERPRETER;
    now = bpf_ktime_get_ns();
    if (now < known->look_again_ns) return known->unknown ? PY_UNKNOWN_VERSION : PY_NO_INTERPRETER;
  }
  if (!now) now = bpf_ktime_get_ns();
  s->process = (struct trc_py_process){.mm = mm, .stack = stack, .mappings = kernel_half(mm + trc_at_mm_map_count)};
  s->maple_root = kernel_word(mm + trc_at_mm_maple_root);
  s->address = 0;
  s->asked = 0;
  bpf_loop(PY_MAX_MAPPINGS, look_at_mapping, &index, 0);
  if (s->asked && !s->process.modules) return PY_NOT_LOADED;
  // Looking takes at most a tenth of the time, also where mappings change all the time.
  u64 after = bpf_ktime_get_ns();
  s->process.look_again_ns = after + 10 * (after - now);
  bpf_map_update_elem(&trc_py_processes, &tgid, &s->process, BPF_ANY);
  if (s->process.modules) return PY_HAS_INTERPRETER;
  return s->process.unknown ? PY_UNKNOWN_VERSION : PY_NO_INTERPRETER;
}

// ---- which thread -----------------------------------------------------------------------------------------------------------------------

/// The state that is executing, if it is the running thread's.
TRC_LOCAL u64 executing_thread(const struct trc_py_walk *s, const struct trc_py_runtime *r) {
  if (r->layout.runtime_current != TRC_PY_ABSENT) return user_word(s->bias + r->runtime + r->layout.runtime_current);
  if (r->tls_kind == TRC_PY_TLS_FIXED) return user_word(s->fs + r->tls_offset);
  if (r->tls_kind == TRC_PY_TLS_INITIAL) return user_word(s->fs + user_word(s->bias + r->tls_got));
  if (r->tls_kind != TRC_PY_TLS_DYNAMIC) return 0;
  // The dynamic thread vector: 16 bytes for each module, its block first; 0 or all ones if this thread has none.
  u64 pair[2] = {};
  if (bpf_probe_read_user(pair, sizeof pair, (const void *)(s->bias + r->tls_got))) return 0;
  u64 block = user_word(user_word(s->fs + 8) + pair[0] * 16);
  return block && block != ~0ull ? user_word(block + pair[1] + r->tls_offset) : 0;
}

/// The state that the thread keeps in a key of its own, also while it waits without the global lock.
TRC_LOCAL u64 kept_thread(const struct trc_py_walk *s, const struct trc_py_runtime *r) {
  u64 made = user_word(s->bias + r->runtime + r->layout.runtime_key);
  u32 key = made >> 32;
  if (!(u32)made || key >= 1024) return 0;
  u64 block = user_word(s->fs + r->specific + (key >> 5) * 8);
  return block ? user_word(block + (key & 31) * 16 + 8) : 0;
}

/// Starts the walk at this state, if it is the running thread's and in a function. 1: it is.
TRC_LOCAL int start_at(struct trc_py_walk *s, const struct trc_py_runtime *r, u64 thread) {
  if (!thread || user_word(thread + r->layout.thread_id) != s->fs) return 0;
  u64 frame = user_word(thread + r->layout.thread_frame);
  s->thread_seen = 1;
  s->cframe = 0;
  if (r->layout.cframe_frame != TRC_PY_ABSENT) {
    s->cframe = frame;
    frame = frame ? user_word(frame + r->layout.cframe_frame) : 0;
  }
  s->frame = frame;
  return frame != 0;
}

/// Looks at one state in the lists of all interpreters. 1: found, or there are no more.
static long look_at_thread(u32 i, const u32 *index) {
  (void)i;
  struct trc_py_walk *s = py_walk_at(*index);
  if (!s) return 1;
  struct trc_py_runtime *r = runtime_at(s->runtime);
  if (!r) return 1;
  if (!s->thread) {
    if (!s->interpreter) {
      s->unread = 0;   // the end of the list: Python does not know this thread
      return 1;
    }
    u64 interpreter = s->interpreter;
    return bpf_probe_read_user(&s->thread, 8, (const void *)(interpreter + r->layout.interpreter_threads)) ||
           bpf_probe_read_user(&s->interpreter, 8, (const void *)(interpreter + r->layout.interpreter_next));
  }
  u64 thread = s->thread;
  if (bpf_probe_read_user(&s->thread, 8, (const void *)(thread + r->layout.thread_next))) return 1;
  return start_at(s, r, thread);
}


/// Finds the first frame of the running thread in module `m`. 1: found.
TRC_GLOBAL int trc_py_find_thread(u32 index, u32 m) {
  struct trc_py_walk *s = py_walk_at(index);
  if (!s || m >= TRC_PY_MODULES) return 0;
  s->bias = s->process.module[m].bias;
  s->runtime = s->process.module[m].runtime;
  struct trc_py_runtime *r = runtime_at(s->runtime);
  if (!r) return 0;
  if (start_at(s, r, executing_thread(s, r))) return 1;
  if (start_at(s, r, kept_thread(s, r))) return 1;
  s->thread = 0;
  s->unread = 1;
  s->interpreter = user_word(s->bias + r->runtime + r->layout.runtime_interpreters);
  bpf_loop(PY_MAX_THREADS, look_at_thread, &index, 0);
  return s->frame != 0;
}

// ---- code objects -----------------------------------------------------------------------------------------------------------------------

/// Copies at most TRC_PY_MAX_NAME bytes of a string to s->text + `at`; returns how many.
TRC_LOCAL u32 copy_string(struct trc_py_walk *s, const struct trc_py_layout *l, u64 string, u32 at, u32 *state, u32 *length) {
  u64 characters = user_word(string + l->string_length);
  u32 bits = (u32)user_word(string + l->string_state) >> (l->string_shift & 31);
  u64 bytes = characters * (bits >> 2 & 7);
  *state = bits;
  *length = characters > 0xffffffff ? 0xffffffff : characters;
  if (bytes > TRC_PY_MAX_NAME || characters > TRC_PY_MAX_NAME) bytes = TRC_PY_MAX_NAME;
  TRC_OPAQUE(bytes);
  if (bytes > TRC_PY_MAX_NAME || at > TRC_PY_MAX_NAME) return 0;
  if (bpf_probe_read_user(s->text + at, bytes, (const void *)(string + (bits >> 6 & 1 ? l->string_ascii : l->string_data)))) return 0;
  return bytes;
}

/// Sends s->record with `size` bytes of s->text. 0: done.
TRC_LOCAL int send_code(struct trc_py_walk *s, u32 size) {
  u64 bytes = sizeof s->record + size;
  TRC_OPAQUE(bytes);
  if (bytes > sizeof s->record + sizeof s->text) return 1;
  return bpf_ringbuf_output(&trc_ring, &s->record, bytes, 0) != 0;
}

/// Sends the next part of a long line table.
TRC_GLOBAL int trc_py_send_lines(u32 index) {
  struct trc_py_walk *s = py_walk_at(index);
  if (!s) return 1;
  struct trc_py_runtime *r = runtime_at(s->runtime);
  if (!r) return 1;
  u32 offset = s->record.line_offset, total = s->record.line_total;
  s->record.line_offset = total;   // if it fails, no more are tried
  if (offset >= total) return 1;
  u32 bytes = total - offset;
  if (bytes > TRC_PY_MAX_LINES) bytes = TRC_PY_MAX_LINES;
  TRC_OPAQUE(bytes);
  if (bytes > TRC_PY_MAX_LINES) return 1;
  u64 table = s->head[(r->layout.code_lines / 8) & 31];
  if (bpf_probe_read_user(s->text, bytes, (const void *)(table + r->layout.bytes_data + offset))) return 1;
  s->record.name_bytes = s->record.file_bytes = 0;
  s->record.line_bytes = bytes;
  s->record.line_offset = offset;
  int failed = send_code(s, bytes);
  s->record.line_offset = failed ? total : offset + bytes;
  return failed;
}


/// Sends the code object whose head was read, and of its line table as much as fits. 0: done.
TRC_LOCAL int send_head(struct trc_py_walk *s, const struct trc_py_layout *l) {
  u32 name = copy_string(s, l, s->head[(l->code_qualname / 8) & 31], 0, &s->record.name_state, &s->record.name_length);
  if (name > TRC_PY_MAX_NAME) return 1;
  u32 file = copy_string(s, l, s->head[(l->code_file / 8) & 31], name, &s->record.file_state, &s->record.file_length);
  if (file > TRC_PY_MAX_NAME) return 1;
  u64 table = s->head[(l->code_lines / 8) & 31];
  u64 total = user_word(table + l->bytes_size);
  if (total > TRC_PY_MAX_TABLE) total = 0;
  u32 lines = total > TRC_PY_MAX_LINES ? TRC_PY_MAX_LINES : total;
  TRC_OPAQUE(lines);
  if (lines > TRC_PY_MAX_LINES) return 1;
  if (bpf_probe_read_user(s->text + name + file, lines, (const void *)(table + l->bytes_data))) lines = total = 0;
  s->record.event = (u32)trc_py_code_event;
  s->record.program = s->program;
  s->record.name_bytes = name;
  s->record.file_bytes = file;
  s->record.line_bytes = lines;
  s->record.line_offset = 0;
  s->record.line_total = total;
  if (send_code(s, name + file + lines)) return 1;
  s->record.line_offset = lines;   // the rest follows
  return 0;
}

/// What tells this code object from others that may lie at its address before or after it.
TRC_LOCAL u64 code_tag(const struct trc_py_walk *s, const struct trc_py_layout *l) {
  if (l->code_version != TRC_PY_ABSENT) {
    u32 version = *(u32 *)((char *)s->head + (l->code_version & 255));
    if (version) return version;   // counts code objects; it stays 0 when the counter has run over
  }
  u64 tag = 0x9e3779b97f4a7c15ull;
  for (int i = 0; i < PY_SHAPE_WORDS; i++) {
    tag = (tag ^ s->head[PY_SHAPE_FROM / 8 + i]) * 0x87c37b91114253d5ull;
    tag ^= tag >> 29;
  }
  return tag;
}

/// The word of frames of the code object whose head was read, without a place; sends it if it was not sent before.
TRC_GLOBAL u64 trc_py_name_code(u32 index) {
  struct trc_py_walk *s = py_walk_at(index);
  if (!s) return 0;
  struct trc_py_runtime *r = runtime_at(s->runtime);
  if (!r) return 0;
  struct trc_py_code_key key = {.code = s->code, .tag = code_tag(s, &r->layout), .tgid = s->tgid};
  u64 name = trc_hash_final(key.code * 0x4cf5ad432745937full ^ TRC_HASH_ROTATE(key.tag * 0x87c37b91114253d5ull, 31)) >> (64 - TRC_PY_NAME_BITS);
  u64 word = TRC_PY_FRAME | name << TRC_PY_PLACE_BITS;
  if (bpf_map_lookup_elem(&trc_py_codes, &key)) return word;
  // Whoever puts it in sends it.
  if (bpf_map_update_elem(&trc_py_codes, &key, &name, BPF_NOEXIST)) return word;
  s->record.key = key;
  s->record.id = name;
  s->record.first_line = *(s32 *)((char *)s->head + (r->layout.code_first_line & 255));
  if (send_head(s, &r->layout) == 0) return word;
  bpf_map_delete_elem(&trc_py_codes, &key);   // the next one who meets it tries again
  COUNT_LOSS(s->program, ring_full);
  return word;
}

// ---- frames -----------------------------------------------------------------------------------------------------------------------------

/// Where in s->window the frame is, in bytes; above TRC_PY_WINDOW: it cannot be read. Frames of plain calls lie one after another, a callee above its
/// caller, so one read serves several; those of C are on its stack, those of generators on the heap.
TRC_LOCAL u64 read_frame(struct trc_py_walk *s, u64 frame) {
  u64 at = frame - s->window_start;
  if (s->window_start && at <= TRC_PY_WINDOW - TRC_PY_FRAME_BYTES) return at;
  u64 below = s->window_start - frame, beside = s->last_frame - frame;
  if (!s->window_start || below < 4096 || beside < TRC_PY_WINDOW) {
    // Not from the page before, which is not there when this is the first of a piece of Python's stack: a fault takes longer than the whole walk.
    u64 start = frame + TRC_PY_FRAME_BYTES - TRC_PY_WINDOW, page = frame & ~4095ull;
    if (start < page) start = page;
    if (bpf_probe_read_user(s->window, TRC_PY_WINDOW, (void *)start) == 0) {
      s->window_start = start;
      return frame - start;
    }
    s->window_start = 0;
  }
  if (bpf_probe_read_user((char *)s->window + TRC_PY_WINDOW, TRC_PY_FRAME_BYTES, (void *)frame)) return ~0ull;
  return TRC_PY_WINDOW;
}

/// The end of a walk that did not reach the end of the chain. 0: start again. In 3.11 and 3.12 the innermost _PyCFrame may be one that has not
/// been filled in yet; then what it will be linked to is the truth.
TRC_LOCAL int give_up(struct trc_py_walk *s, const struct trc_py_layout *l) {
  if (l->cframe_previous != TRC_PY_ABSENT && s->depth == 0 && !s->restarted && s->cframe) {
    s->restarted = 1;
    s->cframe = user_word(s->cframe + l->cframe_previous);
    s->frame = s->cframe ? user_word(s->cframe + l->cframe_frame) : 0;
    return 0;
  }
  // The frame behind the innermost is linked, and filled in, while the innermost is being entered; only one further out can be said to be damaged.
  s->end = s->last_frame && s->depth <= 1 ? TRC_STACK_PythonUnlinked : TRC_STACK_Unreadable;
  return 1;
}

/// Adds a frame to the stack.
TRC_LOCAL void store(u32 index, struct trc_py_walk *s, u64 word) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return;
  if (s->flags & TRC_WALK_RUNS) {
    u64 at = s->words, capacity = trc_py_capacity;
    TRC_OPAQUE(at);
    if (at >= capacity) return;
    words_of(s)[at] = word;
    s->words++;
  } else {
    keep_frame(walk, word);
  }
}

TRC_LOCAL void set_marker(struct trc_py_walk *s, u64 at, u64 marker) {
  u64 capacity = trc_py_capacity;
  TRC_OPAQUE(at);
  if (at < capacity) words_of(s)[at] = marker;
}

/// Keeps room for the marker of the frames to come.
TRC_LOCAL void begin_run(struct trc_py_walk *s) {
  s->run = s->words++;
  set_marker(s, s->run, 0);   // until it is known; what lies there is of an earlier walk
}

/// All frames since the last call belong to the native frame that `marker` lies in.
TRC_LOCAL void end_run(struct trc_py_walk *s, u64 marker) {
  if (!(s->flags & TRC_WALK_RUNS) || s->words <= s->run + 1) return;
  set_marker(s, s->run, marker);
  begin_run(s);
}

/// Looks at one frame. 1: that was the end.
static long step(u32 i, const u32 *index) {
  (void)i;
  struct trc_py_walk *s = py_walk_at(*index);
  if (!s) return 1;
  struct trc_py_runtime *r = runtime_at(s->runtime);
  if (!r) return 1;
  struct trc_py_layout *l = &r->layout;
  if (s->record.line_offset < s->record.line_total) {
    trc_py_send_lines(*index);
    return 0;
  }
  u64 frame = s->frame;
  if (!frame) {
    s->end = TRC_STACK_Root;
    return 1;
  }
  u64 at = read_frame(s, frame);
  TRC_OPAQUE(at);
  if (at > TRC_PY_WINDOW) return give_up(s, l);
  const char *bytes = (const char *)s->window + at;
  u64 code = *(u64 *)(bytes + (l->frame_code & 127)) & ~3ull;   // 3.14: the low bits say how it is referred to
  u64 previous = *(u64 *)(bytes + (l->frame_previous & 127));
  u64 instruction = *(u64 *)(bytes + (l->frame_instruction & 127));
  u8 owner = *(u8 *)(bytes + (l->frame_owner & 127));
  if (l->frame_entry == TRC_PY_ABSENT && owner >= l->frame_shim) {
    // Stands between a call from C and the frames of Python that it runs; a variable of that C function.
    s->frame = previous;
    s->last_frame = frame;
    end_run(s, frame);
    return 0;
  }
  s64 offset = instruction - code - l->code_instructions;
  if (offset < -2 || offset > (1 << 28)) return give_up(s, l);
  s32 first_traceable = 0;
  u64 word = 0;
  u32 counts = s->flags & TRC_WALK_COUNT;
  if (!counts || s->depth == 0 || offset < PY_PROLOGUE) {
    struct trc_py_met *met = &s->met[(code >> 4 ^ code >> 10) & (TRC_PY_MET - 1)];
    if (met->code != code || met->walk != s->number) {
      if (bpf_probe_read_user(s->head, TRC_PY_CODE_BYTES, (const void *)code)) return give_up(s, l);
      if (r->code_type && s->head[(l->object_type / 8) & 3] != r->code_type + s->bias) return give_up(s, l);
      s->code = code;
      met->first_traceable = *(s32 *)((char *)s->head + (l->code_first_traceable & 255));
      met->word = counts ? 0 : trc_py_name_code(*index);
      met->code = code;
      met->walk = s->number;
    }
    first_traceable = met->first_traceable;
    word = met->word;
  }
  s->frame = previous;
  s->last_frame = frame;
  // Python itself hides frames that have not begun, and those that it puts in for calls of classes.
  if (owner == PY_OWNED_BY_GENERATOR || offset >= 2 * (s64)first_traceable) {
    if (s->depth >= s->limit) {
      s->end = s->flags & TRC_WALK_ASKED ? TRC_STACK_Asked : TRC_STACK_Limit;
      return 1;
    }
    s->depth++;
    if (!counts) {
      u64 place = (u64)(offset + 2) >> 1;
      if (place > TRC_PY_PLACE_MAX) place = TRC_PY_PLACE_MAX;
      store(*index, s, word | place);
    }
  }
  u8 entry = l->frame_entry != TRC_PY_ABSENT ? *(u8 *)(bytes + (l->frame_entry & 127)) : 0;
  if (entry) {
    end_run(s, s->cframe);
    s->cframe = s->cframe ? user_word(s->cframe + l->cframe_previous) : 0;
  } else if (!previous) {
    // The last frame is one that C has called. A generator's is linked to its caller only while it runs, and this is the moment when it is not yet
    // or no more.
    s->end = TRC_STACK_PythonUnlinked;
    return 1;
  }
  return 0;
}

/// Walks the frames of the running thread; `flags` say where to. The number of frames.
TRC_GLOBAL u64 trc_py_walk_frames(u32 index, u32 program, u32 limit, u32 flags) {
  struct trc_py_walk *s = py_walk_at(index);
  if (!s) return 0;
  s->tgid = bpf_get_current_pid_tgid() >> 32;
  s->fs = kernel_word(bpf_get_current_task() + trc_at_task_fs_base);
  s->program = program;
  s->limit = limit;
  s->flags = flags;
  s->depth = s->restarted = s->thread_seen = 0;
  s->frame = s->window_start = s->last_frame = 0;
  s->number++;
  s->record.line_offset = s->record.line_total = 0;
  s->words = s->next = 0;
  begin_run(s);
  s->end = TRC_STACK_Root;
  int process = trc_py_find_process(index);
  if (process == PY_NOT_LOADED) s->end = TRC_STACK_PythonNotLoaded;
  if (process == PY_UNKNOWN_VERSION) s->end = TRC_STACK_PythonUnknown;
  if (process != PY_HAS_INTERPRETER) return 0;
  // No loop: its last instruction would run on into its first, which kernels up to 6.1 take for one without end.
#pragma clang loop unroll(full)
  for (u32 m = 0; m < TRC_PY_MODULES; m++) {
    if (m < s->process.modules && trc_py_find_thread(index, m)) break;
  }
  if (!s->frame) {
    // A thread that is in no Python function has no frames, and that is all there is to say.
    if (!s->thread_seen && s->unread) s->end = TRC_STACK_PythonNoThread;
    return 0;
  }
  s->end = TRC_STACK_Limit;
  bpf_loop(PY_MAX_STEPS, step, &index, 0);
  end_run(s, 0);
  return s->depth;
}

// ---- among native frames ----------------------------------------------------------------------------------------------------------------

struct place_context {
  u32 index, reserved;
  u64 low, high;
};

/// The next word of the runs: begins a run if its marker is in [low, high), or adds a frame of the one that was begun. 1: not here.
static long place_word(u32 i, const struct place_context *context) {
  (void)i;
  struct trc_py_walk *s = py_walk_at(context->index);
  struct trc_walk *walk = walk_at(context->index);
  if (!s || !walk) return 1;
  u64 at = s->next, capacity = trc_py_capacity;
  TRC_OPAQUE(at);
  if (at >= capacity || at >= s->words) return 1;
  u64 word = words_of(s)[at];
  if (word & TRC_PY_FRAME) {
    if (walk->count >= walk->limit) return 1;
    keep_frame(walk, word);
  } else if (word < context->low || word >= context->high) {
    return 1;
  }
  s->next++;
  return 0;
}

/// Puts the frames here that belong to the native frame that was kept last, of which [low, high) is the stack.
TRC_GLOBAL int trc_py_place(u32 index, u64 low, u64 high) {
  struct place_context context = {.index = index, .low = low, .high = high};
  bpf_loop((u32)trc_py_capacity, place_word, &context, 0);
  return 0;
}

/// Frames that no native frame was found for come last, behind a word that says so.
TRC_GLOBAL int trc_py_place_rest(u32 index) {
  struct trc_py_walk *s = py_walk_at(index);
  struct trc_walk *walk = walk_at(index);
  if (!s || !walk || s->next + 1 >= s->words || walk->count >= walk->limit) return 0;
  keep_frame(walk, TRC_PY_UNPLACED);
  struct place_context context = {.index = index, .low = 0, .high = ~0ull};
  bpf_loop((u32)trc_py_capacity, place_word, &context, 0);
  return 0;
}

/// How a stack of both kinds of frames ends, whose native ones end so: a thread without Python frames is whole without them.
TRC_GLOBAL u32 trc_py_end(u32 index, u32 end) {
  struct trc_py_walk *s = py_walk_at(index);
  if (!s || end != TRC_STACK_Root || s->end == TRC_STACK_PythonNoThread) return end;
  return s->end;
}

/// The Python frames of the current thread, of at most `limit`: how many there are. Otherwise as trc_user_stack.
TRC_GLOBAL u64 trc_python_stack(struct trc_stack_name *name, u32 program, u32 limit, u32 flags) {
  if (!name) return 0;
  struct trc_walk *walk = trc_walk_claim();
  if (!walk) {
    count_end(program, TRC_STACK_NoScratch);
    return 0;
  }
  u32 index = walk->index;
  walk->program = program;
  walk->flags = flags;
  walk->count = 0;
  trc_hash_begin(&walk->hash_a, &walk->hash_b);
  walk->record.tgid = bpf_get_current_pid_tgid() >> 32;
  mix(walk, walk->record.tgid);
  u64 count = trc_py_walk_frames(index, program, limit, flags);
  struct trc_py_walk *s = py_walk_at(index);
  walk->end = s ? s->end : TRC_STACK_NoScratch;
  count_end(program, walk->end);
  if (!(flags & TRC_WALK_COUNT) && walk->count) trc_stack_store(index, name);
  release(walk);
  return count;
}
