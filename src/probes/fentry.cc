// fentry and fexit: entry and return of kernel functions with typed arguments, and of functions of BPF programs, through BPF trampolines. A
// program stands on one function.
#include <fmt/format.h>

#include <optional>

#include "base/glob.h"
#include "base/strings.h"
#include "kernel/btf.h"
#include "probes/btf_arguments.h"
#include "probes/forms.h"
#include "probes/kernel_match.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

using kernel::BpfFunction;
using kernel::KernelFunction;
using lang::TypeKind;

constexpr std::string_view kBpf = "bpf";

bool is_of_bpf(const Target& target) { return target.fields.size() > 1 && target.fields.front() == kBpf; }

class TracedFunction final : public Provider {
 public:
  constexpr TracedFunction(std::string_view name, std::span<const std::string_view> aliases, bool is_return, std::string_view doc, std::string_view example)
      : name_(name), aliases_(aliases), is_return_(is_return), doc_(doc), example_(example) {}

  std::string_view name() const override { return name_; }
  std::span<const std::string_view> aliases() const override { return aliases_; }
  PidScope pid_scope() const override { return PidScope::Filter; }
  std::string_view doc() const override { return doc_; }
  std::string_view example() const override { return example_; }

  /// Fields: [function], [module, function], ["bpf", function], ["bpf", id, function].
  Result<Target> parse(const std::vector<std::string>& fields) const override {
    const bool of_bpf = fields.size() > 1 && fields.front() == kBpf;
    if (fields.empty() || fields.size() > (of_bpf ? 3 : 2)) return wrong_field_count(*this, of_bpf ? "2 or 3 arguments" : "1 or 2 arguments", fields.size());
    for (const std::string& field : fields)
      if (field.empty()) return Error(fmt::format("{} needs the name of a function", name_)).hint(fmt::format("for example {}", example_));
    if (fields.back().find('+') != std::string::npos) {
      return Error(fmt::format("{} stands at the {} of a function, so it takes no offset", name_, is_return_ ? "return" : "entry"))
          .hint("use kprobe to probe an instruction");
    }
    if (of_bpf && fields.size() == 3 && !parse_unsigned(fields[1]) && !has_glob(fields[1])) {
      return Error(fmt::format("'{}' is no id of a BPF program", fields[1])).hint(fmt::format("ids are numbers: trc -l '{}:bpf:*' lists them", name_));
    }
    return Target{std::string(name_), fields, canonical_text(name_, fields)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    return parse(fields.empty() ? std::vector<std::string>{"*"} : fields);
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts& facts, const Scope& scope, bool) const override {
    if (is_of_bpf(target)) return bpf_contexts(target, facts);
    TRC_CHECK(check_kernel(target, facts));
    TRC_TRY(functions, facts.kernel_functions());
    if (!has_glob(target.fields.back())) {
      TRC_TRY(matches, match_kernel_functions(*functions, target, target.fields.back(), scope));
      std::vector<ContextGroup> groups;
      for (const KernelFunction& function : matches.functions) {
        const KernelFunction typed = with_types(function, *functions, facts);
        if (const auto why = why_not(typed, facts)) {
          return Error(fmt::format("No matches for {}: {}", target.text, *why)).hint(fmt::format("{}:{} needs no types", simple_name(), function.name));
        }
        add(function, typed, facts, groups);
      }
      return groups;
    }
    index(facts);
    TRC_TRY(matches, match_kernel_functions(*functions, target, target.fields.back(), scope,
                                            [&](const KernelFunction& function) { return !why_not(function, facts).has_value(); }));
    std::vector<ContextGroup> groups;
    for (const KernelFunction& function : matches.functions) {
      add(function, function, facts, groups);
    }
    pass_over(target, matches.skipped, groups);
    return groups;
  }

  /// The program has been made for its function, so there is nothing left to choose.
  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope&) const override {
    Expansion expansion;
    expansion.specs.push_back({target.text, FunctionAttach{}});
    return expansion;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts& facts, const Scope& scope) const override {
    std::vector<std::string> names;
    if (is_of_bpf(target)) {
      const auto found = match_bpf(target, facts);
      if (!found) return names;
      for (const BpfFunction& function : *found)
        if (function.is_traceable) names.push_back(bpf_target(function).text);
      return names;
    }
    if (!facts.has(kernel::Feature::Trampolines)) return names;
    TRC_TRY(functions, facts.kernel_functions());
    index(facts);
    const auto matches = match_kernel_functions(*functions, target, target.fields.back(), scope,
                                                [&](const KernelFunction& function) { return !why_not(function, facts).has_value(); });
    if (!matches) return names;
    const bool is_checked = has_glob(target.fields.back());
    for (const KernelFunction& function : matches->functions) {
      if (is_checked || !why_not(function, facts)) names.push_back(kernel_target(function).text);
    }
    return names;
  }

  /// Of a target as list() gives it, without looking for the function again.
  std::vector<std::string> describe(const Target& target, const kernel::Facts& facts, const Scope& scope) const override {
    std::vector<std::string> lines;
    if (is_of_bpf(target) || target.fields.size() != 2) return Provider::describe(target, facts, scope);
    const auto types = kernel_function_types(facts, target.fields.front(), target.fields.back());
    if (!types) return lines;
    for (const lang::ContextValue& value : types->arguments) lines.push_back(lang::type_name(value.type) + " " + value.name);
    if (is_return_ && !types->result.is(TypeKind::Void)) lines.push_back(lang::type_name(types->result) + " retval");
    return lines;
  }

 private:
  std::string_view simple_name() const { return is_return_ ? "kretprobe" : "kprobe"; }

  Result<> check_kernel(const Target& target, const kernel::Facts& facts) const {
    if (facts.has(kernel::Feature::Trampolines)) return {};
    const bool has_kprobes = facts.has(kernel::Feature::Kprobe);
    return Error(fmt::format("No matches for {}: this kernel cannot attach it (BTF, the BPF JIT and CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS are needed)",
                             target.text))
        .hint(has_kprobes ? fmt::format("{}:{} probes the same function, without types", simple_name(), target.fields.back())
                          : "it has no kprobes either; tracepoints are there: trc -l 'tracepoint:*' lists them");
  }

  /// A function may have several names, of which its types go by one: system calls without arguments (__x64_sys_getppid, __do_sys_getppid).
  static KernelFunction with_types(const KernelFunction& function, const kernel::KernelFunctions& functions, const kernel::Facts& facts) {
    if (function.address == 0 || find_typed_function(facts, module_name(function), function.name)) return function;
    for (const KernelFunction& other : functions.all()) {
      if (other.address == function.address && find_typed_function(facts, module_name(other), other.name)) return other;
    }
    return function;
  }

  /// Why a program cannot stand on a function; nothing when one can.
  static std::optional<std::string> why_not(const KernelFunction& function, const kernel::Facts& facts) {
    const auto typed = find_typed_function(facts, module_name(function), function.name);
    if (!typed) return fmt::format("the kernel's type information (BTF) has no function {} of {}", function.name, module_name(function));
    if (const std::string why = why_no_trampoline(facts, *typed); !why.empty()) return why;
    // The loader (libbpf before 1.6) takes the first that has the name.
    if (typed->btf != 0 && find_typed_function(facts, "vmlinux", function.name)) return "the kernel itself has types of another function of this name";
    return std::nullopt;
  }

  /// Makes the functions of all BTF quick to find.
  static void index(const kernel::Facts& facts) {
    for (std::size_t number = 0; number < facts.btf_names().size(); ++number) {
      if (const auto btf = facts.btf(number)) (*btf)->functions();
    }
  }

  static void pass_over(const Target& target, std::size_t count, std::vector<ContextGroup>& groups) {
    if (count == 0 || groups.empty()) return;
    groups.front().note = fmt::format("{}: {} function{} cannot be probed and {} passed over", target.text, with_thousands(count), count == 1 ? "" : "s",
                                      count == 1 ? "was" : "were");
  }

  Target named_target(std::vector<std::string> fields) const {
    std::string text = canonical_text(name_, fields);
    return {std::string(name_), std::move(fields), std::move(text)};
  }
  Target kernel_target(const KernelFunction& function) const { return named_target({std::string(module_name(function)), std::string(function.name)}); }
  Target bpf_target(const BpfFunction& function) const { return named_target({std::string(kBpf), std::to_string(function.program), function.name}); }

  lang::Context context() const {
    lang::Context context;
    context.kind = is_return_ ? lang::ProgramKind::FunctionExit : lang::ProgramKind::FunctionEntry;
    context.space = lang::AddressSpace::Kernel;
    context.has_function = true;
    return context;
  }

  void add(const KernelFunction& function, const KernelFunction& typed, const kernel::Facts& facts, std::vector<ContextGroup>& groups) const {
    auto types = function_types(facts, *find_typed_function(facts, module_name(typed), typed.name));
    lang::Context made = context();
    made.bound_to = fmt::format("{}:{}", module_name(typed), typed.name);
    made.named = std::move(types.arguments);
    if (is_return_ && !types.result.is(TypeKind::Void)) {
      made.return_value = lang::ContextValue{"", std::move(types.result), lang::ContextSource{lang::kReturnedValue}, ""};
    }
    made.why_no_args = fmt::format("{} takes no arguments", function.name);
    groups.push_back({std::move(made), {kernel_target(function)}, false});
  }

  static Result<std::vector<BpfFunction>> match_bpf(const Target& target, const kernel::Facts& facts) {
    TRC_TRY(all, facts.bpf_functions());
    std::vector<std::string> names;
    for (const BpfFunction& function : all) names.push_back(function.name);
    const std::string_view id = target.fields.size() == 3 ? std::string_view(target.fields[1]) : "*";
    std::erase_if(all, [&](const BpfFunction& function) {
      return !glob_match(target.fields.back(), function.name) || !glob_match(id, std::to_string(function.program));
    });
    if (!all.empty()) return all;
    const std::string near = did_you_mean(target.fields.back(), names);
    return Error(fmt::format("No matches for {}: no such function in the BPF programs that are loaded now", target.text))
        .hint(near.empty() ? "those of programs without type information (BTF) have no names" : near);
  }

  Result<std::vector<ContextGroup>> bpf_contexts(const Target& target, const kernel::Facts& facts) const {
    TRC_TRY(found, match_bpf(target, facts));
    std::vector<ContextGroup> groups;
    for (const BpfFunction& function : found) {
      if (!function.is_traceable) continue;
      ContextGroup& one = groups.emplace_back(ContextGroup{context(), {bpf_target(function)}, false});
      one.context.bound_to = fmt::format("{}:{}:{}", kBpf, function.program, function.name);
      one.context.why_no_args = "functions of BPF programs have no args";
    }
    if (groups.empty()) {
      return Error(fmt::format("No matches for {}: the program traces functions itself (fentry, fexit), and the kernel lets no other trace such a one", target.text));
    }
    pass_over(target, found.size() - groups.size(), groups);
    return groups;
  }

  std::string_view name_;
  std::span<const std::string_view> aliases_;
  bool is_return_;
  std::string_view doc_, example_;
};

constexpr std::string_view kFentryAliases[] = {"f", "kfunc"};
constexpr std::string_view kFexitAliases[] = {"fr", "kretfunc"};
const TracedFunction kFentry("fentry", kFentryAliases, false, "entry of kernel functions, with typed arguments", "fentry:vfs_read");
const TracedFunction kFexit("fexit", kFexitAliases, true, "return of kernel functions, with typed arguments and result", "fexit:vfs_read");

}  // namespace

const Provider& fentry_provider() { return kFentry; }
const Provider& fexit_provider() { return kFexit; }

}  // namespace trc::probes
