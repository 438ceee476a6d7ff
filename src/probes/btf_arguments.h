// What functions of the kernel take and return, from its type information (BTF).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/facts.h"
#include "lang/context.h"

namespace trc::probes {

/// A function's parameters, each in a word of its own: number N at byte 8 * N of the context, as raw tracepoints, fentry and fexit have them.
struct FunctionTypes {
  std::vector<lang::ContextValue> arguments;   ///< those without a name are called arg0, arg1, …
  lang::Type result;                           ///< Void: nothing is returned
};

/// A function in the kernel's type information: the number of the BTF (kernel::Facts::btf), its id there.
struct TypedFunction { std::uint32_t btf = 0, id = 0; };

/// A function of `module`; "" or "*": wherever it is found first.
std::optional<TypedFunction> find_typed_function(const kernel::Facts& facts, std::string_view module, std::string_view function);
FunctionTypes function_types(const kernel::Facts& facts, const TypedFunction& function);

/// Of a function of `module`; "" or "*": wherever it is found first. Error: no BTF, no such function in it.
Result<FunctionTypes> kernel_function_types(const kernel::Facts& facts, std::string_view module, std::string_view function);

/// Why no trampoline of the kernel can call a program at this function (fentry, fexit), by what it takes and returns; empty when one can.
std::string why_no_trampoline(const kernel::Facts& facts, const TypedFunction& function);

/// What a raw tracepoint passes, without the probe's own data that comes first.
Result<std::vector<lang::ContextValue>> raw_tracepoint_types(const kernel::Facts& facts, std::string_view module, std::string_view event);

}  // namespace trc::probes
