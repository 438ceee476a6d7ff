// Any bytes as an ELF file with an interpreter, as a record of a code object, as strings and tables of lines: everything returns.
// Built with -DTRC_FUZZ=ON (clang); run as: python_fuzz CORPUS
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "interpreters/python/code.h"
#include "interpreters/python/code_store.h"
#include "interpreters/python/recognise.h"

namespace {

namespace python = trc::interpreters::python;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void use_file(const std::string& bytes) {
  const auto file = trc::symbols::ElfReader::from_bytes(bytes, "/nonexistent/fuzz");
  if (!file) return;
  python::read_specific(*file);
  const auto found = python::recognise(*file, "python");
  if (found && *found) check((*found)->code_end > (*found)->code_offset, "an interpreter without code");
}

void use_record(const std::string& bytes) {
  python::CodeStore store;
  if (!store.add(std::as_bytes(std::span(bytes)))) return;
  trc_py_code_record record;
  std::memcpy(&record, bytes.data(), sizeof record);
  for (const std::uint64_t place : {0u, 1u, 1000u, static_cast<unsigned>(TRC_PY_PLACE_MAX)}) {
    const auto frame = store.name(record.key.tgid, TRC_PY_FRAME | record.id << TRC_PY_PLACE_BITS | place);
    if (!frame) continue;
    check(frame->function.find('\n') == std::string::npos && frame->file.find('\n') == std::string::npos, "a name of two lines");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  use_file(bytes);
  use_record(bytes);
  python::decode_thread_variable(bytes, 0x1000);
  if (size < 8) return 0;
  std::uint32_t state = 0, place = 0;
  std::memcpy(&state, data, 4);
  std::memcpy(&place, data + 4, 4);
  const std::string rest = bytes.substr(8);
  python::decode_string(state, rest);
  if (const auto line = python::line_at(rest, static_cast<int>(state), place)) check(*line >= 0, "a line below zero");
  return 0;
}
