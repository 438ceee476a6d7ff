// A function or value of the language as one row: name, parameters, result, how it becomes typed operations, documentation. Rows
// stand in builtins/*.cc; builtins/catalogue.cc lists the families.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace trc::ast { class CallLowering; }  // ast/lowering.h; a row only names it

namespace trc::lang {

/// One parameter. `type` is a word that the checker knows: "int", "string", "literal int", "literal string", "pointer", "any", "map",
/// "map value", "stack", "name" (an identifier such as `monotonic`).
struct Param {
  std::string_view name;
  std::string_view type;
  bool optional = false;
  bool repeated = false;     ///< the last one may stand any number of times (printf)
};

struct HelperCall { int id; int shift = 0; std::uint64_t mask = ~std::uint64_t{0}; };  ///< (helper() >> shift) & mask
struct StdlibCall { std::string_view symbol; };
/// Types its result and builds its typed operations itself, see ast/lowering.h.
struct Custom { void (*lower)(ast::CallLowering&); };
using Lowering = std::variant<HelperCall, StdlibCall, Custom>;

enum class BuiltinForm : std::uint8_t {
  Function,   ///< needs parentheses
  Value,      ///< bare, or with ()
  Aggregate,  ///< only as the whole right-hand side of a map assignment
};

struct BuiltinSpec {
  std::string_view name;
  BuiltinForm form = BuiltinForm::Function;
  std::span<const Param> params;
  std::string_view result;   ///< type name ("uint64", "void", "string[16]"), or "" when Custom decides
  Lowering lower;
  std::string_view doc;      ///< one line
  std::string_view example;  ///< a script
  std::string_view prints;   ///< what the example prints, empty when it varies
  std::string_view unsafe;   ///< what it does that needs --unsafe ("runs a command"); empty: nothing
};

/// The rows, found by name. A script's overloads are rows with one name.
class Catalogue {
 public:
  explicit Catalogue(std::vector<std::span<const BuiltinSpec>> families);
  std::vector<const BuiltinSpec*> find(std::string_view name) const;
  std::vector<std::string> names() const;
  const std::vector<std::span<const BuiltinSpec>>& families() const { return families_; }

 private:
  std::vector<std::span<const BuiltinSpec>> families_;
};

}  // namespace trc::lang
