// What a stack is walked in: memory that a run claims, since a walk needs more than the stack of a BPF program has and since per-CPU
// memory alone is not safe (see scratch.bpf.c). Plain C, shared with code generation and the tests of the walker.
#pragma once

#include "unwind_abi.h"

#define TRC_WALK_SLOTS_PER_CPU 4   // walks that may be nested on one CPU: a task's, an interrupt's, one that was preempted, one more
#define TRC_WALK_WINDOW 2048       // bytes of a user stack that are copied at once; half of it would cost as much
#define TRC_WALK_REGISTERS 21      // words of struct pt_regs

/// Element of trc_walks, an ARRAY; room for trc_stack_capacity frames follows. Everything is in user addresses.
struct trc_walk {
  unsigned long long claimed;                     // not 0: in use
  unsigned long long ip, sp, fp;                  // of the frame that the walk is at
  unsigned long long task, mm, returns;           // kernel addresses; returns: the next pending return probe
  unsigned long long trampoline;                  // what pending return probes have put in place of return addresses; 0: not known
  unsigned long long map_start, map_end;          // the mapping that ip was last in; empty at first
  unsigned long long map_bias;                    // address + bias = place in the file
  unsigned long long hash_a, hash_b;
  unsigned long long window_start, window_size;   // of the user stack; size 0: nothing read
  struct trc_uw_file_key key;
  struct trc_uw_file file;                        // of the mapping
  unsigned index;                                 // of this element
  unsigned program, limit, flags;                 // as the program asked
  unsigned count;                                 // frames so far
  unsigned exact;                                 // ip is the next instruction of its frame, not where a call returns to
  unsigned registers_known;                       // `registers` are those of the frame
  unsigned stepped_by_fp;                         // the last step went by frame pointer
  unsigned end;                                   // enum trc_stack_end
  unsigned stacks_left;                           // how many steps went by frame pointer to a stack that lies lower
  unsigned long long registers[TRC_WALK_REGISTERS];
  unsigned long long window[TRC_WALK_WINDOW / 8];
  unsigned long long node[32];                    // of the kernel's tree of mappings
  struct trc_stack_record record;
  // unsigned long long frames[] follow
};

// flags of trc_user_stack
#define TRC_WALK_COUNT 1    // count the frames, store nothing
#define TRC_WALK_ENTRY 2    // the program runs at the first instruction of a function
#define TRC_WALK_ASKED 4    // the script said where to cut
#define TRC_WALK_TABLES_ONLY 8   // no frame pointers
#define TRC_WALK_OF_TASK 16      // where the context leads to no kernel stack, the task's own will do
#define TRC_WALK_RUNS 32    // Python frames go into runs of the struct trc_py_walk, to be put among native ones
