// What the language has and trc does not have yet, refused by name so that nobody looks for a mistake of their own. Functions that
// are missing are rows of builtins/not_yet.cc.
#include <fmt/format.h>

#include "ast/passes/passes.h"
#include "ast/walk.h"

namespace trc::ast {
namespace {

class Refuser : public Walker<Refuser> {
 public:
  explicit Refuser(Diagnostics& diags) : diags_(diags) {}

  void enter(const ImportStmt& n) { refuse(n.span, "import inside a block"); }

  void refuse(Span span, std::string_view what) { diags_.report(Diag::NotSupportedYet, span, fmt::format("{} is not supported yet", what)); }

 private:
  Diagnostics& diags_;
};

}  // namespace

void refuse_unsupported(const Program& program, Diagnostics& diags) {
  Refuser refuser(diags);
  for (const Function* function : program.functions) refuser.walk(*function->body);
  for (const Probe* probe : program.probes) refuser.walk(*probe);
}

}  // namespace trc::ast
