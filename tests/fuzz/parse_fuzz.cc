// Any bytes: parse() must return, and what parses without an error must survive printing: parse(print(p)) equals p.
// Built with -DTRC_FUZZ=ON (clang); run as: parse_fuzz -dict=tests/fuzz/parse.dict CORPUS tests/parse
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "ast/print.h"
#include "parser/parser.h"

namespace {

struct Parsed {
  trc::Diagnostics diags;
  trc::ast::Program program;
};

void parse(Parsed& parsed, const std::string& text) {
  const trc::SourceFile file("fuzz", text);
  parsed.program = trc::parser::parse(file, {{"begin", "uprobe:/bin/x:f"}, 0}, parsed.diags);
  trc::render_text(parsed.diags, {&file}, true);
}

/// An attach point that a parameter left empty has no text to print.
bool has_source(const trc::ast::Program& program) {
  for (const trc::ast::Probe* probe : program.probes) {
    for (const trc::ast::AttachPoint* a : probe->attach_points) {
      if (a->text.empty()) return false;
    }
  }
  return true;
}

[[noreturn]] void fail(const char* what, const std::string& printed) {
  std::fprintf(stderr, "%s:\n%s\n", what, printed.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Parsed first;
  parse(first, std::string(reinterpret_cast<const char*>(data), size));
  const std::string tree = trc::ast::dump(first.program);   // also of what is left of a wrong one
  if (!first.diags.ok() || !first.diags.all().empty() || !has_source(first.program)) return 0;
  const std::string printed = trc::ast::print(first.program);
  Parsed second;
  parse(second, printed);
  if (!second.diags.ok()) fail("print() does not parse", printed);
  if (trc::ast::dump(second.program) != tree) fail("print() is another program", printed);
  if (trc::ast::print(second.program) != printed) fail("print() is not stable", printed);
  return 0;
}
