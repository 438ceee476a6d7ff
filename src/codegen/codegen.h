// Typed program to BPF object. The only header of this folder that others use; no LLVM in it.
//
// What a loader of the object relies on:
// - Each program is one global function `name` (ProgramEntry::name) in the section "trc/<name>", a prefix that libbpf does not know on
//   purpose: the loader sets the program type itself from ProgramEntry::kind (bpf_program__set_type, set_expected_attach_type). Loop
//   bodies and standard-library functions are subprograms in ".text".
// - Maps are BTF-defined in ".maps", one symbol per image::MapEntry (MapEntry::name is the symbol, an identifier; libbpf cuts it to the
//   kernel's 15 characters). MapEntry says everything that the object's BTF says. MapId of the typed program is the index into
//   ProgramImage::maps; maps of code generation itself follow the script's.
// - ".rodata" holds the runtime constants (ProgramImage::constants), constant strings and a block of zeros; the loader fills in the constants
//   before load. ".bss" has the u32 of ProgramImage::frozen_offset and, rarely, another. There is no ".data".
// - func_info and line_info refer to the script's own text: the verifier's log shows its lines.
// - The cookie of an attachment (bpf_get_attach_cookie) is the id of the attach point, for programs with ProgramEntry::uses_cookie.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ast/typed_program.h"
#include "base/file_cache.h"
#include "base/result.h"
#include "image/program_image.h"

namespace trc::codegen {

inline constexpr const char* kSectionPrefix = "trc/";

struct CodegenOptions {
  bool keep_ir = false;          ///< fill `ir` and `optimized_ir` of the result (-d codegen, codegen-opt)
  bool keep_assembly = false;    ///< fill `assembly`
  const FileCache* cache = nullptr;   ///< of objects that were made in earlier runs; not asked when something is to be kept
  bool report_reads = false;     ///< reads of memory and of map elements that fail are events with their place, not only counted (-k)
};

struct CodegenResult {
  /// object, maps, programs, probes, events, constants, helpers filled in; sources and settings are the caller's.
  image::ProgramImage image;
  std::string ir, optimized_ir, assembly;
  bool from_cache = false;       ///< the object was made in an earlier run
};

/// The LLVM that is linked, e.g. "19.1.7".
const char* llvm_version();

Result<CodegenResult> generate(const typed::TypedProgram& program, const CodegenOptions& options);

}  // namespace trc::codegen
