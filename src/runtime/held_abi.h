// What programs that stop processes (follow.bpf.c, unwind/map_stop.bpf.c) and runtime/held_processes have to agree on. Plain C.
#pragma once

// A HASH map `held`, s32 pid as the tracer counts it -> u64, any value: an element is put there before the signal is sent.
#define TRC_HELD_PROCESSES 16384
