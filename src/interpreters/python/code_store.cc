#include "interpreters/python/code_store.h"

#include <cstring>
#include <string_view>

#include "interpreters/python/code.h"
#include "stdlib/python_abi.h"

namespace trc::interpreters::python {
namespace {

/// Names go into lines of text: what would break those is replaced.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string shown(std::uint32_t state, std::string_view bytes, std::uint32_t characters) {
  const auto text = decode_string(state, bytes);
  if (!text || (text->empty() && characters != 0)) return "?";
  const std::uint32_t width = (state >> 6 & 1) != 0 ? 1 : state >> 2 & 7;
  return one_line(*text) + (bytes.size() / (width == 0 ? 1 : width) < characters ? "..." : "");
}

}  // namespace

bool CodeStore::add(std::span<const std::byte> bytes) {
  trc_py_code_record record;
  if (bytes.size() < sizeof record) return false;
  std::memcpy(&record, bytes.data(), sizeof record);
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()) + sizeof record, bytes.size() - sizeof record);
  if (std::size_t{record.name_bytes} + record.file_bytes + record.line_bytes > rest.size()) return false;
  const auto take = [&](std::size_t size) {
    const std::string_view taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
  };
  const std::string_view name = take(record.name_bytes), file = take(record.file_bytes), lines = take(record.line_bytes);

  Code& code = codes_[{record.key.tgid, record.id}];
  if (record.line_offset == 0) {
    if (code.function != nullptr && (code.address != record.key.code || code.tag != record.key.tag)) ++confused_;
    code = {.address = record.key.code,
            .tag = record.key.tag,
            .first_line = record.first_line,
            .function = keep(shown(record.name_state, name, record.name_length)),
            .file = keep(shown(record.file_state, file, record.file_length)),
            .lines = keep(std::string(lines)),
            .more_lines = {}};
    return true;
  }
  // A further part of the line table; of use only if the parts before it are there.
  if (code.lines == nullptr || code.address != record.key.code || code.tag != record.key.tag) return false;
  if (code.lines->size() + code.more_lines.size() != record.line_offset) return false;
  code.more_lines += lines;
  return true;
}

std::optional<NamedFrame> CodeStore::name(std::uint32_t tgid, std::uint64_t word) const {
  const auto found = codes_.find({tgid, TRC_PY_FRAME_CODE(word)});
  if (found == codes_.end() || found->second.function == nullptr) return std::nullopt;
  const Code& code = found->second;
  const int place = TRC_PY_FRAME_PLACE(word);
  const bool beyond = (word & TRC_PY_PLACE_MAX) == TRC_PY_PLACE_MAX;
  NamedFrame frame{*code.function, *code.file, std::nullopt, "py"};
  if (beyond) return frame;
  frame.line = code.more_lines.empty() ? line_at(*code.lines, code.first_line, place)
                                       : line_at(*code.lines + code.more_lines, code.first_line, place);
  return frame;
}

}  // namespace trc::interpreters::python
