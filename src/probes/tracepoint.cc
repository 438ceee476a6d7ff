// tracepoint: the kernel's trace events, with typed arguments from their format files.
#include <fmt/format.h>

#include <cerrno>
#include <map>
#include <set>

#include "base/glob.h"
#include "probes/forms.h"
#include "probes/registry.h"
#include "probes/tracepoint_types.h"

namespace trc::probes {
namespace {

constexpr std::string_view kAliases[] = {"t"};

struct EventName {
  std::string category, event;
  std::string text() const { return canonical_text("tracepoint", {category, event}); }
};

EventName split_name(const std::string& name) {
  const std::size_t colon = name.find(':');
  return {name.substr(0, colon), colon == std::string::npos ? "" : name.substr(colon + 1)};
}

/// Events with equal keys have the same `args`.
std::string layout_key(const EventName& name, const kernel::TracepointFormat& format) {
  std::string key = name.category == "syscalls" ? "user" : "kernel";
  for (const kernel::TracepointField& field : format.fields) {
    key += fmt::format("\n{}|{}|{}|{}|{}", field.name, field.type, field.offset, field.size, field.is_signed);
  }
  return key;
}

class Tracepoint final : public Provider {
 public:
  std::string_view name() const override { return "tracepoint"; }
  std::span<const std::string_view> aliases() const override { return kAliases; }
  PidScope pid_scope() const override { return PidScope::Filter; }
  std::string_view doc() const override { return "trace events of the kernel, with named arguments"; }
  std::string_view example() const override { return "tracepoint:syscalls:sys_enter_openat"; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.size() != 2) return wrong_field_count(*this, "2 arguments", fields.size());
    if (fields[0].empty() || fields[1].empty()) {
      return Error("tracepoint needs a category and an event").hint(fmt::format("for example {}", example()));
    }
    return Target{std::string(name()), fields, canonical_text(name(), fields)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    std::vector<std::string> pattern = fields;
    while (pattern.size() < 2) pattern.emplace_back("*");
    return parse(pattern);
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts& facts, const Scope&, bool needs_args) const override {
    TRC_TRY(names, matches(target, facts));
    if (!needs_args) return single_group(empty_context(names.front()), target);
    std::vector<ContextGroup> groups;
    std::map<std::string, std::size_t> group_of_layout;
    for (const EventName& event : names) {
      TRC_TRY(format, facts.tracepoint(event.category, event.event));
      const auto [place, is_new] = group_of_layout.try_emplace(layout_key(event, format), groups.size());
      if (is_new) groups.push_back({context_of(event, format), {}, false});
      groups[place->second].targets.push_back({std::string(name()), {event.category, event.event}, event.text()});
    }
    return groups;
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts& facts, const Scope&) const override {
    TRC_TRY(names, matches(target, facts));
    Expansion expansion;
    for (const EventName& event : names) {
      TRC_TRY(id, facts.tracepoint_id(event.category, event.event));
      expansion.specs.push_back({event.text(), TracepointAttach{event.category, event.event, id}});
    }
    return expansion;
  }

  std::vector<std::string> describe(const Target& target, const kernel::Facts& facts, const Scope&) const override {
    std::vector<std::string> lines;
    const auto format = facts.tracepoint(target.fields[0], target.fields[1]);
    if (!format) return lines;
    for (const kernel::TracepointField& field : format->fields) {
      const std::size_t bracket = std::min(field.type.find('['), field.type.size());   // "char[16]" is written behind the name
      lines.push_back(field.type.substr(0, bracket) + " " + field.name + field.type.substr(bracket));
    }
    return lines;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts& facts, const Scope&) const override {
    TRC_TRY(all, facts.tracepoints());
    std::vector<std::string> names;
    for (const EventName& event : matching(target, all)) names.push_back(event.text());
    return names;
  }

 private:
  static lang::Context empty_context(const EventName& event) {
    lang::Context context;
    context.kind = lang::ProgramKind::Tracepoint;
    context.space = event.category == "syscalls" ? lang::AddressSpace::User : lang::AddressSpace::Kernel;
    context.why_no_args = fmt::format("the event {} has no fields", event.text());
    context.refused_names.push_back({"common_", "BPF does not support accessing common tracepoint fields"});
    return context;
  }

  static lang::Context context_of(const EventName& event, const kernel::TracepointFormat& format) {
    lang::Context context = empty_context(event);
    for (const kernel::TracepointField& field : format.fields) context.named.push_back(tracepoint_member(field, context.space));
    return context;
  }

  static std::vector<EventName> matching(const Target& target, const std::vector<std::string>& all) {
    std::vector<EventName> names;
    for (const std::string& name : all) {
      EventName event = split_name(name);
      if (glob_match(target.fields[0], event.category) && glob_match(target.fields[1], event.event)) names.push_back(std::move(event));
    }
    return names;
  }

  /// At least one; the error names what is near.
  static Result<std::vector<EventName>> matches(const Target& target, const kernel::Facts& facts) {
    const bool is_wildcard = has_glob(target.fields[0]) || has_glob(target.fields[1]);
    if (!is_wildcard) {
      // One file tells whether it exists; the list of all events costs a hundred times as much.
      const auto id = facts.tracepoint_id(target.fields[0], target.fields[1]);
      if (id) return std::vector<EventName>{{target.fields[0], target.fields[1]}};
      if (id.error().code() != ENOENT) return id.error();
    }
    TRC_TRY(all, facts.tracepoints());
    std::vector<EventName> names = matching(target, all);
    if (names.empty()) return no_match(target, all);
    return names;
  }

  static Error no_match(const Target& target, const std::vector<std::string>& all) {
    std::set<std::string> categories;
    std::vector<std::string> events;
    for (const std::string& name : all) {
      EventName event = split_name(name);
      if (event.category == target.fields[0]) events.push_back(event.event);
      categories.insert(std::move(event.category));
    }
    const bool known_category = !events.empty() || has_glob(target.fields[0]);
    Error error(known_category ? fmt::format("No matches for {}", target.text)
                               : fmt::format("No matches for {}: there is no category '{}'", target.text, target.fields[0]));
    if (has_glob(target.fields[0]) || has_glob(target.fields[1])) return error;
    if (known_category) return std::move(error).hint(did_you_mean(target.fields[1], events, canonical_text(target.provider, {target.fields[0]}) + ":"));
    // The event may stand in another category than was thought.
    for (const std::string& name : all)
      if (EventName event = split_name(name); event.event == target.fields[1]) return std::move(error).hint("did you mean " + event.text() + "?");
    return std::move(error).hint(did_you_mean(target.fields[0], {categories.begin(), categories.end()}));
  }
};

const Tracepoint kTracepoint{};

}  // namespace

const Provider& tracepoint_provider() { return kTracepoint; }

}  // namespace trc::probes
