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

/// tseries: changes the bucket of now. `what` is a lang::SeriesValue; of smallest and largest `value` is a rank. 0 as of trc_raise().
TRC_INLINE u64 trc_series(u64 *state, u64 value, u64 interval, u64 buckets, u32 what) {
  enum { LAST, AVERAGE, SMALLEST, LARGEST, SUM };
  u64 now = bpf_ktime_get_tai_ns(), epoch = now / interval, at = epoch % buckets;
  TRC_OPAQUE(at);
  if (at >= buckets) return 1;
  u64 *bucket = state + 3 * at;
  u64 seen = *(volatile u64 *)bucket;
  if (seen > epoch) return 1;   // interrupted for longer than all buckets last
  if (seen < epoch) {
    // The bucket of an interval long ago. Whoever makes it the one of now takes away what it had; others may be adding to it already.
    u64 old = *(volatile u64 *)(bucket + 1), old_more = *(volatile u64 *)(bucket + 2);
    if (__sync_val_compare_and_swap(bucket, seen, epoch) == seen) {
      if (what == AVERAGE || what == SUM) {
        __sync_fetch_and_add(bucket + 1, -old);
        __sync_fetch_and_add(bucket + 2, -old_more);
      } else {
        __sync_val_compare_and_swap(bucket + 1, old, 0);
      }
    }
  }
  if (what == SMALLEST || what == LARGEST) return trc_raise(bucket + 1, bucket + 2, value);
  if (what == LAST) {
    bucket[1] = value;
    bucket[2] = now;
  } else {
    __sync_fetch_and_add(bucket + 1, value);
    __sync_fetch_and_add(bucket + 2, 1);
  }
  return 1;
}
