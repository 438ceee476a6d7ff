// Text to syntax tree. The only thing the rest of trc knows of flex and bison.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ast/nodes.h"
#include "source/diagnostics.h"

namespace trc::parser {

struct ParseOptions {
  /// Positional parameters, replaced textually inside attach points ($1, …); an unset one becomes empty.
  std::vector<std::string> positionals;
  /// Index of the file, put into every Span.
  std::uint32_t file_index = 0;
  /// Where the nodes go, so that several files can become one program; null: the program gets an arena of its own.
  std::shared_ptr<ast::Arena> arena;
};

/// Words that are neither names nor builtins.
std::vector<std::string_view> keywords();

/// Parses a whole script. Syntax errors go to `diags` (several per run); what could be parsed is returned all the same.
ast::Program parse(const SourceFile& file, const ParseOptions& options, Diagnostics& diags);

/// The tokens of a script, one a line with its position, for -d tokens. Ends at the first error that the lexer sees.
std::string dump_tokens(const SourceFile& file, const ParseOptions& options);

}  // namespace trc::parser
