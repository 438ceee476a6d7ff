// Syntax tree to typed program. The passes and their order are in pipeline.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ast/nodes.h"
#include "ast/typed_program.h"
#include "image/program_image.h"
#include "kernel/facts.h"
#include "lang/builtin_spec.h"
#include "probes/provider.h"
#include "source/diagnostics.h"
#include "types/c_section.h"

namespace trc::ast {

struct AnalyseOptions {
  std::vector<std::string> positionals;   ///< $1 …
  std::map<std::string, std::string> named_parameters;   ///< --name=value behind "--": for getopt(); an empty value stands for none
  probes::Scope scope;                    ///< -p / -c
  bool unsafe = false;                    ///< --unsafe
  types::HeaderOptions headers;           ///< -I, --include
  bool compat = false;                    ///< --compat; the config block and the environment may ask for it too
};

struct Analysis {
  typed::TypedProgram program;
  image::Settings settings;               ///< from the config block and the environment (language.md §21)
};

/// Reports every mistake it finds to `diags`; nullopt when there was an error.
std::optional<Analysis> analyse(const Program& program, const std::vector<const SourceFile*>& files, const lang::Catalogue& catalogue,
                                const kernel::Facts& facts, const AnalyseOptions& options, Diagnostics& diags);

/// What `trc SCRIPT -- --help` prints: the named parameters that the script asks for, with default values and descriptions.
std::string parameter_help(const Program& program, const lang::Catalogue& catalogue);

}  // namespace trc::ast
