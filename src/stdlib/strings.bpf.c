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

struct search {
  const char *text, *wanted;
  u64 text_capacity, wanted_capacity;   // words: older verifiers lose the values of halves
  u64 at, matched;                      // where in the text the comparison began, how many characters were the same
  s64 found;
};

static s64 search_step(u64 index, struct search *search) {
  u64 at = search->at, matched = search->matched, here = at + matched;
  TRC_OPAQUE(matched);
  TRC_OPAQUE(here);
  char wanted = matched < search->wanted_capacity ? search->wanted[matched] : 0;
  if (!wanted) {
    search->found = at;
    return 1;
  }
  char c = here < search->text_capacity ? search->text[here] : 0;
  if (!c) return 1;
  if (c == wanted) {
    matched++;
  } else {
    at++;
    matched = 0;
  }
  // What the verifier knew of them would make every step another one to look at.
  TRC_FORGET(at, index);
  TRC_FORGET(matched, index);
  search->at = at;
  search->matched = matched;
  return 0;
}

#define MOST_STEPS (1 << 23)   // BPF_MAX_LOOPS of the kernel

/// Where `wanted` begins in `text`, -1: nowhere. A step for each comparison of two characters, so that the verifier looks at one.
TRC_INLINE s64 trc_string_find(const char *text, u32 text_capacity, const char *wanted, u32 wanted_capacity) {
  struct search search = {text, wanted, text_capacity, wanted_capacity, 0, 0, -1};
  u64 steps = ((u64)text_capacity + 1) * (wanted_capacity + 1);
  bpf_loop(steps < MOST_STEPS ? steps : MOST_STEPS, search_step, &search, 0);
  return search.found;
}

/// `to` has room for both capacities, and only zeros.
TRC_INLINE void trc_string_concat(char *to, const char *left, u32 left_capacity, const char *right, u32 right_capacity) {
  s64 copied = bpf_probe_read_kernel_str(to, left_capacity, left);
  u64 length = copied > 0 ? copied - 1 : 0;
  TRC_OPAQUE(length);
  if (length > left_capacity - 1) length = left_capacity - 1;
  if (length == left_capacity - 1 && left[left_capacity - 1]) {   // full, without a NUL
    to[left_capacity - 1] = left[left_capacity - 1];
    length = left_capacity;
  }
  copied = bpf_probe_read_kernel_str(to + length, right_capacity, right);
  if (copied == right_capacity) to[length + right_capacity - 1] = right[right_capacity - 1];   // its last character, where there is no NUL
}

TRC_INLINE s64 trc_memory_compare(const u8 *left, u64 left_at, const u8 *right, u64 right_at, u32 size) {
  for (u32 i = 0; i < size; i++) {
    u8 l = left[left_at + i], r = right[right_at + i];
    if (l != r) return l < r ? -1 : 1;
  }
  return 0;
}

/// A buffer: its length, then the bytes.
TRC_INLINE void trc_buffer(char *to, const char *from, u32 size) {
  *(u32 *)to = size;
  bpf_probe_read_kernel(to + sizeof(u32), size, from);
}
