// The passes with the real world around them. A file of its own, so that tests of the passes need none of it.
#include "ast/passes/analyse.h"

#include <cstdlib>

#include "ast/passes/passes.h"

namespace trc::ast {

std::optional<Analysis> analyse(const Program& program, const std::vector<const SourceFile*>& files, const lang::Catalogue& catalogue,
                                const kernel::Facts& facts, const AnalyseOptions& options, Diagnostics& diags) {
  const ProbeTypes probe_types{probes::parse_attach_point,
                               [](std::string_view word) { return probes::find_provider(word) != nullptr; }};
  const World world{facts, probe_types, [](const char* name) -> const char* { return std::getenv(name); }};
  return run_passes(program, files, catalogue, world, options, diags);
}

}  // namespace trc::ast
