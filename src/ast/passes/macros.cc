// Macros (language.md §15.1): a call is replaced by a copy of the body in which parameters stand for the arguments. Copying is lazy: an
// argument is copied where the parameter stands, in the surroundings of the call, so that the depth of the recursion here is the depth
// of the tree that comes out.
#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "ast/passes/passes.h"
#include "ast/walk.h"
#include "base/strings.h"

namespace trc::ast {
namespace {

// The parser's limit; and a tree that later passes take a second for. Macros that call others twice each double at every level.
constexpr std::uint32_t kMaxDepth = 1000;
constexpr NodeId kMaxNodes = 1u << 17;

using Kind = MacroParameter::Kind;

/// Words of the language itself. All other builtins are a library's, which a macro may replace.
bool is_reserved(std::string_view name) {
  static constexpr std::string_view kWords[] = {"args", "ctx", "pid", "tid", "nsecs", "kstack", "ustack"};
  const bool is_argument = name.size() > 3 && name.starts_with("arg") && std::all_of(name.begin() + 3, name.end(), is_digit);
  return is_argument || name.starts_with("__builtin_") || std::find(std::begin(kWords), std::end(kWords), name) != std::end(kWords);
}

std::string spelling(const MacroParameter& parameter) {
  return (parameter.kind == Kind::Variable ? "$" : parameter.kind == Kind::Map ? "@" : "") + parameter.name;
}

std::string signature(const Macro& macro) {
  std::vector<std::string> parameters;
  for (const MacroParameter& p : macro.parameters) parameters.push_back(spelling(p));
  return fmt::format("{}({})", macro.name, join(parameters, ", "));
}

/// What can be said of a macro without a call.
class DefinitionChecker : public Walker<DefinitionChecker> {
 public:
  DefinitionChecker(const Macro& macro, Diagnostics& diags) : macro_(macro), diags_(diags) {}

  void check() {
    for (const MacroParameter& p : macro_.parameters) check_parameter(p);
    walk(*macro_.body);
  }

  void enter(const MapRef& n) {
    const bool is_passed = std::any_of(macro_.parameters.begin(), macro_.parameters.end(),
                                       [&](const MacroParameter& p) { return p.kind == Kind::Map && p.name == n.name; });
    if (is_passed) return;
    diags_.report(Diag::InvalidMacro, n.span, fmt::format("Unhygienic access to map: @{}. Maps must be passed into the macro as arguments.", n.name))
        .with_hint(fmt::format("macro {}(…, @{}), called with the map", macro_.name, n.name));
  }
  void enter(const Let& n) { check_declaration(n.name, n.name_span); }
  void enter(const While&) { ++loops_; }
  void leave(const While&) { --loops_; }
  void enter(const For& n) {
    check_declaration(n.variable, n.variable_span);
    ++loops_;
  }
  void leave(const For&) { --loops_; }
  void enter(const Break& n) {
    if (loops_ == 0) refuse(n.span, "break");
  }
  void enter(const Continue& n) {
    if (loops_ == 0) refuse(n.span, "continue");
  }
  void enter(const Return& n) { refuse(n.span, "return"); }

 private:
  void refuse(Span span, std::string_view word) {
    diags_.report(Diag::ControlFlow, span, fmt::format("'{}' statement is not allowed in a macro", word))
        .with_hint("the value of a macro is its last expression, without a ';'");
  }

  void check_declaration(const std::string& name, Span span) {
    for (const MacroParameter& p : macro_.parameters) {
      if (p.kind != Kind::Variable || p.name != name) continue;
      diags_.report(Diag::Redeclared, span, fmt::format("Variable ${} was already declared. Variable shadowing is not allowed.", name))
          .with_note(p.span, "It is a parameter.");
    }
  }

  void check_parameter(const MacroParameter& p) {
    if (p.kind == Kind::Expression && is_reserved(p.name)) {
      diags_.report(Diag::InvalidMacro, p.span, fmt::format("a parameter of a macro cannot be called {}, which is a builtin", p.name));
    }
    for (const MacroParameter& other : macro_.parameters) {
      if (&other == &p) break;
      if (other.name == p.name && other.kind == p.kind) {
        diags_.report(Diag::Redeclared, p.span, fmt::format("there is a parameter {} already", spelling(p)));
      }
    }
  }

  const Macro& macro_;
  Diagnostics& diags_;
  int loops_ = 0;
};

class Expander {
 public:
  Expander(const Program& program, const lang::Catalogue& catalogue, Diagnostics& diags)
      : arena_(*program.arena), first_node_(program.arena->node_count()), catalogue_(catalogue), diags_(diags) {
    for (const Macro* macro : program.macros) define(*macro);
  }

  Probe* expand(const Probe& probe) { return copy(probe, nullptr); }
  Function* expand(const Function& function) { return copy(function, nullptr); }

 private:
  /// One call of a macro. Arguments are to be read in the surroundings of the call.
  struct Frame {
    const Macro* macro = nullptr;
    const std::vector<Expr>* arguments = nullptr;
    const Frame* caller = nullptr;    // null: the script itself
    std::uint32_t expansion = 0;
  };

  void define(const Macro& macro) {
    DefinitionChecker(macro, diags_).check();
    if (is_reserved(macro.name)) {
      diags_.report(Diag::ReservedName, macro.span, fmt::format("{} is a word of the language: this macro is never called", macro.name))
          .with_hint("give it another name");
      return;
    }
    auto& overloads = macros_[macro.name];
    for (const Macro* other : overloads) {
      const bool same = std::equal(macro.parameters.begin(), macro.parameters.end(), other->parameters.begin(), other->parameters.end(),
                                   [](const auto& a, const auto& b) { return a.kind == b.kind; });
      if (!same) continue;
      diags_.report(Diag::Redeclared, macro.span, fmt::format("Redefinition of macro: {}", signature(macro)))
          .with_note(other->span, "This is the initial definition.");
      return;
    }
    overloads.push_back(&macro);
  }

  // ---- which macro is meant ----

  static std::optional<std::size_t> find_parameter(const Frame* in, Kind kind, std::string_view name) {
    if (!in) return std::nullopt;
    const auto& all = in->macro->parameters;
    const auto it = std::find_if(all.begin(), all.end(), [&](const MacroParameter& p) { return p.kind == kind && p.name == name; });
    return it == all.end() ? std::nullopt : std::optional(static_cast<std::size_t>(it - all.begin()));
  }

  struct Bound {
    Expr argument;
    const Frame* in;   // its surroundings
  };

  /// What a parameter stands for, through macros that only pass it on.
  static Bound resolve(Bound bound) {
    while (bound.in) {
      std::optional<std::size_t> parameter;
      if (const auto* n = std::get_if<Identifier*>(&bound.argument)) parameter = find_parameter(bound.in, Kind::Expression, (*n)->name);
      if (const auto* n = std::get_if<Variable*>(&bound.argument)) parameter = find_parameter(bound.in, Kind::Variable, (*n)->name);
      if (const auto* n = std::get_if<MapRef*>(&bound.argument); n && !(*n)->has_keys) parameter = find_parameter(bound.in, Kind::Map, (*n)->name);
      if (!parameter) break;
      bound = {(*bound.in->arguments)[*parameter], bound.in->caller};
    }
    return bound;
  }

  static bool accepts(const MacroParameter& parameter, const Expr& argument, const Frame* in) {
    if (parameter.kind == Kind::Expression) return true;
    const Expr meant = resolve({argument, in}).argument;
    if (parameter.kind == Kind::Variable) return std::holds_alternative<Variable*>(meant);
    const auto* map = std::get_if<MapRef*>(&meant);
    return map && !(*map)->has_keys;
  }

  static bool accepts(const Macro& macro, const std::vector<Expr>& arguments, const Frame* in) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!accepts(macro.parameters[i], arguments[i], in)) return false;
    }
    return true;
  }

  static std::ptrdiff_t references(const Macro& macro) {
    return std::count_if(macro.parameters.begin(), macro.parameters.end(), [](const auto& p) { return p.kind != Kind::Expression; });
  }

  /// Null when a builtin is meant, or nothing that is known here; nothing after a report.
  std::optional<const Macro*> choose(const std::string& name, const std::vector<Expr>& arguments, bool has_parentheses, Span span, const Frame* in) {
    const auto found = macros_.find(name);
    if (found == macros_.end()) return nullptr;
    const Macro* best = nullptr;
    const Macro* right_count = nullptr;
    for (const Macro* macro : found->second) {
      if (macro->parameters.size() != arguments.size()) continue;
      right_count = macro;
      if (accepts(*macro, arguments, in) && (!best || references(*macro) > references(*best))) best = macro;
    }
    if (best) return best;
    // The library's function of this name has another signature.
    if (!catalogue_.find(name).empty()) return nullptr;
    std::vector<std::string> forms;
    for (const Macro* macro : found->second) forms.push_back(signature(*macro));
    const std::string hint = "defined as " + join(forms, ", ");
    if (!has_parentheses) {
      diags_.report(Diag::InvalidMacro, span, fmt::format("the macro {} needs arguments", name)).with_hint(hint);
    } else if (right_count) {
      report_mismatch(*right_count, arguments, in, hint);
    } else {
      diags_.report(Diag::ArgumentCount, span, fmt::format("Call to macro {} has the wrong number of arguments ({} provided)", name, arguments.size()))
          .with_hint(hint);
    }
    return std::nullopt;
  }

  void report_mismatch(const Macro& macro, const std::vector<Expr>& arguments, const Frame* in, const std::string& hint) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const MacroParameter& p = macro.parameters[i];
      if (accepts(p, arguments[i], in)) continue;
      diags_.report(Diag::ArgumentType, placed(span_of(arguments[i]), in),
                    fmt::format("Mismatched arg to macro call. Macro expects a {} for param {} but got something else",
                                p.kind == Kind::Variable ? "variable" : "map", spelling(p)))
          .with_hint(p.kind == Kind::Map ? hint + "; a map is passed as a whole, without keys" : hint);
      return;
    }
  }

  // ---- expansion ----

  static Span placed(Span span, const Frame* in) {
    span.expansion = in ? in->expansion : 0;
    return span;
  }

  /// What stands where nothing sensible can after a report: an identifier without a name, about which nobody says more.
  Expr nothing(Span span) { return arena_.make<Identifier>(span); }

  bool is_recursive(const Macro& macro, Span span, const Frame* in) {
    std::vector<std::string> chain{macro.name};
    for (const Frame* call = in; call; call = call->caller) {
      chain.push_back(call->macro->name);
      if (call->macro != &macro) continue;
      std::reverse(chain.begin(), chain.end());
      diags_.report(Diag::InvalidMacro, span, "Recursive macro call detected. Call chain: " + join(chain, " > "))
          .with_hint("a macro is expanded while the script is compiled; a loop repeats something, an fn may be called where it is defined later");
      return true;
    }
    return false;
  }

  Expr expand_call(const Macro& macro, const std::vector<Expr>& arguments, Span span, const Frame* in) {
    if (is_recursive(macro, span, in)) return nothing(span);
    const Frame call{&macro, &arguments, in, diags_.expanded_at(span)};
    // A body that is one expression needs no block around it, and stays a literal where it is one.
    if (macro.body->statements.empty() && macro.body->value) return clone(*macro.body->value, &call);
    auto* node = arena_.make<BlockExpr>(placed(macro.body->span, &call));
    node->block = copy(*macro.body, &call);
    return node;
  }

  Expr argument(const Frame& in, std::size_t parameter) { return clone((*in.arguments)[parameter], in.caller); }

  // ---- copies ----

  bool gives_up(Span span) {
    if (!gave_up_ && (depth_ >= kMaxDepth || arena_.node_count() - first_node_ > kMaxNodes)) {
      gave_up_ = true;
      diags_.report(Diag::LimitExceeded, span, depth_ >= kMaxDepth ? fmt::format("macros expand to more than {} levels", kMaxDepth)
                                                                   : fmt::format("macros expand to more than {} nodes", kMaxNodes))
          .with_hint("a macro evaluates an argument as often as it names it: keep it in a variable first");
    }
    return gave_up_;
  }

  Expr clone(const Expr& e, const Frame* in) {
    if (gives_up(placed(span_of(e), in))) return nothing(span_of(e));
    ++depth_;
    const Expr result = std::visit([&](auto* n) -> Expr { return clone_one(*n, in); }, e);
    --depth_;
    return result;
  }

  template <class N>
  Expr clone_one(const N& n, const Frame* in) { return copy(n, in); }

  Expr clone_one(const Identifier& n, const Frame* in) {
    if (const auto parameter = find_parameter(in, Kind::Expression, n.name)) return argument(*in, *parameter);
    static const std::vector<Expr> kNoArguments;
    const Span span = placed(n.span, in);
    const auto macro = choose(n.name, kNoArguments, false, span, in);
    if (!macro) return nothing(span);
    return *macro ? expand_call(**macro, kNoArguments, span, in) : copy(n, in);
  }

  Expr clone_one(const ast::Call& n, const Frame* in) {
    const auto macro = choose(n.callee, n.args, true, placed(n.callee_span, in), in);
    if (!macro) return nothing(placed(n.span, in));
    if (*macro) return expand_call(**macro, n.args, placed(n.span, in), in);
    ast::Call* result = copy(n, in);
    result->callee_span.expansion = result->span.expansion;
    return result;
  }

  Expr clone_one(const Variable& n, const Frame* in) {
    if (const auto parameter = find_parameter(in, Kind::Variable, n.name)) return argument(*in, *parameter);
    Variable* result = copy(n, in);
    result->expansion = in ? in->expansion : 0;
    return result;
  }

  Expr clone_one(const MapRef& n, const Frame* in) {
    MapRef* result = copy(n, in);
    if (!find_parameter(in, Kind::Map, n.name)) return result;
    MapRef whole = n;
    whole.has_keys = false;
    const Expr meant = resolve({&whole, in}).argument;
    if (const auto* map = std::get_if<MapRef*>(&meant)) result->name = (*map)->name;
    return result;
  }

  Stmt clone(const Stmt& s, const Frame* in) {
    if (gives_up(placed(span_of(s), in))) return arena_.make<Block>(span_of(s));
    ++depth_;
    const Stmt result = std::visit([&](auto* n) -> Stmt { return clone_one(*n, in); }, s);
    --depth_;
    return result;
  }

  template <class N>
  Stmt clone_statement(N* result, const Frame* in) {
    result->expansion = in ? in->expansion : 0;
    return result;
  }
  template <class N>
    requires std::is_constructible_v<Stmt, N*>
  Stmt clone_one(const N& n, const Frame* in) { return copy(n, in); }
  Stmt clone_one(const Let& n, const Frame* in) { return clone_statement(copy(n, in), in); }
  Stmt clone_one(const For& n, const Frame* in) { return clone_statement(copy(n, in), in); }

  /// A parameter may stand for a type: typeof(T) as its argument says which.
  TypeName* clone(const TypeName& type, const Frame* in) {
    TypeName* result = copy(type, in);
    if (type.of) result->of = clone(*type.of, in);
    if (type.of_type) result->of_type = clone(*type.of_type, in);
    const auto parameter = type.tag.empty() ? find_parameter(in, Kind::Expression, type.name) : std::nullopt;
    if (!parameter) return result;
    result->name.clear();
    const Expr given = argument(*in, *parameter);
    if (const auto* named = std::get_if<TypeOf*>(&given)) {
      result->of_type = (*named)->type;
      result->of = (*named)->operand;
    } else {
      result->of = given;
    }
    return result;
  }

  template <class N>
  N* copy(const N& n, const Frame* in) {
    N* result = arena_.make<N>(placed(n.span, in));
    const NodeId id = result->id;
    const Span span = result->span;
    *result = n;
    result->id = id;
    result->span = span;
    if constexpr (!std::is_same_v<N, TypeName> && !std::is_same_v<N, Function>) {
      for_each_child(*result, [&](auto& child) {
        // Blocks hang on pointers, which are set below.
        if constexpr (!std::is_same_v<std::remove_reference_t<decltype(child)>, Block>) child = clone(child, in);
      });
    }
    auto block = [&](Block*& child) {
      if (child) child = copy(*child, in);
    };
    if constexpr (requires { result->block; }) block(result->block);
    if constexpr (requires { result->body; }) block(result->body);
    if constexpr (requires { result->then->statements; }) block(result->then);
    if constexpr (requires { result->otherwise->statements; }) block(result->otherwise);
    if constexpr (requires { result->type->suffixes; }) {
      if (result->type) result->type = clone(*result->type, in);
    }
    if constexpr (requires { result->name_span; }) result->name_span.expansion = span.expansion;
    if constexpr (requires { result->variable_span; }) result->variable_span.expansion = span.expansion;
    if constexpr (requires { result->field_span; }) result->field_span.expansion = span.expansion;
    if constexpr (requires { result->op_span; }) result->op_span.expansion = span.expansion;
    return result;
  }

  Arena& arena_;
  const NodeId first_node_;
  const lang::Catalogue& catalogue_;
  Diagnostics& diags_;
  std::map<std::string, std::vector<const Macro*>> macros_;
  std::uint32_t depth_ = 0;
  bool gave_up_ = false;
};

}  // namespace

Program expand_macros(const Program& program, const lang::Catalogue& catalogue, Diagnostics& diags) {
  Program result = program;
  if (program.macros.empty()) return result;
  Expander expander(program, catalogue, diags);
  for (Probe*& probe : result.probes) probe = expander.expand(*probe);
  for (Function*& function : result.functions) function = expander.expand(*function);
  return result;
}

}  // namespace trc::ast
