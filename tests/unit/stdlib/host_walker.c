// The walker as a function of the test. What code generation and the runner define stands here.
#define TRC_USER_SPACE "unit/stdlib/host_helpers.h"
#include "stdlib/unwind.bpf.c"

#define TRC_KERNEL_FIELD(symbol, structure, member) const volatile u64 trc_at_##symbol = WORD_##symbol * 8;
#include "stdlib/kernel_fields.def"
#undef TRC_KERNEL_FIELD
#ifndef TRC_HOST_CAPACITY
#define TRC_HOST_CAPACITY 64
#endif
const volatile u64 trc_stack_capacity = TRC_HOST_CAPACITY, trc_stack_event = 3, trc_unwind_event = 4, trc_max_stack = 127;
char trc_walks, trc_stacks_seen, trc_stack_ends, trc_stack_limits, trc_ring, trc_loss, trc_uw_files, trc_uw_pages, trc_uw_rows, trc_uw_rules;

// Python frames are not walked here.
u64 trc_py_walk_frames(u32 index, u32 program, u32 limit, u32 flags) { return (void)index, (void)program, (void)limit, (void)flags, 0; }
int trc_py_place(u32 index, u64 low, u64 high) { return (void)index, (void)low, (void)high, 0; }
int trc_py_place_rest(u32 index) { return (void)index, 0; }
u32 trc_py_end(u32 index, u32 end) { return (void)index, end; }
