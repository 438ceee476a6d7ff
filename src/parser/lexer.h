// Tokens for the grammar. flex (lexer.l) cuts the text; this class knows what cannot be seen in one token: which brackets are open, whether
// a '>' closes an angle block, where a probe header begins. It also skips to the end of a broken statement.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/grammar.h"
#include "parser/parser.h"
#include "source/diagnostics.h"

namespace trc::parser {

class Lexer {
 public:
  using Symbol = Grammar::symbol_type;
  using Kind = Grammar::symbol_kind_type;
  using Token = Grammar::token_kind_type;

  Lexer(const SourceFile& file, const ParseOptions& options, Diagnostics& diags);
  ~Lexer();
  Lexer(const Lexer&) = delete;
  Lexer& operator=(const Lexer&) = delete;

  /// The next token for the parser.
  Symbol next();

  /// Called for each syntax error: the rest of the statement is to be skipped, the last token included unless it ends the statement.
  void start_recovery();
  /// Gives up: only the end of the file follows, and further syntax errors are not worth a report.
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }
  /// Reports, and gives up when there have been too many.
  Diagnostic& report(Diag code, Span span, std::string message);

  // ---- what error messages ask for ----
  enum class Bracket : std::uint8_t { Brace, Angle, Predicate, Paren, Square };
  struct Open {
    Bracket bracket;
    Span span;
    int region = -1;            // index of the innermost block or predicate, itself included; -1: none
    bool in_condition = false;  // behind if, while, for or unroll, whose body has not come yet
    int open_ternaries = 0;     // '?' without its ':'
  };
  /// The innermost bracket that was open in front of the last token; none at top level.
  const std::optional<Open>& innermost() const { return before_.innermost; }
  std::string_view text() const { return text_; }
  Span last_span() const { return span_; }
  /// The token in front of the last one; where something is missing, it is missing behind this.
  Kind before_last_kind() const { return before_.kind; }
  Span before_last_span() const { return before_.span; }
  /// The last '>' that closed an angle block right behind an operand, as a comparison would stand; empty span if none.
  Span suspicious_close() const { return suspicious_close_; }
  /// The token in front of the last one, as it stands in the script.
  std::string_view before_last_text() const { return text_.substr(before_.span.begin, before_.span.end - before_.span.begin); }

  // ---- called by the rules in lexer.l; the current token is span_ ----
  void begin_token(std::size_t length);
  bool in_header() const { return open_.empty() && !in_item_; }
  /// How long the token turned out to be; a rule's match may have been longer or shorter.
  std::size_t token_length() const { return span_.end - span_.begin; }
  std::string_view token_text() const { return text_.substr(span_.begin, token_length()); }
  void comment();                      // a whole comment: noted, and passed over
  const std::vector<Span>& comments() const { return comments_; }
  Symbol plain(Token token);           // a token without a value
  Symbol end_of_file();
  Symbol header_item();                // the start of an attach point, or of another top-level item
  Symbol c_directive();
  Symbol word();
  Symbol integer();
  Symbol string(bool terminated);
  Symbol positional();
  Symbol variable();
  Symbol map();
  Symbol open_paren();
  Symbol open_brace();
  Symbol open_angle();
  Symbol close_brace();
  Symbol close(Bracket bracket, Token token);
  Symbol greater();                    // '>' and '>>'
  Symbol slash();
  Symbol semicolon();
  Symbol open(Bracket bracket, Token token);
  Symbol ternary(Token token);         // '?' and ':'
  Symbol unterminated_comment();
  Symbol unexpected_bytes();
  Symbol single_quoted_text();

 private:
  Symbol scan();                       // one token, with the book-keeping around it
  Symbol skip_statement();
  Symbol error_token();
  void end_token_at(std::size_t offset);
  bool at_statement_start() const;
  bool last_ends_operand() const;
  bool opens(Bracket bracket) const { return !open_.empty() && open_.back().bracket == bracket; }
  void drop_parentheses();             // those above the innermost block
  void leave_item();
  Symbol item_keyword(Token token, std::size_t word_end);
  Symbol attach_name(std::size_t word_end, std::size_t equals);
  Symbol attach_point();
  Symbol c_aggregate();
  Symbol c_typedef();
  /// Ends at `end`; npos: it does not end, for lack of what is expected.
  Symbol c_definition(std::size_t end, std::string_view expected);
  Symbol meant_comparison(Token token);

  std::string_view text_;
  const ParseOptions& options_;
  Diagnostics& diags_;
  void* scanner_;

  Span span_;                          // the current token; the next one starts at its end or later
  std::vector<Open> open_;
  bool in_item_ = false;               // in a top-level item that is no probe, in front of its braces
  Kind last_kind_ = Kind::S_YYEMPTY;
  struct Before {                      // how things stood in front of the last token
    Kind kind = Kind::S_YYEMPTY;
    Span span;
    std::optional<Open> innermost;
    std::size_t depth = 0;
  } before_;
  bool recovering_ = false;
  std::size_t recovery_depth_ = 0;     // open_.size() inside the block whose statement is skipped
  bool stopped_ = false;
  std::size_t reports_ = 0;
  std::size_t missing_reports_ = 0;
  Span suspicious_close_;
  std::vector<Span> comments_;
};

}  // namespace trc::parser
