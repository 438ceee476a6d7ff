// What went wrong in the kernel: counted per program and CPU, and the first failure of each place in the script sent as an event.
#include "trc.bpf.h"
#include "loss.h"

extern char trc_loss, trc_ring, trc_sites;

struct event_header {
  u32 event, program;
};
struct helper_error {
  struct event_header header;
  s64 code;
};

/// `offset`: of the counter in struct loss_counters, a constant (the verifier sees it in a static subprogram). The counters of one CPU may be interrupted by another program: add atomically.
TRC_SHARED void trc_count_loss(u32 program, u32 offset) {
  char *counters = bpf_map_lookup_elem(&trc_loss, &program);
  if (!counters) return;
  __sync_fetch_and_add((u64 *)(counters + offset), 1);
}

/// A helper at `site` failed with `code`.
TRC_SHARED void trc_report_failure(u32 program, u32 event, u32 site, s64 code) {
  int full = code == -E2BIG || code == -ENOMEM;
  trc_count_loss(program, full ? __builtin_offsetof(struct loss_counters, map_full) : __builtin_offsetof(struct loss_counters, helper_failed));
  u64 *reported = bpf_map_lookup_elem(&trc_sites, &site);
  if (!reported || *reported) return;
  if (__sync_lock_test_and_set(reported, 1)) return;
  struct helper_error *record = bpf_ringbuf_reserve(&trc_ring, sizeof(*record), 0);
  if (!record) {
    trc_count_loss(program, __builtin_offsetof(struct loss_counters, ring_full));
    return;
  }
  record->header.event = event;
  record->header.program = program;
  record->code = code;
  bpf_ringbuf_submit(record, 0);
}

/// Something that the script does went wrong at run time (division by zero, …); `event` says what and where.
TRC_SHARED void trc_report_error(u32 program, u32 event) {
  struct event_header *record = bpf_ringbuf_reserve(&trc_ring, sizeof(*record), 0);
  if (!record) {
    trc_count_loss(program, __builtin_offsetof(struct loss_counters, ring_full));
    return;
  }
  record->event = event;
  record->program = program;
  bpf_ringbuf_submit(record, 0);
}
