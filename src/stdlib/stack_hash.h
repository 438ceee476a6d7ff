// The 128-bit name of a stack, made while it is walked. Plain C that also compiles for user space, where its quality is tested.
#pragma once

struct trc_stack_name {
  unsigned long long low, high;
};

#define TRC_HASH_ROTATE(value, by) (((value) << (by)) | ((value) >> (64 - (by))))
#define TRC_HASH_INLINE static inline __attribute__((always_inline))

TRC_HASH_INLINE unsigned long long trc_hash_final(unsigned long long h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdull;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ull;
  return h ^ (h >> 33);
}

/// Two lanes that mix each value in different ways.
TRC_HASH_INLINE void trc_hash_begin(unsigned long long *a, unsigned long long *b) {
  *a = 0x9e3779b97f4a7c15ull;
  *b = 0xd6e8feb86659fd93ull;
}

TRC_HASH_INLINE void trc_hash_add(unsigned long long *a, unsigned long long *b, unsigned long long value) {
  unsigned long long x = (*a ^ value) * 0x87c37b91114253d5ull, y = *b + value;
  *a = x ^ x >> 29;
  y = TRC_HASH_ROTATE(y, 27) * 0x4cf5ad432745937full;
  *b = y ^ y >> 32;
}

/// (0, 0) is kept for the empty stack.
TRC_HASH_INLINE void trc_hash_end(unsigned long long a, unsigned long long b, unsigned long long *low, unsigned long long *high) {
  *low = trc_hash_final(a + b);
  *high = trc_hash_final(b ^ TRC_HASH_ROTATE(a, 31));
  if (!*low && !*high) *low = 1;
}
