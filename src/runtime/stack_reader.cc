#include "runtime/stack_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace trc::runtime {
namespace {

bool has_user_symbols(const lang::Type& type) {
  if (type.is(lang::TypeKind::UserStack) || type.is(lang::TypeKind::UserSymbol)) return true;
  if (type.is(lang::TypeKind::Pointer)) return false;   // what it points to is not in the value
  return std::any_of(type.fields.begin(), type.fields.end(), [](const lang::Field& field) { return has_user_symbols(field.type); });
}

}  // namespace

std::optional<std::vector<std::uint64_t>> StackReader::frames(const StackId& id) {
  const auto key = std::make_tuple(id.user, id.limit, id.hash_low, id.hash_high);
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  for (std::uint32_t i = 0; i < image_.maps.size(); ++i) {
    const image::MapEntry& map = image_.maps[i];
    if (map.role != image::MapRole::Stacks || map.value.is(lang::TypeKind::UserStack) != id.user || map.value.count != id.limit) continue;
    const std::array<std::uint64_t, 2> hash{id.hash_low, id.hash_high};
    const auto element = engine_.read_element(i, std::as_bytes(std::span(hash)));
    if (!element || element->values.size() < 8) return std::nullopt;
    const std::size_t count = std::min<std::size_t>(load_integer(element->values, 0, 4, false), element->values.size() / 8 - 1);
    std::vector<std::uint64_t> frames(count);
    if (count != 0) std::memcpy(frames.data(), element->values.data() + 8, count * 8);
    return known_.emplace(key, std::move(frames)).first->second;
  }
  return std::nullopt;
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
