#include "runtime/stack_reader.h"

#include <algorithm>
#include <cstring>

#include "stdlib/unwind_abi.h"

namespace trc::runtime {
namespace {

// A difference in groups of 7 bits, low ones first, the top bit of a byte saying that more follow; its sign lies in the lowest bit, so that
// small steps down are short too.
void append_difference(std::string& to, std::uint64_t difference) {
  std::uint64_t left = difference << 1 ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(difference) >> 63);
  for (; left >= 0x80; left >>= 7) to += static_cast<char>(left | 0x80);
  to += static_cast<char>(left);
}

std::uint64_t take_difference(const std::string& from, std::size_t& at) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; at < from.size() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(from[at++]);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) break;
  }
  return value >> 1 ^ (0 - (value & 1));
}

bool has_user_symbols(const lang::Type& type) {
  if (type.is(lang::TypeKind::UserStack) || type.is(lang::TypeKind::UserSymbol)) return true;
  if (type.is(lang::TypeKind::Pointer)) return false;   // what it points to is not in the value
  return std::any_of(type.fields.begin(), type.fields.end(), [](const lang::Field& field) { return has_user_symbols(field.type); });
}

}  // namespace

void StackReader::add(std::span<const std::byte> record) {
  trc_stack_record head{};
  if (record.size() < sizeof head) return;
  std::memcpy(&head, record.data(), sizeof head);
  if ((record.size() - sizeof head) / 8 < head.count) return;
  const auto [entry, fresh] = stacks_.try_emplace({head.name_low, head.name_high});
  if (!fresh) return;   // two CPUs met it at the same time, or the kernel has forgotten that it was sent
  Stored& stored = entry->second;
  stored.time_ns = head.time_ns;
  stored.tgid = head.tgid;
  stored.end = head.end;
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < head.count; ++i) {
    const std::uint64_t frame = load_integer(record, sizeof head + i * 8, 8, false);
    append_difference(stored.frames, frame - before);
    before = frame;
  }
  stored.frames.shrink_to_fit();
}

std::optional<Stack> StackReader::find(const StackId& id) const {
  const auto found = stacks_.find(id);
  if (found == stacks_.end()) return std::nullopt;
  const Stored& stored = found->second;
  Stack stack{.frames = {}, .end = stored.end, .tgid = stored.tgid, .time_ns = stored.time_ns};
  std::uint64_t frame = 0;
  for (std::size_t at = 0; at < stored.frames.size();) stack.frames.push_back(frame += take_difference(stored.frames, at));
  return stack;
}

bool needs_user_symbols(const image::ProgramImage& image) {
  for (const image::MapEntry& map : image.maps) {
    if (map.role == image::MapRole::User && (has_user_symbols(map.key) || has_user_symbols(map.value))) return true;
  }
  for (const lang::EventSchema& event : image.events) {
    for (const lang::EventField& field : event.fields) {
      if (has_user_symbols(field.type)) return true;
    }
  }
  return false;
}

}  // namespace trc::runtime
