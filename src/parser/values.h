// What grammar symbols carry besides tree nodes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ast/nodes.h"
#include "parser/literals.h"

namespace trc::parser {

/// A statement that needs a ';' unless it is the last one. A bare expression stays one until the parser knows whether it is the
/// value of the block.
struct Simple {
  std::optional<ast::Stmt> statement;
  std::optional<ast::Expr> expression;
};

struct Statements {
  std::vector<ast::Stmt> list;
  std::optional<ast::Expr> value;
  bool open_end = false;   // ends with a block that no ';' follows, so that it may become the value
};

struct OptionalType { ast::TypeName* type = nullptr; };
struct TypeOrExpr {
  ast::TypeName* type = nullptr;
  std::optional<ast::Expr> operand;
};
struct ForHead {
  std::string variable;
  Span variable_span;
  std::optional<ast::Expr> over, from, to;
};
struct Action {
  ast::Block* body = nullptr;
  bool angle = false;
};
struct ConfigValue {
  std::string text;
  bool is_string = false;
};

}  // namespace trc::parser
