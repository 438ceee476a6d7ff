// begin and end: run once, before anything is attached and after everything is detached.
#include "probes/forms.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

class BeginEnd final : public Provider {
 public:
  constexpr BeginEnd(std::string_view name, const std::string_view& alias, bool at_end, std::string_view doc)
      : name_(name), aliases_(&alias, 1), at_end_(at_end), doc_(doc) {}

  std::string_view name() const override { return name_; }
  std::span<const std::string_view> aliases() const override { return aliases_; }
  std::string_view doc() const override { return doc_; }
  std::string_view example() const override { return name_; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (!fields.empty()) return wrong_field_count(*this, "0 arguments", fields.size());
    return Target{std::string(name_), {}, std::string(name_)};
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts&, const Scope&, bool) const override {
    lang::Context context;
    context.kind = lang::ProgramKind::TestRun;
    context.why_no_args = std::string(name_) + " has no arguments";
    return single_group(std::move(context), target);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope&) const override {
    Expansion expansion;
    expansion.specs.push_back({target.text, RunOnce{at_end_}});
    return expansion;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts&, const Scope&) const override {
    return std::vector<std::string>{target.text};
  }

 private:
  std::string_view name_;
  std::span<const std::string_view> aliases_;
  bool at_end_;
  std::string_view doc_;
};

constexpr std::string_view kBeginAlias = "BEGIN";
constexpr std::string_view kEndAlias = "END";
const BeginEnd kBegin("begin", kBeginAlias, false, "once, before any other probe is attached");
const BeginEnd kEnd("end", kEndAlias, true, "once, after all other probes are detached");

}  // namespace

const Provider& begin_provider() { return kBegin; }
const Provider& end_provider() { return kEnd; }

}  // namespace trc::probes
