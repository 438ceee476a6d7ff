// The 128-bit name of a stack. Plain C that also compiles for user space, where its quality is tested.
#pragma once

#define TRC_HASH_ROTATE(value, by) (((value) << (by)) | ((value) >> (64 - (by))))

static inline __attribute__((always_inline)) unsigned long long trc_hash_final(unsigned long long h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdull;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ull;
  return h ^ (h >> 33);
}

/// Two lanes that mix each frame in different ways; (0, 0) is kept for the empty stack. `n` is at most `limit`.
static inline __attribute__((always_inline)) void trc_hash_stack(const unsigned long long *frames, unsigned n, unsigned limit,
                                                                 unsigned long long *low, unsigned long long *high) {
  unsigned long long a = 0x9e3779b97f4a7c15ull ^ n, b = 0xd6e8feb86659fd93ull;
  for (unsigned i = 0; i < limit; i++) {
    if (i >= n) break;
    a = (a ^ frames[i]) * 0x87c37b91114253d5ull;
    a ^= a >> 29;
    b = TRC_HASH_ROTATE(b + frames[i], 27) * 0x4cf5ad432745937full;
    b ^= b >> 32;
  }
  *low = trc_hash_final(a + b);
  *high = trc_hash_final(b ^ TRC_HASH_ROTATE(a, 31));
  if (n && !*low && !*high) *low = 1;
  if (!n) *low = *high = 0;
}
