// The bytes choose the productions of the generator of valid scripts: each must compile to an object, without a kernel.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ast/passes/analyse.h"
#include "builtins/catalogue.h"
#include "codegen/codegen.h"
#include "generator/script.h"
#include "kernel/facts.h"
#include "parser/parser.h"

namespace {

[[noreturn]] void fail(const std::string& script, const std::string& problem) {
  std::fprintf(stderr, "%s\n%s\n", script.c_str(), problem.c_str());
  std::abort();
}

void compile(const std::string& script) {
  const trc::SourceFile file("fuzz", script);
  trc::Diagnostics diagnostics;
  const auto tree = trc::parser::parse(file, {}, diagnostics);
  if (!diagnostics.ok()) fail(script, trc::render_text(diagnostics, {&file}, false));
  const auto analysis = trc::ast::analyse(tree, {&file}, trc::builtins::catalogue(), trc::kernel::system_facts(), {}, diagnostics);
  if (!analysis) fail(script, trc::render_text(diagnostics, {&file}, false));
  if (auto made = trc::codegen::generate(analysis->program, {}); !made) fail(script, made.error().message());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  trc::test::Choices choices(std::vector<std::uint8_t>(data + 1, data + size));
  compile(data[0] % 2 == 0 ? trc::test::any_script(choices, {}) : trc::test::computed_script(choices).text);
  return 0;
}
