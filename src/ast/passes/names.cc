// Variables are lexical to the block, maps are global. A variable is declared by `let`, by a `for`, or by its first assignment; an
// inner block may not take a name that is visible from outside.
#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "ast/passes/passes.h"
#include "ast/walk.h"
#include "source/suggest.h"

namespace trc::ast {
namespace {

bool accepts_whole_map(std::string_view parameter) { return parameter == "map" || parameter == "printable" || parameter == "map or stack"; }

class Resolver {
 public:
  Resolver(const Program& program, const lang::Catalogue& catalogue, Diagnostics& diags)
      : catalogue_(catalogue), diags_(diags), names_{} {
    names_.variable.assign(program.arena->node_count(), kNone);
    names_.map.assign(program.arena->node_count(), kNone);
    for (const MapDeclaration* declaration : program.map_declarations) declare_map(*declaration);
  }

  void resolve(const Probe& probe) {
    names_.probes.emplace_back();
    scopes_.assign(1, {});
    if (probe.predicate) visit(*probe.predicate);
    if (probe.body) visit(*probe.body);
    report_unassigned();
  }

  void resolve(const Function& function) {
    names_.probes.emplace_back();
    scopes_.assign(1, {});
    for (const FunctionParameter& parameter : function.parameters) {
      const std::uint32_t index = declare_new({parameter.name, 0}, parameter.type->span);
      current().variables[index].type = parameter.type;
      current().variables[index].is_assigned = true;
    }
    visit(*function.body);
    report_unassigned();
  }

  Names finish() {
    for (const Use& use : whole_uses_) {
      MapInfo& map = names_.maps[use.map];
      if (!map.is_assigned) report_undefined(map, use.span);
    }
    for (const MapInfo& map : names_.maps) {
      if (map.declaration && !map.is_used) diags_.report(Diag::UnusedMap, map.first, "Unused map: " + map.name);
    }
    return std::move(names_);
  }

 private:
  struct Use {
    std::uint32_t map;
    Span span;
  };
  /// A variable of a macro's own is another one in each expansion.
  struct VariableName {
    std::string text;
    std::uint32_t expansion = 0;
    auto operator<=>(const VariableName&) const = default;
  };
  using Scope = std::map<VariableName, std::uint32_t>;

  ProbeNames& current() { return names_.probes.back(); }

  void report_unassigned() {
    for (const VariableInfo& variable : current().variables) {
      if (variable.is_let && !variable.is_assigned) {
        diags_.report(Diag::UnassignedVariable, variable.declared, "Variable $" + variable.name + " was never assigned to.");
      }
    }
  }

  // ---- maps ----
  std::uint32_t map_named(const std::string& name, Span span) {
    const auto [it, is_new] = map_ids_.try_emplace(name, static_cast<std::uint32_t>(names_.maps.size()));
    if (is_new) names_.maps.push_back({.name = "@" + name, .first = span});
    return it->second;
  }

  void declare_map(const MapDeclaration& declaration) {
    if (map_ids_.count(declaration.name)) {
      diags_.report(Diag::Redeclared, declaration.span, "Redeclaration of existing map: @" + declaration.name)
          .with_note(names_.maps[map_ids_[declaration.name]].first, "This is the initial declaration.");
      return;
    }
    names_.maps[map_named(declaration.name, declaration.span)].declaration = &declaration;
  }

  /// A use that says whether the map has keys.
  void use_map(const MapRef& ref) {
    const std::uint32_t id = map_named(ref.name, ref.span);
    names_.map[ref.id] = id;
    MapInfo& map = names_.maps[id];
    map.is_used = true;
    const auto [it, is_first] = shape_known_.try_emplace(id, ref.span);
    if (is_first) {
      map.is_keyed = ref.has_keys;
    } else if (map.is_keyed != ref.has_keys) {
      const char* keyed = "with an explicit key (non-scalar map)";
      const char* scalar = "without an explicit key (scalar map)";
      diags_.report(Diag::MapUse, ref.span, fmt::format("{} used as a map {}, previously used {}", map.name, ref.has_keys ? keyed : scalar,
                                                        map.is_keyed ? keyed : scalar))
          .with_note(it->second, "previous use");
    }
    for (const Expr& key : ref.keys) visit(key);
  }

  void use_whole_map(const MapRef& ref) {
    const std::uint32_t id = map_named(ref.name, ref.span);
    names_.map[ref.id] = id;
    names_.maps[id].is_used = true;
    whole_uses_.push_back({id, ref.span});
  }

  void assign_map(const MapRef& ref) {
    use_map(ref);
    names_.maps[names_.map[ref.id]].is_assigned = true;
  }

  void report_undefined(const MapInfo& map, Span span) {
    std::vector<std::string> assigned;
    for (const MapInfo& other : names_.maps) {
      if (other.is_assigned) assigned.push_back(other.name);
    }
    Diagnostic& report = diags_.report(Diag::UndefinedMap, span, "Undefined map: " + map.name);
    suggest(report, span, map.name, assigned);
  }

  // ---- variables ----
  static VariableName name_of(const Variable& use) { return {use.name, use.expansion}; }

  std::optional<std::uint32_t> find(const VariableName& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (auto it = scope->find(name); it != scope->end()) return it->second;
    }
    return std::nullopt;
  }

  std::uint32_t declare(const VariableName& name, Span span) {
    const auto index = static_cast<std::uint32_t>(current().variables.size());
    current().variables.push_back({.name = name.text, .declared = span});
    scopes_.back()[name] = index;
    return index;
  }

  /// `let` and `for` variables may not hide another one.
  std::uint32_t declare_new(const VariableName& name, Span span) {
    if (auto existing = find(name)) {
      const VariableInfo& old = current().variables[*existing];
      diags_.report(Diag::Redeclared, span, fmt::format("Variable ${} was already declared. Variable shadowing is not allowed.", name.text))
          .with_note(old.declared, old.is_let ? "This is the initial declaration." : "This is the initial assignment.");
    }
    return declare(name, span);
  }

  void report_undefined(const Variable& use) {
    std::vector<std::string> visible;
    for (const Scope& scope : scopes_) {
      for (const auto& [name, index] : scope) {
        if (name.expansion == use.expansion) visible.push_back("$" + name.text);
      }
    }
    Diagnostic& report = diags_.report(Diag::UndefinedVariable, use.span, "Undefined or undeclared variable: $" + use.name);
    suggest(report, use.span, "$" + use.name, visible);
    for (const VariableInfo& other : current().variables) {
      if (other.name == use.name) {
        report.with_note(other.declared, fmt::format("a variable of this name lives in the block here; write `let ${};` before that block",
                                                     use.name));
        break;
      }
    }
  }

  void read(const Variable& use) {
    const auto index = find(name_of(use));
    if (!index) return report_undefined(use);
    names_.variable[use.id] = *index;
    VariableInfo& variable = current().variables[*index];
    if (variable.is_let && !variable.is_assigned) {
      diags_.report(Diag::UnassignedVariable, use.span, fmt::format("Variable used before it was assigned: ${}", use.name));
    }
  }

  void assign(const Variable& target) {
    const auto existing = find(name_of(target));
    const std::uint32_t index = existing ? *existing : declare(name_of(target), target.span);
    current().variables[index].is_assigned = true;
    names_.variable[target.id] = index;
  }

  // ---- the walk ----
  void visit(const Expr& e) {
    std::visit([&](auto* n) { visit(*n); }, e);
  }
  void visit(const Stmt& s) {
    std::visit([&](auto* n) { visit(*n); }, s);
  }
  template <class N>
  void visit(const N& n) {
    for_each_child(n, [&](const auto& child) { visit(child); });
  }

  void visit(const Block& block) {
    scopes_.emplace_back();
    for_each_child(block, [&](const auto& child) { visit(child); });
    scopes_.pop_back();
  }

  void visit(const Variable& use) { read(use); }
  void visit(const MapRef& ref) { use_map(ref); }

  void visit(const Identifier& identifier) { note_builtin(identifier.name); }

  void visit(const Call& call) {
    note_builtin(call.callee);
    const auto rows = catalogue_.find(call.callee);
    for (std::size_t i = 0; i < call.args.size(); ++i) {
      const auto* ref = std::get_if<MapRef*>(&call.args[i]);
      if (ref && !(*ref)->has_keys && takes_whole_map(rows, i, call.args.size())) {
        use_whole_map(**ref);
      } else if (const auto* variable = std::get_if<Variable*>(&call.args[i]); variable && fills(rows, i)) {
        assign(**variable);
      } else {
        visit(call.args[i]);
      }
    }
  }

  /// A variable that the call assigns to.
  static bool fills(const std::vector<const lang::BuiltinSpec*>& rows, std::size_t i) {
    return std::any_of(rows.begin(), rows.end(), [&](const lang::BuiltinSpec* row) { return i < row->params.size() && row->params[i].type == "variable"; });
  }

  static bool takes_whole_map(const std::vector<const lang::BuiltinSpec*>& rows, std::size_t i, std::size_t count) {
    return std::any_of(rows.begin(), rows.end(), [&](const lang::BuiltinSpec* row) {
      // `delete(@x)` of a scalar map, without a key, is a use of its value: it says that the map has no keys.
      if (row->name == "delete" && count == 1) return false;
      return i < row->params.size() && accepts_whole_map(row->params[i].type);
    });
  }

  void visit(const Unary& unary) {
    const bool increments = unary.op == UnaryOp::PreIncrement || unary.op == UnaryOp::PreDecrement || unary.op == UnaryOp::PostIncrement ||
                            unary.op == UnaryOp::PostDecrement;
    if (const auto* ref = std::get_if<MapRef*>(&unary.operand); ref && increments) return assign_map(**ref);
    if (const auto* use = std::get_if<Variable*>(&unary.operand); use && increments) return update(**use);
    if (const auto* ref = std::get_if<MapRef*>(&unary.operand); ref && unary.op == UnaryOp::AddressOf) return use_whole_map(**ref);
    visit(unary.operand);
  }

  void visit(const Binary& binary) {
    const bool compares = binary.op == BinaryOp::Equal || binary.op == BinaryOp::NotEqual;
    if (compares && (is_probe(binary.left) || is_probe(binary.right))) current().compares_probe = true;
    visit(binary.left);
    visit(binary.right);
  }

  /// ++, -- and compound assignments ask for a variable that is there.
  void update(const Variable& use) {
    if (!find(name_of(use))) return report_undefined(use);
    assign(use);
  }

  void visit(const Let& let) {
    if (let.init) visit(*let.init);
    visit_type(let.type);
    const std::uint32_t index = declare_new({let.name, let.expansion}, let.name_span);
    VariableInfo& variable = current().variables[index];
    variable.type = let.type;
    variable.is_let = true;
    variable.is_assigned = let.init.has_value();
    names_.variable[let.id] = index;
  }

  void visit(const Cast& cast) {
    visit_type(cast.type);
    visit(cast.operand);
  }

  void visit(const SizeOf& size) {
    visit_type(size.type);
    if (size.operand) visit(*size.operand);
  }

  /// typeof(e) names variables too.
  void visit_type(const TypeName* type) {
    for (; type; type = type->of_type) {
      if (type->of) visit(*type->of);
    }
  }

  void visit(const Assign& assignment) {
    visit(assignment.value);
    if (const auto* ref = std::get_if<MapRef*>(&assignment.target)) return assign_map(**ref);
    if (const auto* variable = std::get_if<Variable*>(&assignment.target)) {
      return assignment.op ? update(**variable) : assign(**variable);
    }
    visit(assignment.target);
  }

  void visit(const For& loop) {
    if (loop.over) {
      const auto* ref = std::get_if<MapRef*>(&*loop.over);
      if (ref && !(*ref)->has_keys) {
        use_whole_map(**ref);
      } else {
        visit(*loop.over);
      }
    }
    if (loop.from) visit(*loop.from);
    if (loop.to) visit(*loop.to);
    scopes_.emplace_back();
    const std::uint32_t index = declare_new({loop.variable, loop.expansion}, loop.variable_span);
    current().variables[index].is_assigned = true;
    names_.variable[loop.id] = index;
    if (loop.body) visit(*loop.body);
    scopes_.pop_back();
  }

  static bool is_probe(const Expr& e) {
    if (const auto* identifier = std::get_if<Identifier*>(&e)) return (*identifier)->name == "probe";
    if (const auto* call = std::get_if<Call*>(&e)) return (*call)->callee == "probe";
    return false;
  }

  void note_builtin(const std::string& name) {
    if (name == "probe") current().asks_probe = true;
    const bool is_positional = name.size() > 3 && name.starts_with("arg") && name.find_first_not_of("0123456789", 3) == std::string::npos;
    if (name == "args" || is_positional) current().asks_args = true;
    if (name == "args" || name == "retval" || name == "uaddr") current().asks_facts = true;
  }

  const lang::Catalogue& catalogue_;
  Diagnostics& diags_;
  Names names_;
  std::vector<Scope> scopes_;
  std::map<std::string, std::uint32_t> map_ids_;
  std::map<std::uint32_t, Span> shape_known_;   // the first use that tells keyed from scalar
  std::vector<Use> whole_uses_;
};

}  // namespace

Names resolve_names(const Program& program, const lang::Catalogue& catalogue, Diagnostics& diags) {
  Resolver resolver(program, catalogue, diags);
  for (const Probe* probe : program.probes) resolver.resolve(*probe);
  for (const Function* function : program.functions) resolver.resolve(*function);
  return resolver.finish();
}

}  // namespace trc::ast
