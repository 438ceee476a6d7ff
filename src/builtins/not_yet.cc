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

void refuse_form(ast::CallLowering& call) {
  call.report(Diag::NotSupportedYet, call.span(), fmt::format("{}() with an argument is not supported yet", call.name()))
      .with_hint(fmt::format("{} alone is that of the current task", call.name()));
}

constexpr Param kAnything[] = {{.name = "arguments", .type = "any", .optional = true, .repeated = true}};

constexpr BuiltinSpec missing(std::string_view name, BuiltinForm form = BuiltinForm::Function) {
  return {.name = name, .form = form, .params = kAnything, .result = "", .lower = lang::Custom{refuse}, .doc = "Not supported yet."};
}

/// A form with arguments of something that works without.
constexpr Param kSomething[] = {{.name = "arguments", .type = "any", .repeated = true}};

constexpr BuiltinSpec missing_form(std::string_view name) {
  return {.name = name, .form = BuiltinForm::Value, .params = kSomething, .result = "", .lower = lang::Custom{refuse_form}, .doc = "Not supported yet."};
}

constexpr BuiltinSpec kRows[] = {
    missing_form("comm"),
    missing("assert"), missing("bswap"), missing("cat"), missing("cgroup_path"), missing("cgroupid"),
    missing("container_of"), missing("debugf"), missing("dw_ustack", BuiltinForm::Value), missing("errorf"),
    missing("is_err"),
    missing("kaddr"), missing("kfunc_allowed"), missing("kfunc_exist"),
    missing("macaddr"), missing("memcmp"), missing("ntop"), missing("override"), missing("path"), missing("percpu_kaddr"), missing("pton"),
    missing("signal"), missing("signal_name"), missing("signal_thread"), missing("skboutput"), missing("socket_cookie"),
    missing("str_concat"), missing("strcap"), missing("strcontains"), missing("strerror"), missing("strstr"),
    missing("syscall_name"), missing("system"), missing("tseries"), missing("uaddr"), missing("unwatch"), missing("warnf"),
    missing("write_user"),
    missing("leader_comm", BuiltinForm::Value), missing("leader_tid", BuiltinForm::Value), missing("pcomm", BuiltinForm::Value),
    missing("ppid", BuiltinForm::Value), missing("usermode", BuiltinForm::Value), missing("username", BuiltinForm::Value),
};

}  // namespace

std::span<const BuiltinSpec> not_yet_builtins() { return kRows; }

}  // namespace trc::builtins
