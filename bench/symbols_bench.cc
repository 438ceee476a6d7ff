// Reading symbol tables and naming addresses. The file is the benchmark's own executable, a large C++ program.
#include <benchmark/benchmark.h>

#include <unistd.h>

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

void demangle(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(symbols::demangle("_ZNSt6vectorIN3trc6output5ValueESaIS2_EE9push_backERKS2_"));
}
BENCHMARK(demangle);

}  // namespace
}  // namespace trc
