// What the walkers of stacks share.
#pragma once

#include "trc.bpf.h"
#include "loss.h"
#include "stack_hash.h"
#include "stack_walk.h"

extern char trc_walks, trc_stack_ends, trc_ring, trc_loss;
extern const volatile u64 trc_stack_capacity;   // frames that an element of trc_walks has room for; chosen by code generation

#define TRC_KERNEL_FIELD(symbol, structure, member) extern const volatile u64 trc_at_##symbol;
#include "kernel_fields.def"
#undef TRC_KERNEL_FIELD
#define TRC_NO_MEMBER (~0ull)   // of such a symbol; image::kNoMember

TRC_LOCAL struct trc_walk *walk_at(u32 index) { return bpf_map_lookup_elem(&trc_walks, &index); }

/// The slot of a node of the kernel's tree of mappings that holds `address`; `end` is its last one. Wants a global function of its own around
/// it: the verifier would follow each way out of this loop through all the levels that are left.
TRC_LOCAL u32 find_slot(const u64 *node, u32 end, u64 address) {
  u32 at = 0;
  for (; at < 15; at++) {
    if (at >= end || node[1 + at] >= address) break;
  }
  return at;
}

TRC_LOCAL u64 *frames_of(struct trc_walk *walk) { return (u64 *)(walk + 1); }

TRC_LOCAL u64 kernel_word(u64 address) {
  u64 value = 0;
  bpf_probe_read_kernel(&value, sizeof value, (const void *)address);
  return value;
}

TRC_LOCAL void release(struct trc_walk *walk) { *(volatile u64 *)&walk->claimed = 0; }

TRC_LOCAL void count_end(u32 program, u32 end) {
  u64 *ends = bpf_map_lookup_elem(&trc_stack_ends, &program);
  if (!ends || end >= TRC_STACK_ENDS) return;
  __sync_fetch_and_add(&ends[end], 1);
}

TRC_LOCAL void count_loss_at(u32 program, u32 offset) {
  char *counters = bpf_map_lookup_elem(&trc_loss, &program);
  if (counters) __sync_fetch_and_add((u64 *)(counters + offset), 1);
}
#define COUNT_LOSS(program, member) count_loss_at(program, __builtin_offsetof(struct loss_counters, member))

/// Makes `value` a part of the stack's name.
TRC_LOCAL void mix(struct trc_walk *walk, u64 value) { trc_hash_add(&walk->hash_a, &walk->hash_b, value); }

/// Adds a frame to the stack, if there is room.
TRC_LOCAL void keep_frame(struct trc_walk *walk, u64 frame) {
  u64 at = walk->count, capacity = trc_stack_capacity;
  TRC_OPAQUE(at);
  if (at >= capacity) return;
  frames_of(walk)[at] = frame;
  walk->count++;
  mix(walk, frame);
}

/// A walk for this run, or null when all are taken; release() it.
TRC_SHARED struct trc_walk *trc_walk_claim(void);
