#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "ast/passes/analyse.h"
#include "ast/print.h"
#include "base/owned.h"
#include "base/read_file.h"
#include "builtins/catalogue.h"
#include "cli/color.h"
#include "cli/commands.h"
#include "codegen/codegen.h"
#include "kernel/facts.h"
#include "output/sink.h"
#include "parser/parser.h"
#include "runtime/session.h"
#include "runtime/status.h"
#include "source/diagnostics.h"

namespace trc::cli {
namespace {

bool wants_dump(const Options& o, const char* stage) { return std::find(o.dumps.begin(), o.dumps.end(), stage) != o.dumps.end(); }

Result<SourceFile> read_program(const Options& o) {
  if (o.program_text) return SourceFile("stdin", *o.program_text);
  if (o.file == "-") {
    TRC_TRY(text, read_file("/dev/stdin"));
    return SourceFile("stdin", std::move(text));
  }
  Result<std::string> text = read_file(o.file);
  if (!text) {
    return Error(fmt::format("failed to open file '{}': {}", o.file, std::strerror(text.error().code())))
        .hint("a program on the command line goes after -e");
  }
  if (text->rfind("\x7f" "ELF", 0) == 0)
    return Error(fmt::format("'{}' is a program (ELF), not a script", o.file))
        .hint(fmt::format("to trace it: trc -e 'uprobe:{}:main {{ … }}' -c {}", o.file, o.file));
  return SourceFile(o.file, std::move(*text));
}

/// Prints what the compiler has to say about the script.
void print_diagnostics(const Diagnostics& diags, const SourceFile& file, const Options& o) {
  if (diags.ok() && o.no_warnings) return;
  std::fflush(stdout);
  std::fputs(render_text(diags, {&file}, use_color()).c_str(), stderr);
}

/// -p: the process must exist before anything is compiled for it.
Result<> check_pid(std::int32_t pid) {
  if (kill(pid, 0) == 0 || errno == EPERM) return {};
  return Error(fmt::format("Failed to attach to pid {}: no such process", pid)).hint("the process may have ended: see ps");
}

Result<> write_file(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  if (!out) return Error::from_errno("write " + path);
  return {};
}

/// -d and --emit-…; true when there is nothing left to do after them.
Result<bool> emit(const Options& o, const codegen::CodegenResult& code) {
  if (wants_dump(o, "codegen")) std::fputs(code.ir.c_str(), stdout);
  if (wants_dump(o, "codegen-opt")) std::fputs(code.optimized_ir.c_str(), stdout);
  if (wants_dump(o, "asm")) std::fputs(code.assembly.c_str(), stdout);
  if (!o.emit_llvm.empty()) {
    TRC_CHECK(write_file(o.emit_llvm + ".original.ll", code.ir));
    TRC_CHECK(write_file(o.emit_llvm + ".optimized.ll", code.optimized_ir));
  }
  if (!o.emit_elf.empty()) TRC_CHECK(write_file(o.emit_elf, code.image.object));
  std::fflush(stdout);
  return !o.emit_elf.empty() || !o.emit_llvm.empty();
}

/// An environment variable under our name, then under the older one.
std::string notify_text() {
  if (const char* ours = std::getenv("TRC_NOTIFY_ATTACHED")) return ours;
  return std::getenv("__BPFTRACE_NOTIFY_PROBES_ATTACHED") ? "__BPFTRACE_NOTIFY_PROBES_ATTACHED" : "";
}

Result<int> run_image(const Options& o, const image::ProgramImage& image, runtime::EndSignals& signals, std::unique_ptr<runtime::Child> child) {
  Fd file;
  output::SinkOptions sink_options;
  if (!o.output_file.empty()) {
    file.reset(::open(o.output_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file) return Error::from_errno(fmt::format("failed to open output file '{}'", o.output_file));
    sink_options.fd = file.get();
  }
  sink_options.buffering = o.buffering;
  sink_options.quiet = o.quiet;
  sink_options.trailer = image.settings.str_trunc_trailer;
  sink_options.compat = image.settings.compat;
  std::unique_ptr<output::Sink> sink = output::find_format(o.format)->make(sink_options);

  runtime::RunOptions run;
  run.pid = o.pid.value_or(-1);
  run.quiet = o.quiet;
  run.verbose = o.verbose;
  run.all_warnings = o.all_warnings;
  run.no_warnings = o.no_warnings;
  run.dry_run = o.dry_run;
  run.unsafe = o.unsafe;
  run.exit_with_child = o.exit_with_child;
  run.stop_on_map = o.stop_on_map;
  run.notify_attached = notify_text();
  run.no_features = o.no_features;
  Result<int> status = runtime::run(image, run, kernel::system_facts(), signals, std::move(child), *sink);
  if (!status && image.settings.compat && status.error().exit_status() == runtime::kLoadFailure)
    return std::move(status).error().status(runtime::kCompatLoadFailure);
  return status;
}

}  // namespace

Result<int> run_script(const Options& o) {
  TRC_TRY(file, read_program(o));

  Diagnostics diags;
  ast::Program program = parser::parse(file, {.positionals = o.positionals}, diags);
  if (wants_dump(o, "ast")) std::fputs(ast::dump(program).c_str(), stdout);
  if (!diags.ok()) {
    print_diagnostics(diags, file, o);
    return 1;
  }

  TRC_CHECK(kernel::check_privileges());
  ast::AnalyseOptions analyse;
  analyse.positionals = o.positionals;
  analyse.unsafe = o.unsafe;
  analyse.compat = o.compat;
  analyse.scope.unsafe = o.unsafe;
  runtime::EndSignals signals;
  std::unique_ptr<runtime::Child> child;
  if (o.pid) {
    TRC_CHECK(check_pid(*o.pid));
    analyse.scope.pid = *o.pid;
  }
  if (o.command) {
    TRC_TRY(started, runtime::Child::start(*o.command));  // held before its exec: a mistake in the script starts nothing
    child = std::move(started);
    analyse.scope.pid = child->pid();
    analyse.scope.is_child = true;
    analyse.scope.command_path = child->program_path();
  }

  std::optional<ast::Analysis> analysis = ast::analyse(program, {&file}, builtins::catalogue(), kernel::system_facts(), analyse, diags);
  print_diagnostics(diags, file, o);
  if (!analysis) return 1;
  if (wants_dump(o, "typed")) std::fputs(typed::dump(analysis->program).c_str(), stdout);

  codegen::CodegenOptions codegen;
  codegen.keep_ir = wants_dump(o, "codegen") || wants_dump(o, "codegen-opt") || !o.emit_llvm.empty();
  codegen.keep_assembly = wants_dump(o, "asm");
  TRC_TRY(code, codegen::generate(analysis->program, codegen));
  TRC_TRY(done, emit(o, code));
  if (done) return 0;

  code.image.settings = std::move(analysis->settings);
  code.image.sources.push_back({file.name(), std::string(file.text())});
  return run_image(o, code.image, signals, std::move(child));
}

}  // namespace trc::cli
