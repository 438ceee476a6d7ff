#include "parser/parser.h"

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
  return program;
}

}  // namespace trc::parser
