// rawtracepoint: the kernel's trace events with the values that the kernel passes, before they are made into a record.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/glob.h"
#include "probes/btf_arguments.h"
#include "probes/forms.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

constexpr std::string_view kAliases[] = {"rt"};
/// More than any tracepoint passes.
constexpr std::uint32_t kMaxArguments = 12;
/// Up to so many events of one probe have `args` with names and types, each its own; more share programs by the number of their arguments.
constexpr std::size_t kMaxTyped = 64;

struct RawEvent {
  std::string module, event;
  std::string text() const { return canonical_text("rawtracepoint", {module, event}); }
};

class RawTracepoint final : public Provider {
 public:
  std::string_view name() const override { return "rawtracepoint"; }
  std::span<const std::string_view> aliases() const override { return kAliases; }
  PidScope pid_scope() const override { return PidScope::Filter; }
  std::string_view doc() const override { return "trace events of the kernel, with the values that the kernel passes"; }
  std::string_view example() const override { return "rawtracepoint:sched_switch"; }

  /// Fields of the target are always [module pattern, event pattern].
  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.empty() || fields.size() > 2) return wrong_field_count(*this, "1 or 2 arguments", fields.size());
    if (fields.back().empty() || fields.front().empty()) return Error("rawtracepoint needs an event").hint(fmt::format("for example {}", example()));
    std::string text = canonical_text(name(), fields);
    return Target{std::string(name()), {fields.size() == 2 ? fields[0] : "*", fields.back()}, std::move(text)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    return parse(fields.empty() ? std::vector<std::string>{"*"} : fields);
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts& facts, const Scope&, bool needs_args) const override {
    TRC_TRY(events, matches(target, facts));
    if (!needs_args) return single_group(context_of(0), target);
    if (events.size() <= kMaxTyped) return typed_contexts(events, facts);
    std::map<std::uint32_t, ContextGroup> groups;  // by number of arguments
    for (const RawEvent& event : events) {
      const auto count = facts.raw_tracepoint_arguments(event.event);
      const std::uint32_t arguments = count ? std::min(*count, kMaxArguments) : kMaxArguments;
      ContextGroup& group = groups.try_emplace(arguments, ContextGroup{context_of(arguments), {}, false}).first->second;
      group.targets.push_back({std::string(name()), {event.module, event.event}, event.text()});
    }
    std::vector<ContextGroup> result;
    for (auto& [count, group] : groups) result.push_back(std::move(group));
    return result;
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts& facts, const Scope&) const override {
    TRC_TRY(events, matches(target, facts));
    Expansion expansion;
    for (const RawEvent& event : events) expansion.specs.push_back({event.text(), RawTracepointAttach{event.event}});
    return expansion;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts& facts, const Scope&) const override {
    TRC_TRY(all, all_events(facts));
    std::vector<std::string> names;
    for (const RawEvent& event : matching(target, all)) names.push_back(event.text());
    return names;
  }

 private:
  static lang::Context context_of(std::uint32_t arguments) {
    lang::Context context;
    context.kind = lang::ProgramKind::RawTracepoint;
    context.space = lang::AddressSpace::Kernel;
    for (std::uint32_t i = 0; i < arguments; ++i) context.positional.push_back({"", lang::make_uint64(), lang::ContextSource{8 * i}, ""});
    context.why_no_args = "raw tracepoints have args only where a probe stands for a few events; name the event";
    return context;
  }

  static Result<std::vector<ContextGroup>> typed_contexts(const std::vector<RawEvent>& events, const kernel::Facts& facts) {
    std::vector<ContextGroup> groups;
    for (const RawEvent& event : events) {
      auto named = raw_tracepoint_types(facts, event.module, event.event);
      const auto count = facts.raw_tracepoint_arguments(event.event);
      lang::Context context = context_of(count ? std::min(*count, kMaxArguments) : kMaxArguments);
      if (named) context.named = std::move(*named);
      else context.why_no_args = named.error().message();
      if (named && context.named.empty()) context.why_no_args = fmt::format("{} passes no arguments", event.event);
      // Those whose types are not known share a program by the number of their arguments.
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const ContextGroup& group) {
        return context.named.empty() && group.context.named.empty() && group.context.positional.size() == context.positional.size();
      });
      ContextGroup& group = same != groups.end() ? *same : groups.emplace_back(ContextGroup{std::move(context), {}, false});
      group.targets.push_back({"rawtracepoint", {event.module, event.event}, event.text()});
    }
    std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.context.positional.size() < b.context.positional.size(); });
    return groups;
  }

  static Result<std::vector<RawEvent>> all_events(const kernel::Facts& facts) {
    std::vector<RawEvent> events;
    auto names = facts.raw_tracepoints();
    if (names) {
      for (const std::string& name : *names) {
        const std::size_t colon = name.find(':');
        if (colon == std::string::npos) events.push_back({"vmlinux", name});
        else events.push_back({name.substr(0, colon), name.substr(colon + 1)});
      }
      return events;
    }
    // Without BTF the events of tracefs do, which have mostly the same names; those of system calls share one raw tracepoint.
    const auto traced = facts.tracepoints();
    if (!traced) return std::move(names).error();
    for (const std::string& name : *traced)
      if (!name.starts_with("syscalls:")) events.push_back({"vmlinux", name.substr(name.find(':') + 1)});
    return events;
  }

  static std::vector<RawEvent> matching(const Target& target, const std::vector<RawEvent>& all) {
    std::vector<RawEvent> found;
    for (const RawEvent& event : all)
      if (glob_match(target.fields[0], event.module) && glob_match(target.fields[1], event.event)) found.push_back(event);
    return found;
  }

  static Result<std::vector<RawEvent>> matches(const Target& target, const kernel::Facts& facts) {
    TRC_TRY(all, all_events(facts));
    std::vector<RawEvent> found = matching(target, all);
    if (!found.empty()) return found;
    Error error(fmt::format("No matches for {}", target.text));
    if (has_glob(target.fields[1])) return error;
    std::vector<std::string> names;
    for (const RawEvent& event : all) {
      if (event.event == target.fields[1]) return std::move(error).hint("did you mean " + event.text() + "?");
      names.push_back(event.event);
    }
    return std::move(error).hint(did_you_mean(target.fields[1], names));
  }
};

const RawTracepoint kRawTracepoint{};

}  // namespace

const Provider& raw_tracepoint_provider() { return kRawTracepoint; }

}  // namespace trc::probes
