// The families of builtins, one file each; catalogue.cc puts them together.
#pragma once

#include <span>

#include "lang/builtin_spec.h"

namespace trc::builtins {

std::span<const lang::BuiltinSpec> output_builtins();
std::span<const lang::BuiltinSpec> map_builtins();
std::span<const lang::BuiltinSpec> aggregate_builtins();
std::span<const lang::BuiltinSpec> string_builtins();
std::span<const lang::BuiltinSpec> process_builtins();
std::span<const lang::BuiltinSpec> time_builtins();
std::span<const lang::BuiltinSpec> stack_builtins();
std::span<const lang::BuiltinSpec> context_builtins();
std::span<const lang::BuiltinSpec> compile_time_builtins();
std::span<const lang::BuiltinSpec> name_builtins();
std::span<const lang::BuiltinSpec> network_builtins();
std::span<const lang::BuiltinSpec> change_builtins();
std::span<const lang::BuiltinSpec> kernel_builtins();
std::span<const lang::BuiltinSpec> not_yet_builtins();

}  // namespace trc::builtins
