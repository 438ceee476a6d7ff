// What one line of output costs in user space: printf and print from decoded values, histograms, globs, bucket numbers.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/glob.h"
#include "lang/aggregates.h"
#include "lang/format_string.h"
#include "output/printf.h"
#include "output/value.h"

namespace trc {
namespace {

output::Value integer(std::int64_t n) { return {.kind = lang::TypeKind::Integer, .data = n}; }
output::Value text(std::string s) { return {.kind = lang::TypeKind::String, .data = output::Text{std::move(s)}}; }

void printf_line(benchmark::State& state) {
  const lang::FormatString format = lang::parse_format("%-16s %6d %s\n");
  const std::vector<output::Value> arguments = {text("python3"), integer(4711), text("/usr/lib/python3.11/os.py")};
  std::string out;
  for (auto _ : state) {
    out.clear();
    output::append_printf(out, format, arguments);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(printf_line);

void print_tuple(benchmark::State& state) {
  output::Sequence inner{{integer(3), integer(4)}};
  const output::Value value{.kind = lang::TypeKind::Tuple,
                            .data = output::Sequence{{integer(1), text("two"), {.kind = lang::TypeKind::Tuple, .data = inner}}}};
  std::string out;
  for (auto _ : state) {
    out.clear();
    output::append_text(out, value);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(print_tuple);

void bucket_number(benchmark::State& state) {
  std::int64_t n = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(lang::bucket_of(n, static_cast<std::uint32_t>(state.range(0))));
    n = n * 3 + 1;
  }
}
BENCHMARK(bucket_number)->Arg(0)->Arg(5);

void glob(benchmark::State& state) {
  const std::string name = "_PyEval_EvalFrameDefault";
  for (auto _ : state) benchmark::DoNotOptimize(glob_match("*Eval*Def*", name));
}
BENCHMARK(glob);

}  // namespace
}  // namespace trc
