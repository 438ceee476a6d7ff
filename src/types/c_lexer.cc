#include "types/c_lexer.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "base/strings.h"

namespace trc::types {
namespace {

constexpr std::size_t kMaxExpansion = 10'000;   // tokens of one macro; they may multiply
constexpr unsigned kMaxDepth = 200;             // of an expression

bool is_word_start(char c) { return is_identifier_start(c); }
bool is_word(char c) { return is_identifier_char(c); }

constexpr std::array<std::string_view, 13> kLongPunctuation = {"...", "<<=", ">>=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "##"};

/// The character behind a backslash at `at`, which moves behind it.
char escaped(std::string_view text, std::size_t& at) {
  const char c = text[at++];
  switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'a': return '\a';
    case 'x': {
      unsigned value = 0;
      while (at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at]))) {
        const char digit = text[at++];
        value = value * 16 + static_cast<unsigned>(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
      }
      return static_cast<char>(value);
    }
    default: break;
  }
  if (c < '0' || c > '7') return c;
  unsigned value = static_cast<unsigned>(c - '0');
  for (int i = 0; i < 2 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i) value = value * 8 + static_cast<unsigned>(text[at++] - '0');
  return static_cast<char>(value);
}

/// An integer with its suffixes; nothing if it is none ("1.5", "08").
std::optional<CToken> number(std::string_view word) {
  CToken token{.kind = CToken::Kind::Number, .text = std::string(word)};
  std::string_view digits = word;
  bool is_long = false;
  while (!digits.empty() && std::string_view("uUlL").find(digits.back()) != std::string_view::npos) {
    if ((digits.back() | 0x20) == 'u') token.is_unsigned = true;
    else is_long = true;
    digits.remove_suffix(1);
  }
  unsigned base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) base = 16, digits.remove_prefix(2);
  else if (digits.starts_with("0b") || digits.starts_with("0B")) base = 2, digits.remove_prefix(2);
  else if (digits.size() > 1 && digits.front() == '0') base = 8;
  if (digits.empty()) return std::nullopt;
  for (const char c : digits) {
    const unsigned digit = is_digit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a' + 10);
    if (digit >= base || __builtin_mul_overflow(token.value, std::uint64_t{base}, &token.value) ||
        __builtin_add_overflow(token.value, std::uint64_t{digit}, &token.value)) {
      return std::nullopt;
    }
  }
  // C: a decimal number is signed; others take the first of int, unsigned, long, unsigned long that holds them.
  if (token.value > INT64_MAX || (base != 10 && !is_long && token.value > INT32_MAX && token.value <= UINT32_MAX)) token.is_unsigned = true;
  return token;
}

}  // namespace

std::vector<CToken> CPreprocessor::tokenize(std::string_view text, Span whole, std::size_t begin, std::size_t end) {
  std::vector<CToken> tokens;
  std::size_t at = begin;
  auto span = [&](std::size_t from) {
    return Span{whole.file, whole.begin + static_cast<std::uint32_t>(from), whole.begin + static_cast<std::uint32_t>(at)};
  };
  while (at < end) {
    const char c = text[at];
    const std::size_t start = at;
    if (std::isspace(static_cast<unsigned char>(c)) || c == '\\') {
      ++at;
    } else if (text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), end);
    } else if (text.substr(at).starts_with("/*")) {
      const std::size_t close = text.find("*/", at + 2);
      at = close == std::string_view::npos ? end : std::min(close + 2, end);
    } else if (is_word_start(c)) {
      while (at < end && is_word(text[at])) ++at;
      tokens.push_back({.kind = CToken::Kind::Word, .text = std::string(text.substr(start, at - start)), .span = span(start)});
    } else if (is_digit(c)) {
      while (at < end && (is_word(text[at]) || text[at] == '.')) ++at;
      if (auto token = number(text.substr(start, at - start))) {
        token->span = span(start);
        tokens.push_back(std::move(*token));
      } else {
        tokens.push_back({.kind = CToken::Kind::Punctuation, .text = std::string(text.substr(start, at - start)), .span = span(start)});
      }
    } else if (c == '"' || c == '\'') {
      std::string bytes;
      ++at;
      while (at < end && text[at] != c && text[at] != '\n') {
        if (text[at] == '\\' && at + 1 < end) bytes += escaped(text, ++at);
        else bytes += text[at++];
      }
      at = std::min(at + 1, end);
      CToken token{.kind = CToken::Kind::Text, .text = bytes, .span = span(start)};
      if (c == '\'') {
        token.kind = CToken::Kind::Number;
        token.value = bytes.empty() ? 0 : static_cast<std::uint64_t>(std::int64_t{static_cast<signed char>(bytes.front())});
      }
      tokens.push_back(std::move(token));
    } else {
      const auto row = std::find_if(kLongPunctuation.begin(), kLongPunctuation.end(), [&](std::string_view p) { return text.substr(at, end - at).starts_with(p); });
      at += row == kLongPunctuation.end() ? 1 : row->size();
      tokens.push_back({.kind = CToken::Kind::Punctuation, .text = std::string(text.substr(start, at - start)), .span = span(start)});
    }
  }
  return tokens;
}

bool CPreprocessor::is_active() const {
  return std::all_of(conditions_.begin(), conditions_.end(), [](const Condition& c) { return c.active; });
}

bool CPreprocessor::is_defined(const std::string& name) const { return macros_.count(name) != 0 || is_predefined_(name); }

void CPreprocessor::expand(std::span<const CToken> tokens, std::set<std::string>& open, std::vector<CToken>& out) const {
  for (const CToken& token : tokens) {
    if (out.size() > kMaxExpansion) return;
    if (token.kind != CToken::Kind::Word || open.count(token.text) != 0) {
      out.push_back(token);
    } else if (const auto macro = macros_.find(token.text); macro != macros_.end() && !macro->second.is_function) {
      open.insert(token.text);
      const std::size_t first = out.size();
      expand(macro->second.body, open, out);
      open.erase(token.text);
      for (std::size_t i = first; i < out.size(); ++i) out[i].span = token.span;   // where the macro is used
    } else if (macro == macros_.end() && is_predefined_(token.text)) {
      out.push_back({.kind = CToken::Kind::Number, .text = "1", .value = 1, .span = token.span});
    } else {
      out.push_back(token);
    }
  }
}

std::vector<CToken> CPreprocessor::expanded(std::span<const CToken> tokens) const {
  std::vector<CToken> out;
  std::set<std::string> open;
  expand(tokens, open, out);
  return out;
}

namespace {

/// An integer constant expression: C's operators, on 64 bits.
class Evaluator {
 public:
  Evaluator(std::span<const CToken> tokens, std::size_t& at, const CWords& words) : tokens_(tokens), at_(at), words_(words) {}

  std::optional<CValue> ternary(unsigned depth) {
    auto condition = binary(0, depth);
    if (!condition || !is("?")) return condition;
    ++at_;
    auto then = ternary(depth + 1);
    if (!then || !is(":")) return std::nullopt;
    ++at_;
    auto otherwise = ternary(depth + 1);
    if (!otherwise) return std::nullopt;
    return condition->bits != 0 ? then : otherwise;
  }

 private:
  bool is(std::string_view text) const { return at_ < tokens_.size() && tokens_[at_].is(text); }

  /// How tightly a binary operator binds; 0: it is none.
  static unsigned strength(std::string_view op) {
    struct Row { std::string_view op; unsigned strength; };
    static constexpr Row kRows[] = {{"||", 1}, {"&&", 2}, {"|", 3}, {"^", 4}, {"&", 5}, {"==", 6}, {"!=", 6}, {"<", 7}, {"<=", 7},
                                    {">", 7}, {">=", 7}, {"<<", 8}, {">>", 8}, {"+", 9}, {"-", 9}, {"*", 10}, {"/", 10}, {"%", 10}};
    for (const Row& row : kRows) {
      if (row.op == op) return row.strength;
    }
    return 0;
  }

  static std::optional<CValue> apply(std::string_view op, CValue a, CValue b) {
    const bool is_unsigned = a.is_unsigned || b.is_unsigned;
    const auto left = static_cast<std::int64_t>(a.bits), right = static_cast<std::int64_t>(b.bits);
    auto truth = [](bool value) { return CValue{value, false}; };
    if (op == "||") return truth(a.bits != 0 || b.bits != 0);
    if (op == "&&") return truth(a.bits != 0 && b.bits != 0);
    if (op == "|") return CValue{a.bits | b.bits, is_unsigned};
    if (op == "^") return CValue{a.bits ^ b.bits, is_unsigned};
    if (op == "&") return CValue{a.bits & b.bits, is_unsigned};
    if (op == "==") return truth(a.bits == b.bits);
    if (op == "!=") return truth(a.bits != b.bits);
    if (op == "<") return truth(is_unsigned ? a.bits < b.bits : left < right);
    if (op == "<=") return truth(is_unsigned ? a.bits <= b.bits : left <= right);
    if (op == ">") return truth(is_unsigned ? a.bits > b.bits : left > right);
    if (op == ">=") return truth(is_unsigned ? a.bits >= b.bits : left >= right);
    if (op == "<<") return b.bits > 63 ? std::nullopt : std::optional(CValue{a.bits << b.bits, a.is_unsigned});
    if (op == ">>") {
      if (b.bits > 63) return std::nullopt;
      return CValue{a.is_unsigned ? a.bits >> b.bits : static_cast<std::uint64_t>(left >> b.bits), a.is_unsigned};
    }
    if (op == "+") return CValue{a.bits + b.bits, is_unsigned};
    if (op == "-") return CValue{a.bits - b.bits, is_unsigned};
    if (op == "*") return CValue{a.bits * b.bits, is_unsigned};
    if (b.bits == 0 || (!is_unsigned && left == INT64_MIN && right == -1)) return std::nullopt;
    if (op == "/") return CValue{is_unsigned ? a.bits / b.bits : static_cast<std::uint64_t>(left / right), is_unsigned};
    return CValue{is_unsigned ? a.bits % b.bits : static_cast<std::uint64_t>(left % right), is_unsigned};
  }

  std::optional<CValue> binary(unsigned least, unsigned depth) {
    auto left = unary(depth);
    while (left && at_ < tokens_.size() && tokens_[at_].kind == CToken::Kind::Punctuation) {
      const std::string_view op = tokens_[at_].text;
      const unsigned strong = strength(op);
      if (strong == 0 || strong <= least) break;
      ++at_;
      const auto right = binary(strong, depth + 1);
      if (!right) return std::nullopt;
      left = apply(op, *left, *right);
    }
    return left;
  }

  std::optional<CValue> unary(unsigned depth) {
    if (depth > kMaxDepth || at_ >= tokens_.size()) return std::nullopt;
    const CToken& token = tokens_[at_++];
    if (token.kind == CToken::Kind::Number) return CValue{token.value, token.is_unsigned};
    if (token.is("(")) {
      auto inner = ternary(depth + 1);
      if (!inner || !is(")")) return std::nullopt;
      ++at_;
      return inner;
    }
    if (token.is("sizeof") && is("(") && words_.size) {
      ++at_;
      const auto size = words_.size(tokens_, at_);
      if (!size || !is(")")) return std::nullopt;
      ++at_;
      return CValue{*size, true};
    }
    if (token.kind == CToken::Kind::Word) return words_.constant ? words_.constant(token.text) : std::nullopt;
    for (const char op : {'-', '+', '~', '!'}) {
      if (!token.is(std::string_view(&op, 1))) continue;
      auto value = unary(depth + 1);
      if (!value) return value;
      if (op == '-') value->bits = 0 - value->bits;
      if (op == '~') value->bits = ~value->bits;
      if (op == '!') value = CValue{value->bits == 0, false};
      return value;
    }
    return std::nullopt;
  }

  std::span<const CToken> tokens_;
  std::size_t& at_;
  const CWords& words_;
};

}  // namespace

std::optional<CValue> CPreprocessor::evaluate(std::span<const CToken> tokens, std::size_t& at) const { return Evaluator(tokens, at, words_).ternary(0); }

/// Is the condition of an #if true? Words that stand for nothing are 0, as in C.
bool CPreprocessor::holds(std::vector<CToken> tokens, Span span) {
  std::vector<CToken> simple;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].is("defined")) {
      simple.push_back(tokens[i]);
      continue;
    }
    const bool parenthesised = i + 1 < tokens.size() && tokens[i + 1].is("(");
    i += parenthesised ? 2 : 1;
    const bool known = i < tokens.size() && is_defined(tokens[i].text);
    if (parenthesised) ++i;
    simple.push_back({.kind = CToken::Kind::Number, .text = known ? "1" : "0", .value = known, .span = span});
  }
  simple = expanded(simple);
  CWords words;
  words.constant = [](const std::string&) { return CValue{}; };
  std::size_t at = 0;
  const auto value = Evaluator(simple, at, words).ternary(0);
  if (value && at == simple.size()) return value->bits != 0;
  diags_.report(Diag::InvalidLiteral, span, "this condition is not an integer expression that the preprocessor can evaluate");
  return false;
}

void CPreprocessor::define(std::vector<CToken> tokens, std::string_view line, Span span) {
  if (tokens.size() < 2 || tokens[1].kind != CToken::Kind::Word) {
    diags_.report(Diag::SyntaxError, span, "syntax: #define wants a name");
    return;
  }
  const std::string name = tokens[1].text;
  // NAME( without a space between defines a function.
  const std::size_t behind = tokens[1].span.end - span.begin;
  const bool is_function = behind < line.size() && line[behind] == '(';
  tokens.erase(tokens.begin(), tokens.begin() + 2);
  macros_[name] = {std::move(tokens), is_function, span};
}

/// A directive from `begin` to `end`, where the line ends; `begin` is behind the '#'.
void CPreprocessor::directive(std::string_view text, const CText& whole, std::size_t begin, std::size_t end) {
  std::vector<CToken> tokens = tokenize(text, whole.span, begin, end);
  if (tokens.empty()) return;
  const Span span{whole.span.file, tokens.front().span.begin, tokens.back().span.end};
  if (tokens.front().kind == CToken::Kind::Number) return;   // a line marker of a preprocessor
  const std::string word = tokens.front().text;
  const std::vector<CToken> rest(tokens.begin() + 1, tokens.end());
  auto opens = [&](bool truth) { conditions_.push_back({truth, truth, false, span}); };
  auto misplaced = [&] { diags_.report(Diag::SyntaxError, span, fmt::format("syntax: #{} without #if", word)); };
  if (word == "if") return opens(is_active() && holds(rest, span));
  if (word == "ifdef" || word == "ifndef") {
    if (rest.empty()) diags_.report(Diag::SyntaxError, span, fmt::format("syntax: #{} wants a name", word));
    return opens(!rest.empty() && is_defined(rest.front().text) == (word == "ifdef"));
  }
  if (word == "elif" || word == "else") {
    if (conditions_.empty() || conditions_.back().seen_else) return misplaced();
    Condition& condition = conditions_.back();
    const bool was_taken = condition.was_taken;
    condition.active = true;   // so that only the outer ones count
    const bool outer = is_active();
    condition.active = !was_taken && (word == "else" || (outer && holds(rest, span)));
    condition.was_taken = was_taken || condition.active;
    condition.seen_else = word == "else";
    return;
  }
  if (word == "endif") {
    if (conditions_.empty()) return misplaced();
    conditions_.pop_back();
    return;
  }
  if (!is_active()) return;
  if (word == "define") return define(std::move(tokens), text.substr(span.begin - whole.span.begin, end - (span.begin - whole.span.begin)), span);
  if (word == "undef") {
    if (!rest.empty()) macros_.erase(rest.front().text);
  } else if (word == "include") {
    include_(span);
  } else if (word == "error") {
    diags_.report(Diag::InvalidConfig, span, "#" + std::string(trim(text.substr(begin, end - begin))));
  } else if (word != "pragma" && word != "warning" && word != "line" && word != "ident") {
    diags_.report(Diag::SyntaxError, span, fmt::format("syntax: unknown directive #{}", word))
        .with_hint("there are #include, #define, #undef, #if, #ifdef, #ifndef, #elif, #else, #endif, #error, #pragma");
  }
}

std::vector<CToken> CPreprocessor::read(const CText& whole, bool is_expanded) {
  const std::string_view text = whole.text;
  std::vector<CToken> tokens;
  std::size_t begin = 0;   // of the part that has no directive
  bool at_line_start = true;
  auto take = [&](std::size_t end) {
    if (!is_active() || end <= begin) return;
    for (CToken& token : tokenize(text, whole.span, begin, end)) tokens.push_back(std::move(token));
  };
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '#' && at_line_start) {
      take(at);
      std::size_t end = at;
      while (end < text.size() && text[end] != '\n') {
        const bool continues = text[end] == '\\' && end + 1 < text.size();
        end += continues && text.substr(end).starts_with("\\\r\n") ? 3 : continues ? 2 : 1;
      }
      end = std::min(end, text.size());
      directive(text, whole, at + 1, end);
      begin = at = end;
      continue;
    }
    if (text.substr(at).starts_with("/*")) {
      const std::size_t close = text.find("*/", at + 2);
      at = close == std::string_view::npos ? text.size() : close + 2;
      continue;
    }
    if (text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '\n') at_line_start = true;
    else if (!std::isspace(static_cast<unsigned char>(c))) at_line_start = false;
    ++at;
  }
  take(text.size());
  return is_expanded ? tokens : expanded(tokens);
}

void CPreprocessor::finish() {
  for (const Condition& condition : conditions_) diags_.report(Diag::SyntaxError, condition.span, "syntax: this #if has no #endif");
}

}  // namespace trc::types
