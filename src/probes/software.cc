// software: events that the kernel counts itself, such as page faults; the body runs each time `count` of them have happened.
#include <fmt/format.h>
#include <linux/perf_event.h>

#include "base/glob.h"
#include "probes/forms.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

struct Event {
  std::string_view name, alias;  // alias empty: none
  std::uint64_t config;
  std::uint64_t default_count;
};
constexpr Event kEvents[] = {
    {"alignment-faults", "", PERF_COUNT_SW_ALIGNMENT_FAULTS, 1},
    {"bpf-output", "", PERF_COUNT_SW_BPF_OUTPUT, 1},
    {"context-switches", "cs", PERF_COUNT_SW_CONTEXT_SWITCHES, 1'000},
    {"cpu-clock", "cpu", PERF_COUNT_SW_CPU_CLOCK, 1'000'000},
    {"cpu-migrations", "", PERF_COUNT_SW_CPU_MIGRATIONS, 1},
    {"dummy", "", PERF_COUNT_SW_DUMMY, 1},
    {"emulation-faults", "", PERF_COUNT_SW_EMULATION_FAULTS, 1},
    {"major-faults", "", PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1},
    {"minor-faults", "", PERF_COUNT_SW_PAGE_FAULTS_MIN, 100},
    {"page-faults", "faults", PERF_COUNT_SW_PAGE_FAULTS, 100},
    {"task-clock", "", PERF_COUNT_SW_TASK_CLOCK, 1},
};

const Event* find_event(std::string_view name) {
  for (const Event& event : kEvents)
    if (event.name == name || (!event.alias.empty() && event.alias == name)) return &event;
  return nullptr;
}

std::vector<std::string> event_names() {
  std::vector<std::string> names;
  for (const Event& event : kEvents) {
    names.emplace_back(event.name);
    if (!event.alias.empty()) names.emplace_back(event.alias);
  }
  return names;
}

constexpr std::string_view kAliases[] = {"s"};

class Software final : public Provider {
 public:
  std::string_view name() const override { return "software"; }
  std::span<const std::string_view> aliases() const override { return kAliases; }
  PidScope pid_scope() const override { return PidScope::Attach; }
  std::string_view doc() const override { return "events that the kernel counts in software"; }
  std::string_view example() const override { return "software:page-faults:100"; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.empty() || fields.size() > 2) return wrong_field_count(*this, "1 or 2 arguments", fields.size());
    if (has_glob(fields[0])) return Error("software probes take no wildcard").hint("list the events with: trc -l 'software:*'");
    const Event* event = find_event(fields[0]);
    if (!event) {
      return Error("Unknown software event: " + fields[0])
          .hint(fields[0].empty() ? "list the events with: trc -l 'software:*'" : did_you_mean(fields[0], event_names()));
    }
    std::vector<std::string> canonical = {std::string(event->name)};
    if (fields.size() == 2) {
      const std::optional<std::uint64_t> count = parse_count(fields[1]);
      if (!count || *count == 0 || *count > static_cast<std::uint64_t>(INT64_MAX)) {
        return Error("software count should be a positive integer").hint(fmt::format("for example {}", example()));
      }
      canonical.push_back(std::to_string(*count));
    }
    std::string text = canonical_text(name(), canonical);
    return Target{std::string(name()), std::move(canonical), std::move(text)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    std::vector<std::string> pattern = {fields.empty() ? "*" : fields.front()};
    std::string text = canonical_text(name(), pattern);
    return Target{std::string(name()), std::move(pattern), std::move(text)};
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts&, const Scope&, bool) const override {
    lang::Context context;
    context.kind = lang::ProgramKind::PerfEvent;
    context.has_registers = true;
    context.why_no_args = "software probes have no arguments";
    return single_group(std::move(context), target);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    const Event* event = find_event(target.fields.at(0));
    if (!event) return Error("Unknown software event: " + target.fields.at(0));
    PerfEventAttach attach;
    attach.type = PERF_TYPE_SOFTWARE;
    attach.config = event->config;
    attach.period = event->default_count;
    if (target.fields.size() > 1) attach.period = parse_count(target.fields[1]).value_or(event->default_count);
    attach.pid = scope.pid;   // also of a command: each process counts for itself, whatever others do
    attach.with_children = scope.tree_known;
    Expansion expansion;
    expansion.specs.push_back({target.text, attach});
    return expansion;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts&, const Scope&) const override {
    std::vector<std::string> names;
    for (const std::string& event : event_names())
      if (glob_match(target.fields.at(0), event)) names.push_back(fmt::format("software:{}:", event));
    return names;
  }
};

const Software kSoftware{};

}  // namespace

const Provider& software_provider() { return kSoftware; }

}  // namespace trc::probes
