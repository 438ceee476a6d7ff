// Memory for what does not fit the 512-byte stack. Per-CPU memory alone is not safe: a user probe's program can be preempted, and another
// one run on the same CPU. So each CPU has a few slots, and a run claims one: its first word is taken with compare-and-swap and given
// back when the run ends. They lie in an array that is not a per-CPU map, whose values may have 32 KiB at most.
#include "trc.bpf.h"
#include "scratch.h"

extern char trc_scratch;

static inline u64 *try_claim(u32 number) {
  u32 index = bpf_get_smp_processor_id() * TRC_SCRATCH_SLOTS + number;
  u64 *slot = bpf_map_lookup_elem(&trc_scratch, &index);
  if (!slot || __sync_val_compare_and_swap(slot, 0, 1) != 0) return 0;
  return slot;
}

/// When the first slot is taken, which is rare.
TRC_SHARED u64 *trc_scratch_claim_other(void) {
  for (u32 i = 1; i < TRC_SCRATCH_SLOTS; i++) {
    u64 *slot = try_claim(i);
    if (slot) return slot;
  }
  return 0;
}

/// The slot claimed (its first word says so), or null when all are taken.
TRC_INLINE u64 *trc_scratch_claim(void) {
  u64 *slot = try_claim(0);
  return slot ? slot : trc_scratch_claim_other();
}

TRC_INLINE void trc_scratch_release(u64 *slot) { *(volatile u64 *)slot = 0; }
