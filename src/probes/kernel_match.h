// Which kernel functions "[module:]function" means, and why one cannot be probed. Shared by kprobe, kretprobe, fentry and fexit.
#pragma once

#include <string_view>
#include <vector>

#include "kernel/kernel_functions.h"
#include "probes/provider.h"

namespace trc::probes {

struct KernelMatches {
  std::vector<kernel::KernelFunction> functions;  ///< views into the KernelFunctions
  std::size_t skipped = 0;                        ///< matched a wildcard, but cannot or must not be probed
};

/// The module a target names; "*" when it names none.
std::string_view module_of(const Target& target);

/// `function`: the last field of the target without an offset. A name means exactly one function; a wildcard all that can be probed.
/// Errors: none, several of one name, one that the kernel refuses or that is known to hang machines (the latter not with --unsafe).
Result<KernelMatches> match_kernel_functions(const kernel::KernelFunctions& functions, const Target& target, std::string_view function,
                                             const Scope& scope);

/// "provider:[module:]function" of a match. The kernel itself is not named unless the target asks for modules.
std::string kernel_site_name(const Target& target, const kernel::KernelFunction& function);

}  // namespace trc::probes
