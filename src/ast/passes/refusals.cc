// What a script must allow first. Functions that are missing are rows of builtins/not_yet.cc.
#include <fmt/format.h>

#include "ast/passes/passes.h"
#include "ast/walk.h"

namespace trc::ast {
namespace {

class Refuser : public Walker<Refuser> {
 public:
  Refuser(const Options& options, Diagnostics& diags) : options_(options), diags_(diags) {}

  /// The loader has read what it names.
  void enter(const ImportStmt& n) {
    if (options_.unstable_import_statement == "error") {
      diags_.report(Diag::InvalidImport, n.span, "import inside a block is an unstable feature").with_hint("allow it: config = { unstable_import_statement = enable }; or import at the top");
    } else if (options_.unstable_import_statement == "warn") {
      diags_.report(Diag::UnstableFeature, n.span, "Script is using an unstable feature: import inside a block");
    }
  }

 private:
  const Options& options_;
  Diagnostics& diags_;
};

}  // namespace

void refuse_unsupported(const Program& program, const Options& options, Diagnostics& diags) {
  Refuser refuser(options, diags);
  for (const Function* function : program.functions) refuser.walk(*function->body);
  for (const Probe* probe : program.probes) refuser.walk(*probe);
}

}  // namespace trc::ast
