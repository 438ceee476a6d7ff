#include "parser/builder.h"

#include <fmt/format.h>

#include <algorithm>

namespace trc::parser {

using ast::Expr;
using ast::Stmt;

namespace {
/// The passes walk the tree recursively, with frames of up to a few kilobytes.
constexpr std::uint32_t kMaxDepth = 1000;
}  // namespace

void Builder::grow(const ast::Node* parent, ast::NodeId child) {
  depth_.resize(program_.arena->node_count(), 0);
  depth_[parent->id] = std::max(depth_[parent->id], depth_[child] + 1);
  if (depth_[parent->id] < kMaxDepth || too_deep_) return;
  too_deep_ = true;
  Span at = parent->span;
  at.end = std::min(at.end, at.begin + 1);
  lexer_.report(Diag::LimitExceeded, at, fmt::format("this is nested too deeply, the limit is {} levels", kMaxDepth))
      .with_hint("a long chain of operators counts as nesting: parentheses around groups of it make the tree flatter");
  lexer_.stop();
}

// ---- expressions ----

Expr Builder::integer(IntegerLiteral literal, Span span) {
  auto* node = make<ast::Integer>(span);
  node->value = literal.value;
  node->suffix = std::move(literal.suffix);
  return node;
}

Expr Builder::string(std::string value, Span span) {
  auto* node = make<ast::StringLiteral>(span);
  node->value = std::move(value);
  return node;
}

Expr Builder::boolean(bool value, Span span) {
  auto* node = make<ast::BoolLiteral>(span);
  node->value = value;
  return node;
}

Expr Builder::identifier(std::string name, Span span) {
  auto* node = make<ast::Identifier>(span);
  node->name = std::move(name);
  return node;
}

Expr Builder::variable(std::string name, Span span) {
  auto* node = make<ast::Variable>(span);
  node->name = std::move(name);
  return node;
}

Expr Builder::map(std::string name, Span span) {
  auto* node = make<ast::MapRef>(span);
  node->name = std::move(name);
  return node;
}

Expr Builder::map(std::string name, std::vector<Expr> keys, Span span) {
  auto* node = make<ast::MapRef>(span);
  grow(node, keys);
  node->name = std::move(name);
  node->keys = std::move(keys);
  node->has_keys = true;
  return node;
}

Expr Builder::positional(std::uint32_t number, Span span) {
  auto* node = make<ast::Positional>(span);
  node->number = number;
  return node;
}

Expr Builder::positional_count(Span span) { return make<ast::PositionalCount>(span); }

Expr Builder::call(std::string callee, Span callee_span, std::vector<Expr> args, Span span) {
  auto* node = make<ast::Call>(span);
  grow(node, args);
  node->callee = std::move(callee);
  node->callee_span = callee_span;
  node->args = std::move(args);
  return node;
}

bool Builder::is_stored_in(const Expr& target) const {
  return std::holds_alternative<ast::Variable*>(target) || std::holds_alternative<ast::MapRef*>(target);
}

Expr Builder::unary(ast::UnaryOp op, Expr operand, Span span) {
  using ast::UnaryOp;
  const bool increments = op == UnaryOp::PreIncrement || op == UnaryOp::PostIncrement;
  const bool decrements = op == UnaryOp::PreDecrement || op == UnaryOp::PostDecrement;
  if ((increments || decrements) && !is_stored_in(operand)) {
    lexer_.report(Diag::InvalidAssignment, ast::span_of(operand),
                  fmt::format("'{}' works on a variable or a map only", increments ? "++" : "--"));
  }
  if (op == UnaryOp::AddressOf) {
    auto* const* map = std::get_if<ast::MapRef*>(&operand);
    if (!std::holds_alternative<ast::Variable*>(operand) && (map == nullptr || (*map)->has_keys)) {
      lexer_.report(Diag::SyntaxError, span, "syntax: '&' takes the address of a variable or of a whole map only");
    }
  }
  auto* node = make<ast::Unary>(span);
  grow(node, operand);
  node->op = op;
  node->operand = operand;
  return node;
}

Expr Builder::binary(ast::BinaryOp op, Expr left, Expr right, Span op_span, Span span) {
  auto* node = make<ast::Binary>(span);
  grow(node, left);
  grow(node, right);
  node->op = op;
  node->left = left;
  node->right = right;
  node->op_span = op_span;
  return node;
}

Expr Builder::ternary(Expr condition, std::optional<Expr> then, Expr otherwise, Span span) {
  auto* node = make<ast::Ternary>(span);
  grow(node, condition);
  grow(node, then);
  grow(node, otherwise);
  node->condition = condition;
  node->then = then;
  node->otherwise = otherwise;
  return node;
}

Expr Builder::cast(ast::TypeName* type, Expr operand, Span span) {
  auto* node = make<ast::Cast>(span);
  grow(node, type);
  grow(node, operand);
  node->type = type;
  node->operand = operand;
  return node;
}

Expr Builder::field(Expr base, std::string name, Span name_span, bool arrow, Span span) {
  auto* node = make<ast::FieldAccess>(span);
  grow(node, base);
  node->base = base;
  node->field = std::move(name);
  node->field_span = name_span;
  node->arrow = arrow;
  return node;
}

Expr Builder::tuple_access(Expr base, const IntegerLiteral& index, Span index_span, Span span) {
  if (!index.plain || index.value > 0xffffffff) {
    lexer_.report(Diag::SyntaxError, index_span, "syntax: a tuple element is named by a plain number, as in .0");
  }
  auto* node = make<ast::TupleAccess>(span);
  grow(node, base);
  node->base = base;
  node->index = static_cast<std::uint32_t>(index.value);
  return node;
}

Expr Builder::index(Expr base, std::vector<Expr> indexes, Span span) {
  auto* node = make<ast::Index>(span);
  grow(node, base);
  grow(node, indexes);
  node->base = base;
  node->indexes = std::move(indexes);
  return node;
}

Expr Builder::tuple(std::vector<Expr> elements, Span span) {
  auto* node = make<ast::TupleExpr>(span);
  grow(node, elements);
  node->elements = std::move(elements);
  return node;
}

Expr Builder::record(std::vector<ast::RecordField> fields, Span span) {
  auto* node = make<ast::RecordExpr>(span);
  for (const ast::RecordField& f : fields) grow(node, f.value);
  node->fields = std::move(fields);
  return node;
}

// ---- blocks as values ----

bool Builder::yields_value(const ast::Block* block) const {
  if (block->value) return true;
  if (block->statements.empty() || !open_end_.contains(block)) return false;
  const Stmt& last = block->statements.back();
  if (auto* const* inner = std::get_if<ast::Block*>(&last)) return yields_value(*inner);
  auto* const* choice = std::get_if<ast::If*>(&last);
  return choice != nullptr && (*choice)->otherwise != nullptr && yields_value((*choice)->then) && yields_value((*choice)->otherwise);
}

/// In a block that is used as a value, a final `if … else …` or `{ … }` whose arms have values is the value.
void Builder::value_from_last_statement(ast::Block* block) {
  if (block == nullptr || block->value || !yields_value(block)) return;
  const Stmt last = block->statements.back();
  block->statements.pop_back();
  if (auto* const* inner = std::get_if<ast::Block*>(&last)) block->value = block_expr(*inner, (*inner)->span);
  else if (auto* const* choice = std::get_if<ast::If*>(&last)) block->value = if_expr(*choice, (*choice)->span);
  grow(block, block->value);
}

Expr Builder::block_expr(ast::Block* block, Span span) {
  value_from_last_statement(block);
  auto* node = make<ast::BlockExpr>(span);
  grow(node, block);
  node->block = block;
  return node;
}

Expr Builder::if_expr(ast::If* statement, Span span) {
  value_from_last_statement(statement->then);
  value_from_last_statement(statement->otherwise);
  auto* node = make<ast::IfExpr>(span);
  grow(node, statement);
  grow(node, statement->then);
  grow(node, statement->otherwise);
  node->comptime = statement->comptime;
  node->condition = statement->condition;
  node->then = statement->then;
  node->otherwise = statement->otherwise;
  return node;
}

// ---- operators on types ----

Expr Builder::size_of(TypeOrExpr what, Span span) {
  auto* node = make<ast::SizeOf>(span);
  grow(node, what.type);
  grow(node, what.operand);
  node->type = what.type;
  node->operand = what.operand;
  return node;
}

Expr Builder::offset_of(TypeOrExpr what, std::vector<std::string> path, Span span) {
  auto* node = make<ast::OffsetOf>(span);
  grow(node, what.type);
  grow(node, what.operand);
  node->type = what.type;
  node->operand = what.operand;
  node->path = std::move(path);
  return node;
}

Expr Builder::type_of(TypeOrExpr what, Span span) {
  auto* node = make<ast::TypeOf>(span);
  grow(node, what.type);
  grow(node, what.operand);
  node->type = what.type;
  node->operand = what.operand;
  return node;
}

Expr Builder::type_info(TypeOrExpr what, Span span) {
  auto* node = make<ast::TypeInfo>(span);
  grow(node, what.type);
  grow(node, what.operand);
  node->type = what.type;
  node->operand = what.operand;
  return node;
}

Expr Builder::comptime(Expr operand, Span span) {
  auto* node = make<ast::Comptime>(span);
  grow(node, operand);
  node->operand = operand;
  return node;
}

// ---- types ----

ast::TypeName* Builder::type(std::string tag, std::string name, Span span) {
  auto* node = make<ast::TypeName>(span);
  node->tag = std::move(tag);
  node->name = std::move(name);
  return node;
}

ast::TypeName* Builder::type(TypeOrExpr of, Span span) {
  auto* node = make<ast::TypeName>(span);
  grow(node, of.type);
  grow(node, of.operand);
  node->of = of.operand;
  node->of_type = of.type;
  return node;
}

ast::TypeName* Builder::with_suffix(ast::TypeName* type, ast::TypeSuffix suffix, Span span) {
  // The type becomes as deep as it is long, so a chain of suffixes counts like any other nesting.
  grow(type, type->id);
  type->suffixes.push_back(suffix);
  type->span = span;
  return type;
}

}  // namespace trc::parser
