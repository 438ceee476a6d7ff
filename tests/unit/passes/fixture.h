// Parses and analyses a script with invented probes and an invented machine: `fake` probes stand for every kind of context.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ast/passes/passes.h"
#include "base/strings.h"
#include "builtins/catalogue.h"
#include "parser/load.h"

namespace trc::ast {

class FakeFacts final : public kernel::Facts {
 public:
  Result<std::string> tracefs() const override { return Error("no tracefs in tests"); }
  Result<std::vector<std::string>> tracepoints() const override { return std::vector<std::string>{}; }
  Result<kernel::TracepointFormat> tracepoint(const std::string&, const std::string&) const override { return Error("no tracefs in tests"); }
  Result<std::vector<std::string>> raw_tracepoints() const override { return std::vector<std::string>{}; }
  Result<std::uint32_t> raw_tracepoint_arguments(const std::string&) const override { return Error("no BTF in tests"); }
  bool has(kernel::Feature) const override { return true; }
  std::uint32_t possible_cpus() const override { return 4; }
  std::vector<std::uint32_t> online_cpus() const override { return {0, 1, 2, 3}; }
  std::uint64_t max_sample_rate() const override { return 100'000; }
  std::uint64_t max_kernel_stack() const override { return 127; }
  bool in_initial_pid_namespace() const override { return true; }
};

/// begin, end: no context. uprobe, uretprobe: registers of user code. tracepoint: named arguments. interval: nothing, filter: nothing, but
/// filtered by pid. A target named "missing" does not exist; one with '*' needs a cookie.
class FakeProvider final : public probes::Provider {
 public:
  FakeProvider(std::string name, lang::Context context, probes::PidScope scope = probes::PidScope::None)
      : name_(std::move(name)), context_(std::move(context)), scope_(scope) {}
  std::string_view name() const override { return name_; }
  probes::PidScope pid_scope() const override { return scope_; }
  std::string_view doc() const override { return "for tests"; }
  std::string_view example() const override { return name_; }
  Result<probes::Target> parse(const std::vector<std::string>& fields) const override {
    std::string text = name_;
    for (const auto& field : fields) text += ":" + field;
    return probes::Target{name_, fields, text};
  }
  Result<std::vector<probes::ContextGroup>> contexts(const probes::Target& target, const kernel::Facts&, const probes::Scope&, bool) const override {
    if (target.text.find("missing") != std::string::npos) return Error("No matches for " + target.text + ".").hint("did you mean found?");
    const bool is_wildcard = target.text.find('*') != std::string::npos;
    return std::vector<probes::ContextGroup>{{context_, {target}, is_wildcard}};
  }
  Result<probes::Expansion> expand(const probes::Target&, const kernel::Facts&, const probes::Scope&) const override { return probes::Expansion{}; }
  Result<std::vector<std::string>> list(const probes::Target&, const kernel::Facts&, const probes::Scope&) const override {
    return std::vector<std::string>{};
  }

 private:
  std::string name_;
  lang::Context context_;
  probes::PidScope scope_;
};

inline std::vector<std::unique_ptr<FakeProvider>> make_fake_providers() {
  using namespace lang;
  std::vector<std::unique_ptr<FakeProvider>> all;
  all.push_back(std::make_unique<FakeProvider>("begin", Context{}));
  all.push_back(std::make_unique<FakeProvider>("end", Context{}));
  Context perf;
  perf.kind = ProgramKind::PerfEvent;
  perf.has_registers = true;
  all.push_back(std::make_unique<FakeProvider>("interval", perf));
  all.push_back(std::make_unique<FakeProvider>("profile", perf, probes::PidScope::Attach));
  Context user;
  user.kind = ProgramKind::UserProbe;
  user.space = AddressSpace::User;
  user.has_registers = true;
  user.has_function = true;
  user.why_no_args = "no debug info for args";
  Context user_return = user;
  const std::uint16_t offsets[] = {112, 104, 96, 88, 72, 64};
  for (std::uint16_t offset : offsets) user.positional.push_back({"", make_uint64(), RegisterSource{offset}, ""});
  user_return.return_value = ContextValue{"", make_uint64(), RegisterSource{80}, ""};
  all.push_back(std::make_unique<FakeProvider>("uprobe", user, probes::PidScope::Attach));
  all.push_back(std::make_unique<FakeProvider>("uretprobe", user_return, probes::PidScope::Attach));
  Context pinned;
  pinned.kind = ProgramKind::Iterator;
  pinned.prints_to_file = true;
  all.push_back(std::make_unique<FakeProvider>("pinned", pinned));
  Context trace;
  trace.kind = ProgramKind::Tracepoint;
  trace.space = AddressSpace::User;
  trace.named = {{"dfd", make_integer(32, true), ContextSource{16}, ""},
                 {"filename", make_pointer(make_integer(8, true), AddressSpace::User), ContextSource{24}, ""},
                 {"numbers", make_array(make_integer(32, false), 4), ContextSource{32}, ""},
                 {"name", make_string(16), ContextSource{48}, ""},
                 {"odd", make_uint64(), ContextSource{64}, "odd is a float, which programs cannot read"}};
  trace.refused_names = {{"common_", "BPF does not support accessing common tracepoint fields"}};
  all.push_back(std::make_unique<FakeProvider>("tracepoint", trace, probes::PidScope::Filter));
  return all;
}

inline ProbeTypes fake_probe_types() {
  static const auto kProviders = make_fake_providers();
  auto find = [](std::string_view name) -> const FakeProvider* {
    for (const auto& provider : kProviders) {
      if (provider->name() == name) return provider.get();
    }
    return nullptr;
  };
  ProbeTypes types;
  types.parse_attach_point = [find](std::string_view text, const probes::Scope&) -> Result<probes::ParsedTarget> {
    auto fields = split(text, ':');
    const FakeProvider* provider = find(to_lower(fields.front()));
    if (!provider) return Error("Invalid probe type: " + fields.front());
    if (provider->name() == "interval" && fields.size() < 2) return Error("interval probe type requires 2 arguments, found 0");
    fields.erase(fields.begin());
    TRC_TRY(target, provider->parse(fields));
    return probes::ParsedTarget{provider, target};
  };
  types.is_provider = [find](std::string_view word) { return find(to_lower(word)) != nullptr; };
  return types;
}

/// What a first line "// run: -p 7 -- one two --name=value" says: the pid, positional and named parameters.
inline AnalyseOptions run_options(const std::string& script) {
  AnalyseOptions options;
  constexpr std::string_view kMark = "// run:";
  if (!script.starts_with(kMark)) return options;
  const auto words = split_words(script.substr(kMark.size(), script.find('\n') - kMark.size()));
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "-p" || words[i] == "-c") {
      options.scope.is_child = words[i] == "-c";
      options.scope.pid = std::stoi(words[++i]);
    } else if (words[i].starts_with("--") && words[i] != "--") {
      const std::size_t equals = std::min(words[i].find('='), words[i].size());
      options.named_parameters[words[i].substr(2, equals - 2)] = words[i].substr(std::min(equals + 1, words[i].size()));
    } else if (words[i] != "--") {
      options.positionals.push_back(words[i]);
    }
  }
  return options;
}

struct Outcome {
  parser::LoadedScript script;
  Diagnostics diags;
  std::optional<Analysis> analysis;

  std::string dump() const { return analysis ? typed::dump(analysis->program) : "(errors)\n"; }
  std::string messages() const {
    std::string all;
    for (const auto& d : diags.all()) all += std::string(slug_of(d.code)) + ": " + d.message + (d.hint.empty() ? "" : " [" + d.hint + "]") + "\n";
    return all;
  }
};

inline Outcome analyse_text(const std::string& text, const AnalyseOptions& options = {}, const std::map<std::string, std::string>& environment = {}) {
  Outcome outcome;
  outcome.script = parser::load(SourceFile("stdin", text), {options.positionals, ""}, outcome.diags);
  const FakeFacts facts;
  const World world{facts, fake_probe_types(), [&](const char* name) -> const char* {
                      const auto it = environment.find(name);
                      return it == environment.end() ? nullptr : it->second.c_str();
                    }};
  if (outcome.diags.ok()) {
    outcome.analysis = run_passes(outcome.script.program, outcome.script.files(), builtins::catalogue(), world, options, outcome.diags);
  }
  if (outcome.analysis) {
    EXPECT_EQ(verify(outcome.analysis->program), std::vector<std::string>{}) << text << "\n" << outcome.dump();
  }
  return outcome;
}

/// The dump of a script that must be free of errors.
inline std::string typed_text(const std::string& text, const AnalyseOptions& options = {}) {
  const Outcome outcome = analyse_text(text, options);
  EXPECT_TRUE(outcome.analysis.has_value()) << text << "\n" << outcome.messages();
  return outcome.dump();
}

/// Everything that is reported about a script, one line each: "slug: message [hint]".
inline std::string complaints(const std::string& text, const AnalyseOptions& options = {}) { return analyse_text(text, options).messages(); }

}  // namespace trc::ast
