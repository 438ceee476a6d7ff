// What a stack is walked in: memory that a run claims, since a walk needs more than the stack of a BPF program has and since per-CPU
// memory alone is not safe (see scratch.bpf.c). Plain C, shared with code generation and the tests of the walker.
#pragma once

#include "code_ahead.h"
#include "unwind_abi.h"

#define TRC_WALK_SLOTS_PER_CPU 4   // walks that may be nested on one CPU: a task's, an interrupt's, one that was preempted, one more
#define TRC_WALK_WINDOW 2048       // bytes of a user stack that are copied at once; half of it would cost as much
#define TRC_WALK_REGISTERS 21      // words of struct pt_regs
#define TRC_WALK_RULES 512         // rules that are remembered; a power of two

/// The rule for a place of all tables. It stays true, since tables are never changed (unwind_abi.h), so walks leave it to those that come later.
struct trc_walk_rule {
  unsigned long long place;                       // its complement: zeros are no place
  unsigned long long rule;
};

/// A mapping of a process and the file in it.
struct trc_walk_mapping {
  unsigned long long start, end;
  unsigned long long bias;                        // address + bias = place in the file
  unsigned long long table_bias;                  // address + this = page in trc_uw_pages << TRC_UW_PAGE_SHIFT | byte of the page
  struct trc_uw_file_key key;
  struct trc_uw_file file;
};
#define TRC_WALK_MAPPINGS 8        // mappings that are remembered; a power of two

/// Which mappings they are of: as long as nothing of this is different, the process has the same ones.
struct trc_walk_space {
  unsigned long long mm;
  unsigned lock_seq;                              // raised by every change of mappings
  unsigned tgid, exec_id, reserved;               // the structure at `mm` may be of another program by now
};

/// Element of trc_walks, an ARRAY; room for trc_stack_capacity frames follows. Everything is in user addresses. What each step looks at comes
/// first, so that it lies in few cache lines.
struct trc_walk {
  unsigned long long claimed;                     // not 0: in use
  unsigned long long ip, sp, fp;                  // of the frame that the walk is at
  struct trc_walk_mapping map;                    // that ip was last in; empty at first
  unsigned long long window_start, window_room;   // of the user stack; room: so many bytes of it can begin a word
  unsigned long long returns;                     // kernel address of the next pending return probe
  unsigned program, limit, flags;                 // as the program asked
  unsigned count;                                 // frames so far
  unsigned at;                                    // enum trc_walk_at: what is known of the frame
  unsigned end;                                   // enum trc_stack_end
  unsigned index;                                 // of this element
  unsigned stacks_left;                           // how many steps went by frame pointer to a stack that lies lower
  unsigned long long start_stack;                 // where the process found its stack at first
  unsigned long long mm;                          // kernel address
  unsigned long long trampoline;                  // what pending return probes have put in place of return addresses; 0: not known
  unsigned long long hash_a, hash_b;
  unsigned long long registers[TRC_WALK_REGISTERS];   // of the frame, while TRC_WALK_AT_REGISTERS
  unsigned long long window[TRC_WALK_WINDOW / 8];
  unsigned long long node[32];                    // of the kernel's tree of mappings; or code
  struct trc_code code;                           // what is known of that
  unsigned long long found;                       // of a search
  struct trc_walk_space space;
  unsigned long long maps_met;                    // so many of `space` were put into `maps`, one after another
  struct trc_walk_mapping maps[TRC_WALK_MAPPINGS];
  struct trc_walk_rule rules[TRC_WALK_RULES];
  struct trc_stack_record record;
  // unsigned long long frames[] follow
};

enum trc_walk_at {
  TRC_WALK_AT_CALL = 0,        // ip is where a call returns to
  TRC_WALK_AT_CALL_BY_FP = 1,  // the same, and the step here went by frame pointer
  TRC_WALK_AT_REGISTERS = 2    // ip is the next instruction, and `registers` are known: the innermost frame or one that a signal interrupted
};

// flags of trc_user_stack
#define TRC_WALK_COUNT 1    // count the frames, store nothing
#define TRC_WALK_ENTRY 2    // the program runs at the first instruction of a function
#define TRC_WALK_ASKED 4    // the script said where to cut
#define TRC_WALK_TABLES_ONLY 8   // no frame pointers
#define TRC_WALK_OF_TASK 16      // where the context leads to no kernel stack, the task's own will do
#define TRC_WALK_RUNS 32    // Python frames go into runs of the struct trc_py_walk, to be put among native ones
