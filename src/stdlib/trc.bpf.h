// What every *.bpf.c of this folder starts with: types, the kernel helpers used, and how functions are marked.
//
// TRC_INLINE   copied into each caller; the usual choice.
// TRC_SHARED   one static subprogram: the verifier walks it at each call, its arguments keep what is known about them.
// Maps are symbols that code generation defines; only their address is used here.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed long long s64;

#define TRC_INLINE __attribute__((always_inline))
#define TRC_SHARED __attribute__((noinline, visibility("hidden")))

#define E2BIG 7
#define ENOMEM 12

static void *(*const bpf_map_lookup_elem)(const void *map, const void *key) = (void *)1;
static void *(*const bpf_ringbuf_reserve)(const void *ring, u64 size, u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;

/// Keeps the compiler from deducing a range that the verifier would have to see checked.
#define TRC_OPAQUE(value) asm volatile("" : "+r"(value))

// The verifier follows each way through a program to its end unless it knows no more there than on a way that it has followed already. So
// what is learned on the ways through a library function must be gone where they meet again.

/// A copy whose comparisons teach the verifier nothing about the original: an operation on it cuts the link between the two.
#define TRC_COPY(value)                                         \
  ({                                                            \
    u64 trc_copy = (value);                                     \
    asm volatile("%0 ^= 0" : "+r"(trc_copy));                   \
    trc_copy;                                                   \
  })

/// Makes the verifier forget what it knows of `value`, which may be another constant on each way. `unknown`: anything it does not know.
#define TRC_FORGET(value, unknown) asm volatile("%0 ^= %1\n%0 ^= %1" : "+r"(value) : "r"(unknown))
