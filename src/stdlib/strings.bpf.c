// Strings in memory that the program may read directly. They end at a NUL or at their capacity.
#include "trc.bpf.h"

TRC_INLINE u64 trc_string_length(const char *text, u32 capacity) {
  u32 i = 0;
  for (; i < capacity; i++) {
    if (!text[i]) break;
  }
  return i;
}

/// Whether the first `limit` characters are the same, up to the end of either.
TRC_INLINE u64 trc_strings_equal(const char *left, u32 left_capacity, const char *right, u32 right_capacity, u32 limit) {
  for (u32 i = 0; i < limit; i++) {
    char l = i < left_capacity ? left[i] : 0, r = i < right_capacity ? right[i] : 0;
    if (l != r) return 0;
    if (!l) return 1;
  }
  return 1;
}

TRC_INLINE u64 trc_memory_equal(const char *left, const char *right, u32 size) {
  for (u32 i = 0; i < size; i++) {
    if (left[i] != right[i]) return 0;
  }
  return 1;
}
