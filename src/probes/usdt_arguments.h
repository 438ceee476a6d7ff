// Operands of USDT probes: "-4@%edi 8@-8(%rbp,%rax,4) 4@$7" as ContextValues.
#pragma once

#include <string_view>
#include <vector>

#include "lang/context.h"

namespace trc::probes {

/// One value an operand, in order. An operand that cannot be read is there with its reason (ContextValue::why_unreadable).
std::vector<lang::ContextValue> parse_usdt_arguments(std::string_view text);

}  // namespace trc::probes
