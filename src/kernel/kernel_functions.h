// The functions of the running kernel and its modules, and which of them a probe can stand on: /proc/kallsyms, tracefs and debugfs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/result.h"

namespace trc::kernel {

struct KernelFunction {
  std::string_view name;                ///< valid as long as the KernelFunctions
  std::string_view module;              ///< empty: the kernel itself
  std::uint64_t address = 0;            ///< 0: the kernel hides it (kptr_restrict)
};

/// What the kernel says about probing a function.
enum class Traceable : std::uint8_t {
  Yes,
  Unknown,      ///< the kernel does not let us see its list
  NotTraced,    ///< ftrace has no place in it: notrace, or inlined everywhere so that only a name is left
  Blacklisted,  ///< kprobes refuse it (debugfs kprobes/blacklist)
};

class KernelFunctions {
 public:
  /// The texts of /proc/kallsyms, of tracefs' available_filter_functions and of debugfs' kprobes/blacklist; the last two may be empty: not
  /// known. Lines that cannot be read are passed over.
  static KernelFunctions parse(std::string kallsyms, std::string_view traceable, std::string_view blacklist);

  /// As the kernel lists them: its own first, then modules'.
  const std::vector<KernelFunction>& all() const { return functions_; }
  std::vector<KernelFunction> named(std::string_view name) const;
  Traceable traceable(const KernelFunction& function) const;
  /// There is a list of what can be traced, so Unknown is not answered.
  bool knows_traceable() const { return !traceable_.empty(); }

 private:
  KernelFunctions() = default;
  bool is_listed(const KernelFunction& function) const;
  std::unique_ptr<const std::string> text_, more_text_;    // that the names are in; their addresses must stay when this moves
  std::vector<KernelFunction> functions_;
  std::unordered_set<std::string_view> traceable_;         // "name" or "name [module]"
  std::unordered_set<std::uint64_t> traceable_places_;     // the list names only one of several functions at one address
  std::vector<std::pair<std::uint64_t, std::uint64_t>> blacklist_;   // from, to; sorted
};

/// Of the running kernel. `traceable`: a file as tracefs' available_filter_functions, or empty. Error: /proc/kallsyms cannot be read.
Result<KernelFunctions> read_kernel_functions(const std::string& traceable);

/// Functions that must not be probed, though the kernel would let one: what happens then. Empty for all others.
std::string_view why_dangerous(std::string_view function);

}  // namespace trc::kernel
