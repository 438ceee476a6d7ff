// Which kernel functions "[module:]function" means, and why one cannot be probed. Shared by kprobe, kretprobe, fentry and fexit.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "kernel/kernel_functions.h"
#include "probes/provider.h"

namespace trc::probes {

struct KernelMatches {
  std::vector<kernel::KernelFunction> functions;  ///< views into the KernelFunctions
  std::size_t skipped = 0;                        ///< matched a wildcard, but cannot or must not be probed
};

/// "vmlinux" for the kernel itself.
std::string_view module_name(const kernel::KernelFunction& function);

/// The module a target names; "*" when it names none.
std::string_view module_of(const Target& target);

/// What else a function must be for a wildcard to mean it; null: nothing.
using FunctionFilter = std::function<bool(const kernel::KernelFunction&)>;

/// `function`: the last field of the target without an offset. A name means exactly one function; a wildcard all that can be probed.
/// Errors: none, several of one name, one that the kernel refuses or that is known to hang machines (the latter not with --unsafe).
Result<KernelMatches> match_kernel_functions(const kernel::KernelFunctions& functions, const Target& target, std::string_view function,
                                             const Scope& scope, const FunctionFilter& fits = {});

/// "provider:[module:]function" of a match. The kernel itself is not named unless the target asks for modules.
std::string kernel_site_name(const Target& target, const kernel::KernelFunction& function);

}  // namespace trc::probes
