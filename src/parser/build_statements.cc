// Builder: statements and top-level items.
#include <fmt/format.h>

#include "parser/builder.h"

namespace trc::parser {

using ast::Expr;
using ast::Stmt;

ast::Block* Builder::block(Statements statements, Span span) {
  auto* node = make<ast::Block>(span);
  for (const Stmt& s : statements.list) grow(node, std::visit([](auto* n) { return n->id; }, s));
  grow(node, statements.value);
  node->statements = std::move(statements.list);
  node->value = statements.value;
  if (statements.open_end) open_end_.insert(node);
  return node;
}

void Builder::add(Statements& to, Simple statement) {
  to.open_end = false;
  if (statement.statement) {
    to.list.push_back(*statement.statement);
  } else if (statement.expression) {
    auto* node = make<ast::ExprStmt>(ast::span_of(*statement.expression));
    grow(node, statement.expression);
    node->expr = *statement.expression;
    to.list.push_back(node);
  }
}

void Builder::add_last(Statements& to, Simple statement) {
  to.open_end = false;
  if (statement.statement) to.list.push_back(*statement.statement);
  to.value = statement.expression;
}

void Builder::add_block(Statements& to, Stmt statement) {
  to.list.push_back(statement);
  to.open_end = true;
}

Stmt Builder::let(std::string name, Span name_span, ast::TypeName* type, std::optional<Expr> init, Span span) {
  auto* node = make<ast::Let>(span);
  grow(node, type);
  grow(node, init);
  node->name = std::move(name);
  node->name_span = name_span;
  node->type = type;
  node->init = init;
  return node;
}

namespace {

bool is_underscore(const Expr& target) {
  auto* const* identifier = std::get_if<ast::Identifier*>(&target);
  return identifier != nullptr && (*identifier)->name == "_";
}

/// Why `target` cannot be assigned to.
std::string refuse_target(const Expr& target) {
  if (std::holds_alternative<ast::FieldAccess*>(target) || std::holds_alternative<ast::TupleAccess*>(target)) {
    return "a field cannot be assigned: structs are read-only here, tuples and records cannot be changed once made";
  }
  if (std::holds_alternative<ast::Index*>(target)) return "an array element cannot be assigned";
  if (std::holds_alternative<ast::TupleExpr*>(target)) return "a tuple cannot be assigned to: name one variable and use its .0, .1, …";
  if (auto* const* unary = std::get_if<ast::Unary*>(&target); unary != nullptr && (*unary)->op == ast::UnaryOp::Dereference) {
    return "memory cannot be written through a pointer";
  }
  return "only variables and maps can be assigned";
}

}  // namespace

Stmt Builder::assign(Expr target, std::optional<ast::BinaryOp> op, Expr value, Span span) {
  if (is_underscore(target) && !op) {
    auto* node = make<ast::Discard>(span);
    grow(node, value);
    node->value = value;
    return node;
  }
  if (!is_stored_in(target)) {
    const Diag code = std::holds_alternative<ast::Unary*>(target) || std::holds_alternative<ast::TupleExpr*>(target) ? Diag::SyntaxError
                                                                                                                    : Diag::InvalidAssignment;
    Diagnostic& report = lexer_.report(code, ast::span_of(target), (code == Diag::SyntaxError ? "syntax: " : "") + refuse_target(target));
    if (auto* const* word = std::get_if<ast::Identifier*>(&target); word != nullptr && (*word)->name != "_") {
      report.with_hint(fmt::format("variables begin with '$' (${0}), maps with '@' (@{0})", (*word)->name));
    }
  }
  auto* node = make<ast::Assign>(span);
  grow(node, target);
  grow(node, value);
  node->target = target;
  node->op = op;
  node->value = value;
  return node;
}

Stmt Builder::return_(std::optional<Expr> value, Span span) {
  auto* node = make<ast::Return>(span);
  grow(node, value);
  node->value = value;
  return node;
}

Stmt Builder::break_(Span span) { return make<ast::Break>(span); }
Stmt Builder::continue_(Span span) { return make<ast::Continue>(span); }

Stmt Builder::import_statement(std::string path, Span span) {
  auto* node = make<ast::ImportStmt>(span);
  node->path = std::move(path);
  return node;
}

/// `if comptime (c)`: the word belongs to the statement, not to the expression.
bool Builder::unwrap_comptime(Expr& condition) const {
  auto* const* comptime = std::get_if<ast::Comptime*>(&condition);
  if (comptime == nullptr) return false;
  condition = (*comptime)->operand;
  return true;
}

ast::If* Builder::if_(Expr condition, ast::Block* then, ast::Block* otherwise, Span span) {
  auto* node = make<ast::If>(span);
  node->comptime = unwrap_comptime(condition);
  grow(node, condition);
  grow(node, then);
  grow(node, otherwise);
  node->condition = condition;
  node->then = then;
  node->otherwise = otherwise;
  return node;
}

ast::Block* Builder::else_if(ast::If* statement) {
  Statements only;
  add_block(only, statement);
  return block(std::move(only), statement->span);
}

Stmt Builder::while_(Expr condition, ast::Block* body, Span span) {
  auto* node = make<ast::While>(span);
  grow(node, condition);
  grow(node, body);
  node->condition = condition;
  node->body = body;
  return node;
}

ForHead Builder::for_over(std::string variable, Span variable_span, Expr over) {
  auto* const* map = std::get_if<ast::MapRef*>(&over);
  if (map == nullptr || (*map)->has_keys) {
    lexer_.report(Diag::SyntaxError, ast::span_of(over), "syntax: a for loop goes over a map, or over a range such as 0..10");
  }
  ForHead head;
  head.variable = std::move(variable);
  head.variable_span = variable_span;
  head.over = over;
  return head;
}

Stmt Builder::for_(ForHead head, ast::Block* body, Span span) {
  auto* node = make<ast::For>(span);
  grow(node, head.over);
  grow(node, head.from);
  grow(node, head.to);
  grow(node, body);
  node->variable = std::move(head.variable);
  node->variable_span = head.variable_span;
  node->over = head.over;
  node->from = head.from;
  node->to = head.to;
  node->body = body;
  return node;
}

Stmt Builder::unroll(Expr count, ast::Block* body, Span span) {
  auto* node = make<ast::Unroll>(span);
  grow(node, count);
  grow(node, body);
  node->count = count;
  node->body = body;
  return node;
}

// ---- top level ----

/// Is anything there already that `what` must come before?
void Builder::check_order(Span span, const char* what) {
  const bool late = !program_.probes.empty() || !program_.functions.empty() || !program_.macros.empty();
  if (late) lexer_.report(Diag::SyntaxError, span, fmt::format("syntax: {} must appear before probes, macros and functions", what));
}

void Builder::c_definition(std::string text, Span span) {
  check_order({span.file, span.begin, span.begin + static_cast<std::uint32_t>(text.substr(0, text.find('\n')).size())}, "C definitions");
  auto* node = make<ast::CDefinition>(span);
  node->text = std::move(text);
  program_.c_definitions.push_back(node);
}

void Builder::import(std::string path, Span span) {
  check_order(span, "imports");
  auto* node = make<ast::Import>(span);
  node->path = std::move(path);
  program_.imports.push_back(node);
}

void Builder::config(std::vector<ast::ConfigEntry> entries, Span span) {
  if (program_.config != nullptr) {
    lexer_.report(Diag::Redeclared, span, "there is a config block already").with_note(program_.config->span, "it is here");
    return;
  }
  check_order(span, "the config block");
  auto* node = make<ast::Config>(span);
  node->entries = std::move(entries);
  program_.config = node;
}

void Builder::map_declaration(std::string name, std::string kind, const IntegerLiteral& max_entries, Span span) {
  auto* node = make<ast::MapDeclaration>(span);
  node->name = std::move(name);
  node->kind = std::move(kind);
  node->max_entries = max_entries.value;
  program_.map_declarations.push_back(node);
}

void Builder::macro(std::string name, std::vector<ast::MacroParameter> parameters, ast::Block* body, Span span) {
  value_from_last_statement(body);
  auto* node = make<ast::Macro>(span);
  grow(node, body);
  node->name = std::move(name);
  node->parameters = std::move(parameters);
  node->body = body;
  program_.macros.push_back(node);
}

void Builder::function(std::string name, std::vector<ast::FunctionParameter> parameters, ast::TypeName* result, ast::Block* body, Span span) {
  auto* node = make<ast::Function>(span);
  grow(node, body);
  node->name = std::move(name);
  node->parameters = std::move(parameters);
  node->result = result;
  node->body = body;
  program_.functions.push_back(node);
}

ast::AttachPoint* Builder::attach_point(std::string name, std::string text, Span span) {
  auto* node = make<ast::AttachPoint>(span);
  node->name = std::move(name);
  node->text = std::move(text);
  return node;
}

void Builder::probe(std::vector<ast::AttachPoint*> attach_points, std::optional<Expr> predicate, Action action, Span span) {
  auto* node = make<ast::Probe>(span);
  grow(node, predicate);
  grow(node, action.body);
  node->attach_points = std::move(attach_points);
  node->predicate = predicate;
  node->body = action.body;
  node->angle = action.angle;
  program_.probes.push_back(node);
}

}  // namespace trc::parser
