#include "trc.bpf.h"
#include "stack_hash.h"

/// Writes the name of the stack of `n` frames, n <= limit, to hash[0] and hash[1].
TRC_INLINE void trc_stack_hash(const u64 *frames, u32 n, u32 limit, u64 *hash) { trc_hash_stack(frames, n, limit, &hash[0], &hash[1]); }
