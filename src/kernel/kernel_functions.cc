#include "kernel/kernel_functions.h"

#include <algorithm>

#include "base/glob.h"
#include "base/read_file.h"
#include "base/strings.h"

namespace trc::kernel {
namespace {

/// Takes the text up to `separator` (or the end) from the front.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return head;
}

std::uint64_t parse_hex(std::string_view digits) {
  if (digits.starts_with("0x")) digits.remove_prefix(2);
  std::uint64_t number = 0;
  for (const char c : digits) number = number << 4 | static_cast<std::uint64_t>(std::max(hex_digit(c), 0));
  return number;
}

bool is_code(std::string_view kind) { return kind == "t" || kind == "T" || kind == "w" || kind == "W"; }

struct DangerousRow { std::string_view pattern, why; };
/// A program of trc is kept from running inside another one only where both come from kprobes; inside those of uprobes, raw tracepoints and
/// fentry it does run.
constexpr std::string_view kLocks = "programs take such locks themselves (maps, the ring): one that runs while another holds the lock waits for ever";
constexpr std::string_view kEveryRun = "the kernel calls it around every program, so each run would begin another one";
constexpr DangerousRow kDangerous[] = {
    {"_raw_spin_*", kLocks},           {"_raw_read_*", kLocks},          {"_raw_write_*", kLocks},        {"*queued_*lock_slowpath", kLocks},
    {"rt_spin_*lock*", kLocks},        {"__rcu_read_*lock", kEveryRun},  {"rcu_read_unlock_strict", kEveryRun}, {"preempt_count_*", kEveryRun},
    {"migrate_disable", kEveryRun},    {"migrate_enable", kEveryRun},    {"__bpf_prog_enter*", kEveryRun},  {"__bpf_prog_exit*", kEveryRun},
};

}  // namespace

KernelFunctions KernelFunctions::parse(std::string kallsyms, std::string_view traceable, std::string_view blacklist) {
  KernelFunctions result;
  result.text_ = std::make_unique<const std::string>(std::move(kallsyms));
  result.more_text_ = std::make_unique<const std::string>(traceable);
  for (std::string_view rest = *result.text_; !rest.empty();) {
    // "ffffffff81000000 T _stext", modules' with a tab and "[module]" behind
    std::string_view line = take_until(rest, '\n');
    const std::string_view address = take_until(line, ' ');
    const std::string_view kind = take_until(line, ' ');
    const std::string_view name = take_until(line, '\t');
    if (!is_code(kind) || name.empty()) continue;
    if (line.starts_with('[') && line.ends_with(']')) line = line.substr(1, line.size() - 2);
    if (line == "bpf" || line.starts_with("__builtin__")) continue;   // programs and trampolines, no functions of the kernel
    result.functions_.push_back({name, line, parse_hex(address)});
  }
  for (std::string_view rest = *result.more_text_; !rest.empty();) {
    const std::string_view line = take_until(rest, '\n');
    if (!line.empty()) result.traceable_.insert(line);   // "name" or "name [module]"
  }
  if (!result.traceable_.empty()) {
    for (const KernelFunction& function : result.functions_)
      if (function.address != 0 && result.is_listed(function)) result.traceable_places_.insert(function.address);
  }
  for (std::string_view rest = blacklist; !rest.empty();) {
    std::string_view line = take_until(rest, '\n');   // "0xffffffff9a408940-0xffffffff9a408970<tab>name"
    std::string_view range = take_until(line, '\t');
    const std::uint64_t from = parse_hex(take_until(range, '-')), to = parse_hex(range);
    if (from != 0 && from < to) result.blacklist_.emplace_back(from, to);
  }
  std::sort(result.blacklist_.begin(), result.blacklist_.end());
  return result;
}

std::vector<KernelFunction> KernelFunctions::named(std::string_view name) const {
  std::vector<KernelFunction> found;
  for (const KernelFunction& function : functions_)
    if (function.name == name) found.push_back(function);
  return found;
}

bool KernelFunctions::is_listed(const KernelFunction& function) const {
  if (function.module.empty()) return traceable_.contains(function.name);
  return traceable_.contains(std::string(function.name) + " [" + std::string(function.module) + "]");
}

Traceable KernelFunctions::traceable(const KernelFunction& function) const {
  if (function.address != 0) {
    auto next = std::upper_bound(blacklist_.begin(), blacklist_.end(), std::pair(function.address, ~std::uint64_t{0}));
    if (next != blacklist_.begin() && function.address < std::prev(next)->second) return Traceable::Blacklisted;
  }
  if (traceable_.empty()) return Traceable::Unknown;
  return is_listed(function) || traceable_places_.contains(function.address) ? Traceable::Yes : Traceable::NotTraced;
}

Result<KernelFunctions> read_kernel_functions(const std::string& traceable_file) {
  TRC_TRY(symbols, read_file("/proc/kallsyms"));
  const auto traceable = traceable_file.empty() ? Result<std::string>(std::string()) : read_file(traceable_file);
  const auto blacklist = read_file("/sys/kernel/debug/kprobes/blacklist");
  return KernelFunctions::parse(std::move(symbols), traceable ? std::string_view(*traceable) : std::string_view(),
                                blacklist ? std::string_view(*blacklist) : std::string_view());
}

std::string_view why_dangerous(std::string_view function) {
  for (const DangerousRow& row : kDangerous)
    if (glob_match(row.pattern, function)) return row.why;
  return "";
}

}  // namespace trc::kernel
