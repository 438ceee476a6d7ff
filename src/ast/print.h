// Syntax tree to canonical source text (cli.md §4.1): parse(print(p)) equals p.
#pragma once

#include <string>

#include "ast/nodes.h"

namespace trc::ast {
std::string print(const Program& program);
/// Indented tree, one node a line, for -d ast and for the parse tests.
std::string dump(const Program& program);
}  // namespace trc::ast
