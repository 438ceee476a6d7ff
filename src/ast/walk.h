// The shape of the tree, written once: for_each_child calls `f` with every child (Expr&, Stmt&, Block&) in the order of evaluation.
// Walker visits a whole tree in that order and calls enter(node) and leave(node) where the derived class has them.
#pragma once

#include <type_traits>
#include <variant>

#include "ast/nodes.h"

namespace trc::ast {

template <class N, class F>
void for_each_child(N& n, F&& f) {
  using Plain = std::remove_const_t<N>;
  auto maybe = [&](auto& child) {
    if (child) f(*child);
  };
  auto each = [&](auto& children) {
    for (auto& child : children) f(child);
  };
  if constexpr (std::is_same_v<Plain, MapRef>) {
    each(n.keys);
  } else if constexpr (std::is_same_v<Plain, Call>) {
    each(n.args);
  } else if constexpr (std::is_same_v<Plain, Unary> || std::is_same_v<Plain, Cast> || std::is_same_v<Plain, Comptime>) {
    f(n.operand);
  } else if constexpr (std::is_same_v<Plain, Binary>) {
    f(n.left);
    f(n.right);
  } else if constexpr (std::is_same_v<Plain, Ternary>) {
    f(n.condition);
    maybe(n.then);
    f(n.otherwise);
  } else if constexpr (std::is_same_v<Plain, FieldAccess> || std::is_same_v<Plain, TupleAccess>) {
    f(n.base);
  } else if constexpr (std::is_same_v<Plain, Index>) {
    f(n.base);
    each(n.indexes);
  } else if constexpr (std::is_same_v<Plain, TupleExpr>) {
    each(n.elements);
  } else if constexpr (std::is_same_v<Plain, RecordExpr>) {
    for (auto& field : n.fields) f(field.value);
  } else if constexpr (std::is_same_v<Plain, BlockExpr>) {
    maybe(n.block);
  } else if constexpr (std::is_same_v<Plain, IfExpr> || std::is_same_v<Plain, If>) {
    f(n.condition);
    maybe(n.then);
    maybe(n.otherwise);
  } else if constexpr (std::is_same_v<Plain, SizeOf> || std::is_same_v<Plain, OffsetOf> || std::is_same_v<Plain, TypeOf> ||
                       std::is_same_v<Plain, TypeInfo>) {
    maybe(n.operand);
  } else if constexpr (std::is_same_v<Plain, Block>) {
    each(n.statements);
    maybe(n.value);
  } else if constexpr (std::is_same_v<Plain, ExprStmt>) {
    f(n.expr);
  } else if constexpr (std::is_same_v<Plain, Let>) {
    maybe(n.init);
  } else if constexpr (std::is_same_v<Plain, Assign>) {
    f(n.value);
    f(n.target);
  } else if constexpr (std::is_same_v<Plain, Discard>) {
    f(n.value);
  } else if constexpr (std::is_same_v<Plain, While>) {
    f(n.condition);
    maybe(n.body);
  } else if constexpr (std::is_same_v<Plain, For>) {
    maybe(n.over);
    maybe(n.from);
    maybe(n.to);
    maybe(n.body);
  } else if constexpr (std::is_same_v<Plain, Unroll>) {
    f(n.count);
    maybe(n.body);
  } else if constexpr (std::is_same_v<Plain, Return>) {
    maybe(n.value);
  } else if constexpr (std::is_same_v<Plain, Probe>) {
    maybe(n.predicate);
    maybe(n.body);
  } else {
    static_assert(std::is_same_v<Plain, Integer> || std::is_same_v<Plain, StringLiteral> || std::is_same_v<Plain, BoolLiteral> ||
                      std::is_same_v<Plain, Identifier> || std::is_same_v<Plain, Variable> || std::is_same_v<Plain, Positional> ||
                      std::is_same_v<Plain, PositionalCount> || std::is_same_v<Plain, Break> || std::is_same_v<Plain, Continue> ||
                      std::is_same_v<Plain, ImportStmt>,
                  "say here which children this node has");
  }
}

template <class Self>
class Walker {
 public:
  void walk(const Expr& e) {
    std::visit([&](auto* n) { walk(*n); }, e);
  }
  void walk(const Stmt& s) {
    std::visit([&](auto* n) { walk(*n); }, s);
  }
  template <class N>
  void walk(const N& n) {
    auto& self = static_cast<Self&>(*this);
    if constexpr (requires { self.enter(n); }) self.enter(n);
    for_each_child(n, [&](const auto& child) { walk(child); });
    if constexpr (requires { self.leave(n); }) self.leave(n);
  }
};

}  // namespace trc::ast
