// Functions and values that the language has and trc does not have yet: named here so that they are refused as what they are and not
// taken for a typing mistake. A row leaves this file when its builtin arrives.
#include <fmt/format.h>

#include "ast/lowering.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using lang::BuiltinForm;
using lang::BuiltinSpec;
using lang::Param;

void refuse(ast::CallLowering& call) { call.report(Diag::NotSupportedYet, call.span(), fmt::format("{} is not supported yet", call.name())); }

constexpr Param kAnything[] = {{.name = "arguments", .type = "any", .optional = true, .repeated = true}};

constexpr BuiltinSpec missing(std::string_view name, BuiltinForm form = BuiltinForm::Function) {
  return {.name = name, .form = form, .params = kAnything, .result = "", .lower = lang::Custom{refuse}, .doc = "Not supported yet."};
}

constexpr BuiltinSpec kRows[] = {
    missing("unwatch"),
};

}  // namespace

std::span<const BuiltinSpec> not_yet_builtins() { return kRows; }

}  // namespace trc::builtins
