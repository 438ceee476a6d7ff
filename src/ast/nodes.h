// The syntax tree, as the parser builds it and nobody changes it afterwards. Plain structs in an Arena; each category is a
// closed variant of pointers. Analyses keep their results in vectors indexed by NodeId. The whole language has nodes here,
// also what later passes refuse by name.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "source/source_file.h"

namespace trc::ast {

using NodeId = std::uint32_t;

struct Node {
  NodeId id = 0;
  Span span;
};

struct Integer; struct StringLiteral; struct BoolLiteral; struct Identifier; struct Variable; struct MapRef;
struct Positional; struct PositionalCount; struct Call; struct Unary; struct Binary; struct Ternary; struct Cast;
struct FieldAccess; struct TupleAccess; struct Index; struct TupleExpr; struct RecordExpr; struct BlockExpr; struct IfExpr;
struct SizeOf; struct OffsetOf; struct TypeOf; struct TypeInfo; struct Comptime;

using Expr = std::variant<Integer*, StringLiteral*, BoolLiteral*, Identifier*, Variable*, MapRef*, Positional*, PositionalCount*,
                          Call*, Unary*, Binary*, Ternary*, Cast*, FieldAccess*, TupleAccess*, Index*, TupleExpr*, RecordExpr*,
                          BlockExpr*, IfExpr*, SizeOf*, OffsetOf*, TypeOf*, TypeInfo*, Comptime*>;

struct ExprStmt; struct Let; struct Assign; struct Discard; struct If; struct While; struct For; struct Unroll; struct Block;
struct Break; struct Continue; struct Return; struct ImportStmt;

using Stmt = std::variant<ExprStmt*, Let*, Assign*, Discard*, If*, While*, For*, Unroll*, Block*, Break*, Continue*, Return*, ImportStmt*>;

// ---- types as written ----
struct TypeSuffix { bool is_pointer = false; bool has_count = false; std::uint64_t count = 0; };  // '*' or '[N]' / '[]', left to right
struct TypeName : Node {
  std::string tag;               // "struct", "union", "enum" or empty
  std::string name;              // "uint64", "string", a tag name, a typedef
  std::optional<Expr> of;        // typeof(expr); name empty then
  TypeName* of_type = nullptr;   // typeof(type)
  std::vector<TypeSuffix> suffixes;
};

// ---- expressions ----
struct Integer : Node { std::uint64_t value = 0; std::string suffix; };  // suffix lower-cased: "", "u", "ul", …; durations already in ns
struct StringLiteral : Node { std::string value; };                      // escapes resolved; may hold NUL
struct BoolLiteral : Node { bool value = false; };
struct Identifier : Node { std::string name; };                          // builtin value, constant, macro without (); "": reported already
// `expansion`, here and in Let and For: the expansion of the macro whose own variable it is, as in Span; 0: one of the script's.
struct Variable : Node { std::string name; std::uint32_t expansion = 0; };  // without '$'
struct MapRef : Node { std::string name; std::vector<Expr> keys; bool has_keys = false; };  // without '@'; "" is the anonymous map
struct Positional : Node { std::uint32_t number = 0; };                  // $1 …
struct PositionalCount : Node {};                                        // $#
struct Call : Node { std::string callee; Span callee_span; std::vector<Expr> args; };

enum class UnaryOp : std::uint8_t { Not, BitNot, Negate, Dereference, AddressOf, PreIncrement, PreDecrement, PostIncrement, PostDecrement };
struct Unary : Node { UnaryOp op = UnaryOp::Not; Expr operand; };

enum class BinaryOp : std::uint8_t { LogicalOr, LogicalAnd, BitOr, BitXor, BitAnd, Equal, NotEqual, Less, LessEqual, Greater,
                                     GreaterEqual, ShiftLeft, ShiftRight, Add, Subtract, Multiply, Divide, Modulo };
struct Binary : Node { BinaryOp op = BinaryOp::Add; Expr left, right; Span op_span; };
struct Ternary : Node { Expr condition; std::optional<Expr> then; Expr otherwise; };  // no `then`: c ?: otherwise
struct Cast : Node { TypeName* type = nullptr; Expr operand; };
struct FieldAccess : Node { Expr base; std::string field; Span field_span; bool arrow = false; };
struct TupleAccess : Node { Expr base; std::uint32_t index = 0; };
struct Index : Node { Expr base; std::vector<Expr> indexes; };
struct TupleExpr : Node { std::vector<Expr> elements; };
struct RecordField { std::string name; Span name_span; Expr value; };
struct RecordExpr : Node { std::vector<RecordField> fields; };
struct BlockExpr : Node { Block* block = nullptr; };                     // { s; s; e }: value of block->value
struct IfExpr : Node { bool comptime = false; Expr condition; Block* then = nullptr; Block* otherwise = nullptr; };
struct SizeOf : Node { TypeName* type = nullptr; std::optional<Expr> operand; };
struct OffsetOf : Node { TypeName* type = nullptr; std::optional<Expr> operand; std::vector<std::string> path; };
struct TypeOf : Node { TypeName* type = nullptr; std::optional<Expr> operand; };
struct TypeInfo : Node { TypeName* type = nullptr; std::optional<Expr> operand; };
struct Comptime : Node { Expr operand; };

// ---- statements ----
struct Block : Node { std::vector<Stmt> statements; std::optional<Expr> value; };  // value: trailing expression without ';'
struct ExprStmt : Node { Expr expr; };
struct Let : Node { std::string name; std::uint32_t expansion = 0; Span name_span; TypeName* type = nullptr; std::optional<Expr> init; };
struct Assign : Node { Expr target; std::optional<BinaryOp> op; Expr value; };     // op: compound assignment
struct Discard : Node { Expr value; };                                             // _ = e
struct If : Node { bool comptime = false; Expr condition; Block* then = nullptr; Block* otherwise = nullptr; };
struct While : Node { Expr condition; Block* body = nullptr; };
struct For : Node { std::string variable; std::uint32_t expansion = 0; Span variable_span; std::optional<Expr> over; std::optional<Expr> from, to; Block* body = nullptr; };
struct Unroll : Node { Expr count; Block* body = nullptr; };
struct Break : Node {};
struct Continue : Node {};
struct Return : Node { std::optional<Expr> value; };
struct ImportStmt : Node { std::string path; };

// ---- top level ----
struct AttachPoint : Node { std::string name; std::string text; };       // raw text, positional parameters already substituted
struct Probe : Node { std::vector<AttachPoint*> attach_points; std::optional<Expr> predicate; Block* body = nullptr; bool angle = false; };
struct MapDeclaration : Node { std::string name; std::string kind; std::uint64_t max_entries = 0; };
struct MacroParameter { enum class Kind : std::uint8_t { Expression, Variable, Map } kind; std::string name; Span span; };
struct Macro : Node { std::string name; std::vector<MacroParameter> parameters; Block* body = nullptr; };
struct FunctionParameter { std::string name; TypeName* type = nullptr; };
struct Function : Node { std::string name; std::vector<FunctionParameter> parameters; TypeName* result = nullptr; Block* body = nullptr; };
struct ConfigEntry { std::string key; Span key_span; std::string value; Span value_span; bool is_string = false; };
struct Config : Node { std::vector<ConfigEntry> entries; };
struct Import : Node { std::string path; };
struct CDefinition : Node { std::string text; };                         // directive line or aggregate, verbatim

/// Owns every node of one program. Nodes are never freed singly.
class Arena {
 public:
  template <class T>
  T* make(Span span) {
    auto owner = std::make_unique<Holder<T>>();
    T* node = &owner->node;
    node->id = next_id_++;
    node->span = span;
    holders_.push_back(std::move(owner));
    return node;
  }
  NodeId node_count() const { return next_id_; }

 private:
  struct HolderBase { virtual ~HolderBase() = default; };
  template <class T>
  struct Holder final : HolderBase { T node; };
  std::deque<std::unique_ptr<HolderBase>> holders_;
  NodeId next_id_ = 0;
};

struct Program {
  std::shared_ptr<Arena> arena = std::make_shared<Arena>();
  std::vector<CDefinition*> c_definitions;
  Config* config = nullptr;
  std::vector<Import*> imports;
  std::vector<MapDeclaration*> map_declarations;
  std::vector<Macro*> macros;
  std::vector<Function*> functions;
  std::vector<Probe*> probes;
  std::vector<Span> comments;   ///< in the order of the script
};

inline Span span_of(const Expr& e) { return std::visit([](auto* n) { return n->span; }, e); }
inline Span span_of(const Stmt& s) { return std::visit([](auto* n) { return n->span; }, s); }
inline NodeId id_of(const Expr& e) { return std::visit([](auto* n) { return n->id; }, e); }

}  // namespace trc::ast
