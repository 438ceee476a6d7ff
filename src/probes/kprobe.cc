// kprobe and kretprobe: entry and return of kernel functions, and single instructions of the kernel.
#include <fmt/format.h>

#include "base/glob.h"
#include "probes/arch.h"
#include "probes/forms.h"
#include "probes/function_match.h"
#include "probes/kernel_match.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

using Form = FunctionPattern::Form;

class KernelFunctionProbe final : public Provider {
 public:
  constexpr KernelFunctionProbe(std::string_view name, const std::string_view& alias, bool is_return, std::string_view doc, std::string_view example)
      : name_(name), aliases_(&alias, 1), is_return_(is_return), doc_(doc), example_(example) {}

  std::string_view name() const override { return name_; }
  std::span<const std::string_view> aliases() const override { return aliases_; }
  PidScope pid_scope() const override { return PidScope::Filter; }
  bool newest_runs_first() const override { return !is_return_; }
  std::string_view doc() const override { return doc_; }
  std::string_view example() const override { return example_; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.empty() || fields.size() > 2) return wrong_field_count(*this, "1 or 2 arguments", fields.size());
    for (const std::string& field : fields)
      if (field.empty()) return Error(fmt::format("{} needs the name of a function", name_)).hint(fmt::format("for example {}", example_));
    const FunctionPattern pattern = parse_function(fields.back(), false);
    if (is_return_ && pattern.form == Form::Offset) {
      return Error("kretprobe fires when a function returns, so it takes no offset").hint("use kprobe to probe an instruction");
    }
    if (pattern.form == Form::Address && fields.size() == 2) return Error("an address needs no module").hint(fmt::format("write {}:{}", name_, fields.back()));
    return Target{std::string(name_), fields, canonical_text(name_, fields)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    return parse(fields.empty() ? std::vector<std::string>{"*"} : fields);
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts& facts, const Scope& scope, bool) const override {
    TRC_CHECK(find(target, facts, scope));
    return single_group(context(parse_function(target.fields.back(), false).form), target);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts& facts, const Scope& scope) const override {
    TRC_TRY(matches, find(target, facts, scope));
    Expansion expansion;
    expansion.skipped = matches.skipped;
    KernelProbes probes;
    probes.is_return = is_return_;
    const FunctionPattern pattern = parse_function(target.fields.back(), false);
    for (const kernel::KernelFunction& function : matches.functions) {
      KernelSite site{.address = function.address, .offset = pattern.form == Form::Offset ? pattern.number : 0};
      site.function = function.name;
      site.name = has_glob(target.text) ? kernel_site_name(target, function) : target.text;
      probes.sites.push_back(std::move(site));
    }
    expansion.specs.push_back({target.text, std::move(probes)});
    return expansion;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts& facts, const Scope& scope) const override {
    std::vector<std::string> names;
    if (!facts.has(kernel::Feature::Kprobe)) return names;
    TRC_TRY(functions, facts.kernel_functions());
    const auto matches = match_kernel_functions(*functions, target, target.fields.back(), scope);
    if (!matches) return names;
    for (const kernel::KernelFunction& function : matches->functions) {
      std::vector<std::string> fields = {std::string(function.name)};
      if (!function.module.empty()) fields.insert(fields.begin(), std::string(function.module));
      names.push_back(canonical_text(name_, fields));
    }
    return names;
  }

 private:
  lang::Context context(Form form) const {
    lang::Context context;
    const bool is_function = form == Form::Name || form == Form::Wildcard;
    context.kind = is_function ? lang::ProgramKind::KernelFunction : lang::ProgramKind::KernelAddress;
    context.space = lang::AddressSpace::Kernel;
    context.has_registers = true;
    context.has_function = true;
    context.at_entry = is_function && !is_return_;
    const Arch& arch = native_arch();
    const lang::Type word = lang::make_uint64();
    if (is_return_) {
      context.return_value = lang::ContextValue{"", word, lang::RegisterSource{arch.return_register}, ""};
      context.why_no_args = "kretprobe has retval; the arguments are gone when a function returns";
    } else {
      for (std::uint16_t offset : arch.argument_registers) context.positional.push_back({"", word, lang::RegisterSource{offset}, ""});
      context.why_no_args = "kprobe has no named arguments; use arg0, arg1, …, or fentry, which has";
    }
    return context;
  }

  Result<KernelMatches> find(const Target& target, const kernel::Facts& facts, const Scope& scope) const {
    if (!facts.has(kernel::Feature::Kprobe)) {
      return Error(fmt::format("No matches for {}: this kernel was built without kprobes (CONFIG_KPROBES)", target.text))
          .hint("tracepoints are there: trc -l 'tracepoint:*' lists them");
    }
    const FunctionPattern pattern = parse_function(target.fields.back(), false);
    if (pattern.form == Form::Address) {
      if (!scope.unsafe) {
        return Error(fmt::format("{}: a probe at an address needs --unsafe", target.text))
            .hint("the kernel checks NAME+OFFSET better: it knows where instructions begin in a function");
      }
      return KernelMatches{.functions = {{.address = pattern.number}}};
    }
    TRC_TRY(functions, facts.kernel_functions());
    return match_kernel_functions(*functions, target, pattern.text, scope);
  }

  std::string_view name_;
  std::span<const std::string_view> aliases_;
  bool is_return_;
  std::string_view doc_, example_;
};

constexpr std::string_view kKprobeAlias = "k";
constexpr std::string_view kKretprobeAlias = "kr";
const KernelFunctionProbe kKprobe("kprobe", kKprobeAlias, false, "entry of kernel functions", "kprobe:vfs_read");
const KernelFunctionProbe kKretprobe("kretprobe", kKretprobeAlias, true, "return of kernel functions", "kretprobe:vfs_read");

}  // namespace

const Provider& kprobe_provider() { return kKprobe; }
const Provider& kretprobe_provider() { return kKretprobe; }

}  // namespace trc::probes
