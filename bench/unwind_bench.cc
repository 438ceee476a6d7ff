// Making unwind tables: of the files that programs are made of, and of every ELF file below /usr.
#include <benchmark/benchmark.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include <sys/stat.h>

#include "runtime/unwind/program_files.h"
#include "runtime/unwind/unwind_tables.h"
#include "symbols/elf_reader.h"
#include "symbols/library_search.h"
#include "symbols/unwind_table.h"

namespace trc {
namespace {

constexpr std::size_t kRowBytes = 4;   // of a row as programs read it, stdlib/unwind_abi.h

void build_table(benchmark::State& state, const std::string& path) {
  std::size_t rows = 0, rules = 0;
  for (auto _ : state) {
    const auto file = symbols::ElfReader::open(path);
    const auto table = file ? symbols::build_unwind_table(*file) : Result<symbols::UnwindTable>(file.error());
    if (!table) {
      state.SkipWithError(table.error().message().c_str());
      return;
    }
    rows = table->rows.size();
    rules = table->rules.size();
  }
  state.counters["rows"] = static_cast<double>(rows);
  state.counters["rules"] = static_cast<double>(rules);
  state.counters["KB"] = static_cast<double>(rows * kRowBytes) / 1024;
}

void table_of_libc(benchmark::State& state) { build_table(state, symbols::find_library("libc.so.6")); }
void table_of_libstdcpp(benchmark::State& state) { build_table(state, symbols::find_library("libstdc++.so.6")); }
void table_of_python(benchmark::State& state) { build_table(state, std::filesystem::canonical("/usr/bin/python3")); }
void table_of_this_program(benchmark::State& state) { build_table(state, "/proc/self/exe"); }
BENCHMARK(table_of_libc)->Unit(benchmark::kMillisecond);
BENCHMARK(table_of_libstdcpp)->Unit(benchmark::kMillisecond);
BENCHMARK(table_of_python)->Unit(benchmark::kMillisecond);
BENCHMARK(table_of_this_program)->Unit(benchmark::kMillisecond);

/// Programs and libraries, each file once; object files and archives hold tables that nobody runs.
std::vector<std::string> elf_files_below_usr() {
  std::vector<std::string> files;
  std::set<std::pair<dev_t, ino_t>> seen;
  std::error_code ignored;
  namespace fs = std::filesystem;
  for (auto entry = fs::recursive_directory_iterator("/usr", fs::directory_options::skip_permission_denied, ignored); entry != fs::end(entry); entry.increment(ignored)) {
    struct stat info {};
    const std::string path = entry->path();
    if (!entry->is_regular_file(ignored) || path.ends_with(".o") || path.ends_with(".a") || path.ends_with(".debug")) continue;
    if (::stat(path.c_str(), &info) != 0 || !seen.emplace(info.st_dev, info.st_ino).second) continue;
    if (const auto file = symbols::ElfReader::open(path); file && !file->segments().empty()) files.push_back(path);
  }
  return files;
}

void tables_of_all_below_usr(benchmark::State& state) {
  const std::vector<std::string> files = elf_files_below_usr();
  std::size_t rows = 0, with_rows = 0;
  std::set<std::uint64_t> rules;
  for (auto _ : state) {
    rows = with_rows = 0;
    for (const std::string& path : files) {
      const auto file = symbols::ElfReader::open(path);
      const auto table = file ? symbols::build_unwind_table(*file) : Result<symbols::UnwindTable>(file.error());
      if (!table) continue;
      rows += table->rows.size();
      with_rows += !table->rows.empty();
      rules.insert(table->rules.begin(), table->rules.end());
    }
  }
  state.counters["files"] = static_cast<double>(with_rows);
  state.counters["rows"] = static_cast<double>(rows);
  state.counters["rules"] = static_cast<double>(rules.size());
  state.counters["KB_a_file"] = static_cast<double>(rows * kRowBytes) / 1024 / static_cast<double>(std::max<std::size_t>(with_rows, 1));
}
BENCHMARK(tables_of_all_below_usr)->Unit(benchmark::kMillisecond)->Iterations(1);

/// What a script that takes stacks of python3 waits for before python3 runs: maps made, files found, tables made and in the kernel.
void ready_for_python(benchmark::State& state) {
  std::size_t files = 0;
  for (auto _ : state) {
    auto tables = runtime::UnwindTables::start();
    if (!tables) {
      state.SkipWithError(tables.error().message().c_str());
      return;
    }
    const auto wanted = runtime::files_of_program("/usr/bin/python3", {});
    for (const std::string& file : wanted) (*tables)->want_file(file, runtime::Urgency::Now);
    if (!(*tables)->wait(std::chrono::seconds(10))) state.SkipWithError("not ready");
    files = wanted.size();
  }
  state.counters["files"] = static_cast<double>(files);
}
BENCHMARK(ready_for_python)->Unit(benchmark::kMillisecond)->UseRealTime();

/// The same once the maps are there: an exec of something new while a trace runs.
void files_of_python_found(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(runtime::files_of_program("/usr/bin/python3", {}));
}
BENCHMARK(files_of_python_found)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace trc
