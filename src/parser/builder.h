// Makes the tree for the grammar's actions. Checks what is syntax but not grammar: what can be assigned, where definitions may stand, how deep
// a tree may be. Each function makes one node.
#pragma once

#include <initializer_list>
#include <string>
#include <unordered_set>
#include <vector>

#include "ast/nodes.h"
#include "parser/lexer.h"
#include "parser/values.h"

namespace trc::parser {

class Builder {
 public:
  Builder(ast::Program& program, Lexer& lexer) : program_(program), lexer_(lexer) {}

  // expressions
  ast::Expr integer(IntegerLiteral literal, Span span);
  ast::Expr string(std::string value, Span span);
  ast::Expr boolean(bool value, Span span);
  ast::Expr identifier(std::string name, Span span);
  ast::Expr variable(std::string name, Span span);
  ast::Expr map(std::string name, Span span);
  ast::Expr map(std::string name, std::vector<ast::Expr> keys, Span span);
  ast::Expr positional(std::uint32_t number, Span span);
  ast::Expr positional_count(Span span);
  ast::Expr call(std::string callee, Span callee_span, std::vector<ast::Expr> args, Span span);
  ast::Expr unary(ast::UnaryOp op, ast::Expr operand, Span span);
  ast::Expr binary(ast::BinaryOp op, ast::Expr left, ast::Expr right, Span op_span, Span span);
  ast::Expr ternary(ast::Expr condition, std::optional<ast::Expr> then, ast::Expr otherwise, Span span);
  ast::Expr cast(ast::TypeName* type, ast::Expr operand, Span span);
  ast::Expr field(ast::Expr base, std::string name, Span name_span, bool arrow, Span span);
  ast::Expr tuple_access(ast::Expr base, const IntegerLiteral& index, Span index_span, Span span);
  ast::Expr index(ast::Expr base, std::vector<ast::Expr> indexes, Span span);
  ast::Expr tuple(std::vector<ast::Expr> elements, Span span);
  ast::Expr record(std::vector<ast::RecordField> fields, Span span);
  ast::Expr block_expr(ast::Block* block, Span span);
  ast::Expr if_expr(ast::If* statement, Span span);
  ast::Expr size_of(TypeOrExpr what, Span span);
  ast::Expr offset_of(TypeOrExpr what, std::vector<std::string> path, Span span);
  ast::Expr type_of(TypeOrExpr what, Span span);
  ast::Expr type_info(TypeOrExpr what, Span span);
  ast::Expr comptime(ast::Expr operand, Span span);

  // types
  ast::TypeName* type(std::string tag, std::string name, Span span);
  ast::TypeName* type(TypeOrExpr of, Span span);
  ast::TypeName* with_suffix(ast::TypeName* type, ast::TypeSuffix suffix, Span span);

  // statements
  ast::Block* block(Statements statements, Span span);
  void add(Statements& to, Simple statement);
  void add_last(Statements& to, Simple statement);
  void add_block(Statements& to, ast::Stmt statement);
  ast::Stmt let(std::string name, Span name_span, ast::TypeName* type, std::optional<ast::Expr> init, Span span);
  ast::Stmt assign(ast::Expr target, std::optional<ast::BinaryOp> op, ast::Expr value, Span span);
  ast::Stmt return_(std::optional<ast::Expr> value, Span span);
  ast::Stmt break_(Span span);
  ast::Stmt continue_(Span span);
  ast::Stmt import_statement(std::string path, Span span);
  ast::If* if_(ast::Expr condition, ast::Block* then, ast::Block* otherwise, Span span);
  ast::Block* else_if(ast::If* statement);
  ast::Stmt while_(ast::Expr condition, ast::Block* body, Span span);
  ast::Stmt for_(ForHead head, ast::Block* body, Span span);
  ast::Stmt unroll(ast::Expr count, ast::Block* body, Span span);
  ForHead for_over(std::string variable, Span variable_span, ast::Expr over);

  // top level
  void c_definition(std::string text, Span span);
  void import(std::string path, Span span);
  void config(std::vector<ast::ConfigEntry> entries, Span span);
  void map_declaration(std::string name, std::string kind, const IntegerLiteral& max_entries, Span span);
  void macro(std::string name, std::vector<ast::MacroParameter> parameters, ast::Block* body, Span span);
  void function(std::string name, std::vector<ast::FunctionParameter> parameters, ast::TypeName* result, ast::Block* body, Span span);
  ast::AttachPoint* attach_point(std::string name, std::string text, Span span);
  void probe(std::vector<ast::AttachPoint*> attach_points, std::optional<ast::Expr> predicate, Action action, Span span);

 private:
  template <class T>
  T* make(Span span) { return program_.arena->make<T>(span); }
  // Records how deep the tree below `parent` is; gives up when it gets too deep for recursive passes.
  void grow(const ast::Node* parent, ast::NodeId child);
  void grow(const ast::Node* parent, const ast::Expr& child) { grow(parent, ast::id_of(child)); }
  void grow(const ast::Node* parent, const std::optional<ast::Expr>& child) { if (child) grow(parent, *child); }
  void grow(const ast::Node* parent, const std::vector<ast::Expr>& children) { for (const ast::Expr& e : children) grow(parent, e); }
  void grow(const ast::Node* parent, const ast::Node* child) { if (child != nullptr) grow(parent, child->id); }
  bool is_stored_in(const ast::Expr& target) const;
  bool unwrap_comptime(ast::Expr& condition) const;
  bool yields_value(const ast::Block* block) const;
  void value_from_last_statement(ast::Block* block);
  void check_order(Span span, const char* what);

  ast::Program& program_;
  Lexer& lexer_;
  std::vector<std::uint32_t> depth_;                 // by NodeId
  std::unordered_set<const ast::Block*> open_end_;   // blocks whose last statement is a block without ';'
  bool too_deep_ = false;
};

}  // namespace trc::parser
