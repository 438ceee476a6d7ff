// How single things are spelt in the language: operators, string literals, types.
#pragma once

#include <string>
#include <string_view>

#include "ast/nodes.h"

namespace trc::ast {

const char* spelling(UnaryOp op);
const char* spelling(BinaryOp op);
/// From 1 (loosest, `||`) to 10 (tightest, `*`); all are left-associative.
int precedence(BinaryOp op);
inline bool is_postfix(UnaryOp op) { return op == UnaryOp::PostIncrement || op == UnaryOp::PostDecrement; }
/// The value as a string literal, quotes included.
std::string quoted(std::string_view value);
/// "*", "[4]", "[]"
std::string spelling(const TypeSuffix& suffix);

}  // namespace trc::ast
