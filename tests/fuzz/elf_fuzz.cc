// Any bytes as an ELF file, as the library cache and as the operands of a USDT probe: everything returns, and what it says is consistent.
// Built with -DTRC_FUZZ=ON (clang); run as: elf_fuzz CORPUS FOLDER_OF_SMALL_ELF_FILES
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "probes/function_match.h"
#include "probes/usdt_arguments.h"
#include "symbols/elf_file.h"

namespace {

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void use(const trc::symbols::ElfFile& elf) {
  std::uint64_t last = 0;
  for (const trc::symbols::Function& function : elf.functions()) {
    check(function.address >= last, "functions are not sorted");
    last = function.address;
    check(elf.is_code(function.address), "a function outside of the code");
    check(!function.name.empty(), "a function without a name");
    if (const auto offset = elf.file_offset(function.address)) check(elf.bytes(*offset, 16).size() <= 16, "more bytes than were asked for");
  }
  elf.at(last);
  elf.at(last + 1);
  elf.find("main");
  elf.interpreter();
  elf.build_id();
  elf.is_executable();
  elf.virtual_address(64);
  for (const trc::symbols::UsdtNote& note : elf.usdt()) trc::probes::parse_usdt_arguments(note.arguments);
  for (const char* pattern : {"*", "main", "main+4", "4096"}) {
    const auto matches = trc::probes::match_functions(elf, trc::probes::parse_function(pattern, false));
    if (!matches) continue;
    for (const auto& site : matches->sites) check(elf.is_code(site.address), "a site outside of the code");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (const auto elf = trc::symbols::ElfFile::from_bytes(bytes, "/nonexistent/fuzz")) use(**elf);
  trc::symbols::parse_library_cache(bytes);
  trc::symbols::parse_library_cache("glibc-ld.so.cache1.1" + bytes);
  trc::probes::parse_usdt_arguments(bytes);
  return 0;
}
