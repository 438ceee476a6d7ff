// Reading symbol tables and naming addresses. The file is the benchmark's own executable, a large C++ program.
#include <benchmark/benchmark.h>

#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "symbols/elf_file.h"
#include "symbols/symbolizer.h"

namespace trc {
namespace {

void open_elf_file(benchmark::State& state) {
  const auto once = symbols::ElfFile::open("/proc/self/exe");
  if (!once) {
    state.SkipWithError("cannot open /proc/self/exe");
    return;
  }
  for (auto _ : state) {
    const auto file = symbols::ElfFile::open("/proc/self/exe");
    benchmark::DoNotOptimize((*file)->functions().data());
  }
  state.counters["functions"] = static_cast<double>((*once)->functions().size());
}
BENCHMARK(open_elf_file)->Unit(benchmark::kMillisecond);

void name_of_an_address(benchmark::State& state) {
  symbols::Symbolizer symbolizer;
  const auto pid = static_cast<std::uint32_t>(getpid());
  const auto address = reinterpret_cast<std::uint64_t>(&name_of_an_address) + 4;
  if (symbolizer.user(pid, address).symbol.empty()) {
    state.SkipWithError("the address has no name");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(symbolizer.user(pid, address));
}
BENCHMARK(name_of_an_address);

/// A library of 100 MB, nearly all of it symbols in no order: as many as the largest programs have.
class LargeLibrary {
 public:
  static constexpr std::uint64_t kSymbols = 1'500'000, kStep = 32, kCode = 0x1000;
  LargeLibrary() : path_(fmt::format("/tmp/trc_large_library_{}", ::getpid())) {
    std::vector<std::uint64_t> order(kSymbols);
    for (std::uint64_t i = 0; i < kSymbols; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), std::minstd_rand(7));
    std::string names(1, '\0');
    std::vector<Elf64_Sym> symbols(1);
    for (const std::uint64_t number : order) {
      symbols.push_back({static_cast<Elf64_Word>(names.size()), ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, kCode + number * kStep, kStep});
      names += fmt::format("_ZN5bench13large_library8functionILi{}EEEvv", number);
      names += '\0';
    }
    const std::uint64_t code = kSymbols * kStep, symbols_at = kCode, names_at = symbols_at + symbols.size() * sizeof(Elf64_Sym);
    const std::string section_names = std::string("\0.text\0.symtab\0.strtab\0", 23);
    const std::uint64_t section_names_at = names_at + names.size(), sections_at = (section_names_at + section_names.size() + 63) / 64 * 64;
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG "\2\1\1", 7);
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_version = 1;
    header.e_phoff = header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    header.e_shoff = sections_at;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 5;
    header.e_shstrndx = 4;
    // The code shares its bytes with the tables: nobody runs it.
    const Elf64_Phdr segment{PT_LOAD, PF_R | PF_X, kCode, kCode, kCode, code, code, 0x1000};
    const Elf64_Shdr sections[] = {
        {},
        {1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, kCode, kCode, code, 0, 0, 16, 0},
        {7, SHT_SYMTAB, 0, 0, symbols_at, names_at - symbols_at, 3, 1, 8, sizeof(Elf64_Sym)},
        {15, SHT_STRTAB, 0, 0, names_at, names.size(), 0, 0, 1, 0},
        {15, SHT_STRTAB, 0, 0, section_names_at, section_names.size(), 0, 0, 1, 0},
    };
    std::ofstream out(path_, std::ios::binary);
    const auto put = [&](std::uint64_t at, const void* data, std::size_t size) {
      out.seekp(static_cast<std::streamoff>(at));
      out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    };
    put(0, &header, sizeof header);
    put(sizeof header, &segment, sizeof segment);
    put(symbols_at, symbols.data(), symbols.size() * sizeof(Elf64_Sym));
    put(names_at, names.data(), names.size());
    put(section_names_at, section_names.data(), section_names.size());
    put(sections_at, sections, sizeof sections);
    size_ = sections_at + sizeof sections;
  }
  LargeLibrary(const LargeLibrary&) = delete;
  ~LargeLibrary() { ::unlink(path_.c_str()); }
  symbols::Mapping mapping() const { return {.start = kStart, .end = kStart + kSymbols * kStep, .file_offset = kCode, .path = path_}; }
  double megabytes() const { return static_cast<double>(size_) / 1e6; }
  static constexpr std::uint64_t kStart = 0x7f0000000000;

 private:
  std::string path_;
  std::uint64_t size_ = 0;
};

constexpr std::uint32_t kNobody = 0x7ffffff0;   // beyond any pid_max

/// From nothing to the first name of a large library (its bytes are in the page cache).
void first_name_of_a_large_library(benchmark::State& state) {
  const LargeLibrary library;
  for (auto _ : state) {
    symbols::Symbolizer symbolizer;
    symbolizer.mapped(kNobody, library.mapping(), 1);
    if (symbolizer.user(kNobody, LargeLibrary::kStart + 1'000'000 * LargeLibrary::kStep + 5, 2).symbol != "void bench::large_library::function<1000000>()") {
      state.SkipWithError("a wrong name");
      return;
    }
  }
  state.counters["MB"] = library.megabytes();
}
BENCHMARK(first_name_of_a_large_library)->Unit(benchmark::kMillisecond);

/// Addresses all over a large library, of which some thousand are asked for again and again.
void names_in_a_large_library(benchmark::State& state) {
  const LargeLibrary library;
  symbols::Symbolizer symbolizer;
  symbolizer.mapped(kNobody, library.mapping(), 1);
  std::minstd_rand random(3);
  std::vector<std::uint64_t> addresses(static_cast<std::size_t>(state.range(0)));
  for (std::uint64_t& address : addresses) address = LargeLibrary::kStart + random() % (LargeLibrary::kSymbols * LargeLibrary::kStep);
  for (const std::uint64_t address : addresses) benchmark::DoNotOptimize(symbolizer.user(kNobody, address, 2));
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(symbolizer.user(kNobody, addresses[at], 2));
    at = at + 1 == addresses.size() ? 0 : at + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(names_in_a_large_library)->Arg(1000)->Arg(100'000);

void demangle(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(symbols::demangle("_ZNSt6vectorIN3trc6output5ValueESaIS2_EE9push_backERKS2_"));
}
BENCHMARK(demangle);

}  // namespace
}  // namespace trc
