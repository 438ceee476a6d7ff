// profile (samples on every CPU) and interval (a tick on one CPU): both are the kernel's cpu-clock event with a period or a frequency.
#include <fmt/format.h>
#include <linux/perf_event.h>

#include <optional>

#include "base/glob.h"
#include "base/strings.h"
#include "probes/forms.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

struct Unit { std::string_view name; std::uint64_t ns; };
/// Units of the "unit:N" form; hz counts the other way round.
constexpr Unit kFormUnits[] = {{"hz", 0}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}};
/// Suffixes of durations (language.md §1.1).
constexpr Unit kDurationUnits[] = {{"ns", 1},
                                   {"us", 1'000},
                                   {"ms", 1'000'000},
                                   {"s", 1'000'000'000},
                                   {"m", 60'000'000'000},
                                   {"h", 3'600'000'000'000},
                                   {"d", 86'400'000'000'000}};
constexpr std::uint64_t kMinimumNs = 1'000;

template <std::size_t N>
const Unit* find_unit(const Unit (&units)[N], std::string_view name) {
  for (const Unit& unit : units)
    if (unit.name == name) return &unit;
  return nullptr;
}

/// How often: `frequency` times a second, or every `period_ns`.
struct Rate { std::uint64_t frequency = 0, period_ns = 0; };

/// Where the digits of a duration end: "10ms" is "10" and "ms", "99" has an empty unit.
std::pair<std::string_view, std::string_view> split_duration(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '_')) ++end;
  return {text.substr(0, end), text.substr(end)};
}

std::optional<std::uint64_t> multiply(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

class Timer final : public Provider {
 public:
  constexpr Timer(std::string_view name, const std::string_view& alias, bool every_cpu, std::string_view doc, std::string_view example)
      : name_(name), aliases_(&alias, 1), every_cpu_(every_cpu), doc_(doc), example_(example) {}

  std::string_view name() const override { return name_; }
  std::span<const std::string_view> aliases() const override { return aliases_; }
  PidScope pid_scope() const override { return every_cpu_ ? PidScope::Attach : PidScope::None; }
  std::string_view doc() const override { return doc_; }
  std::string_view example() const override { return example_; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.empty() || fields.size() > 2) return wrong_field_count(*this, "1 or 2 arguments", fields.size());
    TRC_TRY(rate, rate_of(fields));
    std::vector<std::string> canonical = fields;
    if (fields.size() == 1) {
      canonical = rate.period_ns % 1000 == 0 ? std::vector<std::string>{"us", std::to_string(rate.period_ns / 1000)}
                                             : std::vector<std::string>{std::to_string(rate.period_ns) + "ns"};
    }
    std::string text = canonical_text(name_, canonical);
    return Target{std::string(name_), std::move(canonical), std::move(text)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    std::vector<std::string> pattern = fields;
    if (pattern.empty()) pattern.emplace_back("*");
    return Target{std::string(name_), pattern, canonical_text(name_, pattern)};
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts& facts, const Scope&, bool) const override {
    TRC_TRY(rate, rate_of(target.fields));
    if (const std::uint64_t limit = facts.max_sample_rate(); rate.frequency != 0 && limit != 0 && rate.frequency > limit) {
      return Error(fmt::format("{} asks for more samples than the kernel allows: at most {} a second", target.text, limit))
          .hint("raise the limit with: sysctl kernel.perf_event_max_sample_rate=N");
    }
    lang::Context context;
    context.kind = lang::ProgramKind::PerfEvent;
    context.has_registers = every_cpu_;
    context.why_no_args = fmt::format("{} probes have no arguments", name_);
    return single_group(std::move(context), target);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    TRC_TRY(rate, rate_of(target.fields));
    PerfEventAttach attach;
    attach.type = PERF_TYPE_SOFTWARE;
    attach.config = PERF_COUNT_SW_CPU_CLOCK;
    attach.period = rate.period_ns;
    attach.frequency = rate.frequency;
    attach.every_cpu = every_cpu_;
    attach.pid = every_cpu_ ? scope.attach_pid() : -1;
    Expansion expansion;
    expansion.specs.push_back({target.text, attach});
    return expansion;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts&, const Scope&) const override {
    std::vector<std::string> names;
    for (const Unit& unit : kFormUnits)
      if (glob_match(target.fields.front(), unit.name)) names.push_back(fmt::format("{}:{}:", name_, unit.name));
    return names;
  }

 private:
  Result<Rate> rate_of(const std::vector<std::string>& fields) const {
    return fields.size() == 1 ? duration_rate(fields.front()) : unit_rate(fields[0], fields[1]);
  }

  Result<Rate> unit_rate(const std::string& unit_name, const std::string& count_text) const {
    const Unit* unit = find_unit(kFormUnits, unit_name);
    if (!unit) {
      return Error(fmt::format("Invalid unit of {} probe: {}", name_, unit_name)).hint("units are hz, us, ms and s");
    }
    const std::optional<std::uint64_t> count = parse_count(count_text);
    const bool is_negative = !count_text.empty() && count_text[0] == '-' && parse_count(std::string_view(count_text).substr(1));
    if (is_negative || (count && *count == 0)) {
      return Error(fmt::format("{} frequency should be a positive integer", name_));
    }
    if (!count) return invalid_integer(count_text);
    if (unit->ns == 0) return Rate{*count, 0};
    return period(multiply(*count, unit->ns), count_text);
  }

  Result<Rate> duration_rate(const std::string& text) const {
    const auto [digits, suffix] = split_duration(text);
    const std::optional<std::uint64_t> count = parse_count(digits);
    const Unit* unit = find_unit(kDurationUnits, suffix.empty() ? "ns" : suffix);
    if (!count || !unit) return invalid_integer(text);
    Result<Rate> rate = period(multiply(*count, unit->ns), text);
    if (!rate && suffix.empty()) return std::move(rate).error().hint(fmt::format("did you mean {}:hz:{}?", name_, digits));
    return rate;
  }

  Result<Rate> period(std::optional<std::uint64_t> ns, const std::string& text) const {
    // The kernel keeps a period in a signed 64-bit number.
    if (!ns || *ns > static_cast<std::uint64_t>(INT64_MAX)) return Error(fmt::format("Invalid rate of {} probe: {} is too long", name_, text));
    if (*ns < kMinimumNs) {
      return Error(fmt::format("Invalid rate of {} probe. Minimum is 1000 or 1us. Found: {} nanoseconds", name_, *ns));
    }
    return Rate{0, *ns};
  }

  Error invalid_integer(std::string_view text) const {
    return Error(fmt::format("Invalid rate of {} probe: invalid integer: {}", name_, text)).hint(fmt::format("for example {}", example_));
  }

  std::string_view name_;
  std::span<const std::string_view> aliases_;
  bool every_cpu_;
  std::string_view doc_, example_;
};

constexpr std::string_view kProfileAlias = "p";
constexpr std::string_view kIntervalAlias = "i";
const Timer kProfile("profile", kProfileAlias, true, "samples on every CPU", "profile:hz:99");
const Timer kInterval("interval", kIntervalAlias, false, "a tick on one CPU", "interval:s:1");

}  // namespace

const Provider& profile_provider() { return kProfile; }
const Provider& interval_provider() { return kInterval; }

}  // namespace trc::probes
