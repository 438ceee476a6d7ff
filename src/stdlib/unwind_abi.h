// What the stack walker (unwind.bpf.c), code generation and the runner have to agree on: layouts, sizes, the ends of a stack. Plain C, so
// that all of them include this one file.
#pragma once

// ---- unwind tables ---------------------------------------------------------------------------------------------------------------------
// A table says, for every place in a file's code, how to get from a frame to its caller's. Places are byte offsets into the file, so one
// table serves every process that maps the file, wherever. Four maps hold all tables:
//   trc_uw_files  HASH          struct trc_uw_file_key -> struct trc_uw_file
//   trc_uw_pages  ARRAY         u32 -> struct trc_uw_page, one for each 4 KiB of the part of a file that has a table
//   trc_uw_rows   ARRAY_OF_MAPS u32 chunk -> ARRAY u32 -> struct trc_uw_block (elements of arrays are padded to 8 bytes, so single rows
//                 would take twice the room)
//   trc_uw_rules  ARRAY         u32 -> u64 rule; each distinct rule of all files once, number 0 is TRC_UW_NONE
// They are filled in the order rules, rows, pages, file.
#define TRC_UW_MAX_FILES 16384
#define TRC_UW_MAX_PAGES (256 << 10)
#define TRC_UW_MAX_RULES 65536
#define TRC_UW_PAGE_SHIFT 12
#define TRC_UW_BLOCK_ROWS 4096   // rows of a block
#define TRC_UW_CHUNK_BLOCKS 64   // blocks of a chunk: 1 MiB
#define TRC_UW_MAX_CHUNKS 1024

/// As the kernel's own structures have them (super_block.s_dev, inode.i_ino), which is what PERF_RECORD_MMAP2 and /proc/PID/maps show.
struct trc_uw_file_key {
  unsigned long long device, inode;
};

enum trc_uw_file_state {
  TRC_UW_FILE_ASKED = 0,   // a program met it; the runner is building the table
  TRC_UW_FILE_READY = 1,
  TRC_UW_FILE_BARE = 2,    // has no unwind information: frame pointers
  TRC_UW_FILE_FAILED = 3   // cannot be read, or there is no room for it: frame pointers, and said so
};

struct trc_uw_file {
  unsigned first_page;   // of the file: file offset >> TRC_UW_PAGE_SHIFT of the first page that has an entry
  unsigned pages;        // how many follow from there
  unsigned page_base;    // where they lie in trc_uw_pages
  unsigned state;        // enum trc_uw_file_state
};

/// Rows of a page lie together in one block. The first says what holds where the page begins, so no search looks at an earlier page.
struct trc_uw_page {
  unsigned first;        // block * TRC_UW_BLOCK_ROWS + row in the block
  unsigned count;        // 0: no code here
};

/// low 16 bits: the byte of the page from which on the rule holds; high 16 bits: the number of the rule. Sorted by the former.
struct trc_uw_block {
  unsigned rows[TRC_UW_BLOCK_ROWS];
};

// A rule: bits 0-3 enum trc_uw_frame_pointer, 4-7 enum trc_uw_kind, 8-15 added (unsigned), 16-31 where rbp is saved (signed; from what,
// says the first), 32-63 offset (signed). CFA: the value of the stack pointer before the call; the return address lies at CFA - 8.
#define TRC_UW_RULE(kind, fp, add, fp_offset, offset)                                                                         \
  ((unsigned long long)(fp) | (unsigned long long)(kind) << 4 | (unsigned long long)((add) & 0xff) << 8 |                     \
   (unsigned long long)((fp_offset) & 0xffff) << 16 | (unsigned long long)(unsigned)(offset) << 32)
#define TRC_UW_RULE_FP(rule) ((unsigned)((rule) & 15))
#define TRC_UW_RULE_KIND(rule) ((unsigned)((rule) >> 4 & 15))
#define TRC_UW_RULE_ADD(rule) ((unsigned)((rule) >> 8 & 255))
#define TRC_UW_RULE_FP_OFFSET(rule) ((short)((rule) >> 16))
#define TRC_UW_RULE_OFFSET(rule) ((int)((rule) >> 32))

enum trc_uw_kind {
  TRC_UW_NONE = 0,        // no code, or code without unwind information
  TRC_UW_SP = 1,          // CFA = sp + offset
  TRC_UW_FP = 2,          // CFA = rbp + offset
  TRC_UW_PLT = 3,         // CFA = sp + 8, and 8 more from byte `offset` of each 16 on
  TRC_UW_END = 4,         // the outermost frame: the return address is undefined
  TRC_UW_SIGNAL = 5,      // a signal frame: all registers lie on the stack at sp, the next pc is exact
  TRC_UW_DEREF_FP = 6,    // CFA = *(rbp + offset) + added
  TRC_UW_DEREF_SP = 7,    // CFA = *(sp + offset) + added
  TRC_UW_REGISTER = 8,    // CFA = register `added` (its number in DWARF) + offset; can be followed in the innermost frame only
  TRC_UW_OTHER_STACK = 9, // CFA = rbp + offset, perhaps on another stack: a function that changes stacks, and whose caller keeps frame pointers
  TRC_UW_OTHER = 15       // cannot be said in this form
};
enum trc_uw_frame_pointer {
  TRC_UW_FP_SAME = 0,     // the caller's rbp is still in rbp
  TRC_UW_FP_SAVED = 1,    // it lies at CFA + where rbp is saved
  TRC_UW_FP_AT_FP = 2     // it lies at rbp + where rbp is saved: functions that realign the stack, whose CFA is not at a fixed place from rbp
};

// ---- stacks ----------------------------------------------------------------------------------------------------------------------------
// A stack is sent once, through the ring, the first time that it is met; its 128-bit name is the value that the script keeps. So what a
// stack costs in the kernel does not depend on its depth, and user space can name its frames while the process is still there.

/// Why a stack ends where it does. The texts that are shown stand in stack_ends.def.
enum trc_stack_end {
#define TRC_STACK_END(name, text) TRC_STACK_##name,
#include "stack_ends.def"
#undef TRC_STACK_END
  TRC_STACK_ENDS
};

/// The fixed part of a record of lang::ActionKind::StackFrames; `count` frames of 8 bytes follow, innermost first: addresses, and
/// TRC_STACK_SIGNAL_FRAME.
struct trc_stack_record {
  unsigned event, program;               // as in every record
  unsigned long long name_low, name_high;
  unsigned long long time_ns;            // CLOCK_MONOTONIC, when it was taken: what was mapped then names the frames
  unsigned tgid;                         // 0: a kernel stack
  unsigned short end, reserved;          // enum trc_stack_end
  unsigned count, reserved2;
};

/// Set in a frame of a user stack (not in one of Python, python_abi.h): it is what a signal handler returns to. Nothing has called it, and the
/// frame behind it was interrupted: both addresses are the next instruction, all others behind the first are where a call returns to.
#define TRC_STACK_SIGNAL_FRAME (1ull << 62)

/// Key of trc_stack_limits. The kernel's helper gives as many frames as fit and does not say whether there were more: the last frame tells.
struct trc_stack_limit {
  unsigned program, reserved;
  unsigned long long last;               // address of the last frame
};

/// A record of lang::ActionKind::UnwindFile: a program met a file that has no table yet.
struct trc_uw_file_record {
  unsigned event, program;
  struct trc_uw_file_key key;
  unsigned long long start, end;         // of the mapping: /proc/TGID/map_files/START-END is the file
  unsigned tgid, reserved;
};
