// Types to a fixed point, then every body for good, then the resources that the bodies turned out to need.
#include <utility>

#include <fmt/format.h>

#include "ast/passes/lower.h"
#include "ast/passes/passes.h"
#include "base/assert.h"
#include "types/foreign_types.h"

namespace trc::ast {
namespace {

using lang::Type;
using lang::TypeKind;

// Types only widen, and a chain of assignments settles one link a round; real scripts take two or three.
constexpr int kMaxRounds = 200;

struct MapKind {
  std::string_view name;
  bool is_lru, is_per_cpu;
};
constexpr MapKind kMapKinds[] = {{"hash", false, false}, {"lruhash", true, false}, {"percpuhash", false, true}, {"percpulruhash", true, true}};

class Bodies {
 public:
  Bodies(const BodyInput& input, Diagnostics& diags) : input_(input), diags_(diags), shared_{.input = input} {
    shared_.maps.resize(input.names.maps.size());
    for (const PlannedProgram& program : input.plan.programs) {
      if (program.context.facts) input.types.use(program.context.facts->types());
    }
    for (const PlannedProgram& program : input.plan.programs) {
      variables_.emplace_back(input.names.probes[program.probe_index].variables.size());
    }
    for (std::size_t i = 0; i < input.program.functions.size(); ++i) {
      const std::size_t index = input.program.probes.size() + i;
      function_plans_.push_back({.probe_index = index, .provider = "fn"});
      function_variables_.emplace_back(input.names.probes[index].variables.size());
    }
  }

  typed::TypedProgram run() {
    infer();
    settle_unknown();
    infer();
    shared_.is_final = true;
    for (std::size_t i = 0; i < input_.program.functions.size(); ++i) lower_function(i, result_.functions.emplace_back());
    for (std::size_t i = 0; i < input_.plan.programs.size(); ++i) lower(i);
    TRC_ASSERT(!shared_.changed || !diags_.ok());
    plan_maps();
    result_.events = std::move(shared_.events);
    result_.license = input_.settings.license;
    result_.max_strlen = input_.settings.settings.max_strlen;
    if (input_.settings.on_stack_limit) result_.on_stack_limit = *input_.settings.on_stack_limit;
    result_.unwinding = input_.settings.unwinding;
    result_.ring_bytes = input_.settings.settings.ring_pages * 4096;
    return std::move(result_);
  }

 private:
  void infer() {
    for (int round = 0; round < kMaxRounds; ++round) {
      Diagnostics thrown_away;
      shared_.diags = &thrown_away;
      shared_.changed = false;
      for (std::size_t i = 0; i < input_.plan.programs.size(); ++i) BodyLowering(shared_, input_.plan.programs[i], variables_[i]).lower();
      for (std::size_t i = 0; i < input_.program.functions.size(); ++i) {
        typed::Function thrown_away_too;
        lower_function(i, thrown_away_too);
      }
      if (!shared_.changed) return;
    }
    TRC_UNREACHABLE("types do not settle");
  }

  /// What nothing has given a type reads as 0.
  void settle_unknown() {
    auto settle = [](Shape& shape) {
      if (shape.is_known()) return;
      shape = shape_of(literal_type(0));
      shape.is_literal = true;
      shape.is_assumed = true;
    };
    for (std::size_t i = 0; i < shared_.maps.size(); ++i) {
      settle(shared_.maps[i].value);
      if (input_.names.maps[i].is_keyed) settle(shared_.maps[i].key);
    }
    for (auto* all : {&variables_, &function_variables_}) {
      for (auto& variables : *all) {
        for (Shape& variable : variables) settle(variable);
      }
    }
  }

  void lower_function(std::size_t index, typed::Function& into) {
    if (shared_.is_final) shared_.diags = &diags_;
    BodyLowering body(shared_, function_plans_[index], function_variables_[index]);
    body.lower(*input_.program.functions[index], into);
    into.code.name = fmt::format("fn_{}", input_.program.functions[index]->name);
    into.code.slots = body.slots();
  }

  void lower(std::size_t index) {
    const PlannedProgram& plan = input_.plan.programs[index];
    Diagnostics thrown_away;
    shared_.diags = plan.is_broken ? &thrown_away : &diags_;
    BodyLowering body(shared_, plan, variables_[index]);
    typed::Statements statements = body.lower();
    if (plan.is_broken) return;
    const auto id = static_cast<std::uint32_t>(result_.programs.size());
    const bool shares = plan.specs.size() > 1 || !plan.is_exact;
    typed::Program& program = result_.programs.emplace_back();
    program.name = fmt::format("probe_{}", id);
    program.probe = static_cast<std::uint32_t>(result_.probes.size());
    program.context = plan.context;
    program.slots = body.slots();
    program.compared = body.compared();
    program.body = std::move(statements);
    for (typed::ProbeSpec spec : plan.specs) {
      spec.program = id;
      spec.needs_cookie = shares && input_.names.probes[plan.probe_index].asks_probe;
      result_.probes.push_back(std::move(spec));
    }
  }

  void plan_maps() {
    for (std::size_t i = 0; i < shared_.maps.size(); ++i) {
      const MapInfo& info = input_.names.maps[i];
      typed::Map& map = result_.maps.emplace_back();
      map.name = info.name;
      map.span = info.first;
      map.value = settled(shared_.maps[i].value);
      map.per_cpu = map.value.is_aggregate();
      if (info.is_keyed) {
        map.key = settled(shared_.maps[i].key);
        map.max_entries = input_.settings.max_map_keys;
      }
      if (info.declaration) apply_declaration(map, *info.declaration);
    }
  }

  void apply_declaration(typed::Map& map, const MapDeclaration& declaration) {
    const MapKind* kind = nullptr;
    std::vector<std::string> names;
    for (const MapKind& row : kMapKinds) {
      if (row.name == declaration.kind) kind = &row;
      names.emplace_back(row.name);
    }
    if (!kind) {
      Diagnostic& diagnostic = diags_.report(Diag::MapUse, declaration.span, "Invalid bpf map type: " + declaration.kind);
      const std::string near = nearest(declaration.kind, names);
      diagnostic.with_hint(near.empty() ? "valid map types: hash, lruhash, percpuhash, percpulruhash" : "did you mean " + near + "?");
      return;
    }
    if (declaration.max_entries == 0 || declaration.max_entries > 0xffffffff) {
      diags_.report(Diag::LimitExceeded, declaration.span, "the number of entries of a map must be between 1 and 4294967295");
      return;
    }
    if (kind->is_per_cpu != map.value.is_aggregate()) {
      diags_.report(Diag::MapUse, declaration.span,
                    fmt::format("Incompatible map types. Type from declaration: {}. Type from value/key type: {}", kind->name,
                                map.value.is_aggregate() ? "percpuhash" : "hash"));
      return;
    }
    map.lru = kind->is_lru;
    if (map.key) map.max_entries = static_cast<std::uint32_t>(declaration.max_entries);
  }

  const BodyInput& input_;
  Diagnostics& diags_;
  Shared shared_;
  std::vector<std::vector<Shape>> variables_;   // by program, then by variable
  std::vector<PlannedProgram> function_plans_;  // what a function can know of a probe: nothing
  std::vector<std::vector<Shape>> function_variables_;
  typed::TypedProgram result_;
};

}  // namespace

typed::TypedProgram lower_bodies(const BodyInput& input, Diagnostics& diags) { return Bodies(input, diags).run(); }

}  // namespace trc::ast
