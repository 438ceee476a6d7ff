// Where control may go: break and continue only in loops, nothing after a statement that leaves.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

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

bool always_returns(const Block& block);

bool always_returns(const Stmt& statement) {
  if (std::holds_alternative<Return*>(statement)) return true;
  if (const auto* inner = std::get_if<Block*>(&statement)) return always_returns(**inner);
  const auto* choice = std::get_if<If*>(&statement);
  return choice && (*choice)->otherwise && always_returns(*(*choice)->then) && always_returns(*(*choice)->otherwise);
}

bool always_returns(const Block& block) {
  return std::any_of(block.statements.begin(), block.statements.end(), [](const Stmt& s) { return always_returns(s); });
}

/// Functions of the script: each ends with what it promised, and none is called while it runs.
class FunctionChecker : public Walker<FunctionChecker> {
 public:
  FunctionChecker(const Program& program, Diagnostics& diags) : diags_(diags) {
    for (const Function* function : program.functions) {
      const auto [it, is_new] = functions_.try_emplace(function->name, function);
      if (is_new) continue;
      diags.report(Diag::Redeclared, function->span, fmt::format("Redefinition of function: {}", function->name))
          .with_note(it->second->span, "This is the initial definition.");
    }
  }

  void check(const Function& function) {
    const bool is_void = function.result->name == "void" && function.result->suffixes.empty();
    if (!is_void && !always_returns(*function.body)) {
      diags_.report(Diag::ControlFlow, function.result->span, fmt::format("the function {} must return a value wherever it ends", function.name))
          .with_hint("end it with return …;");
    }
    chain_.push_back(&function);
    walk(*function.body);
    chain_.pop_back();
  }

  void enter(const Call& call) {
    const auto found = functions_.find(call.callee);
    if (found == functions_.end()) return;
    if (std::find(chain_.begin(), chain_.end(), found->second) != chain_.end()) {
      std::string names;
      for (const Function* function : chain_) names += function->name + " > ";
      diags_.report(Diag::ControlFlow, call.span, fmt::format("a function cannot be called while it runs: {}{}", names, call.callee))
          .with_hint("the kernel must know how deep calls go before it loads a program; use a loop");
    } else if (chain_.size() >= kMaxCallDepth) {
      diags_.report(Diag::LimitExceeded, call.span, fmt::format("functions call one another more than {} levels deep", kMaxCallDepth));
    } else {
      chain_.push_back(found->second);
      walk(*found->second->body);
      chain_.pop_back();
    }
  }

 private:
  /// The kernel allows 8 frames (MAX_CALL_FRAMES), and a program, a loop's body and library functions need some.
  static constexpr std::size_t kMaxCallDepth = 4;

  Diagnostics& diags_;
  std::map<std::string, const Function*> functions_;
  std::vector<const Function*> chain_;
};

}  // namespace

void check_flow(const Program& program, Diagnostics& diags) {
  FunctionChecker functions(program, diags);
  for (const Function* function : program.functions) {
    FlowChecker(diags).walk(*function->body);
    functions.check(*function);
  }
  for (const Probe* probe : program.probes) FlowChecker(diags).walk(*probe);
}

}  // namespace trc::ast
