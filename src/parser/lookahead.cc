#include "parser/lookahead.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/strings.h"

namespace trc::parser {

namespace {

char char_at(std::string_view text, std::size_t at) { return at < text.size() ? text[at] : '\0'; }
bool starts_with_at(std::string_view text, std::size_t at, std::string_view word) { return text.substr(std::min(at, text.size())).starts_with(word); }

constexpr std::array<std::string_view, 32> kValues = {
    "args",   "ctx",  "pid",      "tid",    "nsecs",  "kstack", "ustack",  "cgroup",  "comm",      "config",   "cpid",
    "cpu",    "curtask", "elapsed", "func", "gid",    "uid",    "jiffies", "leader_comm", "leader_tid", "ncpus", "numaid",
    "pcomm",  "ppid", "probe",    "probetype", "rand", "retval", "usermode", "username", "true",   "false",
};

/// Words that start an expression but no type.
constexpr std::array<std::string_view, 6> kNotTypes = {"sizeof", "offsetof", "typeinfo", "comptime", "if", "import"};

bool contains(const auto& words, std::string_view word) { return std::find(words.begin(), words.end(), word) != words.end(); }

/// Behind the ')' that belongs to the '(' at `at`, or nothing.
std::optional<std::size_t> skip_parentheses(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at++;
      while (at < text.size() && text[at] != '"' && text[at] != '\n') at += text[at] == '\\' ? 2 : 1;
    } else if (c == '/' && skip_layout(text, at) != at) {
      at = skip_layout(text, at);
      continue;
    } else if (c == '(') {
      depth++;
    } else if (c == ')' && --depth == 0) {
      return at + 1;
    } else if (c == ';') {
      return std::nullopt;  // no expression goes on behind it; keeps the search short
    }
    at++;
  }
  return std::nullopt;
}

/// Behind the `*` and `[N]` at `at`.
std::size_t skip_type_suffixes(std::string_view text, std::size_t at, bool& is_pointer) {
  while (true) {
    const std::size_t next = skip_layout(text, at);
    if (char_at(text, next) == '*') {
      at = next + 1;
      is_pointer = true;
    } else if (char_at(text, next) == '[') {
      std::size_t inside = skip_layout(text, next + 1);
      if (is_digit(char_at(text, inside))) inside = skip_word(text, inside);
      inside = skip_layout(text, inside);
      if (char_at(text, inside) != ']') return at;
      at = inside + 1;
    } else {
      return at;
    }
  }
}

/// `name` is empty when it cannot be anything but a type.
struct TypeAhead { std::size_t end; std::string_view name; };

/// The type at `at`, if what stands there reads as one.
std::optional<TypeAhead> find_type(std::string_view text, std::size_t at) {
  at = skip_layout(text, at);
  if (!is_identifier_start(char_at(text, at))) return std::nullopt;
  std::size_t end = skip_word(text, at);
  std::string_view name = text.substr(at, end - at);
  if (name == "struct" || name == "union" || name == "enum") {
    at = skip_layout(text, end);
    if (!is_identifier_start(char_at(text, at))) return std::nullopt;
    end = skip_word(text, at);
    name = {};
  } else if (name == "typeof") {
    const std::size_t paren = skip_layout(text, end);
    if (char_at(text, paren) != '(') return std::nullopt;
    const std::optional<std::size_t> behind = skip_parentheses(text, paren);
    if (!behind) return std::nullopt;
    end = *behind;
    name = {};
  } else if (contains(kNotTypes, name)) {
    return std::nullopt;
  }
  bool is_pointer = false;
  end = skip_type_suffixes(text, end, is_pointer);
  return TypeAhead{end, is_pointer ? std::string_view{} : name};
}

bool is_upper_case(std::string_view name) {
  return std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

/// Can an operand start at `at`? `type` is the name that the cast would have.
bool starts_operand(std::string_view text, std::size_t at, std::string_view type, bool in_condition) {
  const char c = char_at(text, at), next = char_at(text, at + 1);
  switch (c) {
    case '"': case '$': case '@': case '(': case '~':
      return true;
    case '{':
      return !in_condition;
    case '!':
      return next != '=';
    case '-': case '*': case '&':
      // Also binary operators. A constant in capitals is taken for a value, as C programmers write their constants.
      if (next == '=' || (c == '-' && next == '>') || (c == '&' && next == '&')) return false;
      return type.empty() || !is_upper_case(type);
    case '+':
      return next == '+';
    default:
      return is_identifier_char(c);
  }
}

}  // namespace

std::size_t skip_layout(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (is_space(text[at])) {
      at++;
    } else if (starts_with_at(text, at, "//")) {
      at = std::min(text.find('\n', at), text.size());
    } else if (starts_with_at(text, at, "/*")) {
      const std::size_t end = text.find("*/", at + 2);
      at = end == std::string_view::npos ? text.size() : end + 2;
    } else {
      break;
    }
  }
  return at;
}

std::size_t skip_word(std::string_view text, std::size_t at) {
  while (at < text.size() && is_identifier_char(text[at])) at++;
  return at;
}

bool names_a_value(std::string_view name) {
  if (name.starts_with("__builtin_")) return true;
  for (std::string_view numbered : {"arg", "sarg"}) {
    if (name.size() > numbered.size() && name.starts_with(numbered)) {
      const std::string_view number = name.substr(numbered.size());
      if (std::all_of(number.begin(), number.end(), is_digit)) return true;
    }
  }
  return contains(kValues, name);
}

bool starts_cast(std::string_view text, std::size_t at, bool in_condition) {
  const std::optional<TypeAhead> type = find_type(text, at);
  if (!type || names_a_value(type->name)) return false;
  const std::size_t close = skip_layout(text, type->end);
  return char_at(text, close) == ')' && starts_operand(text, skip_layout(text, close + 1), type->name, in_condition);
}

bool is_type_argument(std::string_view text, std::size_t at, char closer) {
  const std::optional<TypeAhead> type = find_type(text, at);
  return type && !names_a_value(type->name) && char_at(text, skip_layout(text, type->end)) == closer;
}

namespace {

/// Is a word that ends at `end` the start of a top-level item rather than an operand?
bool word_starts_item(std::string_view text, std::string_view word, std::size_t end) {
  const char glued = char_at(text, end);
  if (glued == ':') return true;  // kprobe:f
  if (glued == '*' && (is_identifier_char(char_at(text, end + 1)) || char_at(text, end + 1) == ':')) return true;  // *probe:f
  const std::size_t next = skip_layout(text, end);
  const char c = char_at(text, next);
  if (c == '{' || c == '<') return true;
  if (c == '=') return char_at(text, next + 1) != '=';  // name=kprobe:f, config = {
  if (c == '/' || c == ',') {                           // a division, or a predicate? begin and end are the probes without ':'
    const std::string lower = to_lower(word);
    return lower == "begin" || lower == "end" || lower.starts_with('$');
  }
  if (word == "let") return c == '@' || c == '$';
  if (word == "import") return c == '"';
  // "macro f(": two words in a row are no expression.
  return is_identifier_start(c) || next >= text.size();
}

}  // namespace

bool continues_expression(std::string_view text, std::size_t at) {
  at = skip_layout(text, at);
  const char c = char_at(text, at), next = char_at(text, at + 1);
  switch (c) {
    case '(': case '@': case '~': case '!': case '-': case '&': case '+':
      return true;
    case '$':
      if (is_digit(next)) {
        const std::size_t end = skip_word(text, at + 1);
        return !word_starts_item(text, text.substr(at, end - at), end);
      }
      return true;
    case '*':
      return next == '$' || next == '@' || next == '(';
    case '"': {
      const std::size_t close = text.find_first_of("\"\n", at + 1);
      return close != std::string_view::npos && char_at(text, close) == '"' && char_at(text, close + 1) != ':';
    }
    default:
      if (is_digit(c)) return true;
      if (!is_identifier_start(c)) return false;
      const std::size_t end = skip_word(text, at);
      return !word_starts_item(text, text.substr(at, end - at), end);
  }
}

bool starts_item(std::string_view text, std::size_t at) {
  static constexpr std::array<std::string_view, 10> kItems = {"begin", "end",    "macro", "fn",   "let",
                                                              "config", "import", "struct", "enum", "union"};
  at = skip_layout(text, at);
  const char c = char_at(text, at);
  if (at >= text.size() || c == '$' || c == '*' || c == '"' || c == '#') return true;
  if (!is_identifier_start(c)) return false;
  const std::size_t end = skip_word(text, at);
  const char glued = char_at(text, end);
  return glued == ':' || glued == '*' || contains(kItems, to_lower(text.substr(at, end - at)));
}

}  // namespace trc::parser
