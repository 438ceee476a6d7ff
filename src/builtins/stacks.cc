// Stacks and symbols.
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::BuiltinForm;
using lang::BuiltinSpec;
using lang::Param;
using typed::ValuePtr;

constexpr std::string_view kModes[] = {"bpftrace", "perf", "raw", "build_id"};

/// A name that is a stack mode, or nothing.
std::optional<std::string> mode_argument(CallLowering& call, std::size_t i) {
  const auto* name = std::get_if<ast::Identifier*>(&call.argument_expr(i));
  if (!name) return std::nullopt;
  for (std::string_view mode : kModes) {
    if (mode == (*name)->name) return std::string(mode);
  }
  return std::nullopt;
}

/// stack, stack(mode), stack(limit), stack(mode, limit)
template <bool user>
void lower_stack(CallLowering& call) {
  std::string mode;
  std::size_t next = 0;
  if (call.argument_count() > 0) {
    if (auto given = mode_argument(call, 0)) {
      mode = *given;
      next = 1;
    } else if (call.argument_count() == 2) {
      call.report(Diag::ArgumentType, call.argument_span(0), "Invalid stack mode").with_hint("stack modes: bpftrace, perf, raw, build_id");
      return;
    }
  }
  std::int64_t limit = lang::kDefaultStackLimit;
  if (next < call.argument_count()) {
    const auto given = call.literal_int(next);
    if (!given) return;
    limit = *given;
    if (limit < 0 || limit > lang::kMaxStackLimit) {
      call.report(Diag::LimitExceeded, call.argument_span(next),
                  fmt::format("{}(): limit shouldn't exceed {}, {} given", call.name(), lang::kMaxStackLimit, limit));
      return;
    }
  }
  call.result(typed::make(lang::make_stack(user, static_cast<std::uint32_t>(limit), mode), call.span(), typed::CaptureStack{}));
}

template <bool user>
void lower_symbol(CallLowering& call) {
  ValuePtr address = call.argument(0);
  if (address) call.result(typed::make(lang::make_symbol(user), call.span(), typed::MakeSymbol{std::move(address)}));
}

constexpr Param kStack[] = {{.name = "mode or limit", .type = "name", .optional = true}, {.name = "limit", .type = "literal int", .optional = true}};
constexpr Param kAddress[] = {{.name = "address", .type = "address"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "kstack", .form = BuiltinForm::Value, .params = kStack, .lower = lang::Custom{lower_stack<false>},
     .doc = "The kernel stack, of at most limit frames (127 unless given), printed in a mode: bpftrace, perf, raw, build_id.",
     .example = "profile:hz:99 { @[kstack] = count(); }"},
    {.name = "ustack", .form = BuiltinForm::Value, .params = kStack, .lower = lang::Custom{lower_stack<true>},
     .doc = "The user stack, of at most limit frames (127 unless given), printed in a mode: bpftrace, perf, raw, build_id.",
     .example = "profile:hz:99 { @[ustack(perf, 5)] = count(); }"},
    {.name = "ksym", .params = kAddress, .lower = lang::Custom{lower_symbol<false>}, .doc = "Name of the kernel symbol at an address.",
     .example = "begin { print(ksym(0)); }", .prints = "0x0"},
    {.name = "usym", .params = kAddress, .lower = lang::Custom{lower_symbol<true>}, .doc = "Name of the symbol at an address of the current process.",
     .example = "uprobe:/bin/bash:readline { print(usym(reg(\"ip\"))); }"},
};

}  // namespace

std::span<const BuiltinSpec> stack_builtins() { return kRows; }

}  // namespace trc::builtins
