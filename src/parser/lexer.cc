#include "parser/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "parser/lookahead.h"
#include "parser/raw_text.h"

namespace trc::parser {

// lexer.l
void* open_scanner(Lexer* lexer, std::string_view text);
void close_scanner(void* scanner);
Lexer::Symbol scan_token(void* scanner);

namespace {

using Token = Grammar::token;
using Kind = Grammar::symbol_kind;

/// Deeper nesting is a mistake (or an attack); the passes are recursive.
constexpr std::size_t kMaxNesting = 500;
constexpr std::size_t kMaxReports = 50;

struct Keyword { std::string_view word; Grammar::token_kind_type token; };
constexpr Keyword kKeywords[] = {
    {"break", Token::BREAK},     {"comptime", Token::COMPTIME}, {"continue", Token::CONTINUE}, {"else", Token::ELSE},
    {"enum", Token::ENUM},       {"false", Token::FALSE},       {"for", Token::FOR},           {"if", Token::IF},
    {"let", Token::LET},         {"offsetof", Token::OFFSETOF}, {"return", Token::RETURN},     {"sizeof", Token::SIZEOF},
    {"struct", Token::STRUCT},   {"true", Token::TRUE},         {"typeinfo", Token::TYPEINFO}, {"typeof", Token::TYPEOF},
    {"union", Token::UNION},     {"unroll", Token::UNROLL},     {"while", Token::WHILE},       {"import", Token::IMPORT},
};

char char_at(std::string_view text, std::size_t at) { return at < text.size() ? text[at] : '\0'; }

bool is_one_of(Grammar::symbol_kind_type kind, std::initializer_list<Grammar::symbol_kind_type> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

}  // namespace

std::vector<std::string_view> keywords() {
  std::vector<std::string_view> words{"config", "fn", "macro"};   // only at the top level, see item_keyword()
  for (const Keyword& keyword : kKeywords) words.push_back(keyword.word);
  std::sort(words.begin(), words.end());
  return words;
}

Lexer::Lexer(const SourceFile& file, const ParseOptions& options, Diagnostics& diags)
    : text_(file.text()), options_(options), diags_(diags), scanner_(open_scanner(this, file.text())) {
  span_.file = options.file_index;
  before_.span = span_;
  if (text_.starts_with("#!")) {  // the shebang line: as if the script began behind it
    const std::size_t end = std::min(text_.find('\n'), text_.size());
    close_scanner(scanner_);
    scanner_ = open_scanner(this, text_.substr(end));
    span_.begin = span_.end = static_cast<std::uint32_t>(end);
  }
}

Lexer::~Lexer() { close_scanner(scanner_); }

// ---- the stream of tokens ----

Lexer::Symbol Lexer::next() {
  if (stopped_) return end_of_file();
  return recovering_ ? skip_statement() : scan();
}

Lexer::Symbol Lexer::scan() {
  before_ = {last_kind_, span_, open_.empty() ? std::nullopt : std::optional(open_.back()), open_.size()};
  Symbol symbol = scan_token(scanner_);
  last_kind_ = symbol.kind();
  return symbol;
}

void Lexer::comment() {
  comments_.push_back(span_);
  begin_token(0);
}

void Lexer::start_recovery() {
  recovering_ = false;
  const int region = before_.innermost ? before_.innermost->region : -1;
  // At top level and in a predicate the grammar itself skips to the next block.
  if (region < 0 || static_cast<std::size_t>(region) >= open_.size() || open_[region].bracket == Bracket::Predicate) return;
  const auto inside = static_cast<std::size_t>(region) + 1;
  if (last_kind_ == Kind::S_SEMICOLON && open_.size() == inside) return;
  if (is_one_of(last_kind_, {Kind::S_LBRACE, Kind::S_LBRACE_STMT}) && open_.size() > inside) {
    // A body that opens inside parentheses: their closer is what is missing, so they do not hold the statement open.
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(inside), open_.end() - 1);
    open_.back().region = static_cast<int>(inside);
  }
  recovering_ = true;
  recovery_depth_ = inside;
}

Lexer::Symbol Lexer::skip_statement() {
  const std::size_t inside = recovery_depth_;
  while (true) {
    if (stopped_) return end_of_file();
    Symbol symbol = scan();
    const Grammar::symbol_kind_type kind = symbol.kind();
    const bool done = kind == Kind::S_YYEOF || open_.size() < inside || (open_.size() == inside && kind == Kind::S_SEMICOLON);
    if (!done && open_.size() == inside && kind == Kind::S_RBRACE) {
      // The statement ended with a block; say so to the grammar as it expects it.
      const std::size_t next = skip_layout(text_, span_.end);
      const char c = char_at(text_, next);
      if (c != ')' && c != ',' && c != ';' && text_.substr(next, skip_word(text_, next) - next) != "else") {
        last_kind_ = Kind::S_SEMICOLON;
        recovering_ = false;
        return Grammar::make_SEMICOLON(span_);
      }
    }
    if (done) {
      recovering_ = false;
      return symbol;
    }
  }
}

Diagnostic& Lexer::report(Diag code, Span span, std::string message) {
  if (severity_of(code) == Severity::Error && ++reports_ >= kMaxReports) stop();
  return diags_.report(code, span, std::move(message));
}

void Lexer::begin_token(std::size_t length) {
  span_.begin = span_.end;
  span_.end = span_.begin + static_cast<std::uint32_t>(length);
}

void Lexer::end_token_at(std::size_t offset) { span_.end = static_cast<std::uint32_t>(offset); }

Lexer::Symbol Lexer::plain(Token token) { return Symbol(token, span_); }

Lexer::Symbol Lexer::end_of_file() {
  // Where the last token ended is the place people look at, not behind the final blank lines.
  Span at = before_.span;
  at.begin = at.end;
  return Grammar::make_END(at);
}

Lexer::Symbol Lexer::error_token() {
  start_recovery();
  return Grammar::make_YYerror(span_);
}

// ---- top level ----

void Lexer::leave_item() {
  if (open_.empty()) in_item_ = false;
}

Lexer::Symbol Lexer::header_item() {
  const std::size_t begin = span_.begin;
  const std::size_t word_end = is_identifier_start(text_[begin]) ? skip_word(text_, begin) : begin;
  const std::string_view word = text_.substr(begin, word_end - begin);
  const std::size_t next = skip_layout(text_, word_end);
  const char c = char_at(text_, next);
  const bool spaced = next > word_end;
  if (word.empty()) return attach_point();
  if ((word == "struct" || word == "union" || word == "enum") && (spaced || c == '{')) return c_aggregate();
  if (word == "typedef" && spaced && is_identifier_start(c)) return c_typedef();
  if (word == "macro" && spaced && is_identifier_start(c)) return item_keyword(Token::MACRO, word_end);
  if (word == "fn" && spaced && is_identifier_start(c)) return item_keyword(Token::FN, word_end);
  if (word == "let" && (c == '@' || c == '$')) return item_keyword(Token::LET, word_end);
  if (word == "import" && c == '"') return item_keyword(Token::IMPORT, word_end);
  if (c == '=' && char_at(text_, next + 1) != '=') {
    if (word == "config" && char_at(text_, skip_layout(text_, next + 1)) == '{') return item_keyword(Token::CONFIG, word_end);
    return attach_name(word_end, next);
  }
  return attach_point();
}

Lexer::Symbol Lexer::item_keyword(Token token, std::size_t word_end) {
  end_token_at(word_end);
  in_item_ = true;
  return plain(token);
}

Lexer::Symbol Lexer::attach_name(std::size_t word_end, std::size_t equals) {
  std::string name(text_.substr(span_.begin, word_end - span_.begin));
  end_token_at(equals + 1);
  return Grammar::make_ATTACH_NAME(std::move(name), span_);
}

Lexer::Symbol Lexer::attach_point() {
  AttachText attach = read_attach_point(text_, span_.begin, options_.positionals);
  end_token_at(attach.end);
  for (const AttachText::Use& use : attach.missing) {
    const Span at{span_.file, static_cast<std::uint32_t>(use.begin), static_cast<std::uint32_t>(use.end)};
    if (use.number == 0) report(Diag::SyntaxError, at, "syntax: $0 is not a parameter, they start with $1");
    else if (++missing_reports_ < kMaxReports) report(Diag::MissingParameter, at, fmt::format("positional parameter ${} is empty or not provided", use.number));
  }
  if (attach.unterminated_quote) {
    report(Diag::SyntaxError, span_, "syntax: unterminated quote in a probe").with_hint("a quoted part ends with '\"' on the same line");
    return error_token();
  }
  return Grammar::make_ATTACH_POINT(std::move(attach.text), span_);
}

Lexer::Symbol Lexer::c_directive() {
  end_token_at(skip_c_directive(text_, span_.begin));
  return Grammar::make_C_DEFINITION(std::string(token_text()), span_);
}

Lexer::Symbol Lexer::c_aggregate() { return c_definition(skip_c_aggregate(text_, span_.begin), "'}'"); }

Lexer::Symbol Lexer::c_typedef() { return c_definition(skip_c_declaration(text_, span_.begin), "';'"); }

Lexer::Symbol Lexer::c_definition(std::size_t end, std::string_view expected) {
  if (end == std::string_view::npos) {
    end_token_at(skip_word(text_, span_.begin));
    report(Diag::SyntaxError, span_, fmt::format("syntax: this definition is not closed: expected {}", expected));
    stop();
    return end_of_file();
  }
  end_token_at(end);
  return Grammar::make_C_DEFINITION(std::string(token_text()), span_);
}

// ---- brackets ----

Lexer::Symbol Lexer::open(Bracket bracket, Token token) {
  if (open_.size() >= kMaxNesting) {
    report(Diag::LimitExceeded, span_, fmt::format("brackets are nested too deeply, the limit is {}", kMaxNesting));
    stop();
    return end_of_file();
  }
  const bool is_region = bracket != Bracket::Paren && bracket != Bracket::Square;
  const int region = is_region ? static_cast<int>(open_.size()) : open_.empty() ? -1 : open_.back().region;
  open_.push_back({bracket, span_, region});
  return plain(token);
}

Lexer::Symbol Lexer::open_paren() {
  const bool is_type_operator = is_one_of(last_kind_, {Kind::S_SIZEOF, Kind::S_TYPEOF, Kind::S_TYPEINFO, Kind::S_OFFSETOF});
  const bool in_condition = !open_.empty() && open_.back().in_condition;
  bool type_inside = false;
  if (is_type_operator) type_inside = is_type_argument(text_, span_.end, last_kind_ == Kind::S_OFFSETOF ? ',' : ')');
  else if (last_kind_ != Kind::S_IDENTIFIER) type_inside = starts_cast(text_, span_.end, in_condition);
  return open(Bracket::Paren, type_inside ? Token::TYPE_LPAREN : Token::LPAREN);
}

bool Lexer::at_statement_start() const {
  return is_one_of(last_kind_, {Kind::S_SEMICOLON, Kind::S_LBRACE, Kind::S_LBRACE_STMT, Kind::S_RBRACE, Kind::S_ANGLE_OPEN});
}

bool Lexer::last_ends_operand() const {
  return is_one_of(last_kind_, {Kind::S_IDENTIFIER, Kind::S_INTEGER, Kind::S_STRING, Kind::S_TRUE, Kind::S_FALSE, Kind::S_VARIABLE,
                                Kind::S_MAP, Kind::S_POSITIONAL, Kind::S_POSITIONAL_COUNT, Kind::S_RPAREN, Kind::S_RBRACKET,
                                Kind::S_INCREMENT, Kind::S_DECREMENT});
}

Lexer::Symbol Lexer::open_brace() {
  if (in_header()) return open(Bracket::Brace, Token::LBRACE);
  if (opens(Bracket::Predicate) && last_ends_operand()) {
    // An operand cannot follow an operand: the brace is the body, and the '/' in front of it is missing.
    report(Diag::SyntaxError, span_, "syntax: expected '/' to close the predicate in front of '{'")
        .with_note(open_.back().span, "the predicate starts here")
        .with_edit({span_.file, span_.begin, span_.begin}, "/ ");
    open_.pop_back();
    end_token_at(span_.begin);
    return plain(Token::PREDICATE_CLOSE);
  }
  const bool is_statement = at_statement_start();
  if (!open_.empty()) open_.back().in_condition = false;
  return open(Bracket::Brace, is_statement ? Token::LBRACE_STMT : Token::LBRACE);
}

void Lexer::drop_parentheses() {
  while (opens(Bracket::Paren) || opens(Bracket::Square)) open_.pop_back();
}

Lexer::Symbol Lexer::close_brace() {
  drop_parentheses();
  if (opens(Bracket::Brace)) open_.pop_back();
  leave_item();
  return plain(Token::RBRACE);
}

Lexer::Symbol Lexer::close(Bracket bracket, Token token) {
  std::size_t at = open_.size();
  while (at > 0 && open_[at - 1].bracket != bracket && (open_[at - 1].bracket == Bracket::Paren || open_[at - 1].bracket == Bracket::Square)) {
    at--;
  }
  if (at > 0 && open_[at - 1].bracket == bracket) open_.resize(at - 1);
  return plain(token);
}

Lexer::Symbol Lexer::semicolon() {
  drop_parentheses();  // none can go on behind it, so one that is still open lacks its closer
  if (!open_.empty()) {
    open_.back().in_condition = false;
    open_.back().open_ternaries = 0;
  }
  leave_item();
  return plain(Token::SEMICOLON);
}

Lexer::Symbol Lexer::slash() {
  if (opens(Bracket::Predicate)) {
    const char c = char_at(text_, skip_layout(text_, span_.end));
    if (c == '{' || c == '<') {
      open_.pop_back();
      return plain(Token::PREDICATE_CLOSE);
    }
  }
  return plain(Token::SLASH);
}

Lexer::Symbol Lexer::ternary(Token token) {
  if (!open_.empty()) {
    int& count = open_.back().open_ternaries;
    if (token == Token::QUESTION) count++;
    else if (count > 0) count--;
  }
  return plain(token);
}

// ---- '>' in angle blocks (language.md §4) ----

Lexer::Symbol Lexer::greater() {
  const bool is_shift = token_length() == 2;
  const Token operator_token = is_shift ? Token::SHIFT_RIGHT : Token::GREATER;
  if (!opens(Bracket::Angle)) return plain(operator_token);
  const bool behind_operand = last_ends_operand();
  const bool unfinished = open_.back().in_condition || open_.back().open_ternaries > 0;
  if (behind_operand && (unfinished || continues_expression(text_, span_.end))) return meant_comparison(operator_token);
  // The second '>' of a '>>' is always left over.
  if (is_shift) meant_comparison(operator_token);
  else if (behind_operand && !starts_item(text_, span_.end)) suspicious_close_ = span_;
  open_.pop_back();
  return plain(Token::ANGLE_CLOSE);
}

/// Reports, and goes on as if the operator had been in parentheses: so there is one report, not a trail of them.
Lexer::Symbol Lexer::meant_comparison(Token token) {
  const bool is_shift = token == Token::SHIFT_RIGHT;
  report(Diag::AngleBlockComparison, span_,
         is_shift ? "syntax: '>>' closes this '< >' block; a shift or comparison in it needs parentheses"
                  : "syntax: '>' closes this '< >' block; a comparison in it needs parentheses")
      .with_note(open_.back().span, "the block opens here")
      .with_hint(is_shift ? "write (a >> b), or use '{ }' for the block" : "write (a > b), or use '{ }' for the block");
  return plain(token);
}

// ---- words and literals ----

Lexer::Symbol Lexer::word() {
  const std::string_view text = token_text();
  const auto identifier = [&] { return Grammar::make_IDENTIFIER(std::string(text), span_); };
  if (is_one_of(last_kind_, {Kind::S_DOT, Kind::S_ARROW})) return identifier();  // a field may have any name
  const auto* keyword = std::find_if(std::begin(kKeywords), std::end(kKeywords), [&](const Keyword& k) { return k.word == text; });
  if (keyword == std::end(kKeywords)) return identifier();
  if (keyword->token == Token::IMPORT && char_at(text_, skip_layout(text_, span_.end)) != '"') return identifier();
  const bool has_head = keyword->token == Token::IF || keyword->token == Token::WHILE || keyword->token == Token::FOR ||
                        keyword->token == Token::UNROLL;
  if (has_head && !open_.empty()) open_.back().in_condition = true;
  return plain(keyword->token == Token::IF && at_statement_start() ? Token::IF_STMT : keyword->token);
}

Lexer::Symbol Lexer::integer() {
  IntegerLiteral literal;
  if (const auto error = read_integer(token_text(), literal)) {
    const Span at{span_.file, static_cast<std::uint32_t>(span_.begin + error->begin), static_cast<std::uint32_t>(span_.begin + error->end)};
    report(Diag::InvalidLiteral, at, error->message).with_hint(error->hint);
  }
  return Grammar::make_INTEGER(std::move(literal), span_);
}

Lexer::Symbol Lexer::string(bool terminated) {
  if (!terminated) {
    report(Diag::SyntaxError, span_, "syntax: unterminated string").with_hint("a string ends with '\"' on the same line; \\n is a newline");
    return error_token();
  }
  std::string value;
  for (const LiteralError& error : read_string(token_text().substr(1, token_length() - 2), value)) {
    const auto begin = static_cast<std::uint32_t>(span_.begin + 1 + error.begin);
    report(Diag::InvalidLiteral, {span_.file, begin, begin + static_cast<std::uint32_t>(error.end - error.begin)}, error.message)
        .with_hint(error.hint);
  }
  return Grammar::make_STRING(std::move(value), span_);
}

Lexer::Symbol Lexer::positional() {
  std::uint64_t number = 0;
  for (char c : token_text().substr(1)) number = std::min<std::uint64_t>(number * 10 + static_cast<std::uint64_t>(c - '0'), 0xffffffff);
  if (number == 0) report(Diag::SyntaxError, span_, "syntax: $0 is not a parameter, they start with $1");
  return Grammar::make_POSITIONAL(static_cast<std::uint32_t>(number), span_);
}

Lexer::Symbol Lexer::variable() { return Grammar::make_VARIABLE(std::string(token_text().substr(1)), span_); }
Lexer::Symbol Lexer::map() { return Grammar::make_MAP(std::string(token_text().substr(1)), span_); }

Lexer::Symbol Lexer::unterminated_comment() {
  end_token_at(span_.begin + 2);
  report(Diag::SyntaxError, span_, "syntax: this comment is not closed: expected '*/'");
  stop();
  return end_of_file();
}

Lexer::Symbol Lexer::single_quoted_text() {
  const std::string_view text = token_text();
  report(Diag::SyntaxError, span_, fmt::format("syntax: unexpected {}", text))
      .with_hint("strings stand in double quotes; there are no character literals")
      .with_edit(span_, fmt::format("\"{}\"", text.substr(1, text.size() - 2)));
  return error_token();
}

Lexer::Symbol Lexer::unexpected_bytes() {
  const std::string_view text = token_text();
  const char c = text.front();
  std::string message, hint;
  std::optional<Edit> edit;
  if (c == '$') {
    message = "syntax: '$' must be followed by a name, a number or '#'";
  } else if (c == '#') {
    message = "syntax: unexpected '#'";
    hint = "C directives stand in front of the probes; a comment starts with //";
    edit = Edit{span_, "//"};
  } else if (c == '\'') {
    message = "syntax: unexpected '";
    hint = "strings stand in double quotes; there are no character literals";
  } else if (c > ' ' && c < 0x7f) {
    message = fmt::format("syntax: unexpected character '{}'", c);
  } else if (utf8_sequence_length(text) > 1) {
    message = fmt::format("syntax: unexpected character '{}'", text.substr(0, utf8_sequence_length(text)));
  } else {
    message = fmt::format("syntax: unexpected byte 0x{:02x}", static_cast<unsigned char>(c));
  }
  Diagnostic& diagnostic = report(Diag::SyntaxError, span_, std::move(message)).with_hint(std::move(hint));
  if (edit) diagnostic.with_edit(edit->span, std::move(edit->text));
  return error_token();
}

}  // namespace trc::parser
