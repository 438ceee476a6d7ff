// Strings in memory that the program may read directly. They end at a NUL or at their capacity.
//
// The verifier follows a loop round by round, and each round is one more branch of the 8,192 that it keeps in mind. So only short texts are
// gone through by a loop; for long ones bpf_loop calls a function, which is looked at once.
#include "trc.bpf.h"

#define SHORT 64     // bytes
#define STRIDE 8     // bytes in a round of bpf_loop

struct text {
  const char *bytes;
  u64 capacity, length;
};

static s64 find_end(u32 index, struct text *text) {
  for (u32 i = 0; i < STRIDE; i++) {
    u64 at = (u64)index * STRIDE + i;
    TRC_OPAQUE(at);   // what is compared is what is used
    if (at >= text->capacity) return 1;
    if (!text->bytes[at]) {
      text->length = at;
      return 1;
    }
  }
  return 0;
}

TRC_INLINE u64 trc_string_length(const char *text, u32 capacity) {
  if (capacity > SHORT) {
    struct text all = {.bytes = text, .capacity = capacity, .length = capacity};
    bpf_loop((capacity + STRIDE - 1) / STRIDE, (void *)find_end, &all, 0);
    return all.length;
  }
  u32 i = 0;
  for (; i < capacity; i++) {
    if (!text[i]) break;
  }
  return i;
}

struct texts {
  const char *left, *right;
  u64 left_capacity, right_capacity, limit, differ;
};

static s64 find_difference(u32 index, struct texts *texts) {
  for (u32 i = 0; i < STRIDE; i++) {
    u64 at = (u64)index * STRIDE + i;
    TRC_OPAQUE(at);
    if (at >= texts->limit) return 1;
    char l = 0, r = 0;
    if (at < texts->left_capacity) l = texts->left[at];
    if (at < texts->right_capacity) r = texts->right[at];
    if (l != r) {
      texts->differ = 1;
      return 1;
    }
    if (!l) return 1;
  }
  return 0;
}

/// Whether the first `limit` characters are the same, up to the end of either.
TRC_INLINE u64 trc_strings_equal(const char *left, u32 left_capacity, const char *right, u32 right_capacity, u32 limit) {
  if (limit > SHORT) {
    struct texts both = {.left = left, .right = right, .left_capacity = left_capacity, .right_capacity = right_capacity, .limit = limit};
    bpf_loop((limit + STRIDE - 1) / STRIDE, (void *)find_difference, &both, 0);
    return !both.differ;
  }
  for (u32 i = 0; i < limit; i++) {
    char l = i < left_capacity ? left[i] : 0, r = i < right_capacity ? right[i] : 0;
    if (l != r) return 0;
    if (!l) return 1;
  }
  return 1;
}

static s64 find_other_byte(u32 index, struct texts *memory) {
  for (u32 i = 0; i < STRIDE; i++) {
    u64 at = (u64)index * STRIDE + i;
    TRC_OPAQUE(at);
    if (at >= memory->limit) return 1;
    if (memory->left[at] != memory->right[at]) {
      memory->differ = 1;
      return 1;
    }
  }
  return 0;
}

TRC_INLINE u64 trc_memory_equal(const char *left, const char *right, u32 size) {
  if (size > SHORT) {
    struct texts both = {.left = left, .right = right, .limit = size};
    bpf_loop((size + STRIDE - 1) / STRIDE, (void *)find_other_byte, &both, 0);
    return !both.differ;
  }
  for (u32 i = 0; i < size; i++) {
    if (left[i] != right[i]) return 0;
  }
  return 1;
}
