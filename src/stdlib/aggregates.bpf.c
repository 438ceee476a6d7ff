// What changes the state of an aggregate and takes more than an instruction.
#include "trc.bpf.h"

// Written out: a loop costs the program and the verifier more.
#define HALVE(step)        \
  if (value >> (step)) {   \
    value >>= (step);      \
    power += (step);       \
  }

static inline u32 floor_log2(u64 value) {
  u32 power = 0;
  HALVE(32)
  HALVE(16)
  HALVE(8)
  HALVE(4)
  HALVE(2)
  HALVE(1)
  return power;
}

/// As lang::bucket_of; `count` is the number of buckets.
TRC_INLINE u64 trc_bucket(s64 value, u32 bits, u64 count) {
  u64 bucket = 0, v = TRC_COPY(value);
  if ((s64)v >= 0) {
    bucket = v + 1;
    if (v >= (2ull << bits)) {
      u32 power = floor_log2(v) - bits;
      bucket = ((u64)(power + 1) << bits) + ((v >> power) - (1ull << bits)) + 1;
    }
  }
  TRC_FORGET(bucket, value);
  if (bucket >= count) bucket = count - 1;
  return bucket;
}

/// Underflow, then `count` linear buckets from `low` up in steps of `step`, then overflow.
TRC_INLINE u64 trc_linear_bucket(s64 value, s64 low, s64 high, u64 step, u64 count) {
  u64 bucket = 0;
  s64 v = TRC_COPY(value);
  if (v >= high) {
    bucket = count + 1;
  } else if (v >= low) {
    bucket = (u64)(v - low) / step + 1;
  }
  TRC_FORGET(bucket, value);
  if (bucket > count + 1) bucket = count + 1;
  return bucket;
}

#define RAISE_TRIES 4

/// min, max: makes *best at least `rank`. 0 if others changed it at each of a few tries, which takes as many preemptions between two
/// instructions.
TRC_INLINE u64 trc_raise(u64 *best, u64 *is_set, u64 rank) {
  u64 seen = *(volatile u64 *)best;
#pragma unroll
  for (int i = 0; i < RAISE_TRIES; i++) {
    if (seen >= rank && *is_set) return 1;
    u64 found = __sync_val_compare_and_swap(best, seen, seen >= rank ? seen : rank);
    if (found == seen) {
      *is_set = 1;
      return 1;
    }
    seen = found;
  }
  return 0;
}
