#include "ast/spelling.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace trc::ast {

const char* spelling(UnaryOp op) {
  static constexpr const char* kNames[] = {"!", "~", "-", "*", "&", "++", "--", "++", "--"};
  return kNames[static_cast<std::size_t>(op)];
}

namespace {
struct BinaryRow { const char* name; int precedence; };
constexpr BinaryRow kBinary[] = {
    {"||", 1}, {"&&", 2}, {"|", 3}, {"^", 4}, {"&", 5}, {"==", 6}, {"!=", 6}, {"<", 7}, {"<=", 7},
    {">", 7}, {">=", 7}, {"<<", 8}, {">>", 8}, {"+", 9}, {"-", 9}, {"*", 10}, {"/", 10}, {"%", 10},
};
static_assert(std::size(kBinary) == static_cast<std::size_t>(BinaryOp::Modulo) + 1);
}  // namespace

const char* spelling(BinaryOp op) { return kBinary[static_cast<std::size_t>(op)].name; }
int precedence(BinaryOp op) { return kBinary[static_cast<std::size_t>(op)].precedence; }

std::string quoted(std::string_view value) {
  std::string out = "\"";
  while (!value.empty()) {
    const std::size_t length = utf8_sequence_length(value);
    const auto byte = static_cast<unsigned char>(value.front());
    if (length > 1) out += value.substr(0, length);
    else if (byte == '"' || byte == '\\') (out += '\\') += value.front();
    else if (byte == '\n') out += "\\n";
    else if (byte == '\t') out += "\\t";
    else if (byte == '\r') out += "\\r";
    else if (length == 0 || byte < 0x20 || byte == 0x7f) out += fmt::format("\\x{:02x}", byte);  // always two digits: the next may be one
    else out += value.front();
    value.remove_prefix(length == 0 ? 1 : length);
  }
  return out + '"';
}

std::string spelling(const TypeSuffix& suffix) {
  if (suffix.is_pointer) return "*";
  return suffix.has_count ? fmt::format("[{}]", suffix.count) : "[]";
}

}  // namespace trc::ast
