// What has an effect outside of the program at once: lines for the kernel's trace_pipe, memory of the current process.
// Functions that are called for what they do, not for what they return, are named trc_do_…
#include "trc.bpf.h"

static long (*const bpf_trace_printk)(const char *format, u32 size, const void *, const void *, const void *) = (void *)6;

/// `format` is of the kernel's kind and ends with NUL, `size` counts that. Strings are given by their address.
TRC_INLINE s64 trc_do_debug_print(const char *format, u32 size, const void *a, const void *b, const void *c) {
  return bpf_trace_printk(format, size, a, b, c);
}

static s64 (*const bpf_probe_write_user)(void *to, const void *from, u32 size) = (void *)36;

/// Whether the bytes of `from` behind the first `skip` were written.
TRC_INLINE u64 trc_do_write_user(void *to, const char *from, u64 skip, u32 size) { return bpf_probe_write_user(to, from + skip, size) == 0; }
