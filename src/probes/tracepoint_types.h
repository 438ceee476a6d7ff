// Fields of trace events as the language sees them.
#pragma once

#include "kernel/facts.h"
#include "lang/context.h"

namespace trc::probes {

/// The member of `args` for a field. `space`: where its pointers lead.
lang::ContextValue tracepoint_member(const kernel::TracepointField& field, lang::AddressSpace space);

}  // namespace trc::probes
