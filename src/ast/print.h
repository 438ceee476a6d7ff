// Syntax tree to canonical source text (cli.md §4.1): parse(print(p)) equals p.
#pragma once

#include <string>

#include "ast/nodes.h"

namespace trc::ast {
std::string print(const Program& program);
/// The script itself in canonical layout (cli.md §4.1): its comments, literals, attach points and blank lines stay as they are written. What it
/// parses to is what `program` is. `program` has no errors and comes from `source`.
std::string format(const Program& program, const SourceFile& source);
/// Indented tree, one node a line, for -d ast and for the parse tests.
std::string dump(const Program& program);
}  // namespace trc::ast
