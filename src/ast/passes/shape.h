// What is known of the type of a variable or map while types are inferred. A Shape only ever widens, so inference ends.
#pragma once

#include <cstdint>
#include <vector>

#include "ast/typed_program.h"
#include "lang/type.h"

namespace trc::ast {

struct Shape {
  lang::Type type;              ///< None: nothing yet
  bool is_literal = false;      ///< an integer set only by non-negative literals so far: any integer type that holds `largest` will do
  std::uint64_t largest = 0;
  bool is_declared = false;     ///< `let $x: T`: never widened
  bool is_assumed = false;      ///< nothing was found out; stands for 0 until something is
  std::vector<Shape> members;   ///< of a tuple or record

  bool is_known() const { return !type.is(lang::TypeKind::None); }
};

/// A non-negative literal takes the type that its destination asks for.
bool is_flexible(const typed::Value& value);
/// The smallest signed integer type that holds a literal (uint64 above INT64_MAX).
lang::Type literal_type(std::uint64_t value);
lang::Type negative_literal_type(std::int64_t value);

Shape shape_of(const lang::Type& type);
Shape shape_of(const typed::Value& value);
/// The type a shape stands for now.
lang::Type settled(const Shape& shape);

enum class Joined : std::uint8_t { Same, Widened, Mismatch };
/// Widens `into` so that it holds `from` too.
Joined join(Shape& into, const Shape& from);

}  // namespace trc::ast
