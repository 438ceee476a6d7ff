// Numbers that have names: errors, signals, system calls. Each list has one source: what the C library says of errors and signals, and the kernel's
// header of system calls that trc was built with (syscall_names.def is made from it by CMake).
#include <signal.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "ast/build.h"
#include "ast/lowering.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::BuiltinSpec;
using lang::Param;
using typed::ValuePtr;

constexpr std::uint32_t kCapacity = 64;
constexpr std::size_t kMostErrors = 4096;   // MAX_ERRNO of the kernel

void set(std::vector<std::string>& texts, std::size_t index, std::string_view text, std::string_view gap) {
  if (texts.size() <= index) texts.resize(index + 1, std::string(gap));
  texts[index] = std::string(text.substr(0, kCapacity - 1));
}

constexpr std::string_view kNoError = "Unknown error", kNoSignal = "N/A", kNoSyscall = "Unknown syscall";

std::vector<std::string> error_texts() {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < kMostErrors; ++i) {
    if (const char* text = ::strerrordesc_np(static_cast<int>(i))) set(texts, i, text, kNoError);
  }
  return texts;
}

std::vector<std::string> signal_texts() {
  std::vector<std::string> texts;
  for (int i = 1; i < NSIG; ++i) {
    if (const char* text = ::sigdescr_np(i)) set(texts, static_cast<std::size_t>(i), text, kNoSignal);
  }
  return texts;
}

std::vector<std::string> syscall_texts() {
  static constexpr std::pair<std::size_t, std::string_view> kNames[] = {
#define TRC_SYSCALL(number, name) {number, name},
#include "builtins/syscall_names.def"
#undef TRC_SYSCALL
  };
  std::vector<std::string> texts;
  for (const auto& [number, name] : kNames) set(texts, number, name, kNoSyscall);
  return texts;
}

void lower_name(CallLowering& call, std::vector<std::string> texts, std::string_view otherwise) {
  ValuePtr number = call.argument(0);
  if (!number) return;
  texts.emplace_back(otherwise);
  // Negative numbers are large ones then, which have no name.
  number = call.convert(call.convert(std::move(number), lang::make_int64()), lang::make_uint64());
  call.result(typed::make(lang::make_string(kCapacity), call.span(), typed::TextTable{std::move(number), std::move(texts)}));
}

void lower_strerror(CallLowering& call) { lower_name(call, error_texts(), kNoError); }
void lower_signal_name(CallLowering& call) { lower_name(call, signal_texts(), kNoSignal); }
void lower_syscall_name(CallLowering& call) { lower_name(call, syscall_texts(), kNoSyscall); }

constexpr Param kNumber[] = {{.name = "number", .type = "int"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "strerror", .params = kNumber, .result = "string[64]", .lower = lang::Custom{lower_strerror}, .doc = "What an error number (errno) means.",
     .example = "begin { print(strerror(2)); }", .prints = "No such file or directory"},
    {.name = "signal_name", .params = kNumber, .result = "string[64]", .lower = lang::Custom{lower_signal_name}, .doc = "What a signal means.",
     .example = "begin { print(signal_name(9)); }", .prints = "Killed"},
    {.name = "syscall_name", .params = kNumber, .result = "string[64]", .lower = lang::Custom{lower_syscall_name}, .doc = "Name of a system call.",
     .example = "begin { print(syscall_name(1)); }", .prints = "write"},
};

}  // namespace

std::span<const BuiltinSpec> name_builtins() { return kRows; }

}  // namespace trc::builtins
