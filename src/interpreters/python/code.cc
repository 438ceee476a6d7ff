#include "interpreters/python/code.h"

#include <cstring>

namespace trc::interpreters::python {
namespace {

void append_utf8(std::string& out, std::uint32_t c) {
  if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = 0xfffd;
  const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xc0 | c >> 6);
    add(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    add(0xe0 | c >> 12);
    add(0x80 | (c >> 6 & 0x3f));
    add(0x80 | (c & 0x3f));
  } else {
    add(0xf0 | c >> 18);
    add(0x80 | (c >> 12 & 0x3f));
    add(0x80 | (c >> 6 & 0x3f));
    add(0x80 | (c & 0x3f));
  }
}

template <class Character>
std::string to_utf8(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at + sizeof(Character) <= bytes.size(); at += sizeof(Character)) {
    Character character;
    std::memcpy(&character, bytes.data() + at, sizeof character);
    append_utf8(out, character);
  }
  return out;
}

/// Reads the numbers of a table; behind its end they are zero and `ok` is false.
class TableReader {
 public:
  explicit TableReader(std::string_view bytes) : bytes_(bytes) {}
  bool at_end() const { return at_ == bytes_.size(); }
  bool ok() const { return ok_; }
  unsigned byte() {
    if (at_end()) {
      ok_ = false;
      return 0;
    }
    return static_cast<unsigned char>(bytes_[at_++]);
  }
  /// 6 bits a byte, low ones first; bit 6 says that another follows.
  std::uint32_t number() {
    std::uint32_t value = 0;
    for (unsigned shift = 0;; shift += 6) {
      const unsigned next = byte();
      if (shift < 32) value |= (next & 0x3f) << shift;
      if (!(next & 0x40)) return value;
    }
  }
  /// Bit 0 is the sign.
  std::int64_t signed_number() {
    const std::uint32_t value = number();
    return value & 1 ? -static_cast<std::int64_t>(value >> 1) : static_cast<std::int64_t>(value >> 1);
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace

std::optional<std::string> decode_string(std::uint32_t state, std::string_view bytes) {
  const unsigned kind = state >> 2 & 7;
  const bool compact = state >> 5 & 1, ascii = state >> 6 & 1;
  if (!compact) return std::nullopt;
  // Bytes above 127 in what should be ASCII are damage; as Latin-1 they are at least valid UTF-8.
  if (kind == 1 || ascii) return to_utf8<std::uint8_t>(bytes);
  if (kind == 2) return to_utf8<std::uint16_t>(bytes);
  if (kind == 4) return to_utf8<std::uint32_t>(bytes);
  return std::nullopt;
}

std::optional<int> line_at(std::string_view table, int first_line, std::int64_t place) {
  if (place < 0) return first_line;   // not begun yet
  TableReader reader(table);
  std::int64_t line = first_line, at = 0;
  while (!reader.at_end()) {
    const unsigned entry = reader.byte();
    const unsigned kind = entry >> 3 & 15;
    bool has_line = true;
    switch (kind) {
      case 15: has_line = false; break;
      case 14:   // line, end line, columns
        line += reader.signed_number();
        for (int i = 0; i < 3; ++i) reader.number();
        break;
      case 13: line += reader.signed_number(); break;
      case 10:
      case 11:
      case 12:   // on this line or one of the next two; columns
        line += kind - 10;
        reader.byte();
        reader.byte();
        break;
      default: reader.byte();   // the same line; columns
    }
    if (!reader.ok()) return std::nullopt;
    at += (entry & 7) + 1;
    if (place >= at) continue;
    if (!has_line || line < 0 || line > INT32_MAX) return std::nullopt;
    return static_cast<int>(line);
  }
  return std::nullopt;
}

}  // namespace trc::interpreters::python
