// Any bytes as what names of addresses come from: perf maps, jitdumps, packed symbols, links to debug files, the tables of an ELF file.
// Everything returns, and what it says is consistent.
// Built with -DTRC_FUZZ=ON (clang); run as: names_fuzz CORPUS FOLDER_OF_SMALL_FILES. The first byte says what the rest is.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "symbols/debug_file.h"
#include "symbols/elf_reader.h"
#include "symbols/generated_code.h"
#include "symbols/process_maps.h"
#include "symbols/symbol_index.h"
#include "symbols/xz.h"

namespace {

using namespace trc::symbols;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void ask(const GeneratedNames& names) {
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x1000}, std::uint64_t{0x7fffffffffff}, ~std::uint64_t{0}}) {
    for (const std::uint64_t time : {std::uint64_t{0}, std::uint64_t{100}, kNow}) {
      const auto* range = names.find(address, time);
      check(range == nullptr || (range->start <= address && address < range->end && range->since <= time), "a name of another place or time");
    }
  }
}

void perf_map(const std::string& bytes) {
  GeneratedNames names;
  const std::size_t half = read_perf_map(bytes.substr(0, bytes.size() / 2), 0, names);
  check(half <= bytes.size() / 2, "more was taken than there was");
  read_perf_map(bytes.substr(half), 100, names);
  ask(names);
}

void jit_dump(const std::string& bytes) {
  GeneratedNames names;
  JitDump dump;
  for (const std::size_t size : {bytes.size() / 2, bytes.size()}) {
    dump.read([&](std::uint64_t at, std::uint64_t count) { return at < size ? bytes.substr(at, std::min<std::uint64_t>(count, size - at)) : std::string(); },
              names);
  }
  ask(names);
}

void elf(std::string bytes) {
  auto reader = ElfReader::from_bytes(std::move(bytes), "/nonexistent/fuzz");
  if (!reader) return;
  const auto file = std::make_shared<const ElfReader>(std::move(*reader));
  const SymbolIndex index(file, other_symbol_files(*file, {.path = "/nonexistent/fuzz"}));
  for (const ElfSection& section : file->sections()) {
    for (const std::uint64_t address : {section.address, section.address + 17}) {
      const auto match = index.find(address);
      check(!match || match->address <= address, "a function that begins behind the address");
      if (match) check(index.name(*match).size() <= 4096 + 4, "a name without end");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: perf_map(bytes); break;
    case 1: jit_dump(bytes); break;
    case 2:
      if (const auto plain = unpack_xz(bytes, 1 << 20)) check(plain->size() <= 1 << 20, "larger than allowed");
      break;
    case 3: elf(bytes); break;
    default: parse_maps(bytes);
  }
  return 0;
}
