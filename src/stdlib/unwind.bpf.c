// The walker of user stacks. It goes by unwind tables (unwind_abi.h) where there are any and by frame pointers where not, and says how
// each stack ended. docs/stacks.md explains the design and gives figures.
//
// All state lies in a claimed struct trc_walk, so that it costs no stack and the verifier knows nothing about it that it would have to
// follow. What is large or has loops is a global function, verified once; they pass the number of the walk. Kernel structures are read with
// bpf_probe_read_kernel at offsets that the runner took from BTF.
#include "trc.bpf.h"
#include "code_ahead.h"
#include "stack_hash.h"
#include "stack_walk.h"
#include "walk.bpf.h"

extern char trc_stacks_seen, trc_uw_files, trc_uw_pages, trc_uw_rows, trc_uw_rules;

// What code generation chose.
extern const volatile u64 trc_stack_event;      // numbers of the events of the two kinds of record
extern const volatile u64 trc_unwind_event;

#define VM_EXEC 4
#define CS_RING_3 3                 // both low bits of cs: the registers are those of user code
#define MAX_RETURN_PROBES 64        // pending in a task: the kernel's own limit
#define PAGE_BYTES 4096
#define MAX_OTHER_STACKS 2          // that frame pointers alone have led to
#define MAX_CHANGED_STACKS 256      // by functions that are known to change stacks

// struct pt_regs, in words
enum { REG_BP = 4, REG_IP = 16, REG_CS = 17, REG_SP = 19 };
// Where the numbers 0 to 15 of registers in DWARF (System V psABI for x86-64, figure 3.36) lie in it, four bits each; 7 is the stack pointer.
#define DWARF_TO_REGISTER 0x0123678904ed5bcaull

// ---- claiming --------------------------------------------------------------------------------------------------------------------------

/// A walk for this run, or null when all are taken.
TRC_SHARED struct trc_walk *trc_walk_claim(void) {
  u32 first = bpf_get_smp_processor_id() * TRC_WALK_SLOTS_PER_CPU;
  for (u32 i = 0; i < TRC_WALK_SLOTS_PER_CPU; i++) {
    u32 index = first + i;
    struct trc_walk *walk = bpf_map_lookup_elem(&trc_walks, &index);
    if (!walk || __sync_val_compare_and_swap(&walk->claimed, 0, 1) != 0) continue;
    walk->index = index;
    return walk;
  }
  return 0;
}

// ---- names and records -----------------------------------------------------------------------------------------------------------------

/// Names the stack in `walk` and sends it, unless that was done before. Two runs that meet a new stack at the same time both send it. The
/// name is kept after the record was sent, so that a record that found no room is sent again the next time.
TRC_GLOBAL int trc_stack_store(u32 index, struct trc_stack_name *name) {
  struct trc_walk *walk = walk_at(index);
  if (!walk || !name) return 0;
  mix(walk, (u64)walk->end << 32 | walk->count);
  trc_hash_end(walk->hash_a, walk->hash_b, &name->low, &name->high);
  walk->record.name_low = name->low;
  walk->record.name_high = name->high;
  if (bpf_map_lookup_elem(&trc_stacks_seen, &walk->record.name_low)) return 0;
  walk->record.event = (u32)trc_stack_event;
  walk->record.program = walk->program;
  walk->record.time_ns = bpf_ktime_get_ns();
  walk->record.end = (u16)walk->end;
  walk->record.count = walk->count;
  u64 count = walk->count, capacity = trc_stack_capacity;
  TRC_OPAQUE(count);
  if (count > capacity) count = capacity;
  if (bpf_ringbuf_output(&trc_ring, &walk->record, sizeof(walk->record) + count * 8, 0) != 0) {
    COUNT_LOSS(walk->program, stacks_full);
    return 0;
  }
  u32 yes = 1;
  bpf_map_update_elem(&trc_stacks_seen, &walk->record.name_low, &yes, BPF_ANY);
  return 0;
}

// ---- mappings --------------------------------------------------------------------------------------------------------------------------

#define MAPLE_LEAF_64 1
#define MAPLE_ARANGE_64 3
#define MAPLE_NODE_MASK 255
#define MAPLE_LEVELS 8

TRC_GLOBAL u32 trc_walk_find_slot(u32 index, u32 end, u64 address) {
  struct trc_walk *walk = walk_at(index);
  return walk ? find_slot(walk->node, end, address) : 0;
}

/// The kernel's structure of the mapping that holds `address`, found as mas_walk() would (lib/maple_tree.c), but without locks: what is read
/// while the tree changes may be wrong, so the caller looks whether the mapping really holds the place. A node is 256 bytes of words: 0 the
/// parent, then pivots (each the last address of its slot), then slots; its kind stands in bits 3 to 6 of what points to it.
TRC_GLOBAL u64 trc_walk_find_area(u32 index, u64 address) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return 0;
  u64 *node = walk->node;
  u64 entry = kernel_word(walk->mm + trc_at_mm_maple_root), max = ~0ull;
  if ((entry & 3) != 2) return 0;
  for (u32 level = 0; level < MAPLE_LEVELS; level++) {
    if (entry < PAGE_BYTES) return 0;
    u32 kind = entry >> 3 & 15;
    if (bpf_probe_read_kernel(node, sizeof walk->node, (const void *)(entry & ~(u64)MAPLE_NODE_MASK)) != 0) return 0;
    u32 pivots, end;
    if (kind == MAPLE_ARANGE_64) {
      pivots = 9;
      end = node[30] & 255;
    } else {
      pivots = 15;
      end = node[15] == 0 ? node[31] & 255 : node[15] == max ? 14 : 15;
    }
    u32 at = trc_walk_find_slot(index, end, address);
    if (at < pivots && node[(1 + at) & 31]) max = node[(1 + at) & 31];
    entry = node[(1 + pivots + at) & 31];
    if (kind == MAPLE_LEAF_64) return entry;
  }
  return 0;
}

/// Fills in walk->map.file for walk->map.key; asks for a table if nobody did.
TRC_LOCAL void find_file(struct trc_walk *walk, u64 start, u64 end) {
  struct trc_uw_file *known = bpf_map_lookup_elem(&trc_uw_files, &walk->map.key);
  if (known) {
    walk->map.file = *known;
    return;
  }
  struct trc_uw_file asked = {.state = TRC_UW_FILE_ASKED};
  walk->map.file = asked;
  s64 failed = bpf_map_update_elem(&trc_uw_files, &walk->map.key, &asked, BPF_NOEXIST);
  if (failed == -EEXIST) return;
  if (failed) {
    walk->map.file.state = TRC_UW_FILE_FAILED;
    return;
  }
  struct trc_uw_file_record *record = bpf_ringbuf_reserve(&trc_ring, sizeof(*record), 0);
  if (!record) {
    bpf_map_delete_elem(&trc_uw_files, &walk->map.key);   // to be asked again
    COUNT_LOSS(walk->program, ring_full);
    return;
  }
  record->event = (u32)trc_unwind_event;
  record->program = walk->program;
  record->key = walk->map.key;
  record->start = start;
  record->end = end;
  record->tgid = trc_pid_tgid() >> 32;
  record->reserved = 0;
  bpf_ringbuf_submit(record, 0);
}

/// Is this all that will be known of the file? Not while its table is being made, nor where that failed: the next one who maps it may have better luck.
TRC_LOCAL u32 has_final_table(const struct trc_walk_mapping *map) { return map->file.state == TRC_UW_FILE_READY || map->file.state == TRC_UW_FILE_BARE; }

/// Looks up the mapping that holds `address` and may be executed. Not 0: there is one, and `walk` knows it.
TRC_LOCAL u32 find_mapping(u32 index, u64 address, const int tables) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return 0;
  u64 area = trc_walk_find_area(index, address);
  if (!area) return 0;
  u64 start = kernel_word(area + trc_at_vma_start), end = kernel_word(area + trc_at_vma_end);
  if (address < start || address >= end) return 0;
  if (!(kernel_word(area + trc_at_vma_flags) & VM_EXEC)) return 0;
  walk->map.start = start;
  walk->map.end = end;
  walk->map.bias = (kernel_word(area + trc_at_vma_page_offset) << TRC_UW_PAGE_SHIFT) - start;
  walk->map.key.device = walk->map.key.inode = 0;
  walk->map.file.pages = 0;
  walk->map.file.state = tables ? TRC_UW_FILE_BARE : TRC_UW_FILE_ASKED;
  walk->map.table_bias = 0;
  u64 file = kernel_word(area + trc_at_vma_file);
  if (file) {
    u64 inode = kernel_word(file + trc_at_file_inode);
    walk->map.key.inode = kernel_word(inode + trc_at_inode_number);
    walk->map.key.device = kernel_word(kernel_word(inode + trc_at_inode_super_block) + trc_at_super_block_device) & 0xffffffff;   // a dev_t
  } else if (start == kernel_word(walk->mm + trc_at_mm_vdso)) {
    walk->map.bias = -start;   // its table has the key (0, 0)
  } else {
    return 1;                  // no file, so no table
  }
  if (tables) {
    find_file(walk, start, end);
    walk->map.table_bias = walk->map.bias + (((u64)walk->map.file.page_base - walk->map.file.first_page) << TRC_UW_PAGE_SHIFT);
  }
  return 1;
}

/// The same, remembered for later walks. Looks again if the tree may have changed while it was read.
TRC_LOCAL u32 find_mapping_known(u32 index, u64 address, const int tables) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return 0;
  for (u32 i = 0; i < TRC_WALK_MAPPINGS; i++) {
    const struct trc_walk_mapping *known = &walk->maps[i];
    if (address < known->start || address >= known->end || (tables && !has_final_table(known))) continue;
    walk->map = *known;
    return 1;
  }
  for (int i = 0; i < 2; i++) {
    if (!find_mapping(index, address, tables)) continue;
    if (!tables || has_final_table(&walk->map)) walk->maps[walk->maps_met++ & (TRC_WALK_MAPPINGS - 1)] = walk->map;
    return 1;
  }
  return 0;
}
TRC_GLOBAL u32 trc_find_mapping(u32 index, u64 address) { return find_mapping_known(index, address, 1); }
TRC_GLOBAL u32 trc_find_mapping_without_table(u32 index, u64 address) { return find_mapping_known(index, address, 0); }

// ---- tables ----------------------------------------------------------------------------------------------------------------------------

/// The rule for a place of a table: page in trc_uw_pages << TRC_UW_PAGE_SHIFT | byte. `page_base` and `pages` are those of struct trc_uw_file.
TRC_GLOBAL u64 trc_unwind_rule(u32 page_base, u32 pages, u64 place) {
  u64 number = place >> TRC_UW_PAGE_SHIFT;
  if (number - page_base >= pages) return TRC_UW_NONE;
  u32 key = (u32)number;
  struct trc_uw_page *page = bpf_map_lookup_elem(&trc_uw_pages, &key);
  if (!page || page->count == 0) return TRC_UW_NONE;
  u32 first = page->first, count = page->count;
  u32 byte = place & ((1 << TRC_UW_PAGE_SHIFT) - 1);
  key = first / (TRC_UW_BLOCK_ROWS * TRC_UW_CHUNK_BLOCKS);
  void *chunk = bpf_map_lookup_elem(&trc_uw_rows, &key);
  if (!chunk) return TRC_UW_NONE;
  key = first / TRC_UW_BLOCK_ROWS % TRC_UW_CHUNK_BLOCKS;
  struct trc_uw_block *block = bpf_map_lookup_elem(chunk, &key);
  if (!block) return TRC_UW_NONE;
  u32 low = first % TRC_UW_BLOCK_ROWS, high = low + count;   // the row that holds is in [low, high)
  for (u32 i = 0; i < TRC_UW_PAGE_SHIFT + 1; i++) {          // a page has 4096 rows at most
    if (high - low <= 1) break;
    u32 middle = (low + high) / 2;
    if ((block->rows[middle % TRC_UW_BLOCK_ROWS] & 0xffff) <= byte) low = middle;
    else high = middle;
  }
  key = block->rows[low % TRC_UW_BLOCK_ROWS] >> 16;
  u64 *rule = bpf_map_lookup_elem(&trc_uw_rules, &key);
  return rule ? *rule : TRC_UW_NONE;
}

/// The same for the file that the walk is in, remembered. Programs that call deep call the same few functions, so most rules were met before.
TRC_LOCAL u64 rule_at(struct trc_walk *walk, u64 place) {
  struct trc_walk_rule *known = &walk->rules[place * 0x9e3779b97f4a7c15ull >> 32 & (TRC_WALK_RULES - 1)];
  if (known->place == ~place) return known->rule;
  if (!walk->map.file.pages) return TRC_UW_NONE;   // so what is remembered is of tables
  u64 rule = trc_unwind_rule(walk->map.file.page_base, walk->map.file.pages, place);
  known->place = ~place;
  known->rule = rule;
  return rule;
}

// ---- memory of the process -------------------------------------------------------------------------------------------------------------

/// Copies the stack around `address` into the window. What ends at a page that cannot be read is copied up to it.
TRC_GLOBAL int trc_walk_fill_window(u32 index, u64 address) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return 0;
  u64 start = (address & ~7ull) - 64;   // a little below: the saved rbp lies before the return address
  walk->window_start = start;
  walk->window_room = TRC_WALK_WINDOW - 7;
  if (bpf_probe_read_user(walk->window, TRC_WALK_WINDOW, (const void *)start) == 0) return 0;
  start = address & ~7ull;
  u64 rest = PAGE_BYTES - (start & (PAGE_BYTES - 1));
  TRC_OPAQUE(rest);
  if (rest > TRC_WALK_WINDOW) rest = TRC_WALK_WINDOW;
  walk->window_start = start;
  walk->window_room = bpf_probe_read_user(walk->window, rest, (const void *)start) == 0 ? rest - 7 : 0;
  return 0;
}

/// Reads the word at `address`; not 0 if that failed.
TRC_LOCAL int read_word(struct trc_walk *walk, u64 address, u64 *value) {
  u64 at = address - walk->window_start;
  if (at >= walk->window_room) {
    trc_walk_fill_window(walk->index, address);
    at = address - walk->window_start;
    if (at >= walk->window_room) return bpf_probe_read_user(value, 8, (const void *)address) != 0;
  }
  TRC_OPAQUE(at);
  if (at > TRC_WALK_WINDOW - 8) return 1;
  *value = *(u64 *)((char *)walk->window + at);
  return 0;
}

/// Of the loop over pending return probes.
struct return_context {
  struct trc_walk *walk;
  u64 place, address;
};

static s64 undo_return_probe(u32 number, struct return_context *context) {
  (void)number;
  u64 instance = context->walk->returns;
  if (!instance) return 1;
  u64 stack = kernel_word(instance + trc_at_return_instance_stack);
  if (stack > context->place) return 1;
  u8 chained = 0;   // a second probe of the same function: its address is the trampoline itself
  bpf_probe_read_kernel(&chained, 1, (const void *)(instance + trc_at_return_instance_chained));
  if (stack == context->place && !chained) context->address = kernel_word(instance + trc_at_return_instance_address);
  context->walk->returns = kernel_word(instance + trc_at_return_instance_next);
  return 0;
}

/// A pending return probe has replaced the return address at `place` by the kernel's trampoline. Gives the one that was there, `address` if
/// none was replaced. struct uprobe_task keeps them, innermost first; also those of functions that were left by longjmp(), until the next one.
TRC_GLOBAL u64 trc_walk_return_address(u32 index, u64 place, u64 address) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return address;
  struct return_context context = {walk, place, address};
  bpf_loop(MAX_RETURN_PROBES, (void *)undo_return_probe, &context, 0);
  return context.address;
}

// ---- the walk --------------------------------------------------------------------------------------------------------------------------

/// The context of the loop; on the stack, so that the verifier knows what `walk` is.
struct walk_context {
  struct trc_walk *walk;
};

TRC_LOCAL s64 ends(struct trc_walk *walk, u32 why) {
  walk->end = why;
  return 1;
}

/// Says of the frame that was kept last that it is a signal frame. It is no part of the stack's name: the same code is always one.
TRC_LOCAL void mark_signal_frame(struct trc_walk *walk) {
  u64 at = walk->count - 1, capacity = trc_stack_capacity;
  TRC_OPAQUE(at);
  if (at < capacity && !(walk->flags & TRC_WALK_COUNT)) frames_of(walk)[at] |= TRC_STACK_SIGNAL_FRAME;
}

/// From a signal frame to what was interrupted, all of whose registers lie on the stack. At sp is struct ucontext (arch/x86,
/// uapi/asm/ucontext.h); its struct sigcontext begins at 40 with 17 registers: r8 to r15, di, si, bp, bx, dx, ax, cx, sp, ip.
TRC_GLOBAL int trc_walk_leave_signal(u32 index) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return 1;
  u64 *saved = walk->node, *registers = walk->registers;
  mark_signal_frame(walk);
  if (bpf_probe_read_user(saved, 17 * 8, (const void *)(walk->sp + 40)) != 0) return 1;
  registers[9] = saved[0], registers[8] = saved[1], registers[7] = saved[2], registers[6] = saved[3];
  registers[3] = saved[4], registers[2] = saved[5], registers[1] = saved[6], registers[0] = saved[7];
  registers[14] = saved[8], registers[13] = saved[9], registers[REG_BP] = saved[10], registers[5] = saved[11];
  registers[12] = saved[12], registers[10] = saved[13], registers[11] = saved[14];
  registers[REG_SP] = saved[15], registers[REG_IP] = saved[16];
  walk->ip = saved[16];
  walk->sp = saved[15];
  walk->fp = saved[10];
  walk->at = TRC_WALK_AT_REGISTERS;
  return 0;
}

/// mov $15,%rax (or %eax); syscall: the call of rt_sigreturn.
TRC_LOCAL u32 is_sigreturn(u64 address) {
  u64 code[2] = {};
  if (bpf_probe_read_user(code, 9, (const void *)address) != 0) return 0;
  return (code[0] == 0x0f0000000fc0c748 && code[1] == 0x05) || (code[0] & 0xffffffffffffff) == 0x050f0000000fb8;
}

/// Is the frame the one that a signal handler returns to, of a C library that does not say so in its tables (musl, Go's runtime)? The code
/// tells. Reading it costs more than a step, so the stack has to look first like what the kernel puts there (frame_uc_flags() in
/// arch/x86/kernel/signal_64.c: flags of 6 or 7; no link). The innermost frame may be at any of the two instructions or after them.
TRC_GLOBAL u32 trc_walk_at_trampoline(u32 index) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return 0;
  u64 flags = 0, link = 0, ip = walk->ip;
  if (read_word(walk, walk->sp, &flags) != 0 || (flags | 1) != 7) return 0;
  if (read_word(walk, walk->sp + 8, &link) != 0 || link != 0) return 0;
  if (is_sigreturn(ip)) return 1;
  return walk->at == TRC_WALK_AT_REGISTERS && (is_sigreturn(ip - 5) || is_sigreturn(ip - 7) || is_sigreturn(ip - 9));
}

/// Is there a call right before `address`? Its usual forms: e8 and 4 bytes; ff /2 with 0, 1, 4 or 5 bytes after it.
TRC_LOCAL u32 is_after_call(u64 address) {
  u64 code = 0;
  if (bpf_probe_read_user(&code, 7, (const void *)(address - 7)) != 0) return 0;
  if ((code >> 16 & 0xff) == 0xe8) return 1;
  return (code >> 40 & 0x38ff) == 0x10ff || (code >> 32 & 0x38ff) == 0x10ff || (code >> 8 & 0x38ff) == 0x10ff || (code & 0x38ff) == 0x10ff;
}

/// Does the frame pointer lead to another stack, which lies lower? Go's code changes stacks for the vDSO. So might a register that is used
/// for something else, hence the conditions: another mapping, a chain that goes upwards there, a call before the return address. Not for
/// ever, or a damaged chain would go in circles.
TRC_GLOBAL u32 trc_walk_other_stack(u32 index) {
  struct trc_walk *walk = walk_at(index);
  if (!walk || walk->fp == 0 || walk->stacks_left >= MAX_OTHER_STACKS) return 0;
  u64 area = trc_walk_find_area(index, walk->sp), saved[2] = {};
  if (!area || walk->fp >= kernel_word(area + trc_at_vma_start)) return 0;
  if (bpf_probe_read_user(saved, sizeof saved, (const void *)walk->fp) != 0 || saved[0] <= walk->fp || !is_after_call(saved[1])) return 0;
  walk->stacks_left++;
  walk->sp = walk->fp;
  return 1;
}

static s64 code_step(u32 number, struct walk_context *context) {
  (void)number;
  return trc_code_step(&context->walk->code, (const u8 *)context->walk->node);
}

/// The rule for a place that no table describes, by the code that is left there until it returns (code_ahead.h). TRC_UW_NONE if that is not told.
/// trc_walk_start_of_stack() has it as a part: the kernel follows calls 8 deep, and there they are deepest.
TRC_LOCAL u64 code_ahead(struct trc_walk *walk, u64 place) {
  if (bpf_probe_read_user(walk->node, TRC_CODE_BYTES, (const void *)place) != 0) {
    u64 rest = PAGE_BYTES - (place & (PAGE_BYTES - 1));   // the next page may not be there
    TRC_OPAQUE(rest);
    if (rest >= TRC_CODE_BYTES) return TRC_UW_NONE;
    walk->node[0] = walk->node[1] = walk->node[2] = walk->node[3] = 0;   // nothing that is followed
    if (bpf_probe_read_user(walk->node, rest, (const void *)place) != 0) return TRC_UW_NONE;
  }
  walk->code = (struct trc_code){.rule = TRC_UW_NONE};
  struct walk_context context = {walk};
  bpf_loop(TRC_CODE_INSTRUCTIONS, (void *)code_step, &context, 0);
  return walk->code.rule;
}

TRC_GLOBAL u64 trc_walk_code_ahead(u32 index) {
  struct trc_walk *walk = walk_at(index);
  return walk ? code_ahead(walk, walk->ip) : TRC_UW_NONE;
}

#define START_BYTES 512    // that the code which calls main() uses, or start_routine()

static s64 is_start_of_thread(u32 number, struct walk_context *context) {
  struct trc_walk *walk = context->walk;
  u64 at = walk->sp + number * 8, address = 0;
  if (read_word(walk, at, &address) != 0) return 1;
  if (address < PAGE_BYTES || !is_after_call(address)) return 0;
  if (TRC_UW_RULE_KIND(code_ahead(walk, address)) != TRC_UW_END) return 0;
  walk->found = at + 8;
  return 1;
}

/// The CFA of code that hands on what main() or a thread's function returns to one that ends the process or thread; 0: it is not that. musl's is
/// without table and frame pointer, but what has called it is known: _start has aligned its stack and called, so its return address is the
/// first word there; and what has called a thread's first function ends the thread after it.
TRC_GLOBAL u64 trc_walk_start_of_stack(u32 index) {
  struct trc_walk *walk = walk_at(index);
  if (!walk) return 0;
  u64 first = (walk->start_stack & ~15ull) - 8, address = 0;
  if (walk->sp <= first && first - walk->sp < START_BYTES) {
    return read_word(walk, first, &address) == 0 && is_after_call(address) ? first + 8 : 0;
  }
  struct walk_context context = {walk};
  walk->found = 0;
  bpf_loop(START_BYTES / 8, (void *)is_start_of_thread, &context, 0);
  return walk->found;
}

/// The value of a register by its number in DWARF; only where TRC_WALK_AT_REGISTERS.
TRC_LOCAL u64 register_value(struct trc_walk *walk, u32 number) {
  if (number == 7) return walk->sp;
  u32 at = DWARF_TO_REGISTER >> (number & 15) * 4 & 15;
  return walk->registers[at];
}

/// Steps to the caller's frame. Not 0: the stack ends here, walk->end says why. `by_code`: the rule comes from code_ahead().
TRC_LOCAL s64 step(struct trc_walk *walk, u64 rule, u32 by_code) {
  u32 kind = TRC_UW_RULE_KIND(rule), fp_rule = TRC_UW_RULE_FP(rule), at = TRC_WALK_AT_CALL;
  // Code without tables keeps frame pointers, or else what is found in rbp leads nowhere.
  if (by_code && (fp_rule != TRC_UW_FP_SAME || walk->at == TRC_WALK_AT_CALL_BY_FP)) at = TRC_WALK_AT_CALL_BY_FP;
  s64 offset = TRC_UW_RULE_OFFSET(rule), fp_offset = TRC_UW_RULE_FP_OFFSET(rule);
  u64 cfa = 0, address = 0, fp = walk->fp;
  switch (kind) {
    case TRC_UW_SP: cfa = walk->sp + offset; break;
    case TRC_UW_FP: cfa = walk->fp + offset; break;
    case TRC_UW_PLT: cfa = walk->sp + 8 + ((walk->ip & 15) >= (u64)offset ? 8 : 0); break;
    case TRC_UW_END: return ends(walk, TRC_STACK_Root);
    case TRC_UW_SIGNAL:
    signal:
      if (trc_walk_leave_signal(walk->index) != 0) return ends(walk, TRC_STACK_Unreadable);
      return 0;
    case TRC_UW_DEREF_FP:
    case TRC_UW_DEREF_SP:
      if (read_word(walk, (kind == TRC_UW_DEREF_FP ? walk->fp : walk->sp) + offset, &cfa) != 0) return ends(walk, TRC_STACK_Unreadable);
      cfa += TRC_UW_RULE_ADD(rule);
      break;
    case TRC_UW_REGISTER:
      if (walk->at != TRC_WALK_AT_REGISTERS) return ends(walk, TRC_STACK_Unsupported);
      cfa = register_value(walk, TRC_UW_RULE_ADD(rule)) + offset;
      break;
    case TRC_UW_OTHER_STACK:
      if (walk->fp == 0) return ends(walk, TRC_STACK_Root);
      if (walk->stacks_left >= MAX_CHANGED_STACKS || walk->fp & 7) return ends(walk, TRC_STACK_NoRule);
      cfa = walk->fp + offset;
      if (cfa <= walk->sp) {
        walk->stacks_left++;
        walk->sp = walk->fp;
      }
      break;
    case TRC_UW_NONE:
      // Above where the first instruction of the program found its stack there are arguments, no frames. The dynamic loader's _start comes here.
      if (walk->sp == walk->start_stack) return ends(walk, TRC_STACK_Root);
      if (trc_walk_at_trampoline(walk->index)) goto signal;
      if (by_code && walk->code.hands_on == 2) {
        cfa = trc_walk_start_of_stack(walk->index);
        if (cfa) break;
      }
      if (walk->flags & TRC_WALK_TABLES_ONLY) return ends(walk, TRC_STACK_NoRule);
      if (walk->flags & TRC_WALK_ENTRY && walk->count == 1) {   // nothing was pushed yet
        cfa = walk->sp + 8;
        fp_rule = TRC_UW_FP_SAME;
        break;
      }
      if ((walk->fp < walk->sp && !trc_walk_other_stack(walk->index)) || walk->fp & 7) return ends(walk, walk->fp == 0 && walk->at == TRC_WALK_AT_CALL_BY_FP ? TRC_STACK_Root : TRC_STACK_NoRule);
      at = TRC_WALK_AT_CALL_BY_FP;
      cfa = walk->fp + 16;
      fp_rule = TRC_UW_FP_SAVED;
      fp_offset = -16;
      break;
    default: return ends(walk, TRC_STACK_Unsupported);
  }
  if (cfa <= walk->sp) return ends(walk, TRC_STACK_NoRule);   // it would go in circles
  if (read_word(walk, cfa - 8, &address) != 0) return ends(walk, TRC_STACK_Unreadable);
  if (fp_rule != TRC_UW_FP_SAME) {
    if (read_word(walk, (fp_rule == TRC_UW_FP_AT_FP ? walk->fp : cfa) + fp_offset, &fp) != 0) return ends(walk, TRC_STACK_Unreadable);
  }
  if (walk->returns && (address == walk->trampoline || !walk->trampoline)) address = trc_walk_return_address(walk->index, cfa - 8, address);
  if (address == 0) return ends(walk, TRC_STACK_Root);
  walk->ip = address;
  walk->sp = cfa;
  walk->fp = fp;
  walk->at = at;
  return 0;
}

// In python.bpf.c; only walks of both kinds of frames call them. (nodebug: clang 19 crashes on describing them here.)
__attribute__((nodebug)) u64 trc_py_walk_frames(u32 index, u32 program, u32 limit, u32 flags);
__attribute__((nodebug)) int trc_py_place(u32 index, u64 low, u64 high);
__attribute__((nodebug)) int trc_py_place_rest(u32 index);
__attribute__((nodebug)) u32 trc_py_end(u32 index, u32 end);

/// One frame: keeps it, finds out how to go on from it, does so.
TRC_LOCAL s64 walk_frame(struct walk_context *context, const int tables, const int mixed) {
  struct trc_walk *walk = context->walk;
  u32 count = walk->count;
  if (count >= walk->limit) return ends(walk, walk->flags & TRC_WALK_ASKED ? TRC_STACK_Asked : TRC_STACK_Limit);
  u64 place = walk->ip - (walk->at != TRC_WALK_AT_REGISTERS);   // a call may be the last instruction of its function
  u32 mapped = 1;
  if (place < walk->map.start || place >= walk->map.end) {
    mapped = tables ? trc_find_mapping(walk->index, place) : trc_find_mapping_without_table(walk->index, place);
    if (!mapped && count != 0) return ends(walk, TRC_STACK_NoMapping);
    if (mapped && !(walk->flags & TRC_WALK_COUNT)) {
      mix(walk, walk->map.key.inode ^ walk->map.key.device << 32);
      mix(walk, walk->map.bias);
    }
  }
  if (!(walk->flags & TRC_WALK_COUNT)) {
    mix(walk, walk->ip);
    u64 at = count, capacity = trc_stack_capacity;
    TRC_OPAQUE(at);
    if (at >= capacity) return ends(walk, TRC_STACK_Limit);
    frames_of(walk)[at] = walk->ip;
  }
  walk->count = count + 1;
  if (!mapped) return ends(walk, TRC_STACK_NoMapping);
  u64 rule = TRC_UW_NONE;
  u32 by_code = 0;
  if (tables) {
    if (walk->map.file.state == TRC_UW_FILE_ASKED) return ends(walk, TRC_STACK_NotLoaded);
    rule = rule_at(walk, place + walk->map.table_bias);
    by_code = TRC_UW_RULE_KIND(rule) == TRC_UW_NONE;
    if (by_code) rule = trc_walk_code_ahead(walk->index);
  }
  u64 low = walk->sp;
  s64 last = step(walk, rule, by_code);
  // What a signal has interrupted may lie on another stack, and the handler's own frame runs nothing.
  if (mixed && !last && walk->at != TRC_WALK_AT_REGISTERS) trc_py_place(walk->index, low, walk->sp);
  return last;
}
#define FRAMES_AT_ONCE 2   // a turn of the kernel's loop costs a fifth of a step; each more is verified again
#define WALK_FRAME(name, tables, mixed)                            \
  static s64 name(u32 number, struct walk_context *context) {      \
    (void)number;                                                  \
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {                     \
      if (walk_frame(context, tables, mixed)) return 1;            \
    }                                                              \
    return 0;                                                      \
  }
WALK_FRAME(walk_frame_by_tables, 1, 0)
WALK_FRAME(walk_frame_by_pointers, 0, 0)
WALK_FRAME(walk_mixed_by_tables, 1, 1)
WALK_FRAME(walk_mixed_by_pointers, 0, 1)

/// A member of a kernel structure that the verifier knows, as it knows bpf_get_current_task_btf() and what that points to: a load, no call.
TRC_LOCAL u64 member(const void *structure, u64 offset) { return *(const volatile u64 *)((const char *)structure + offset); }
TRC_LOCAL u32 short_member(const void *structure, u64 offset) { return *(const volatile u32 *)((const char *)structure + offset); }

/// Forgets the mappings of other processes, and those of this one if there were changes since.
TRC_LOCAL void enter_space(struct trc_walk *walk, const void *task, const void *mm) {
  struct trc_walk_space now = {.mm = (u64)mm, .tgid = trc_pid_tgid() >> 32};
  if (trc_at_mm_lock_seq != TRC_NO_MEMBER) {
    now.lock_seq = short_member(mm, trc_at_mm_lock_seq);
    now.exec_id = short_member(task, trc_at_task_exec_id);
    if (walk->space.mm == now.mm && walk->space.lock_seq == now.lock_seq && walk->space.tgid == now.tgid && walk->space.exec_id == now.exec_id) return;
  }
  walk->space = now;
  for (u32 i = 0; i < TRC_WALK_MAPPINGS; i++) walk->maps[i].end = 0;
}

/// Where the thread was in its own code. 0: it has none, being the kernel's own, or was not there yet.
TRC_LOCAL int start_walk(struct trc_walk *walk) {
  void *task = bpf_get_current_task_btf();
  const void *mm = (const void *)member(task, trc_at_task_mm);
  if (!mm) return 0;
  walk->mm = (u64)mm;
  if (bpf_probe_read_kernel(walk->registers, sizeof walk->registers, bpf_task_pt_regs(task)) != 0) return 0;
  if ((walk->registers[REG_CS] & CS_RING_3) != CS_RING_3 || !walk->registers[REG_SP]) return 0;
  walk->ip = walk->registers[REG_IP];
  walk->sp = walk->registers[REG_SP];
  walk->fp = walk->registers[REG_BP];
  walk->start_stack = member(mm, trc_at_mm_start_stack);
  const void *probes = (const void *)member(task, trc_at_task_utask);
  walk->returns = probes ? member(probes, trc_at_utask_return_instances) : 0;
  walk->trampoline = 0;
  if (walk->returns) {
    const void *code = (const void *)member(mm, trc_at_mm_uprobe_code);
    if (code) walk->trampoline = member(code, trc_at_uprobe_code_address);
  }
  enter_space(walk, task, mm);
  return 1;
}

TRC_LOCAL u64 walk_stack(struct trc_stack_name *name, u32 program, u32 limit, u32 flags, const int tables, const int mixed) {
  if (!name) return 0;
  struct trc_walk *walk = trc_walk_claim();
  if (!walk) {
    count_end(program, TRC_STACK_NoScratch);
    return 0;
  }
  u64 count = 0;
  if (start_walk(walk)) {
    walk->program = program;
    walk->limit = limit;
    walk->flags = flags;
    walk->map.start = walk->map.end = walk->window_start = walk->window_room = 0;
    walk->count = walk->stacks_left = 0;
    walk->at = TRC_WALK_AT_REGISTERS;
    walk->end = TRC_STACK_Limit;
    trc_hash_begin(&walk->hash_a, &walk->hash_b);
    walk->record.tgid = trc_pid_tgid() >> 32;
    mix(walk, walk->record.tgid);   // so that what is said about the process and the time holds for all stacks of the name
    struct walk_context context = {walk};
    u32 counted = flags & TRC_WALK_COUNT;
    if (mixed) count = trc_py_walk_frames(walk->index, program, limit, flags | TRC_WALK_RUNS);
    if (mixed && !counted) {
      bpf_loop(limit / FRAMES_AT_ONCE + 1, tables ? (void *)walk_mixed_by_tables : (void *)walk_mixed_by_pointers, &context, 0);
      trc_py_place_rest(walk->index);
      count = walk->count;
    } else {
      bpf_loop(limit / FRAMES_AT_ONCE + 1, tables ? (void *)walk_frame_by_tables : (void *)walk_frame_by_pointers, &context, 0);
      count += walk->count;
      if (count > limit) count = limit;
    }
    if (mixed) walk->end = trc_py_end(walk->index, walk->end);
    count_end(program, walk->end);
    if (!(flags & TRC_WALK_COUNT)) trc_stack_store(walk->index, name);
  }
  release(walk);
  return count;
}

/// The user stack of the current thread, of at most `limit` frames: how many there are. Its name goes to `name`, which is left alone when
/// there is no stack or when it is only counted. `flags`: TRC_WALK_… of stack_walk.h.
TRC_GLOBAL u64 trc_user_stack(struct trc_stack_name *name, u32 program, u32 limit, u32 flags) {
  return walk_stack(name, program, limit, flags, 1, 0);
}

/// The same by frame pointers alone; needs no tables.
TRC_GLOBAL u64 trc_user_stack_fp(struct trc_stack_name *name, u32 program, u32 limit, u32 flags) {
  return walk_stack(name, program, limit, flags, 0, 0);
}

/// The same with Python frames, each behind the native frame that runs it.
TRC_GLOBAL u64 trc_mixed_stack(struct trc_stack_name *name, u32 program, u32 limit, u32 flags) {
  return walk_stack(name, program, limit, flags, 1, 1);
}
TRC_GLOBAL u64 trc_mixed_stack_fp(struct trc_stack_name *name, u32 program, u32 limit, u32 flags) {
  return walk_stack(name, program, limit, flags, 0, 1);
}

// ---- kernel stacks ---------------------------------------------------------------------------------------------------------------------

extern char trc_stack_limits;
extern const volatile u64 trc_max_stack;   // frames that the kernel's helper gives

/// As many frames as the kernel gives: user space knows by the last one whether that was all.
TRC_LOCAL void count_limit(u32 program, u64 last) {
  struct trc_stack_limit key = {.program = program, .last = last};
  u64 first = 1, *stacks = bpf_map_lookup_elem(&trc_stack_limits, &key);
  if (!stacks && bpf_map_update_elem(&trc_stack_limits, &key, &first, BPF_NOEXIST) == -EEXIST) stacks = bpf_map_lookup_elem(&trc_stack_limits, &key);
  if (stacks) __sync_fetch_and_add(stacks, 1);
}

static s64 mix_frame(u32 number, struct walk_context *context) {
  u64 at = number, capacity = trc_stack_capacity;
  TRC_OPAQUE(at);
  if (at >= capacity) return 1;
  mix(context->walk, frames_of(context->walk)[at]);
  return 0;
}

/// The kernel stack, as trc_user_stack; `context` is the program's.
TRC_INLINE u64 trc_kernel_stack(void *program_context, struct trc_stack_name *name, u32 program, u32 limit, u32 flags) {
  struct trc_walk *walk = trc_walk_claim();
  if (!walk) {
    count_end(program, TRC_STACK_NoScratch);
    return 0;
  }
  u64 bytes = (u64)limit * 8, capacity = trc_stack_capacity * 8;
  TRC_OPAQUE(bytes);
  if (bytes > capacity) bytes = capacity;
  s64 got = bpf_get_stack(program_context, frames_of(walk), bytes, 0);
  // On 6.1 the context of a tracepoint of system calls leads to the registers of user space, where no kernel stack begins.
  if (got <= 0 && (flags & TRC_WALK_OF_TASK)) got = bpf_get_task_stack(bpf_get_current_task_btf(), frames_of(walk), bytes, 0);
  u64 count = got > 0 ? (u64)got / 8 : 0;
  walk->count = count;
  if (count && !(flags & TRC_WALK_COUNT)) {
    walk->program = program;
    // The helper does not say whether there was more.
    walk->end = count < limit && count < trc_max_stack ? TRC_STACK_Root : count < limit || !(flags & TRC_WALK_ASKED) ? TRC_STACK_KernelLimit : TRC_STACK_Asked;
    walk->record.tgid = 0;
    trc_hash_begin(&walk->hash_a, &walk->hash_b);
    struct walk_context context = {walk};
    bpf_loop(count, (void *)mix_frame, &context, 0);
    count_end(program, walk->end);
    u64 last = count - 1;
    TRC_OPAQUE(last);
    if (walk->end == TRC_STACK_KernelLimit && last < trc_stack_capacity) count_limit(program, frames_of(walk)[last]);
    trc_stack_store(walk->index, name);
  }
  release(walk);
  return count;
}
