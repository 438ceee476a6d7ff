#include "symbols/usdt_notes.h"

#include <cstring>
#include <optional>

#include "symbols/elf_reader.h"

namespace trc::symbols {
namespace {

constexpr std::uint32_t kStapsdtType = 3;

/// Takes an address of the file's word size from the front.
std::optional<std::uint64_t> take_address(std::string_view& bytes, bool is_64bit) {
  const std::size_t width = is_64bit ? 8 : 4;
  if (bytes.size() < width) return std::nullopt;
  std::uint64_t value = 0;
  if (is_64bit) {
    std::memcpy(&value, bytes.data(), 8);
  } else {
    std::uint32_t narrow = 0;
    std::memcpy(&narrow, bytes.data(), 4);
    value = narrow;
  }
  bytes.remove_prefix(width);
  return value;
}

std::optional<std::string> take_string(std::string_view& bytes) {
  const std::size_t length = bytes.find('\0');
  if (length == std::string_view::npos) return std::nullopt;
  std::string text(bytes.substr(0, length));
  bytes.remove_prefix(length + 1);
  return text;
}

std::optional<UsdtNote> parse_note(std::string_view bytes, bool is_64bit) {
  const auto address = take_address(bytes, is_64bit);
  const auto base = take_address(bytes, is_64bit);
  const auto semaphore = take_address(bytes, is_64bit);
  if (!address || !base || !semaphore) return std::nullopt;
  auto provider = take_string(bytes);
  auto name = provider ? take_string(bytes) : std::nullopt;
  if (!name || provider->empty() || name->empty()) return std::nullopt;
  auto arguments = take_string(bytes);  // old notes may leave it out
  return UsdtNote{std::move(*provider), std::move(*name), arguments.value_or(""), *address, *base, *semaphore};
}

}  // namespace

std::vector<UsdtNote> read_usdt_notes(const ElfReader& file) {
  std::vector<UsdtNote> notes;
  const ElfSection* section = file.section(".note.stapsdt");
  if (!section) return notes;
  const ElfSection* base = file.section(".stapsdt.base");
  const std::string bytes = file.read(*section);
  for (const ElfNote& raw : parse_notes(bytes, 4)) {
    if (raw.type != kStapsdtType || raw.name != "stapsdt") continue;
    auto note = parse_note(raw.description, file.is_64bit());
    if (!note) continue;
    // Prelink moves sections after the note was written; the base section moves along.
    if (base && note->base != 0 && base->address != note->base) {
      const std::uint64_t moved = base->address - note->base;
      note->address += moved;
      if (note->semaphore != 0) note->semaphore += moved;
      note->base = base->address;
    }
    notes.push_back(std::move(*note));
  }
  return notes;
}

}  // namespace trc::symbols
