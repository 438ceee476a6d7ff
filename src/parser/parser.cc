#include "parser/parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/builder.h"
#include "parser/grammar.h"
#include "parser/lexer.h"

namespace trc::parser {

ast::Program parse(const SourceFile& file, const ParseOptions& options, Diagnostics& diags) {
  constexpr std::size_t kMaxScript = std::size_t{4} << 20;  // a tree takes some hundred times its text
  ast::Program program;
  if (options.arena) program.arena = options.arena;
  if (file.text().size() > kMaxScript) {
    diags.report(Diag::LimitExceeded, {options.file_index, 0, 0}, "the script is larger than 4 MiB");
    return program;
  }
  Lexer lexer(file, options, diags);
  Builder build(program, lexer);
  // The result says only whether there was an error that could not be passed over; it has been reported.
  Grammar(lexer, build).parse();
  program.comments = lexer.comments();
  return program;
}

std::string dump_tokens(const SourceFile& file, const ParseOptions& options) {
  std::string out;
  Diagnostics diags;
  Lexer lexer(file, options, diags);
  while (true) {
    const Lexer::Symbol symbol = lexer.next();
    if (symbol.kind() == Grammar::symbol_kind::S_YYEOF) return out;
    const Span span = lexer.last_span();
    const LineColumn at = file.line_column(span.begin);
    std::string text(file.text().substr(span.begin, span.end - span.begin));
    std::replace(text.begin(), text.end(), '\n', ' ');
    out += fmt::format("{}:{} {} `{}`\n", at.line, at.column, Grammar::symbol_name(symbol.kind()), text);
    if (!diags.ok()) return out;
  }
}

}  // namespace trc::parser
