// software: events that the kernel counts itself, such as page faults; hardware: those that the processor counts. The body runs each time
// `count` of them have happened.
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
constexpr Event kSoftwareEvents[] = {
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

constexpr Event kHardwareEvents[] = {
    {"backend-stalls", "", PERF_COUNT_HW_STALLED_CYCLES_BACKEND, 1'000'000},
    {"branch-instructions", "branches", PERF_COUNT_HW_BRANCH_INSTRUCTIONS, 100'000},
    {"branch-misses", "", PERF_COUNT_HW_BRANCH_MISSES, 100'000},
    {"bus-cycles", "", PERF_COUNT_HW_BUS_CYCLES, 100'000},
    {"cache-misses", "", PERF_COUNT_HW_CACHE_MISSES, 1'000'000},
    {"cache-references", "", PERF_COUNT_HW_CACHE_REFERENCES, 1'000'000},
    {"cpu-cycles", "cycles", PERF_COUNT_HW_CPU_CYCLES, 1'000'000},
    {"frontend-stalls", "", PERF_COUNT_HW_STALLED_CYCLES_FRONTEND, 1'000'000},
    {"instructions", "", PERF_COUNT_HW_INSTRUCTIONS, 1'000'000},
    {"ref-cycles", "", PERF_COUNT_HW_REF_CPU_CYCLES, 1'000'000},
};

class CountedEvents final : public Provider {
 public:
  constexpr CountedEvents(std::string_view name, const std::string_view& alias, std::uint32_t type, std::span<const Event> events,
                          std::string_view doc, std::string_view example)
      : name_(name), aliases_(&alias, 1), type_(type), events_(events), doc_(doc), example_(example) {}

  std::string_view name() const override { return name_; }
  std::span<const std::string_view> aliases() const override { return aliases_; }
  PidScope pid_scope() const override { return PidScope::Attach; }
  std::string_view doc() const override { return doc_; }
  std::string_view example() const override { return example_; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.empty() || fields.size() > 2) return wrong_field_count(*this, "1 or 2 arguments", fields.size());
    const std::string how_to_list = fmt::format("list the events with: trc -l '{}:*'", name_);
    if (has_glob(fields[0])) return Error(fmt::format("{} probes take no wildcard", name_)).hint(how_to_list);
    const Event* event = find(fields[0]);
    if (!event) {
      return Error(fmt::format("Unknown {} event: {}", name_, fields[0]))
          .hint(fields[0].empty() ? how_to_list : did_you_mean(fields[0], event_names()));
    }
    std::vector<std::string> canonical = {std::string(event->name)};
    if (fields.size() == 2) {
      const std::optional<std::uint64_t> count = parse_count(fields[1]);
      if (!count || *count == 0 || *count > static_cast<std::uint64_t>(INT64_MAX)) {
        return Error(fmt::format("{} count should be a positive integer", name_)).hint(fmt::format("for example {}", example()));
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

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts& facts, const Scope&, bool) const override {
    if (type_ == PERF_TYPE_HARDWARE && !facts.has(kernel::Feature::HardwareCounters)) {
      return Error(fmt::format("No matches for {}: this machine has no counters for it (no PMU; virtual machines often hide it)", target.text))
          .hint("profile:hz:99 samples by a timer instead");
    }
    lang::Context context;
    context.kind = lang::ProgramKind::PerfEvent;
    context.has_registers = true;
    context.why_no_args = fmt::format("{} probes have no arguments", name_);
    return single_group(std::move(context), target);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    const Event* event = find(target.fields.at(0));
    if (!event) return Error(fmt::format("Unknown {} event: {}", name_, target.fields.at(0)));
    PerfEventAttach attach;
    attach.type = type_;
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
      if (glob_match(target.fields.at(0), event)) names.push_back(fmt::format("{}:{}:", name_, event));
    return names;
  }

 private:
  const Event* find(std::string_view name) const {
    for (const Event& event : events_)
      if (event.name == name || (!event.alias.empty() && event.alias == name)) return &event;
    return nullptr;
  }

  std::vector<std::string> event_names() const {
    std::vector<std::string> names;
    for (const Event& event : events_) {
      names.emplace_back(event.name);
      if (!event.alias.empty()) names.emplace_back(event.alias);
    }
    return names;
  }

  std::string_view name_;
  std::span<const std::string_view> aliases_;
  std::uint32_t type_;
  std::span<const Event> events_;
  std::string_view doc_, example_;
};

constexpr std::string_view kSoftwareAlias = "s";
constexpr std::string_view kHardwareAlias = "h";
const CountedEvents kSoftware("software", kSoftwareAlias, PERF_TYPE_SOFTWARE, kSoftwareEvents, "events that the kernel counts in software",
                              "software:page-faults:100");
const CountedEvents kHardware("hardware", kHardwareAlias, PERF_TYPE_HARDWARE, kHardwareEvents, "events that the processor counts",
                              "hardware:cache-misses:1000");

}  // namespace

const Provider& software_provider() { return kSoftware; }
const Provider& hardware_provider() { return kHardware; }

}  // namespace trc::probes
