// watchpoint: reads, writes and executions of an address, noticed by the processor's debug registers.
#include <fmt/format.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>

#include "base/strings.h"
#include "probes/forms.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

constexpr std::string_view kAliases[] = {"w"};

struct Watched {
  std::uint64_t address = 0;
  std::uint32_t length = 0, access = 0;
};

class Watchpoint final : public Provider {
 public:
  std::string_view name() const override { return "watchpoint"; }
  std::span<const std::string_view> aliases() const override { return kAliases; }
  PidScope pid_scope() const override { return PidScope::Attach; }
  std::string_view doc() const override { return "reads, writes and executions of an address"; }
  std::string_view example() const override { return "watchpoint:0x7fff12345678:8:w"; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.size() != 3) return wrong_field_count(*this, "3 arguments", fields.size());
    TRC_CHECK(read(fields));
    return Target{std::string(name()), fields, canonical_text(name(), fields)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    return Target{std::string(name()), fields, canonical_text(name(), fields)};
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts&, const Scope&, bool) const override {
    lang::Context context;
    context.kind = lang::ProgramKind::PerfEvent;
    context.has_registers = true;
    context.why_no_args = "watchpoint probes have no arguments";
    return single_group(std::move(context), target);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    TRC_TRY(watched, read(target.fields));
    PerfEventAttach attach;
    attach.type = PERF_TYPE_BREAKPOINT;
    attach.period = 1;
    attach.pid = scope.pid;   // also of a command: each process counts for itself, whatever others do
    attach.with_children = scope.tree_known;
    attach.address = watched.address;
    attach.length = watched.length;
    attach.access = watched.access;
    Expansion expansion;
    expansion.specs.push_back({target.text, attach});
    return expansion;
  }

  /// Every address could be watched: there is nothing to list.
  Result<std::vector<std::string>> list(const Target&, const kernel::Facts&, const Scope&) const override { return std::vector<std::string>(); }

 private:
  Result<Watched> read(const std::vector<std::string>& fields) const {
    Watched watched;
    const auto address = parse_unsigned(fields.at(0)), length = parse_unsigned(fields.at(1));
    if (!address || *address == 0) return Error(fmt::format("'{}' is not an address to watch", fields[0])).hint(fmt::format("for example {}", example()));
    if (!length || (*length != 1 && *length != 2 && *length != 4 && *length != 8)) return Error("watchpoint length must be one of (1,2,4,8)");
    for (const char mode : fields.at(2)) {
      const std::uint32_t bit = mode == 'r' ? HW_BREAKPOINT_R : mode == 'w' ? HW_BREAKPOINT_W : mode == 'x' ? HW_BREAKPOINT_X : 0;
      if (bit == 0) return Error(fmt::format("watchpoint mode must be made of the letters r, w and x, found '{}'", fields[2]));
      if ((watched.access & bit) != 0) return Error(fmt::format("watchpoint mode has '{}' twice", mode));
      watched.access |= bit;
    }
    if (watched.access != HW_BREAKPOINT_W && watched.access != HW_BREAKPOINT_RW && watched.access != HW_BREAKPOINT_X) {
      return Error(fmt::format("x86_64 watches writes (w), both reads and writes (rw), or executions (x), not '{}'", fields[2]));
    }
    if (watched.access == HW_BREAKPOINT_X && *length != sizeof(long)) {
      return Error(fmt::format("a watchpoint for executions (x) has the length of a word, {}", sizeof(long)));
    }
    if (watched.access != HW_BREAKPOINT_X && *address % *length != 0) {
      return Error(fmt::format("the processor watches {} bytes only at an address that is a multiple of {}", *length, *length));
    }
    watched.address = *address;
    watched.length = static_cast<std::uint32_t>(*length);
    return watched;
  }
};

const Watchpoint kWatchpoint{};

}  // namespace

const Provider& watchpoint_provider() { return kWatchpoint; }

}  // namespace trc::probes
