// Which counter of a histogram a value belongs to.
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
  u64 bucket = 0, v = value;
  if (value >= 0) {
    bucket = v + 1;
    if (v >= (2ull << bits)) {
      u32 power = floor_log2(v) - bits;
      bucket = ((u64)(power + 1) << bits) + ((v >> power) - (1ull << bits)) + 1;
    }
  }
  TRC_OPAQUE(bucket);
  if (bucket >= count) bucket = count - 1;
  return bucket;
}

/// Underflow, then `count` linear buckets from `low` up in steps of `step`, then overflow.
TRC_INLINE u64 trc_linear_bucket(s64 value, s64 low, s64 high, u64 step, u64 count) {
  u64 bucket = 0;
  if (value >= high) {
    bucket = count + 1;
  } else if (value >= low) {
    bucket = (u64)(value - low) / step + 1;
  }
  TRC_OPAQUE(bucket);
  if (bucket > count + 1) bucket = count + 1;
  return bucket;
}
