// Clocks.
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

struct Clock {
  std::string_view name;
  int helper;            // enum bpf_func_id
  std::uint32_t number;  // of typed::MakeTimestamp
};
constexpr std::uint32_t kTai = 2;
constexpr Clock kClocks[] = {{"boot", 125, 0}, {"monotonic", 5, 1}, {"tai", 208, kTai}};

void lower_nsecs(CallLowering& call) {
  std::string_view wanted = "boot";
  if (call.argument_count() == 1) {
    const auto* name = std::get_if<ast::Identifier*>(&call.argument_expr(0));
    wanted = name ? std::string_view((*name)->name) : std::string_view();
  }
  for (const Clock& clock : kClocks) {
    if (clock.name == wanted) return call.result(typed::make_helper_call(clock.helper, call.span()));
  }
  if (wanted == "sw_tai") {   // TAI as it would be if nobody set the clock while the script runs; for kernels before 6.1
    const lang::Type wide = lang::make_uint64();
    ValuePtr delta = typed::make(wide, call.span(), typed::Runtime{typed::RuntimeConstant::TaiDelta});
    return call.result(typed::make_binary(typed::BinaryOp::Add, wide, call.span(), typed::make_helper_call(kClocks[0].helper, call.span()), std::move(delta)));
  }
  call.report(Diag::ArgumentType, call.argument_span(0), "nsecs() expects a clock: boot, monotonic, tai or sw_tai");
}

void lower_elapsed(CallLowering& call) {
  const lang::Type wide = lang::make_uint64();
  ValuePtr start = typed::make(wide, call.span(), typed::Runtime{typed::RuntimeConstant::StartNs});
  call.result(typed::make_binary(typed::BinaryOp::Subtract, wide, call.span(), typed::make_helper_call(kClocks[0].helper, call.span()),
                                 std::move(start)));
}

/// The clock that a time was read from, as far as the expression shows it; boot otherwise.
std::uint32_t clock_of(const typed::Value& value) {
  if (const auto* helper = std::get_if<typed::CallHelper>(&value.op)) {
    for (const Clock& clock : kClocks) {
      if (clock.helper == helper->helper) return clock.number;
    }
  }
  if (const auto* runtime = std::get_if<typed::Runtime>(&value.op)) return runtime->which == typed::RuntimeConstant::TaiDelta ? kTai : 0;
  if (const auto* binary = std::get_if<typed::Binary>(&value.op)) return std::max(clock_of(*binary->left), clock_of(*binary->right));
  if (const auto* convert = std::get_if<typed::Convert>(&value.op)) return clock_of(*convert->operand);
  return 0;
}

void lower_strftime(CallLowering& call) {
  const auto format = call.literal_string(0);
  ValuePtr ns = call.argument(1);
  if (!format || !ns) return;
  const std::uint32_t clock = clock_of(*ns);
  ns = call.convert(std::move(ns), lang::make_uint64());
  call.result(typed::make(lang::make_timestamp(*format), call.span(), typed::MakeTimestamp{std::move(ns), clock}));
}

constexpr Param kNsecs[] = {{.name = "clock", .type = "name", .optional = true}};
constexpr Param kStrftime[] = {{.name = "format", .type = "literal string"}, {.name = "ns", .type = "int"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "nsecs", .form = BuiltinForm::Value, .params = kNsecs, .result = "uint64", .lower = lang::Custom{lower_nsecs},
     .doc = "Nanoseconds of a clock: boot (the default, counts suspend), monotonic, tai, or sw_tai, which is boot and what tai was ahead at the start.", .example = "begin { print(nsecs); }"},
    {.name = "elapsed", .form = BuiltinForm::Value, .result = "uint64", .lower = lang::Custom{lower_elapsed},
     .doc = "Nanoseconds since the program started.", .example = "begin { print(elapsed < 1h); }", .prints = "true"},
    {.name = "strftime", .params = kStrftime, .lower = lang::Custom{lower_strftime},
     .doc = "A time of nsecs as a text by a strftime format, also %f (microseconds), %l (milliseconds), %k (nanoseconds).",
     .example = "begin { print(strftime(\"%H:%M:%S\", nsecs)); }"},
};

}  // namespace

std::span<const BuiltinSpec> time_builtins() { return kRows; }

}  // namespace trc::builtins
