#include "symbols/process_maps.h"

#include <sys/sysmacros.h>

#include <charconv>

#include "base/read_file.h"

namespace trc::symbols {
namespace {

/// Reads numbers and separators from the front of a line; after the first thing that does not fit, nothing does.
class Scanner {
 public:
  explicit Scanner(std::string_view line) : rest_(line) {}
  std::uint64_t number(int base) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    if (error != std::errc()) ok_ = false;
    else rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  void expect(char c) {
    if (rest_.empty() || rest_.front() != c) ok_ = false;
    else rest_.remove_prefix(1);
  }
  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    if (taken.size() < count) ok_ = false;
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    return rest_;
  }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// "7f0e0a028000-7f0e0a17d000 r-xp 00028000 08:01 1234    /usr/lib/x.so (deleted)"
std::optional<MapsLine> parse_line(std::string_view line) {
  Mapping mapping;
  Scanner scan(line);
  mapping.start = scan.number(16);
  scan.expect('-');
  mapping.end = scan.number(16);
  scan.expect(' ');
  const std::string_view permissions = scan.take(4);
  scan.expect(' ');
  mapping.file_offset = scan.number(16);
  scan.expect(' ');
  const auto major = static_cast<unsigned>(scan.number(16));
  scan.expect(':');
  const auto minor = static_cast<unsigned>(scan.number(16));
  scan.expect(' ');
  mapping.inode = scan.number(10);
  if (!scan.ok() || mapping.start >= mapping.end || permissions[2] != 'x') return std::nullopt;
  mapping.device = makedev(major, minor);
  mapping.path = scan.rest();
  return from_kernel(std::move(mapping));
}

}  // namespace

MapsLine from_kernel(Mapping mapping) {
  constexpr std::string_view kDeleted = " (deleted)";
  const bool deleted = mapping.path.ends_with(kDeleted);
  if (deleted) mapping.path.resize(mapping.path.size() - kDeleted.size());
  return {std::move(mapping), deleted};
}

std::vector<MapsLine> parse_maps(std::string_view text) {
  std::vector<MapsLine> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (auto line = parse_line(text.substr(0, end))) lines.push_back(std::move(*line));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::optional<std::uint64_t> start_time(std::uint32_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return std::nullopt;
  // "PID (comm) S …": the command may hold anything, so count from its last parenthesis. The start time is field 22, the state field 3.
  const std::size_t command_end = stat->rfind(')');
  if (command_end == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(*stat).substr(command_end + 1);
  for (int field = 3; field <= 22; field++) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(space + 1);
  }
  std::uint64_t ticks = 0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), ticks).ec != std::errc()) return std::nullopt;
  return ticks;
}

}  // namespace trc::symbols
