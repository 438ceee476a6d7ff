// The passes in their order. Each reports what it finds and lets the next one run, so that one run shows many mistakes.
#include "ast/passes/passes.h"
#include "base/assert.h"
#include "types/c_section.h"

namespace trc::ast {
namespace {

void define_c_types(const Program& program, const AnalyseOptions& options, types::Library& types, Diagnostics& diags) {
  std::vector<types::CText> texts;
  for (const CDefinition* definition : program.c_definitions) texts.push_back({definition->text, definition->span});
  types::read_c_section(texts, options.headers, types, diags);
}

}  // namespace

std::optional<Analysis> run_passes(const Program& written, const std::vector<const SourceFile*>& files, const lang::Catalogue& catalogue,
                                   const World& world, const AnalyseOptions& options, Diagnostics& diags) {
  Options settings = read_settings(written.config, world.environment, diags);
  settings.settings.compat |= options.compat;
  const Program program = expand_macros(written, catalogue, diags);
  check_parameters(find_parameters(program, diags), options.named_parameters, diags);
  refuse_unsupported(program, settings, diags);
  const Names names = resolve_names(program, catalogue, diags);
  check_flow(program, diags);
  const ProbePlan plan = expand_probes(program, names, settings, world.probe_types, world.facts, options.scope, diags);
  types::Library types(world.facts);
  define_c_types(program, options, types, diags);
  typed::TypedProgram typed = lower_bodies({program, names, plan, settings, catalogue, options, types, world.facts}, diags);
  if (!diags.ok()) return std::nullopt;
  typed.files = files;
#ifndef NDEBUG
  TRC_ASSERT(verify(typed).empty());
#endif
  return Analysis{std::move(typed), settings.settings};
}

}  // namespace trc::ast
