// Where control may go: break and continue only in loops, nothing after a statement that leaves.
#include <fmt/format.h>

#include "ast/passes/passes.h"
#include "ast/walk.h"

namespace trc::ast {
namespace {

bool is_exit(const Stmt& statement) {
  const auto* expression = std::get_if<ExprStmt*>(&statement);
  if (!expression) return false;
  const auto* call = std::get_if<Call*>(&(*expression)->expr);
  return call && (*call)->callee == "exit";
}

bool leaves(const Stmt& statement) {
  return is_exit(statement) || std::holds_alternative<Break*>(statement) || std::holds_alternative<Continue*>(statement) ||
         std::holds_alternative<Return*>(statement);
}

class FlowChecker : public Walker<FlowChecker> {
 public:
  explicit FlowChecker(Diagnostics& diags) : diags_(diags) {}

  void enter(const While&) { ++loops_; }
  void leave(const While&) { --loops_; }
  void enter(const For&) { ++loops_; }
  void leave(const For&) { --loops_; }
  void enter(const Break& n) { check_jump(n.span, "break"); }
  void enter(const Continue& n) { check_jump(n.span, "continue"); }

  void enter(const Block& block) {
    for (std::size_t i = 0; i < block.statements.size(); ++i) {
      if (!leaves(block.statements[i])) continue;
      if (i + 1 < block.statements.size()) {
        diags_.report(Diag::UnreachableCode, span_of(block.statements[i + 1]), "Unreachable statement.");
      } else if (block.value) {
        diags_.report(Diag::UnreachableCode, span_of(*block.value), "Unreachable statement.");
      }
      return;
    }
  }

 private:
  void check_jump(Span span, std::string_view word) {
    if (loops_ > 0) return;
    diags_.report(Diag::ControlFlow, span, fmt::format("'{}' statement is not allowed in a probe", word))
        .with_hint("it belongs into the body of a for or while loop");
  }

  Diagnostics& diags_;
  int loops_ = 0;
};

}  // namespace

void check_flow(const Program& program, Diagnostics& diags) {
  for (const Probe* probe : program.probes) FlowChecker(diags).walk(*probe);
}

}  // namespace trc::ast
