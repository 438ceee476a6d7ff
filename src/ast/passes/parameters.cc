// Named parameters (language.md §14.2): each call of getopt() asks for one. They are collected here, so that what nobody asks for is
// refused and `-- --help` can list them; the values are parsed where the calls are lowered (builtins/compile_time.cc).
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ast/passes/passes.h"
#include "ast/spelling.h"
#include "ast/walk.h"

namespace trc::ast {
namespace {

/// A literal as it is written; "?" for what is none, which lowering reports.
std::string literal_text(const Expr& e) {
  if (const auto* n = std::get_if<Integer*>(&e)) return std::to_string((*n)->value);
  if (const auto* n = std::get_if<BoolLiteral*>(&e)) return (*n)->value ? "true" : "false";
  if (const auto* n = std::get_if<StringLiteral*>(&e)) return quoted((*n)->value);
  if (const auto* n = std::get_if<Unary*>(&e); n && (*n)->op == UnaryOp::Negate) return "-" + literal_text((*n)->operand);
  return "?";
}

class Finder : public Walker<Finder> {
 public:
  explicit Finder(Diagnostics& diags) : diags_(diags) {}

  void enter(const Call& call) {
    if (call.callee != "getopt" || call.args.empty()) return;
    const auto* name = std::get_if<StringLiteral*>(&call.args[0]);
    if (!name) return;
    const auto* description = call.args.size() > 2 ? std::get_if<StringLiteral*>(&call.args[2]) : nullptr;
    NamedParameter found{(*name)->value, call.args.size() > 1 ? literal_text(call.args[1]) : "false", description ? (*description)->value : "", call.span};
    const auto known = std::find_if(found_.begin(), found_.end(), [&](const NamedParameter& p) { return p.name == found.name; });
    if (known == found_.end()) {
      found_.push_back(std::move(found));
    } else if (known->fallback != found.fallback || (!found.description.empty() && !known->description.empty() && known->description != found.description)) {
      diags_.report(Diag::Redeclared, call.span, fmt::format("getopt(\"{}\") was called with another default value or description", found.name))
          .with_note(known->span, "the first call");
    } else if (known->description.empty()) {
      known->description = found.description;   // one call may say it for all
    }
  }

  std::vector<NamedParameter> take() { return std::move(found_); }

 private:
  Diagnostics& diags_;
  std::vector<NamedParameter> found_;
};

}  // namespace

std::vector<NamedParameter> find_parameters(const Program& program, Diagnostics& diags) {
  Finder finder(diags);
  for (const Function* function : program.functions) finder.walk(*function->body);
  for (const Probe* probe : program.probes) finder.walk(*probe);
  return finder.take();
}

void check_parameters(const std::vector<NamedParameter>& asked, const std::map<std::string, std::string>& given, Diagnostics& diags) {
  std::vector<std::string> unknown, names;
  for (const auto& [name, value] : given) {
    const bool is_asked = std::any_of(asked.begin(), asked.end(), [&](const NamedParameter& p) { return p.name == name; });
    if (!is_asked) unknown.push_back("--" + name);
  }
  if (unknown.empty()) return;
  std::string list;
  for (const NamedParameter& p : asked) list += (list.empty() ? "--" : ", --") + p.name;
  Diagnostic& report = diags.report(Diag::InvalidParameter, Span{.file = kNone}, fmt::format("unexpected program command line options: {}", fmt::join(unknown, ", ")));
  report.with_hint(asked.empty() ? "the script has no options: it does not call getopt()" : "expected program options: " + list);
}

std::string parameter_help(const Program& program, const lang::Catalogue& catalogue) {
  Diagnostics ignored;
  const auto asked = find_parameters(expand_macros(program, catalogue, ignored), ignored);
  if (asked.empty()) return "The script has no options.\n";
  std::vector<std::string> forms;
  std::size_t width = 0;
  for (const NamedParameter& p : asked) {
    const bool is_flag = p.fallback == "true" || p.fallback == "false";
    forms.push_back("--" + p.name + (is_flag ? "" : p.fallback.starts_with('"') ? "=TEXT" : "=NUMBER"));
    width = std::max(width, forms.back().size());
  }
  std::string text = "Options of the script, given behind --:\n";
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const std::string description = asked[i].description.empty() ? "" : asked[i].description + " ";
    text += fmt::format("  {:<{}}  {}(default {})\n", forms[i], width, description, asked[i].fallback);
  }
  return text;
}

}  // namespace trc::ast
