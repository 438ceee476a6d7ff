// From text to BPF object: the lexer and parser alone, the passes, code generation. No kernel, no root: begin blocks only.
#include <benchmark/benchmark.h>

#include <optional>
#include <string>

#include "ast/passes/analyse.h"
#include "builtins/catalogue.h"
#include "codegen/codegen.h"
#include "kernel/facts.h"
#include "parser/parser.h"
#include "source/diagnostics.h"

namespace trc {
namespace {

/// A script of `blocks` blocks with a map, a condition and a printf each.
SourceFile script(std::int64_t blocks) {
  std::string text;
  for (std::int64_t i = 0; i < blocks; ++i) {
    const std::string n = std::to_string(i);
    text += "begin { $a = nsecs; if ($a > " + n + ") { @m" + n + "[pid, comm] = count(); printf(\"%d %s\\n\", $a, comm); } }\n";
  }
  return SourceFile("bench", text);
}

std::optional<ast::Analysis> analysed(const SourceFile& file, const ast::Program& program) {
  Diagnostics diags;
  return ast::analyse(program, {&file}, builtins::catalogue(), kernel::system_facts(), {}, diags);
}

void parse(benchmark::State& state) {
  const SourceFile file = script(state.range(0));
  for (auto _ : state) {
    Diagnostics diags;
    benchmark::DoNotOptimize(parser::parse(file, {}, diags));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(file.text().size()));
}
BENCHMARK(parse)->Arg(1)->Arg(40)->Unit(benchmark::kMicrosecond);

void analyse(benchmark::State& state) {
  const SourceFile file = script(state.range(0));
  Diagnostics diags;
  const ast::Program program = parser::parse(file, {}, diags);
  if (!diags.ok() || !analysed(file, program)) {
    state.SkipWithError("the script has errors");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(analysed(file, program));
}
BENCHMARK(analyse)->Arg(1)->Arg(40)->Unit(benchmark::kMicrosecond);

void generate(benchmark::State& state) {
  const SourceFile file = script(state.range(0));
  Diagnostics diags;
  const ast::Program program = parser::parse(file, {}, diags);
  const auto analysis = analysed(file, program);
  if (!analysis || !codegen::generate(analysis->program, {})) {
    state.SkipWithError("the script does not compile");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(codegen::generate(analysis->program, {}));
}
BENCHMARK(generate)->Arg(1)->Arg(40)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace trc
