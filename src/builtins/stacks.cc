// Stacks and symbols.
#include <algorithm>
#include <string>
#include <string_view>
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

constexpr std::string_view kModes[] = {"bpftrace", "perf", "raw", "build_id", "folded"};
constexpr std::pair<std::string_view, typed::StackFrames> kFrames[] = {{"python", typed::StackFrames::Python}, {"mixed", typed::StackFrames::Mixed}};
constexpr std::pair<std::string_view, typed::Unwinding> kUnwindings[] = {{"fp", typed::Unwinding::FramePointers}, {"dwarf", typed::Unwinding::Tables}};

/// What the words in front of the limit say.
struct StackWords {
  std::string mode;
  typed::Unwinding unwinding = typed::Unwinding::Setting;
  typed::StackFrames frames = typed::StackFrames::Native;
};

/// Takes the argument if it is a mode or a way to walk, each at most once.
bool take_word(CallLowering& call, std::size_t i, bool user, StackWords& words) {
  const auto* name = std::get_if<ast::Identifier*>(&call.argument_expr(i));
  if (!name) return false;
  if (words.mode.empty() && std::find(std::begin(kModes), std::end(kModes), (*name)->name) != std::end(kModes)) {
    words.mode = (*name)->name;
    return true;
  }
  for (const auto& [word, frames] : kFrames) {
    if (!user || !words.mode.empty() || word != (*name)->name) continue;
    words.mode = word;   // Python frames have one form
    words.frames = frames;
    return true;
  }
  for (const auto& [word, unwinding] : kUnwindings) {
    if (!user || words.unwinding != typed::Unwinding::Setting || word != (*name)->name) continue;
    words.unwinding = unwinding;
    return true;
  }
  return false;
}

/// Says what is wrong with a word that means something, but not here. False: it is no such word.
bool refuse_word(CallLowering& call, std::size_t i, bool user, const StackWords& words) {
  const auto* name = std::get_if<ast::Identifier*>(&call.argument_expr(i));
  if (!name) return false;
  const std::string_view word = (*name)->name;
  const auto is_word = [&](const auto& row) { return row.first == word; };
  const bool is_frames = std::any_of(std::begin(kFrames), std::end(kFrames), is_word);
  const bool is_mode = std::find(std::begin(kModes), std::end(kModes), word) != std::end(kModes);
  if (is_frames && !user) {
    call.report(Diag::ArgumentType, call.argument_span(i), "kernel stacks have no Python frames").with_hint(fmt::format("use ustack({})", word));
    return true;
  }
  if ((is_frames || is_mode) && !words.mode.empty()) {
    call.report(Diag::ArgumentType, call.argument_span(i), fmt::format("a stack has one mode: {} or {}", words.mode, word));
    return true;
  }
  return false;
}

/// stack, stack(words), stack(limit), stack(words, limit); words: a mode, and for user stacks how to walk
template <bool user, bool dwarf = false>
void lower_stack(CallLowering& call) {
  StackWords words;
  if (dwarf) words.unwinding = typed::Unwinding::Tables;
  std::size_t next = 0;
  while (next < call.argument_count() && take_word(call, next, user, words)) ++next;
  if (next < call.argument_count() && refuse_word(call, next, user, words)) return;
  if (words.frames == typed::StackFrames::Python && words.unwinding != typed::Unwinding::Setting) {
    call.report(Diag::ArgumentType, call.span(), "ustack(python) has no native frames that could be walked by fp or dwarf");
    return;
  }
  if (next + 1 < call.argument_count()) {
    call.report(Diag::ArgumentType, call.argument_span(next), "Invalid stack mode")
        .with_hint(user ? "stack modes: bpftrace, perf, raw, build_id, folded, python, mixed; ways to walk: fp, dwarf" : "stack modes: bpftrace, perf, raw, build_id, folded");
    return;
  }
  std::int64_t limit = lang::kDefaultStackLimit;
  const bool limit_given = next < call.argument_count();
  if (limit_given) {
    const auto given = call.literal_int(next);
    if (!given) return;
    limit = *given;
    const std::int64_t most = user ? lang::kMaxUserStackLimit : lang::kMaxKernelStackLimit;
    if (limit < 0 || limit > most) {
      call.report(Diag::LimitExceeded, call.argument_span(next), fmt::format("{}(): limit shouldn't exceed {}, {} given", call.name(), most, limit));
      return;
    }
  }
  lang::Type type = lang::make_stack(user, static_cast<std::uint32_t>(limit), words.mode);
  if (dwarf) type.low = lang::kShownAsUnwound;
  call.result(typed::make(std::move(type), call.span(),
                          typed::CaptureStack{limit_given, words.unwinding, words.frames}));
}

template <bool user>
void lower_symbol(CallLowering& call) {
  ValuePtr address = call.argument(0);
  if (address) call.result(typed::make(lang::make_symbol(user), call.span(), typed::MakeSymbol{std::move(address)}));
}

constexpr Param kKernelStack[] = {{.name = "mode or limit", .type = "name", .optional = true}, {.name = "limit", .type = "literal int", .optional = true}};
constexpr Param kUserStack[] = {{.name = "mode, fp, dwarf or limit", .type = "name", .optional = true},
                                {.name = "fp, dwarf or limit", .type = "name", .optional = true},
                                {.name = "limit", .type = "literal int", .optional = true}};
constexpr Param kAddress[] = {{.name = "address", .type = "address"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "kstack", .form = BuiltinForm::Value, .params = kKernelStack, .lower = lang::Custom{lower_stack<false>},
     .doc = "The kernel stack, of at most limit frames (as many as the kernel gives unless given), printed in a mode: bpftrace, perf, raw, build_id, folded.",
     .example = "profile:hz:99 { @[kstack] = count(); }"},
    {.name = "ustack", .form = BuiltinForm::Value, .params = kUserStack, .lower = lang::Custom{lower_stack<true>},
     .doc = "The user stack, of at most limit frames (1024 unless given), printed in a mode: bpftrace, perf, raw, build_id, folded. Walked by unwind tables, or as "
            "told: fp (by frame pointers), dwarf (by tables only). In the mode python it has the frames of Python functions, in mixed both kinds.",
     .example = "profile:hz:99 { @[ustack(perf, 5)] = count(); }"},
    {.name = "dw_ustack", .form = BuiltinForm::Value, .params = kUserStack, .lower = lang::Custom{lower_stack<true, true>},
     .doc = "As ustack(dwarf), shown in the older way: callers by the last byte of their call, a cut stack by <unwind failure>.",
     .example = "profile:hz:99 { @[dw_ustack] = count(); }"},
    {.name = "ksym", .params = kAddress, .lower = lang::Custom{lower_symbol<false>}, .doc = "Name of the kernel symbol at an address.",
     .example = "begin { print(ksym(0)); }", .prints = "0x0"},
    {.name = "usym", .params = kAddress, .lower = lang::Custom{lower_symbol<true>}, .doc = "Name of the symbol at an address of the current process.",
     .example = "uprobe:/bin/bash:readline { print(usym(reg(\"ip\"))); }"},
};

}  // namespace

std::span<const BuiltinSpec> stack_builtins() { return kRows; }

}  // namespace trc::builtins
