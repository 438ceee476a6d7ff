// How a builtin becomes typed operations. A Custom row of lang/builtin_spec.h gets a CallLowering, asks it for its arguments and
// says what the call means. It runs several times while types are inferred (reports are then dropped), so it must not keep state.
//
// Arguments are checked against the row's parameters. argument() and its relatives return nothing after a report, or while a type
// is not known yet; the function then just returns.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ast/nodes.h"
#include "ast/typed_program.h"
#include "lang/builtin_spec.h"
#include "source/diagnostics.h"

namespace trc::ast {

/// One configuration variable and what it is set to.
using SettingValue = std::variant<bool, std::uint64_t, std::string>;
struct Setting {
  std::string_view key;
  SettingValue value;
};

/// A number as given on the command line: integer literals with prefix, suffix or duration, and a sign.
std::optional<typed::ValuePtr> parse_number(std::string_view text, Span span);

class CallLowering {
 public:
  /// What the call may know of the script and the command line.
  struct Surroundings {
    const lang::Context* context = nullptr;
    std::string_view provider;                       ///< of this program's attach points
    const std::vector<std::string>* positionals = nullptr;
    const std::map<std::string, std::string>* named_parameters = nullptr;
    const std::vector<Setting>* settings = nullptr;
    std::uint32_t max_strlen = 0;
    bool has_child = false;                          ///< -c
    bool unsafe = false;
    bool compat = false;                             ///< --compat, or config compat = true
    std::function<bool(const std::string&)> has_kernel_function = {};   ///< the kernel has a function of this name
    std::function<bool(const std::string&)> allows_kfunc = {};          ///< programs of this kind may call it
  };

  struct Map {
    typed::MapId id = 0;
    std::string name;                                ///< with '@'
    bool is_keyed = false;
    lang::Type key, value;                           ///< None while unknown
  };

  virtual ~CallLowering() = default;

  // ---- the call ----
  virtual std::string_view name() const = 0;
  virtual Span span() const = 0;
  virtual std::size_t argument_count() const = 0;
  virtual const Expr& argument_expr(std::size_t i) const = 0;
  virtual const Surroundings& surroundings() const = 0;
  Span argument_span(std::size_t i) const { return span_of(argument_expr(i)); }

  // ---- arguments ----
  /// The checked value. Aggregates have become integers.
  virtual typed::ValuePtr argument(std::size_t i) = 0;
  /// Any value but void, aggregates left alone: for printf and print, which treat them apart.
  virtual typed::ValuePtr raw_argument(std::size_t i) = 0;
  virtual std::optional<std::int64_t> literal_int(std::size_t i) = 0;
  virtual std::optional<std::string> literal_string(std::size_t i) = 0;
  /// A condition that is known now.
  virtual std::optional<bool> literal_condition(std::size_t i) = 0;
  /// The type of the argument, or the one that it names by typeof(); it is not evaluated.
  virtual std::optional<lang::Type> argument_type(std::size_t i) = 0;
  /// Bytes from the start of a structure to a member, or to a member of a member; nothing after a report.
  virtual std::optional<std::uint64_t> member_offset(const lang::Type& type, const std::vector<std::string>& path, Span span) = 0;
  /// `@m` without a key, as a whole.
  virtual std::optional<Map> whole_map(std::size_t i) = 0;
  /// Argument i as a key of the map.
  virtual typed::ValuePtr key(const Map& map, std::size_t i) = 0;
  /// `@m[k]`: the map, and the key.
  virtual std::optional<Map> map_element(std::size_t i, typed::ValuePtr& key) = 0;

  /// An assignment of the value to argument i, a variable; nothing after a report.
  virtual std::optional<typed::Statements> assign(std::size_t i, typed::ValuePtr value) = 0;

  // ---- help ----
  /// A variable of the call's own.
  virtual typed::SlotId temporary(const lang::Type& type) = 0;
  virtual Diagnostic& report(Diag code, Span span, std::string message) = 0;
  virtual typed::ValuePtr convert(typed::ValuePtr value, const lang::Type& to) = 0;
  /// An aggregate read from a map as an integer over all CPUs; null after a report when it is not readable.
  virtual typed::ValuePtr as_integer(typed::ValuePtr value) = 0;

  // ---- what it means; nothing of this: no value ----
  virtual void result(typed::ValuePtr value) = 0;
  /// What has only been named so far, read as a whole; null after a report.
  virtual typed::ValuePtr loaded(typed::ValuePtr value) = 0;
  virtual void statement(typed::Statement statement) = 0;
  /// Only for rows of form Aggregate: the type of the map's value, and what goes in (null for count).
  virtual void aggregate(lang::Type type, typed::ValuePtr argument) = 0;
  /// Numbers an event; lays it out.
  virtual typed::EventId event(lang::EventSchema schema) = 0;
  /// False, after a report, where nobody reads records.
  bool may_emit();
  /// A record of these fields, in order.
  void emit(lang::ActionKind action, std::string text, std::vector<typed::ValuePtr> fields, std::uint32_t map = lang::kNoMap);
};

}  // namespace trc::ast
