#include "symbols/process_maps.h"

#include <sys/sysmacros.h>

#include <algorithm>
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
  constexpr std::string_view kDeleted = " (deleted)";
  MapsLine out;
  Mapping& mapping = out.mapping;
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
  std::string_view path = scan.rest();
  out.deleted = path.ends_with(kDeleted);
  if (out.deleted) path.remove_suffix(kDeleted.size());
  mapping.path = path;
  return out;
}

}  // namespace

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

void AddressSpace::put(Region region) {
  if (region.start >= region.end) return;
  const auto ends_before = [](const Region& r, std::uint64_t address) { return r.end <= address; };
  auto first = std::lower_bound(regions_.begin(), regions_.end(), region.start, ends_before);
  auto last = first;
  std::vector<Region> pieces;
  // What sticks out of the regions that are covered stays.
  while (last != regions_.end() && last->start < region.end) {
    if (last->start < region.start) pieces.push_back({last->start, region.start, last->file_offset, last->module});
    if (last->end > region.end) pieces.push_back({region.end, last->end, last->file_offset + (region.end - last->start), last->module});
    ++last;
  }
  const auto place = std::find_if(pieces.begin(), pieces.end(), [&](const Region& piece) { return piece.start >= region.end; });
  pieces.insert(place, std::move(region));
  const auto at = regions_.erase(first, last);
  regions_.insert(at, std::make_move_iterator(pieces.begin()), std::make_move_iterator(pieces.end()));
}

const Region* AddressSpace::find(std::uint64_t address) const {
  const auto starts_after = [](std::uint64_t a, const Region& r) { return a < r.start; };
  const auto next = std::upper_bound(regions_.begin(), regions_.end(), address, starts_after);
  if (next == regions_.begin()) return nullptr;
  const Region& region = *std::prev(next);
  return address < region.end ? &region : nullptr;
}

}  // namespace trc::symbols
