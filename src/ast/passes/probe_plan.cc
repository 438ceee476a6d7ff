// Attach points to BPF programs. A block is compiled once for each context that its attach points offer; attach points of one provider
// that offer the same share a program.
#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "ast/passes/passes.h"
#include "base/strings.h"
#include "probes/registry.h"

namespace trc::ast {
namespace {

using lang::Context;
using lang::ContextValue;
using lang::UsdtSource;
using lang::ValueSource;

bool same(const UsdtSource& a, const UsdtSource& b) {
  return a.mode == b.mode && a.constant_or_displacement == b.constant_or_displacement && a.base_register == b.base_register &&
         a.index_register == b.index_register && a.scale == b.scale;
}

bool same(const ValueSource& a, const ValueSource& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&](const auto& left) {
        const auto& right = std::get<std::decay_t<decltype(left)>>(b);
        if constexpr (std::is_same_v<std::decay_t<decltype(left)>, UsdtSource>) {
          return same(left, right);
        } else {
          return left.offset == right.offset;
        }
      },
      a);
}

bool same(const ContextValue& a, const ContextValue& b) {
  return a.name == b.name && a.type == b.type && same(a.source, b.source) && a.why_unreadable == b.why_unreadable;
}

bool same(const std::vector<ContextValue>& a, const std::vector<ContextValue>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) { return same(x, y); });
}

bool same(const Context& a, const Context& b) {
  return a.kind == b.kind && a.bound_to == b.bound_to && a.at_entry == b.at_entry && same(a.positional, b.positional) && same(a.named, b.named) &&
         a.return_value.has_value() == b.return_value.has_value() && (!a.return_value || same(*a.return_value, *b.return_value)) &&
         a.space == b.space && a.has_registers == b.has_registers && a.has_function == b.has_function;
}

/// Programs that one attach point may become unless max_probes says another number: each is compiled and checked by itself.
constexpr std::uint32_t kMostPrograms = 1024;

class Planner {
 public:
  Planner(const Names& names, const Options& options, const ProbeTypes& types, const kernel::Facts& facts, const probes::Scope& scope,
          Diagnostics& diags)
      : names_(names), options_(options), types_(types), facts_(facts), scope_(scope), diags_(diags) {}

  void plan(const Probe& probe, std::size_t index) {
    const std::size_t before = plan_.programs.size();
    bool reported = false;
    for (const AttachPoint* point : probe.attach_points) {
      const auto texts = probes::expand_provider(point->text, scope_);
      if (!texts) report_parse_error(*point, texts.error());
      reported = reported || !texts;
      for (std::size_t i = 0; texts && i < texts->size(); ++i) reported = !plan_point(probe, index, *point, (*texts)[i]) || reported;
    }
    if (plan_.programs.size() > before) return;
    // The body still tells types of maps to other blocks, so that one missing probe does not make them look wrong.
    plan_.programs.push_back({.probe = &probe, .probe_index = index, .is_broken = true});
    if (reported || options_.settings.missing_probes == "ignore") return;
    if (options_.settings.missing_probes == "warn") {
      diags_.report(Diag::ProbeSkipped, probe.span, "Probe has no valid attach points. It is being removed.");
    } else {
      diags_.report(Diag::NoMatch, probe.span, "Probe has no valid attach points").with_hint("set the config variable missing_probes to warn or ignore if this is expected");
    }
  }

  ProbePlan finish() {
    for (const PlannedProgram& program : plan_.programs) {
      if (!program.context.prints_to_file || plan_.programs.size() == 1) continue;
      diags_.report(Diag::InvalidProbe, program.specs.front().span, "an iterator that is pinned must be the only probe of the script")
          .with_hint("trc ends when it is pinned; without a file name it is run at once, beside other probes");
      break;
    }
    return std::move(plan_);
  }

 private:
  /// False when an error was reported.
  bool plan_point(const Probe& probe, std::size_t index, const AttachPoint& point, const std::string& text) {
    const auto parsed = types_.parse_attach_point(text, scope_);
    if (!parsed) {
      report_parse_error(point, parsed.error());
      return false;
    }
    const auto groups = parsed->provider->contexts(parsed->target, facts_, scope_, names_.probes[index].asks_args);
    if (!groups) return report_missing(point, groups.error());
    const auto when = parsed->provider->run_when();
    if ((when == probes::RunWhen::Test || when == probes::RunWhen::Bench) && !names_of_tests_.insert(parsed->target.text).second) {
      diags_.report(Diag::Redeclared, point.span, fmt::format("there is another probe {}", parsed->target.text)).with_hint("results are told apart by their names");
      return false;
    }
    const std::uint32_t most = options_.settings.max_probes != 0 ? options_.settings.max_probes : kMostPrograms;
    if (groups->size() > most) {
      diags_.report(Diag::LimitExceeded, point.span, fmt::format("{} stands for {} functions or events, each with a program of its own: more than {}", parsed->target.text,
                                                                 with_thousands(groups->size()), most))
          .with_hint(fmt::format("set max_probes (or TRC_MAX_PROBES) to {} or more; one program serves a wildcard of kprobe", groups->size()));
      return false;
    }
    for (const probes::ContextGroup& group : *groups) add(probe, index, point, *parsed->provider, group);
    return true;
  }

  void report_parse_error(const AttachPoint& point, const Error& error) {
    const std::string word = point.text.substr(0, point.text.find(':'));
    const Diag code = types_.is_provider(word) ? Diag::InvalidProbe : Diag::UnknownProbeType;
    diags_.report(code, point.span, error.message()).with_hint(error.hint());
  }

  bool report_missing(const AttachPoint& point, const Error& error) {
    if (options_.settings.missing_probes == "ignore") return true;
    if (options_.settings.missing_probes == "warn") {
      diags_.report(Diag::ProbeSkipped, point.span, error.message() + (error.message().ends_with('.') ? " Skipping." : ". Skipping.")).with_hint(error.hint());
      return true;
    }
    diags_.report(Diag::NoMatch, point.span, error.message()).with_hint(error.hint());
    return false;
  }

  void add(const Probe& probe, std::size_t index, const AttachPoint& point, const probes::Provider& provider, const probes::ContextGroup& group) {
    for (const probes::Target& target : group.targets) {
      PlannedProgram& program = program_for(probe, index, provider, group);
      program.is_exact = program.is_exact && !group.needs_cookie;
      program.specs.push_back({.provider = target.provider, .text = target.text, .span = point.span, .note = &target == &group.targets.front() ? group.note : ""});
    }
  }

  /// A program to join, or a new one. A body that compares `probe` with a text gets one program for each attach point, and so does one that asks for what
  /// differs between functions.
  PlannedProgram& program_for(const Probe& probe, std::size_t index, const probes::Provider& provider, const probes::ContextGroup& group) {
    const ProbeNames& names = names_.probes[index];
    if (!names.compares_probe && !(names.asks_facts && group.context.facts)) {
      for (PlannedProgram& program : plan_.programs) {
        if (program.probe == &probe && program.provider == provider.name() && same(program.context, group.context)) return program;
      }
    }
    plan_.programs.push_back({.probe = &probe,
                              .probe_index = index,
                              .provider = std::string(provider.name()),
                              .context = group.context,
                              .filters_pid = provider.pid_scope() == probes::PidScope::Filter && scope_.pid >= 0 && !scope_.is_child,
                              .filters_tree = provider.pid_scope() == probes::PidScope::Attach && scope_.is_child});
    return plan_.programs.back();
  }

  const Names& names_;
  const Options& options_;
  const ProbeTypes& types_;
  const kernel::Facts& facts_;
  const probes::Scope& scope_;
  Diagnostics& diags_;
  ProbePlan plan_;
  std::set<std::string> names_of_tests_;
};

}  // namespace

ProbePlan expand_probes(const Program& program, const Names& names, const Options& options, const ProbeTypes& types,
                        const kernel::Facts& facts, const probes::Scope& scope, Diagnostics& diags) {
  if (program.probes.empty()) diags.report(Diag::NoMatch, Span{}, "No probes to attach");
  Planner planner(names, options, types, facts, scope, diags);
  for (std::size_t i = 0; i < program.probes.size(); ++i) planner.plan(*program.probes[i], i);
  ProbePlan plan = planner.finish();
  const bool nothing_left = std::ranges::all_of(plan.programs, [](const PlannedProgram& planned) { return planned.is_broken; });
  if (!plan.programs.empty() && nothing_left && diags.ok() && options.settings.missing_probes == "warn") {
    diags.report(Diag::NoMatch, program.probes.front()->span, "No probes to attach");
  }
  return plan;
}

}  // namespace trc::ast
