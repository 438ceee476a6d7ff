// What every *.bpf.c of this folder starts with: types, the kernel helpers used, and how functions are marked.
//
// TRC_INLINE   copied into each caller; the usual choice.
// TRC_SHARED   one static subprogram: the verifier walks it at each call, its arguments keep what is known about them.
// TRC_LOCAL    a function of one file, copied into each caller.
// TRC_GLOBAL   one global subprogram: the verifier walks it once, whatever its arguments. Those are numbers, but for a struct trc_stack_name *,
//              which may be null (codegen/debug_info.cc describes them so); it returns a number.
// Maps are symbols that code generation defines; only their address is used here. `trc_at_<member>` (kernel_fields.def) and numbers that code
// generation chose are read-only data, whose values the verifier knows.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed short s16;
typedef signed int s32;
typedef signed long long s64;

#define TRC_INLINE __attribute__((always_inline))
#define TRC_SHARED __attribute__((noinline, visibility("hidden")))
#define TRC_LOCAL static inline __attribute__((always_inline))
#define TRC_GLOBAL __attribute__((noinline))

#define ENOENT 2
#define E2BIG 7
#define ENOMEM 12
#define EEXIST 17

#define BPF_ANY 0
#define BPF_NOEXIST 1

#ifdef TRC_USER_SPACE   // a header of the tests that compile such code for user space
#include TRC_USER_SPACE
#else
static void *(*const bpf_map_lookup_elem)(const void *map, const void *key) = (void *)1;
static s64 (*const bpf_map_update_elem)(const void *map, const void *key, const void *value, u64 flags) = (void *)2;
static s64 (*const bpf_map_delete_elem)(const void *map, const void *key) = (void *)3;
static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static u64 (*const bpf_get_current_task)(void) = (void *)35;
static s64 (*const bpf_get_stack)(void *context, void *to, u32 size, u64 flags) = (void *)67;
static u64 (*const bpf_ktime_get_tai_ns)(void) = (void *)208;
static s64 (*const bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static s64 (*const bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static s64 (*const bpf_probe_read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static s64 (*const bpf_get_task_stack)(void *task, void *to, u32 size, u64 flags) = (void *)141;
static s64 (*const bpf_ringbuf_output)(const void *ring, const void *data, u64 size, u64 flags) = (void *)130;
static void *(*const bpf_ringbuf_reserve)(const void *ring, u64 size, u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static void *(*const bpf_get_current_task_btf)(void) = (void *)158;
static void *(*const bpf_task_pt_regs)(void *task) = (void *)175;
static s64 (*const bpf_loop)(u32 times, void *callback, void *context, u64 flags) = (void *)181;
#endif

u64 trc_pid_tgid(void);   // process.bpf.c

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
