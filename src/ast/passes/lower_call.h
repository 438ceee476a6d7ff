// One call of a builtin: checks arguments against the row, hands them to the row's lowering, takes what it means.
#pragma once

#include <span>
#include <utility>

#include "ast/lowering.h"
#include "ast/passes/lower.h"

namespace trc::ast {

class CallOfBuiltin final : public CallLowering {
 public:
  CallOfBuiltin(BodyLowering& body, const lang::BuiltinSpec& row, const Call& call)
      : CallOfBuiltin(body, row, call.callee, call.span, call.args) {}
  /// `name` is as written: rows such as "argN" stand for many.
  CallOfBuiltin(BodyLowering& body, const lang::BuiltinSpec& row, std::string_view name, Span span, std::span<const Expr> args)
      : body_(body), row_(row), name_(name), span_(span), args_(args) {}

  void run();
  /// The value that run() made; void (with statements) or unknown if it made none.
  typed::ValuePtr take_value();
  std::pair<lang::Type, typed::ValuePtr> take_aggregate() { return {std::move(aggregate_type_), std::move(aggregate_argument_)}; }

  std::string_view name() const override { return name_; }
  Span span() const override { return span_; }
  std::size_t argument_count() const override { return args_.size(); }
  const Expr& argument_expr(std::size_t i) const override { return args_[i]; }
  const Surroundings& surroundings() const override { return body_.surroundings(); }
  typed::ValuePtr argument(std::size_t i) override;
  typed::ValuePtr raw_argument(std::size_t i) override;
  std::optional<std::int64_t> literal_int(std::size_t i) override;
  std::optional<std::string> literal_string(std::size_t i) override;
  std::optional<bool> literal_condition(std::size_t i) override;
  std::optional<lang::Type> argument_type(std::size_t i) override;
  std::optional<std::uint64_t> member_offset(const lang::Type& type, const std::vector<std::string>& path, Span span) override;
  std::optional<Map> whole_map(std::size_t i) override;
  typed::ValuePtr key(const Map& map, std::size_t i) override;
  std::optional<Map> map_element(std::size_t i, typed::ValuePtr& key) override;
  std::optional<typed::Statements> assign(std::size_t i, typed::ValuePtr value) override;
  typed::SlotId temporary(const lang::Type& type) override { return body_.temporary(type); }
  Diagnostic& report(Diag code, Span span, std::string message) override;
  typed::ValuePtr convert(typed::ValuePtr value, const lang::Type& to) override;
  typed::ValuePtr as_integer(typed::ValuePtr value) override;
  typed::ValuePtr loaded(typed::ValuePtr value) override { return known(body_.loaded(std::move(value))); }
  void result(typed::ValuePtr value) override { result_ = std::move(value); }
  void statement(typed::Statement statement) override { statements_.push_back(std::move(statement)); }
  void aggregate(lang::Type type, typed::ValuePtr argument) override;
  typed::EventId event(lang::EventSchema schema) override;

 private:
  const lang::Param& parameter(std::size_t i) const;
  typed::ValuePtr known(typed::ValuePtr value);
  typed::ValuePtr checked(typed::ValuePtr value, std::size_t i);
  typed::ValuePtr as_pointer(typed::ValuePtr value, std::size_t i);
  void wrong_argument(std::size_t i, std::string_view expected, std::string_view found);
  void lower_plainly();   // rows over a helper or a library function

  BodyLowering& body_;
  const lang::BuiltinSpec& row_;
  std::string_view name_;
  Span span_;
  std::span<const Expr> args_;
  bool failed_ = false;
  typed::ValuePtr result_;
  typed::Statements statements_;
  lang::Type aggregate_type_;
  typed::ValuePtr aggregate_argument_;
};

/// Words that Param::type may be.
bool is_parameter_word(std::string_view word);
/// The type that BuiltinSpec::result names: "uint64", "string[16]", "void".
std::optional<lang::Type> result_type(std::string_view name);

}  // namespace trc::ast
