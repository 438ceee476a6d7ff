// One block, compiled for one context. Typing and lowering are one walk, so that the rule for an expression stands in one place; the
// walk is repeated with reports thrown away until the types of variables and maps no longer change (bodies.cc), then done once more
// for good. A value whose type is not known (yet, or after a report) has type None; everything accepts it and says nothing more.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ast/lowering.h"
#include "ast/passes/passes.h"
#include "ast/passes/shape.h"

namespace trc::ast {

struct MapState {
  Shape key, value;
};

/// What all bodies share.
struct Shared {
  const BodyInput& input;
  std::vector<MapState> maps;                ///< by index into Names::maps
  std::vector<lang::EventSchema> events;
  std::map<std::pair<const Function*, std::size_t>, lang::AddressSpace> pointer_spaces;   ///< of parameters of the script's functions
  std::vector<Setting> settings = effective_settings(input.settings);
  bool changed = false;                      ///< a type has widened in this round
  bool is_final = false;
  Diagnostics* diags = nullptr;
};

class BodyLowering {
 public:
  BodyLowering(Shared& shared, const PlannedProgram& plan, std::vector<Shape>& variables);
  typed::Statements lower();
  /// Of a function: its parameters are the first variables. Fills in everything but the code's name and slots.
  void lower(const Function& function, typed::Function& into);
  /// Types of variables, then of temporaries.
  std::vector<lang::Type> slots() const;
  /// typed::Program::compared.
  const std::vector<std::string>& compared() const { return compared_; }

  // ---- expressions (lower_expr.cc, lower_access.cc, lower_operators.cc) ----
  /// Anything, also void and aggregates as they are.
  typed::ValuePtr raw(const Expr& e);
  /// A value to compute with: aggregates become integers, void is reported.
  typed::ValuePtr operand(const Expr& e);
  /// Where something is reached into: as operand(), but what is in memory has not been read.
  typed::ValuePtr place(const Expr& e);
  typed::ValuePtr condition(const Expr& e);
  /// What a condition is, if that is known now; a report if it is only known at run time.
  std::optional<bool> comptime_condition(const Expr& e);
  typed::ValuePtr as_integer(typed::ValuePtr value);
  /// A value in memory that has only been named so far becomes one that is read: structures get their members, texts end at their NUL. What only
  /// reaches further into it (a member, an element) leaves it as it is, so that no more is read than is asked for.
  typed::ValuePtr loaded(typed::ValuePtr value);
  typed::ValuePtr no_void(typed::ValuePtr value);
  /// What stands where no type is known.
  typed::ValuePtr unknown(Span span) const;
  static bool is_known(const typed::ValuePtr& value) { return !value->type.is(lang::TypeKind::None); }

  // ---- maps (lower_maps.cc) ----
  typed::ValuePtr key_of(typed::MapId map, const std::vector<Expr>& keys, Span span);
  typed::ValuePtr fit_key(typed::MapId map, typed::ValuePtr key, Span span);
  CallLowering::Map describe(typed::MapId map) const;

  // ---- services ----
  Diagnostic& report(Diag code, Span span, std::string message) { return shared_.diags->report(code, span, std::move(message)); }
  Shared& shared() { return shared_; }
  const PlannedProgram& plan() const { return plan_; }
  const CallLowering::Surroundings& surroundings() const { return surroundings_; }
  /// `in_cast`: `T[]` is an array of no elements, whose size is that of what is cast.
  std::optional<lang::Type> written_type(const TypeName& type, bool in_cast = false);
  std::optional<lang::Type> tagged_type(const TypeName& type);
  /// Of sizeof, typeof, typeinfo: a type, or the type of an expression that is not evaluated.
  std::optional<lang::Type> type_of_operand(const TypeName* type, const std::optional<Expr>& operand);
  /// Reported when there is no such member, or one without an offset in bytes.
  std::optional<std::uint64_t> member_offset(lang::Type type, const std::vector<std::string>& path, Span span);
  std::optional<std::string> positional_text(std::uint32_t number) const;

 private:
  using ValuePtr = typed::ValuePtr;
  using Statements = typed::Statements;
  friend class CallOfBuiltin;

  void explain_unknown(Diagnostic& diagnostic, const std::string& name, Span span, bool is_called);

  // ---- one overload a node ----
  ValuePtr lower(const Integer& n);
  ValuePtr lower(const StringLiteral& n);
  ValuePtr lower(const BoolLiteral& n);
  ValuePtr lower(const Identifier& n);
  ValuePtr lower(const Variable& n);
  ValuePtr lower(const MapRef& n);
  ValuePtr lower(const Positional& n);
  ValuePtr lower(const PositionalCount& n);
  ValuePtr lower(const Call& n);
  ValuePtr lower(const Unary& n);
  ValuePtr lower(const Binary& n);
  ValuePtr lower(const Ternary& n);
  ValuePtr lower(const Cast& n);
  ValuePtr lower(const FieldAccess& n);
  ValuePtr lower(const TupleAccess& n);
  ValuePtr lower(const Index& n);
  ValuePtr lower(const TupleExpr& n);
  ValuePtr lower(const RecordExpr& n);
  ValuePtr lower(const BlockExpr& n);
  ValuePtr lower(const IfExpr& n);
  ValuePtr lower(const SizeOf& n);
  bool names_builtin(const TypeName& type) const;
  ValuePtr lower(const OffsetOf& n);
  ValuePtr lower(const TypeOf& n);
  ValuePtr lower(const TypeInfo& n);
  ValuePtr lower(const Comptime& n);

  // ---- operators ----
  ValuePtr address_of(const Unary& n);
  ValuePtr binary(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span);
  ValuePtr integers(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span);
  ValuePtr shift(BinaryOp op, ValuePtr left, ValuePtr right, Span span);
  ValuePtr strings(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span);
  ValuePtr pointers(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span);
  ValuePtr wholes(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span);
  ValuePtr probe_names(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span);
  ValuePtr pointer_offset(ValuePtr pointer, ValuePtr count, bool minus, Span span);
  ValuePtr invalid_operands(BinaryOp op, const ValuePtr& left, const ValuePtr& right, Span op_span);
  ValuePtr choose(ValuePtr condition, ValuePtr then, ValuePtr otherwise, Span span);
  ValuePtr choose_otherwise(ValuePtr condition, ValuePtr otherwise, Span span);
  ValuePtr block_value(const Block& block);
  ValuePtr cast(ValuePtr value, lang::Type type, Span span);
  ValuePtr cast_to_array(ValuePtr value, lang::Type type, Span span);
  ValuePtr cast_from_array(ValuePtr value, lang::Type type, Span span);
  ValuePtr cannot_cast(const lang::Type& from, const lang::Type& to, Span span, std::string hint = "");
  ValuePtr pointed(const Expr& e);
  ValuePtr dereference(ValuePtr address, Span span);
  /// What is at `offset` (null: 0) bytes from where `base`, a Dereference, reads.
  ValuePtr read_at(ValuePtr base, ValuePtr offset, lang::Type type, Span span);
  ValuePtr member(ValuePtr base, const FieldAccess& n);
  ValuePtr read_short_unit(ValuePtr base, const lang::Field& field, const lang::Type& wide, Span span);
  ValuePtr read_member(ValuePtr base, const lang::Field& field, Span span);
  struct ContextPlace { lang::Type type; std::uint32_t offset = 0; };
  /// ctx.a.b: where it lies in the context; type None after a report. Nothing when the expression does not begin with ctx, or the probe has no such ctx.
  std::optional<ContextPlace> context_place(const FieldAccess* access);
  ValuePtr no_unreadable(ValuePtr value, const std::string& name);
  ValuePtr index_reference(ValuePtr base, ValuePtr index, Span span);
  ValuePtr constant_named(const std::string& name, Span span);
  /// A member of a structure, tuple or record type; reported when there is none.
  std::optional<lang::Field> find_member(const lang::Type& type, const std::string& name, Span span);
  ValuePtr index_array(ValuePtr base, ValuePtr index, Span span);
  ValuePtr index_tuple(ValuePtr base, ValuePtr index, Span span);
  ValuePtr element_of_tuple(ValuePtr base, std::uint64_t index, Span span);
  ValuePtr context_value(const lang::ContextValue& value, Span span);
  ValuePtr argument_member(const FieldAccess& n);
  ValuePtr iterator_member(const FieldAccess& n);
  ValuePtr increment(const Unary& n);
  ValuePtr increment_variable(const Variable& n, std::int64_t delta, bool want_old, Span span);
  ValuePtr increment_map(const MapRef& n, std::int64_t delta, bool want_old, Span span);
  bool is_never_negative(const typed::Value& value) const;
  void warn_sign(const typed::Value& value, std::string_view where, Span span);

  // ---- functions of the script (lower_function.cc) ----
  ValuePtr call_function(std::uint32_t index, const Call& call);
  void return_from_function(const Return& n, Statements& out);
  lang::AddressSpace pointer_space(const Function& function, std::size_t parameter) const;
  ValuePtr pass_pointer(const Function& function, std::size_t parameter, lang::Type type, ValuePtr value, Span span);
  bool refuse_in_function(const std::string& builtin, Span span);

  // ---- builtins (lower_call.cc) ----
  ValuePtr builtin(const std::string& name, Span name_span, Span span, const std::vector<Expr>& args, bool has_parentheses);
  bool allows_unstable(std::string_view feature, Span span);
  const lang::BuiltinSpec* find_builtin(const std::string& name, Span name_span, std::size_t args, bool has_parentheses);
  /// The aggregate row that an expression calls, if it does.
  const lang::BuiltinSpec* aggregate_call(const Expr& e) const;

  // ---- statements (lower_statement.cc, lower_assign.cc) ----
  void statements(const Block& block, Statements& out);
  void statement(const Stmt& s, Statements& out);
  void lower(const ExprStmt& n, Statements& out);
  void lower(const Let& n, Statements& out);
  void lower(const Assign& n, Statements& out);
  void lower(const Discard& n, Statements& out);
  void lower(const If& n, Statements& out);
  void lower(const While& n, Statements& out);
  void lower(const For& n, Statements& out);
  void lower(const Unroll& n, Statements& out);
  void lower(const Block& n, Statements& out);
  void lower(const Break& n, Statements& out);
  void lower(const Continue& n, Statements& out);
  void lower(const Return& n, Statements& out);
  void lower(const ImportStmt&, Statements&) {}                   // read by the loader
  void range_loop(const For& n, Statements& out);
  void map_loop(const For& n, Statements& out);
  void assign_variable(const Variable& target, const Assign& n, Statements& out);
  void assign_map(const MapRef& target, const Assign& n, Statements& out);
  void update_map(const MapRef& target, const Assign& n, Statements& out);
  void assign_aggregate(const MapRef& target, const Assign& n, const lang::BuiltinSpec& row, Statements& out);
  void store(typed::SlotId slot, ValuePtr value, Span span, Statements& out);

  // ---- types ----
  /// `value` converted to what `shape` stands for once it has been widened to hold it.
  ValuePtr fit(Shape& shape, ValuePtr value, const std::string& name, const char* what, Span span);
  ValuePtr report_mismatch(const Shape& shape, const typed::Value& value, const std::string& name, const char* what, Span span);
  typed::SlotId temporary(const lang::Type& type);
  /// Numbers an event and lays it out.
  typed::EventId event(lang::EventSchema schema);
  std::uint32_t variable_index(NodeId id) const { return shared_.input.names.variable[id]; }
  typed::MapId map_index(const MapRef& ref) const { return shared_.input.names.map[ref.id]; }
  const VariableInfo& variable_info(std::uint32_t index) const;
  void add_pid_filter(Statements& out) const;

  /// The type of an expression that is never executed, as in sizeof.
  lang::Type type_of_unused(const Expr& e);

  Shared& shared_;
  unsigned unused_ = 0;   // expressions that are looked at for their type only
  const PlannedProgram& plan_;
  std::vector<Shape>& variables_;
  std::vector<lang::Type> temporaries_;
  std::vector<std::string> compared_;
  CallLowering::Surroundings surroundings_;
  const Function* function_ = nullptr;       ///< that is being lowered; null in a probe
  lang::Type function_result_;
  std::optional<typed::SlotId> result_slot_;
};

/// The name of a builtin's row: arg0, arg1, … are one row.
std::string row_name(const std::string& name);

}  // namespace trc::ast
