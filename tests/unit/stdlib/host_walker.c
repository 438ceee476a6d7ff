// The walker as a function of the test. What code generation and the runner define stands here.
#define TRC_USER_SPACE "unit/stdlib/host_helpers.h"
#include "stdlib/unwind.bpf.c"

#define TRC_KERNEL_FIELD(symbol, structure, member) const volatile u64 trc_at_##symbol = WORD_##symbol * 8;
#include "stdlib/kernel_fields.def"
#undef TRC_KERNEL_FIELD
const volatile u64 trc_stack_capacity = 64, trc_stack_event = 3, trc_unwind_event = 4, trc_max_stack = 127;
char trc_walks, trc_stacks_seen, trc_stack_ends, trc_ring, trc_loss, trc_uw_files, trc_uw_pages, trc_uw_rows, trc_uw_rules;
