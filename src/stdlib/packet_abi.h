/* A packet on its way to user space: what a program puts in front of its bytes (skboutput). It goes through perf buffers, one for each CPU, because
   only those take the bytes of a packet from wherever the kernel has them. */
#pragma once

#include <linux/types.h>

#define TRC_PACKET_MAP "trc_packets"   /* BPF_MAP_TYPE_PERF_EVENT_ARRAY, given by the runner */

struct trc_packet {
  __u64 event;    /* as the first word of a record in the ring; its text is the name of the file */
  __u64 ns;       /* since boot, as bpf_ktime_get_boot_ns counts */
  __u32 length;   /* bytes that follow */
  __u32 offset;   /* of them, to be left out at the front */
};
