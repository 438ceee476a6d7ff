// Is there a CPython in this file, which, and where does it keep the state of its threads?
#pragma once

#include <optional>
#include <string_view>

#include "interpreters/python/layout.h"
#include "symbols/elf_reader.h"

namespace trc::interpreters::python {

/// What the walker needs to know of an ELF file with an interpreter (a program or libpython, under any name, stripped or not). nullopt: no
/// interpreter in it. Errors: one whose frames cannot be read, and why. `specific` is left 0: it is the C library's, see read_specific().
/// A `name` of the file with "python" in it makes it worth looking for an old version, which can only be refused.
std::optional<Result<trc_py_runtime>> recognise(const symbols::ElfReader& file, std::string_view name);

/// The offset of `specific` in struct pthread, as the C library tells its own debugging library; nullopt if it is not said.
std::optional<std::uint32_t> read_specific(const symbols::ElfReader& c_library);

/// What glibc has had on x86-64 as long as CPython 3.11 exists.
inline constexpr std::uint32_t kUsualSpecific = 1296;

/// The thread-local variable that a function loads and returns, from the start of its code; `address` is the function's.
struct ThreadVariable {
  trc_py_tls kind = TRC_PY_TLS_NONE;
  std::int32_t offset = 0;
  std::uint64_t got = 0;
};
ThreadVariable decode_thread_variable(std::string_view code, std::uint64_t address);

}  // namespace trc::interpreters::python
