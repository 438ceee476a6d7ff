#include "symbols/kallsyms.h"

#include <algorithm>

#include "base/read_file.h"
#include "base/strings.h"

namespace trc::symbols {
namespace {

/// No function is larger; what lies further behind the last symbol of a region is something else.
constexpr std::uint64_t kMaxFunctionSize = 1 << 20;

bool is_code(char kind) { return kind == 't' || kind == 'T' || kind == 'w' || kind == 'W'; }

/// Takes the text up to `separator` (or the end) from the front.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return head;
}

struct Line {
  std::uint64_t address = 0;
  char kind = 0;
  std::string_view name, module;
};

/// "ffffffff81000000 T _stext", modules' with a tab and "[module]" behind. Nullopt: not such a line.
std::optional<Line> take_line(std::string_view& kallsyms) {
  std::string_view rest = take_until(kallsyms, '\n');
  Line line;
  for (const char c : take_until(rest, ' ')) line.address = line.address << 4 | static_cast<std::uint64_t>(std::max(hex_digit(c), 0));
  const std::string_view kind = take_until(rest, ' ');
  line.name = take_until(rest, '\t');
  if (kind.size() != 1 || line.name.empty()) return std::nullopt;
  line.kind = kind.front();
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  line.module = rest;
  return line;
}

}  // namespace

void KernelSymbols::add(std::uint64_t address, char kind, std::string_view name, std::string_view module) {
  if (!is_code(kind)) {
    // Only where data begins matters, not its names.
    if (entries_.empty() || entries_.back().name != kNotCode) entries_.push_back({address, kNotCode, 0});
    return;
  }
  if (module != modules_.back()) modules_.emplace_back(module);  // modules come one after another
  entries_.push_back({address, static_cast<std::uint32_t>(names_.size()), static_cast<std::uint32_t>(modules_.size() - 1)});
  names_ += name;
  names_ += '\0';
}

void KernelSymbols::finish() {
  // Of several names for one address the first listed one stays; a function wins over the start of data.
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.address != b.address ? a.address < b.address : (a.name != kNotCode && b.name == kNotCode);
  });
  const auto same = [](const Entry& a, const Entry& b) { return a.address == b.address; };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
  entries_.shrink_to_fit();
  names_.shrink_to_fit();
}

KernelSymbols KernelSymbols::parse(std::string_view kallsyms) {
  KernelSymbols symbols;
  symbols.modules_.emplace_back();
  bool any_address = false;
  while (!kallsyms.empty()) {
    const auto line = take_line(kallsyms);
    if (!line) continue;
    any_address |= line->address != 0;
    symbols.add(line->address, line->kind, line->name, line->module);
  }
  if (!any_address) return {};
  symbols.finish();
  return symbols;
}

KernelSymbols KernelSymbols::read() {
  const auto text = read_file("/proc/kallsyms");
  return text ? parse(*text) : KernelSymbols();
}

std::optional<KernelSymbols::Match> KernelSymbols::find(std::uint64_t address) const {
  auto next = std::upper_bound(entries_.begin(), entries_.end(), address, [](std::uint64_t a, const Entry& entry) { return a < entry.address; });
  if (next == entries_.begin()) return std::nullopt;
  const Entry& entry = *std::prev(next);
  const std::uint64_t offset = address - entry.address;
  if (entry.name == kNotCode || offset >= kMaxFunctionSize) return std::nullopt;
  return Match{names_.c_str() + entry.name, offset, modules_[entry.module]};
}

std::vector<std::optional<std::uint64_t>> find_symbol_addresses(std::string_view kallsyms, const std::vector<std::string>& names) {
  std::vector<std::optional<std::uint64_t>> addresses(names.size());
  while (!kallsyms.empty()) {
    const auto line = take_line(kallsyms);
    if (!line || line->address == 0) continue;   // 0: hidden
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!addresses[i] && line->name == names[i]) addresses[i] = line->address;
    }
  }
  return addresses;
}

std::vector<std::optional<std::uint64_t>> kernel_symbol_addresses(const std::vector<std::string>& names) {
  const auto text = read_file("/proc/kallsyms");
  return find_symbol_addresses(text ? std::string_view(*text) : std::string_view(), names);
}

}  // namespace trc::symbols
