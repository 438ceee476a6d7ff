#include "probes/kernel_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/glob.h"
#include "base/strings.h"
#include "probes/forms.h"

namespace trc::probes {
namespace {

using kernel::KernelFunction;
using kernel::KernelFunctions;
using kernel::Traceable;

constexpr std::string_view kKernelItself = "vmlinux";

/// What compilers make of a function beside it or instead of it: "f.isra.0", "f.part.0", "f.cold".
constexpr std::string_view kVariants[] = {".isra.", ".constprop.", ".part.", ".cold"};

/// The room in front of a function has a name too, where the kernel is built with some.
constexpr std::string_view kNotFunctions[] = {"__pfx_", "__cfi_"};

bool is_variant(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  return std::any_of(std::begin(kVariants), std::end(kVariants), [&](std::string_view mark) { return name.find(mark) != std::string_view::npos; });
}

/// Several names of one place are one function.
void keep_one_name_a_place(std::vector<KernelFunction>& functions) {
  std::unordered_set<std::uint64_t> addresses;
  std::unordered_set<std::string_view> names;   // where addresses are hidden
  std::erase_if(functions, [&](const KernelFunction& function) {
    return function.address != 0 ? !addresses.insert(function.address).second : !names.insert(function.name).second;
  });
}

KernelMatches match_wildcard(const KernelFunctions& functions, std::string_view module, std::string_view pattern, const FunctionFilter& fits) {
  KernelMatches matches;
  std::vector<KernelFunction> unfit;
  for (const KernelFunction& function : functions.all()) {
    if (!glob_match(pattern, function.name) || !glob_match(module, module_name(function))) continue;
    if (is_variant(function.name)) continue;   // not what the name says: other arguments, or a part only
    if (std::any_of(std::begin(kNotFunctions), std::end(kNotFunctions), [&](std::string_view mark) { return function.name.starts_with(mark); })) continue;
    const Traceable traceable = functions.traceable(function);
    const bool is_fit = (traceable == Traceable::Yes || traceable == Traceable::Unknown) && kernel::why_dangerous(function.name).empty();
    (is_fit && (!fits || fits(function)) ? matches.functions : unfit).push_back(function);
  }
  keep_one_name_a_place(matches.functions);
  keep_one_name_a_place(unfit);
  std::unordered_set<std::uint64_t> found;
  for (const KernelFunction& function : matches.functions) found.insert(function.address);
  matches.skipped = static_cast<std::size_t>(
      std::count_if(unfit.begin(), unfit.end(), [&](const KernelFunction& function) { return function.address == 0 || !found.contains(function.address); }));
  return matches;
}

Error no_such_function(const KernelFunctions& functions, const Target& target, std::string_view name, std::string_view module) {
  Error error(fmt::format("No matches for {}: no such function in this kernel", target.text));
  const std::vector<KernelFunction> elsewhere = functions.named(name);
  if (!elsewhere.empty()) {
    std::vector<std::string> places;
    for (const KernelFunction& function : elsewhere) places.emplace_back(module_name(function));
    return Error(fmt::format("No matches for {}: no such function in {}", target.text, module))
        .hint(fmt::format("it is in {}: {}", join(places, ", "), canonical_text(target.provider, {places.front(), std::string(name)})));
  }
  std::vector<std::string> variants, near;
  for (const KernelFunction& function : functions.all()) {
    const std::string_view other = function.name;
    if (other.starts_with(name) && other.size() > name.size() && other[name.size()] == '.' && is_variant(other)) variants.emplace_back(other);
    if (other.size() <= name.size() + 3 && other.size() + 3 >= name.size()) near.emplace_back(other);
  }
  if (!variants.empty()) {
    return std::move(error).hint(fmt::format("the compiler left only variants of it, whose arguments may be others: {}", join(variants, ", ")));
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  const std::string hint = did_you_mean(name, near);
  return std::move(error).hint(hint.empty() ? "a function that is inlined wherever it is called has no place of its own; is its module loaded?" : hint);
}

Error ambiguous(const Target& target, const std::vector<KernelFunction>& found) {
  std::vector<std::string> choices;
  // Only kprobes stand at addresses.
  const std::string at_address = target.provider == "fentry" ? "kprobe" : target.provider == "fexit" ? "kretprobe" : target.provider;
  const bool in_one_module =
      std::all_of(found.begin(), found.end(), [&](const KernelFunction& function) { return function.module == found.front().module; });
  for (const KernelFunction& function : found) {
    choices.push_back(in_one_module ? fmt::format("{}:{:#x}", at_address, function.address)
                                    : canonical_text(target.provider, {std::string(module_name(function)), std::string(function.name)}));
  }
  return Error(fmt::format("{} is ambiguous: the kernel has {} functions of that name", target.text, found.size()))
      .hint(fmt::format("write {}{}", join(choices, " or "), in_one_module ? " (with --unsafe)" : ""));
}

Result<> check_probeable(const KernelFunctions& functions, const Target& target, const KernelFunction& function, const Scope& scope) {
  switch (functions.traceable(function)) {
    case Traceable::Yes:
    case Traceable::Unknown: break;
    case Traceable::Blacklisted:
      return Error(fmt::format("{}: the kernel allows no probe on {}: the code that handles probes runs through it", target.text, function.name))
          .hint("see /sys/kernel/debug/kprobes/blacklist; probe a function that calls it");
    case Traceable::NotTraced:
      return Error(fmt::format("{}: the kernel has kept {} from being traced (notrace, or written in assembly)", target.text, function.name))
          .hint("it is not in tracefs' available_filter_functions; probe a function that calls it");
  }
  if (const std::string_view why = kernel::why_dangerous(function.name); !why.empty() && !scope.unsafe) {
    return Error(fmt::format("{}: a probe on {} can hang the machine: {}", target.text, function.name, why)).hint("--unsafe attaches it all the same");
  }
  return {};
}

}  // namespace

std::string_view module_name(const KernelFunction& function) { return function.module.empty() ? kKernelItself : function.module; }

std::string_view module_of(const Target& target) { return target.fields.size() == 2 ? std::string_view(target.fields[0]) : std::string_view("*"); }

Result<KernelMatches> match_kernel_functions(const KernelFunctions& functions, const Target& target, std::string_view function, const Scope& scope,
                                             const FunctionFilter& fits) {
  const std::string_view module = module_of(target);
  if (has_glob(function)) {
    KernelMatches matches = match_wildcard(functions, module, function, fits);
    if (!matches.functions.empty()) return matches;
    if (matches.skipped == 0) return Error(fmt::format("No matches for {}", target.text));
    return Error(fmt::format("No matches for {}: none of the {} functions can be probed", target.text, with_thousands(matches.skipped)));
  }
  KernelMatches matches;
  matches.functions = functions.named(function);
  std::erase_if(matches.functions, [&](const KernelFunction& found) { return !glob_match(module, module_name(found)); });
  keep_one_name_a_place(matches.functions);
  if (matches.functions.empty()) return no_such_function(functions, target, function, module);
  if (matches.functions.size() > 1 && has_glob(module) && target.fields.size() == 2) return matches;
  if (matches.functions.size() > 1) return ambiguous(target, matches.functions);
  TRC_CHECK(check_probeable(functions, target, matches.functions.front(), scope));
  return matches;
}

std::string kernel_site_name(const Target& target, const KernelFunction& function) {
  std::vector<std::string> fields = {std::string(function.name)};
  if (target.fields.size() == 2) fields.insert(fields.begin(), std::string(module_name(function)));
  return canonical_text(target.provider, fields);
}

}  // namespace trc::probes
