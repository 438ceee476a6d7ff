// A script and what it imports (language.md §15.4), as one program.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ast/nodes.h"
#include "source/diagnostics.h"
#include "source/source_file.h"

namespace trc::parser {

struct LoadOptions {
  std::vector<std::string> positionals;   ///< as in ParseOptions
  std::string path;                       ///< of the script, for what it imports; empty: those are sought from the current directory
};

struct LoadedScript {
  ast::Program program;
  std::vector<std::unique_ptr<SourceFile>> sources;   ///< by Span::file; the script itself is the first

  std::vector<const SourceFile*> files() const;
};

/// Parses the script and everything that it imports. What is imported stands in front of the importer's own definitions and probes, and
/// each file is there once. Mistakes, also files that are missing or unsafe, go to `diags`.
LoadedScript load(SourceFile script, const LoadOptions& options, Diagnostics& diags);

}  // namespace trc::parser
