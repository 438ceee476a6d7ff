#include "parser/syntax_error.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "parser/lexer.h"

namespace trc::parser {

namespace {

using Kind = Grammar::symbol_kind_type;
using S = Grammar::symbol_kind;
using Kinds = std::vector<Kind>;
using Bracket = Lexer::Bracket;

const Kinds kExpressionStarts = {
    S::S_INTEGER, S::S_STRING, S::S_TRUE, S::S_FALSE, S::S_POSITIONAL, S::S_POSITIONAL_COUNT, S::S_VARIABLE, S::S_MAP, S::S_IDENTIFIER,
    S::S_LPAREN, S::S_TYPE_LPAREN, S::S_LBRACE, S::S_IF, S::S_SIZEOF, S::S_OFFSETOF, S::S_TYPEINFO, S::S_TYPEOF, S::S_COMPTIME, S::S_NOT,
    S::S_TILDE, S::S_MINUS, S::S_STAR, S::S_AMPERSAND, S::S_INCREMENT, S::S_DECREMENT};
const Kinds kStatementStarts = {S::S_LET, S::S_BREAK, S::S_CONTINUE, S::S_RETURN, S::S_IMPORT, S::S_IF_STMT, S::S_WHILE, S::S_FOR,
                                S::S_UNROLL, S::S_LBRACE_STMT};
/// Could carry an expression on; naming them all would hide what matters.
const Kinds kContinuations = {
    S::S_PLUS, S::S_MINUS, S::S_STAR, S::S_SLASH, S::S_PERCENT, S::S_SHIFT_LEFT, S::S_SHIFT_RIGHT, S::S_LESS, S::S_LESS_EQUAL, S::S_GREATER,
    S::S_GREATER_EQUAL, S::S_EQUAL, S::S_NOT_EQUAL, S::S_AND, S::S_OR, S::S_AMPERSAND, S::S_PIPE, S::S_CARET, S::S_QUESTION, S::S_ELVIS,
    S::S_DOT, S::S_ARROW, S::S_INCREMENT, S::S_DECREMENT, S::S_LBRACKET, S::S_ASSIGN, S::S_ADD_ASSIGN, S::S_SUBTRACT_ASSIGN,
    S::S_MULTIPLY_ASSIGN, S::S_DIVIDE_ASSIGN, S::S_MODULO_ASSIGN, S::S_AND_ASSIGN, S::S_OR_ASSIGN, S::S_XOR_ASSIGN,
    S::S_SHIFT_LEFT_ASSIGN, S::S_SHIFT_RIGHT_ASSIGN};
const Kinds kTypeStarts = {S::S_STRUCT, S::S_UNION, S::S_ENUM, S::S_TYPEOF, S::S_IDENTIFIER};
const Kinds kTopLevelStarts = {S::S_ATTACH_POINT, S::S_ATTACH_NAME, S::S_C_DEFINITION, S::S_CONFIG, S::S_MACRO, S::S_FN, S::S_IMPORT, S::S_LET};

bool contains(const Kinds& kinds, Kind kind) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); }
void remove(Kinds& kinds, const Kinds& gone) {
  std::erase_if(kinds, [&](Kind kind) { return contains(gone, kind); });
}

std::string name_of(Kind kind) { return Grammar::symbol_name(kind); }

/// The token as it stands in the script, or what it is when that cannot be shown.
std::string found_text(const Lexer& lexer, Kind found, Span at) {
  constexpr std::size_t kMost = 40;
  if (found == S::S_YYEOF) return "end of the script";
  std::string_view text = lexer.text().substr(at.begin, at.end - at.begin);
  const bool cut = text.size() > kMost;
  if (cut) text = text.substr(0, kMost);
  std::string shown = to_valid_utf8(text);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return fmt::format("'{}{}'", shown, cut ? "…" : "");
}

/// A short list of what would have been accepted: kinds of things first, then single tokens.
std::string expected_text(Kinds expected) {
  std::vector<std::string> words;
  const auto group = [&](Kind sign, const char* name, const Kinds& members) {
    if (!contains(expected, sign)) return;
    if (name != nullptr) words.emplace_back(name);
    remove(expected, members);
  };
  group(S::S_CONFIG, "a probe", kTopLevelStarts);
  if (contains(expected, S::S_WHILE)) remove(expected, kExpressionStarts);
  group(S::S_WHILE, "a statement", kStatementStarts);
  if (contains(expected, S::S_SIZEOF)) group(S::S_INTEGER, "an expression", kExpressionStarts);
  group(S::S_STRUCT, "a type", kTypeStarts);
  const bool continues = contains(expected, S::S_OR);
  group(S::S_OR, nullptr, kContinuations);
  for (Kind kind : expected) {
    if (kind == S::S_LBRACE_STMT || kind == S::S_TYPE_LPAREN || kind == S::S_YYerror || kind == S::S_IF_STMT) continue;
    words.push_back(name_of(kind));
  }
  if (words.empty() && continues) words.emplace_back("an operator");
  constexpr std::size_t kMost = 5;
  if (words.empty() || words.size() > kMost) return {};
  const std::string last = words.back();
  words.pop_back();
  return words.empty() ? last : join(words, ", ") + " or " + last;
}

Kind closer_of(Bracket bracket) {
  switch (bracket) {
    case Bracket::Brace: return S::S_RBRACE;
    case Bracket::Angle: return S::S_ANGLE_CLOSE;
    case Bracket::Predicate: return S::S_PREDICATE_CLOSE;
    case Bracket::Paren: return S::S_RPAREN;
    case Bracket::Square: return S::S_RBRACKET;
  }
  return S::S_YYUNDEF;
}

std::string closer_text(Bracket bracket) { return bracket == Bracket::Angle ? "'>'" : name_of(closer_of(bracket)); }

void note_suspicious_close(const Lexer& lexer, Diagnostic& diagnostic) {
  const Span close = lexer.suspicious_close();
  if (close.end == 0) return;
  diagnostic.with_note(close, "this '>' closed the block in front of it; a comparison in a '< >' block needs parentheses");
}

bool same_line(const Lexer& lexer, Span a, Span b) {
  return lexer.text().substr(a.end, b.begin - a.end).find('\n') == std::string_view::npos;
}

/// Where something is missing in front of the last token.
Span behind_last(const Lexer& lexer) {
  const Span before = lexer.before_last_span();
  return {before.file, before.end, before.end};
}

/// The script ends, or the surrounding block goes on, while something is still open.
bool report_unclosed(Lexer& lexer, Kind found, Span at, const Kinds& expected) {
  const std::optional<Lexer::Open>& open = lexer.innermost();
  if (!open) return false;
  static const Kinds kEnders = {S::S_YYEOF, S::S_SEMICOLON, S::S_RBRACE, S::S_ANGLE_CLOSE, S::S_RPAREN, S::S_RBRACKET, S::S_LBRACE, S::S_LBRACE_STMT};
  if (found != S::S_YYEOF && !(contains(kEnders, found) && contains(expected, closer_of(open->bracket)))) return false;
  if (found != S::S_YYEOF && (open->bracket == Bracket::Brace || open->bracket == Bracket::Angle)) return false;
  std::string message;
  if (open->bracket == Bracket::Predicate) {
    message = fmt::format("syntax: unexpected {}: the predicate is not closed by '/' in front of '{{' or '<'", found_text(lexer, found, at));
  } else {
    message = fmt::format("syntax: unexpected {}, expected {}", found_text(lexer, found, at), closer_text(open->bracket));
  }
  Diagnostic& diagnostic = lexer.report(Diag::SyntaxError, at, std::move(message)).with_note(open->span, "it was opened here");
  const Span behind = behind_last(lexer);
  if (open->bracket == Bracket::Paren || open->bracket == Bracket::Square) diagnostic.with_edit(behind, open->bracket == Bracket::Paren ? ")" : "]");
  else if (open->bracket == Bracket::Predicate && contains({S::S_LBRACE, S::S_LBRACE_STMT}, found)) diagnostic.with_edit(behind, " /");
  // Over several lines the missing one may belong further up.
  else if (open->bracket == Bracket::Brace && same_line(lexer, open->span, behind)) diagnostic.with_edit(behind, " }");
  if (found == S::S_YYEOF) note_suspicious_close(lexer, diagnostic);
  return true;
}

/// Statements of other languages: what stands before the last token is a name here.
bool report_foreign_word(const Lexer& lexer, Diagnostic& diagnostic, Kind found) {
  static constexpr std::string_view kTypes[] = {"int", "long", "short", "char", "unsigned", "float", "double", "var", "auto", "size_t", "string", "str_t", "bool"};
  const std::string_view word = lexer.before_last_text();
  const bool is_type = std::find(std::begin(kTypes), std::end(kTypes), word) != std::end(kTypes);
  if (!is_type || found != S::S_IDENTIFIER) return false;
  diagnostic.with_hint("a variable begins with '$' and has the type of what it is given: $name = 5");
  return true;
}

/// A ')' and the word in front of its '(': "elif (x)".
std::string_view word_before_parentheses(const Lexer& lexer, Span& where) {
  const Span close = lexer.before_last_span();
  const std::string_view text = lexer.text();
  if (close.end == 0 || close.end > text.size() || text[close.end - 1] != ')') return {};
  std::size_t at = close.end;
  for (int depth = 0; at > 0;) {
    const char c = text[--at];
    if (c == ')') ++depth;
    if (c == '(' && --depth == 0) break;
  }
  while (at > 0 && text[at - 1] == ' ') --at;
  std::size_t begin = at;
  while (begin > 0 && is_identifier_char(text[begin - 1])) --begin;
  where = {close.file, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at)};
  return text.substr(begin, at - begin);
}

/// "elif (x) {", "switch (x) {": a call to the parser, until the brace comes.
bool report_foreign_block(Lexer& lexer, Kind found) {
  if (found != S::S_LBRACE && found != S::S_LBRACE_STMT) return false;
  Span where;
  const std::string_view word = word_before_parentheses(lexer, where);
  if (word == "elif" || word == "elsif" || word == "elseif") {
    lexer.report(Diag::SyntaxError, where, fmt::format("syntax: unexpected '{}'", word)).with_hint("it is written else if").with_edit(where, "else if");
    return true;
  }
  if (word == "switch") {
    lexer.report(Diag::SyntaxError, where, "syntax: there is no switch").with_hint("write if (…) { … } else if (…) { … }");
    return true;
  }
  return false;
}

/// Operators that are words elsewhere.
bool report_word_operator(Lexer& lexer, Kind found, Span at, const Kinds& expected) {
  struct Row { std::string_view word, instead; };
  static constexpr Row kBinary[] = {{"and", "&&"}, {"or", "||"}, {"eq", "=="}, {"ne", "!="}, {"is", "=="}};
  const std::string_view text = lexer.text().substr(at.begin, at.end - at.begin);
  if (found == S::S_IDENTIFIER && contains(expected, S::S_OR)) {
    for (const Row& row : kBinary) {
      if (row.word != text) continue;
      lexer.report(Diag::SyntaxError, at, fmt::format("syntax: unexpected '{}'", text)).with_hint(fmt::format("it is written {}", row.instead)).with_edit(at, std::string(row.instead));
      return true;
    }
  }
  if (found == S::S_IDENTIFIER && text == "in" && contains(expected, S::S_COLON)) {
    lexer.report(Diag::SyntaxError, at, "syntax: unexpected 'in', expected ':'").with_hint("for ($i : 0..10), for ($kv : @map)").with_edit(at, ":");
    return true;
  }
  if (lexer.before_last_kind() == S::S_IDENTIFIER && lexer.before_last_text() == "not" && contains(kExpressionStarts, found)) {
    const Span word = lexer.before_last_span();
    lexer.report(Diag::SyntaxError, word, "syntax: unexpected 'not'").with_hint("it is written !").with_edit({word.file, word.begin, at.begin}, "!");
    return true;
  }
  return false;
}

/// A statement follows a statement.
bool report_missing_semicolon(Lexer& lexer, Kind found, Span at, const Kinds& expected) {
  if (!contains(expected, S::S_SEMICOLON) || contains(expected, S::S_WHILE)) return false;
  if (!contains(kStatementStarts, found) && !contains(kExpressionStarts, found)) return false;
  const Kind before = lexer.before_last_kind();
  const bool in_block = lexer.innermost() && (lexer.innermost()->bracket == Bracket::Brace || lexer.innermost()->bracket == Bracket::Angle);
  if (!in_block && !contains(expected, S::S_OR)) return false;
  Diagnostic& diagnostic = lexer.report(Diag::SyntaxError, at, fmt::format("syntax: missing ';' in front of {}", found_text(lexer, found, at)));
  if (before == S::S_IDENTIFIER && report_foreign_word(lexer, diagnostic, found)) return true;
  if (before == S::S_IDENTIFIER && same_line(lexer, lexer.before_last_span(), at) && found != S::S_LBRACE) {
    diagnostic.with_hint(fmt::format("if '{0}' is meant as a function, its arguments stand in parentheses: {0}(…)", lexer.before_last_text()));
  } else {
    diagnostic.with_hint("a ';' ends a statement; only the last one of a block goes without");
    if (found != S::S_LPAREN && found != S::S_LBRACE) diagnostic.with_edit(behind_last(lexer), ";");
  }
  return true;
}

/// A '=' here could only be meant as '=='.
bool compares(const Lexer& lexer, const Kinds& expected) {
  const std::optional<Lexer::Open>& open = lexer.innermost();
  return open && (open->in_condition || open->bracket == Bracket::Paren || open->bracket == Bracket::Predicate) && contains(expected, S::S_OR);
}

std::string hint_for(const Lexer& lexer, Kind found, const Kinds& expected) {
  const Kind before = lexer.before_last_kind();
  const bool top_level = !lexer.innermost();
  if (top_level && before == S::S_LET && found == S::S_VARIABLE) {
    return "variables live in a probe; a map is shared by all probes: let @name = hash(1000);";
  }
  if (top_level && before == S::S_ATTACH_POINT && lexer.before_last_text().find('<') != std::string_view::npos) {
    return "a '<' that touches a symbol belongs to its name: put a space in front of the block";
  }
  if (top_level && found == S::S_SEMICOLON) return "no ';' is needed behind a block";
  if (top_level && contains(expected, S::S_CONFIG) && found == S::S_LBRACE) return "a block belongs to a probe, as in: begin { … }";
  const bool behind_probe = top_level && before == S::S_ATTACH_POINT && lexer.suspicious_close().end == 0;
  const Span last = lexer.last_span();
  const bool is_call = lexer.before_last_text().find('(') != std::string_view::npos ||
                       lexer.text().substr(last.begin, last.end - last.begin).find('(') != std::string_view::npos;
  if (behind_probe && is_call) return "a statement stands in the block of a probe, as in: begin { … }";
  if (behind_probe && found == S::S_YYEOF) return "a block follows a probe: { … }";
  if (behind_probe && found != S::S_SEMICOLON) return "a condition stands between slashes: /comm == \"cat\"/ { … }; a block in braces";
  if (contains(expected, S::S_COLON) && found == S::S_ASSIGN && before == S::S_VARIABLE) return "a loop goes over a range or a map: for ($i : 0..10), for ($kv : @map)";
  if (found == S::S_COMMA && contains(expected, S::S_COLON) && before == S::S_VARIABLE) return "one variable is both: for ($kv : @map), then $kv.0 is the key and $kv.1 the value";
  if (found == S::S_IDENTIFIER && contains(expected, S::S_VARIABLE) && expected.size() < 3) return "a loop is for ($i : 0..10), its variable begins with '$'";
  if (found == S::S_STRING && before == S::S_DOT) return "texts are joined by +, or str_concat()";
  if (found == S::S_ASSIGN && compares(lexer, expected)) return "'==' compares; an assignment is a statement, not a value";
  if (found == S::S_COLON && before == S::S_IDENTIFIER && !top_level) return "if a probe starts here, a '}' or '>' is missing in front of it";
  if (found == S::S_ELSE) return "an 'else' follows the '}' of its 'if' at once";
  if (found == S::S_PLUS && contains(expected, S::S_MINUS) && contains(expected, S::S_NOT)) return "there is no unary '+'";
  if (found == S::S_MINUS && contains(expected, S::S_SIZEOF)) return "an end of a range stands in parentheses unless it is simple: (-1)..5";
  const bool head = lexer.innermost() && lexer.innermost()->in_condition;
  if (head && contains(expected, S::S_LBRACE) && !contains(expected, S::S_NOT)) return "the body of if, else, for, while and unroll stands in braces";
  return {};
}

}  // namespace

void report_unexpected(Lexer& lexer, Kind found, Span at, const Kinds& expected) {
  if (report_unclosed(lexer, found, at, expected)) return;
  if (report_foreign_block(lexer, found) || report_word_operator(lexer, found, at, expected)) return;
  if (report_missing_semicolon(lexer, found, at, expected)) return;
  std::string message = fmt::format("syntax: unexpected {}", found_text(lexer, found, at));
  if (const std::string accepted = expected_text(expected); !accepted.empty()) message += ", expected " + accepted;
  Diagnostic& diagnostic = lexer.report(Diag::SyntaxError, at, std::move(message));
  diagnostic.with_hint(hint_for(lexer, found, expected));
  if (found == S::S_ASSIGN && compares(lexer, expected)) diagnostic.with_edit(at, "==");
  if (!lexer.innermost()) note_suspicious_close(lexer, diagnostic);
}

}  // namespace trc::parser
