// Programs that the runner runs itself: begin and end once, before anything is attached and after everything is detached; self when trc gets a
// signal; test and bench when asked for.
#include "probes/forms.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

class RunByUsProvider : public Provider {
 public:
  constexpr RunByUsProvider(std::string_view name, RunWhen when, std::string_view doc, std::string_view example)
      : name_(name), when_(when), doc_(doc), example_(example) {}

  std::string_view name() const override { return name_; }
  std::optional<RunWhen> run_when() const override { return when_; }
  std::string_view doc() const override { return doc_; }
  std::string_view example() const override { return example_; }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts&, const Scope&, bool) const override {
    lang::Context context;
    context.kind = lang::ProgramKind::TestRun;
    context.why_no_args = std::string(name_) + " has no arguments";
    return single_group(std::move(context), target);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope&) const override {
    Expansion expansion;
    expansion.specs.push_back({target.text, RunByUs{when_}});
    return expansion;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts&, const Scope&) const override {
    return std::vector<std::string>{target.text};
  }

 private:
  std::string_view name_;
  RunWhen when_;
  std::string_view doc_, example_;
};

class BeginEnd final : public RunByUsProvider {
 public:
  constexpr BeginEnd(std::string_view name, const std::string_view& alias, RunWhen when, std::string_view doc)
      : RunByUsProvider(name, when, doc, name), aliases_(&alias, 1) {}

  std::span<const std::string_view> aliases() const override { return aliases_; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (!fields.empty()) return wrong_field_count(*this, "0 arguments", fields.size());
    return Target{std::string(name()), {}, std::string(name())};
  }

 private:
  std::span<const std::string_view> aliases_;
};

class Self final : public RunByUsProvider {
 public:
  using RunByUsProvider::RunByUsProvider;

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.size() != 2) return wrong_field_count(*this, "2 arguments", fields.size());
    if (fields[0] != "signal") return Error("self:" + fields[0] + " is not a probe").hint("for example self:signal:SIGUSR1");
    if (fields[1] != "SIGUSR1") return Error(fields[1] + " is not a supported signal").hint("only SIGUSR1 is");
    return Target{"self", fields, "self:signal:SIGUSR1"};
  }
};

/// test:NAME, bench:NAME
class Named final : public RunByUsProvider {
 public:
  using RunByUsProvider::RunByUsProvider;

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.size() != 1) return wrong_field_count(*this, "1 argument", fields.size());
    if (fields[0].empty()) return Error(std::string(name()) + " probes have a name").hint("for example " + std::string(example()));
    return Target{std::string(name()), fields, std::string(name()) + ":" + fields[0]};
  }
};

constexpr std::string_view kBeginAlias = "BEGIN";
constexpr std::string_view kEndAlias = "END";
const BeginEnd kBegin("begin", kBeginAlias, RunWhen::Begin, "once, before any other probe is attached");
const BeginEnd kEnd("end", kEndAlias, RunWhen::End, "once, after all other probes are detached");

const Self kSelf("self", RunWhen::Signal, "when trc gets the signal SIGUSR1", "self:signal:SIGUSR1");
const Named kTest("test", RunWhen::Test, "with --test; passes when it returns 0 and reports no error", "test:name");
const Named kBench("bench", RunWhen::Bench, "with --bench; measured", "bench:name");

}  // namespace

const Provider& begin_provider() { return kBegin; }
const Provider& end_provider() { return kEnd; }
const Provider& self_provider() { return kSelf; }
const Provider& test_provider() { return kTest; }
const Provider& bench_provider() { return kBench; }

}  // namespace trc::probes
