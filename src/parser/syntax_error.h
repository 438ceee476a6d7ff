// Words for a syntax error: what was found, what would have been accepted, and what was probably meant.
#pragma once

#include <vector>

#include "parser/grammar.h"

namespace trc::parser {

class Lexer;

/// Reports that `found` (at `at`, the lexer's last token) does not fit; `expected` is what would.
void report_unexpected(Lexer& lexer, Grammar::symbol_kind_type found, Span at, const std::vector<Grammar::symbol_kind_type>& expected);

}  // namespace trc::parser
