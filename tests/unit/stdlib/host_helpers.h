// The kernel's helpers as functions of the test (unwind_test.cc), for BPF C that is compiled as part of it.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif
void *bpf_map_lookup_elem(const void *map, const void *key);
long long bpf_map_update_elem(const void *map, const void *key, const void *value, unsigned long long flags);
long long bpf_map_delete_elem(const void *map, const void *key);
unsigned long long bpf_ktime_get_ns(void);
unsigned bpf_get_smp_processor_id(void);
unsigned long long bpf_get_current_pid_tgid(void);
unsigned long long bpf_get_current_task(void);
long long bpf_get_stack(void *context, void *to, unsigned size, unsigned long long flags);
long long bpf_get_task_stack(void *task, void *to, unsigned size, unsigned long long flags);
long long bpf_probe_read_user(void *to, unsigned size, const void *from);
long long bpf_probe_read_kernel(void *to, unsigned size, const void *from);
long long bpf_ringbuf_output(const void *ring, const void *data, unsigned long long size, unsigned long long flags);
void *bpf_ringbuf_reserve(const void *ring, unsigned long long size, unsigned long long flags);
void bpf_ringbuf_submit(void *record, unsigned long long flags);
void *bpf_get_current_task_btf(void);
void *bpf_task_pt_regs(void *task);
long long bpf_loop(unsigned times, void *callback, void *context, unsigned long long flags);

/// Where the members of the test's kernel structures lie: each in a word of its own.
enum {
#define TRC_KERNEL_FIELD(symbol, structure, member) WORD_##symbol,
#include "stdlib/kernel_fields.def"
#undef TRC_KERNEL_FIELD
  WORDS
};
#ifdef __cplusplus
}
#endif
