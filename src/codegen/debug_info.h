// Debug information of the module, from which LLVM's BPF back end makes BTF: map definitions, func_info, line_info. No DWARF is emitted.
#pragma once

#include <vector>

#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/Module.h>

#include "ast/typed_program.h"
#include "image/program_image.h"

namespace trc::codegen {

/// Sizes in the object's definition of a map.
struct MapShape {
  std::uint32_t type = 0, key_size = 0, value_size = 0, max_entries = 0, flags = 0;
};

class DebugInfo {
 public:
  DebugInfo(llvm::Module& module, const typed::TypedProgram& program);

  /// Describes `map` the way libbpf reads BTF-defined maps.
  void describe_map(llvm::GlobalVariable& map, const MapShape& shape);
  /// Describes a u64 in ".rodata".
  void describe_constant(llvm::GlobalVariable& constant);
  /// Describes an int in ".bss".
  void describe_switch(llvm::GlobalVariable& variable) { describe_variable(variable, int_); }
  /// Makes `function` known as `int NAME(…)`; each LLVM parameter is a u64 or a void*.
  void describe_function(llvm::Function& function, Span span);
  /// Gives a function of the standard library, which comes with places but without types, a type. Of a global one the kernel wants the real
  /// one: numbers, and pointers to a struct trc_stack_name (see stdlib/trc.bpf.h).
  void complete_library_function(llvm::Function& function);
  /// A place in the script inside `function`, which was described before.
  llvm::DebugLoc at(Span span, llvm::Function& function);
  /// May be called again when more was described.
  void finish() { builder_.finalize(); }

 private:
  llvm::DIFile* file(std::uint32_t index);
  llvm::DIType* sized_pointer(std::uint32_t value);
  void describe_variable(llvm::GlobalVariable& variable, llvm::DIType* type);
  llvm::DIType* library_type(const llvm::Type& type);

  const typed::TypedProgram& program_;
  llvm::DIBuilder builder_;
  std::vector<llvm::DIFile*> files_;
  llvm::DICompileUnit* unit_ = nullptr;
  llvm::DIType *int_ = nullptr, *u32_ = nullptr, *u64_ = nullptr, *pointer_ = nullptr, *name_ = nullptr;
};

}  // namespace trc::codegen
