// What the runner needs of an interpreted language whose frames programs can walk. A language is a folder here (this interface), a walker in
// src/stdlib with its layouts (NAME.bpf.c, NAME_abi.h), and a stack mode of its name (builtins/stacks.cc, codegen/emit_stacks.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "symbols/elf_reader.h"

namespace trc::interpreters {

/// A frame as it is shown. Strings are UTF-8, without control characters; what was longer than what is sent ends in "...".
struct NamedFrame {
  std::string function;      ///< qualified: "Class.method", "outer.<locals>.inner"
  std::string file;          ///< as the interpreter calls it
  std::optional<int> line;   ///< nullopt: the instruction has none
  std::string_view tag;      ///< of the language, marks its frames among native ones: "py"
};

class Interpreter {
 public:
  virtual ~Interpreter() = default;
  virtual std::string_view name() const = 0;   ///< "Python"

  /// The maps through which its walker learns about files: HASH struct trc_uw_file_key -> struct trc_py_file, and an ARRAY of what
  /// recognise() gives.
  struct Maps {
    const char* files;
    const char* late;       ///< HASH struct trc_py_late_key -> u64
    const char* layouts;
    std::uint32_t max_files, max_layouts, layout_size;
  };
  virtual Maps maps() const = 0;
  /// Where an ELF file that holds the interpreter keeps its frames, as bytes for the walker. nullopt: there is none in it. Errors: one whose
  /// frames cannot be read, and why. `file_name` is a hint only.
  virtual std::optional<Result<std::string>> recognise(const symbols::ElfReader& file, std::string_view file_name) const = 0;
  /// Once the C library of a process is known, what its walker has to know of it, put into what recognise() gave.
  virtual void complete(std::string& layout, const symbols::ElfReader& c_library) const = 0;

  /// Takes a record about code (lang::ActionKind::InterpreterCode). False: it is damaged, and was not used.
  virtual bool add_code(std::span<const std::byte> record) = 0;
  /// The frame behind a word of a stack of process `tgid`; nullopt: its code was never received.
  virtual std::optional<NamedFrame> frame(std::uint32_t tgid, std::uint64_t word) const = 0;
};

/// Is this word of a stack a frame of an interpreted language? (Bit 63: no address of user space has it.)
inline bool is_interpreted(std::uint64_t word) { return word >> 63 != 0; }

std::unique_ptr<Interpreter> make_python();

}  // namespace trc::interpreters
