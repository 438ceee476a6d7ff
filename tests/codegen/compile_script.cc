// Compiles a script and prints what code generation made of it, for the FileCheck cases of this folder:
//   compile_script ir|assembly FILE
#include <cstdio>
#include <string>
#include <string_view>

#include "ast/passes/analyse.h"
#include "base/read_file.h"
#include "builtins/catalogue.h"
#include "codegen/codegen.h"
#include "kernel/facts.h"
#include "parser/parser.h"

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: compile_script ir|assembly FILE\n"), 2;
  auto text = trc::read_file(argv[2]);
  if (!text) return std::fprintf(stderr, "%s\n", text.error().message().c_str()), 2;
  const trc::SourceFile file(argv[2], *text);
  trc::Diagnostics diagnostics;
  const auto tree = trc::parser::parse(file, {}, diagnostics);
  std::optional<trc::ast::Analysis> analysis;
  if (diagnostics.ok()) {
    analysis = trc::ast::analyse(tree, {&file}, trc::builtins::catalogue(), trc::kernel::system_facts(), {}, diagnostics);
  }
  std::fputs(trc::render_text(diagnostics, {&file}, false).c_str(), stderr);
  if (!analysis) return 1;
  auto made = trc::codegen::generate(analysis->program, {.keep_ir = true, .keep_assembly = true});
  if (!made) return std::fprintf(stderr, "ERROR: %s\n", made.error().message().c_str()), 1;
  std::fputs(std::string_view(argv[1]) == "ir" ? made->optimized_ir.c_str() : made->assembly.c_str(), stdout);
  return 0;
}
