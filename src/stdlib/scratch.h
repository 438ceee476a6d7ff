// Shared by scratch.bpf.c and code generation.
#pragma once
#define TRC_SCRATCH_SLOTS 8   // runs that may be nested on one CPU
#define TRC_SCRATCH_HEADER 8  // bytes at the start of a slot: the claim
