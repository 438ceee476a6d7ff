// LLVM behind the module: the BPF target, the passes that are worth their time for BPF, and writing the object.
#pragma once

#include <memory>
#include <string>

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include "base/result.h"

namespace trc::codegen {

/// An attribute of functions that come from the standard library, which clang has optimised when trc was built.
constexpr const char* kFromLibrary = "trc-library";

Result<std::unique_ptr<llvm::TargetMachine>> make_bpf_target();
void optimise(llvm::Module& module, llvm::TargetMachine& target);
enum class Output { Object, Assembly };
Result<std::string> compile(llvm::Module& module, llvm::TargetMachine& target, Output output);

}  // namespace trc::codegen
