// Typed program to BPF object. The only header of this folder that others use; no LLVM in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ast/typed_program.h"
#include "base/result.h"
#include "image/program_image.h"

namespace trc::codegen {

struct CodegenOptions {
  bool keep_ir = false;          ///< fill `ir` and `optimized_ir` of the result (-d codegen, codegen-opt)
  bool keep_assembly = false;    ///< fill `assembly`
};

struct CodegenResult {
  /// object, maps, programs, probes, events, constants, helpers filled in; sources and settings are the caller's.
  image::ProgramImage image;
  std::string ir, optimized_ir, assembly;
};

Result<CodegenResult> generate(const typed::TypedProgram& program, const CodegenOptions& options);

}  // namespace trc::codegen
