#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>

#include "ast/passes/analyse.h"
#include "ast/print.h"
#include "base/file_cache.h"
#include "base/owned.h"
#include "builtins/catalogue.h"
#include "cli/color.h"
#include "cli/commands.h"
#include "cli/script.h"
#include "codegen/codegen.h"
#include "kernel/facts.h"
#include "output/sink.h"
#include "parser/load.h"
#include "parser/parser.h"
#include "runtime/session.h"
#include "runtime/status.h"
#include "source/diagnostics.h"
#include "symbols/debug_file.h"

namespace trc::cli {
namespace {

bool wants_dump(const Options& o, const char* stage) { return std::find(o.dumps.begin(), o.dumps.end(), stage) != o.dumps.end(); }

/// What is more to be had than the messages: explanations, and the mends that are certain.
std::string ways_on(const Diagnostics& diags, const Options& o) {
  std::set<std::string> codes;
  bool has_edits = false;
  for (const Diagnostic& d : diags.all()) {
    if (severity_of(d.code) == Severity::Error) codes.insert(slug_of(d.code));
    has_edits |= !d.edits.empty();
  }
  std::string text = fmt::format("For more: trc explain {}\n", fmt::join(codes, ", trc explain "));
  if (has_edits && !script_path(o).empty()) text += fmt::format("trc --fix {} writes what stands behind FIX\n", o.file);
  return text;
}

/// Prints what the compiler has to say about the script.
void print_diagnostics(const Diagnostics& diags, const std::vector<const SourceFile*>& files, const Options& o) {
  if (diags.ok() && o.no_warnings) return;
  std::fflush(stdout);
  std::string text = o.json_diagnostics ? render_json(diags, files) : render_text(diags, files, use_color());
  if (!diags.ok() && !o.json_diagnostics && !o.quiet && !o.compat) text += ways_on(diags, o);
  std::fputs(text.c_str(), stderr);
}

/// -p: the process must exist before anything is compiled for it.
Result<> check_pid(std::int32_t pid) {
  if (kill(pid, 0) == 0 || errno == EPERM) return {};
  return Error(fmt::format("Failed to attach to pid {}: no such process", pid)).hint("the process may have ended: see ps");
}

/// The folder of what earlier runs have compiled; empty: none. Root's is not in HOME, which sudo leaves as the user's.
std::string cache_folder() {
  if (const char* set = std::getenv("TRC_CACHE_DIR")) return set;
  if (::geteuid() == 0) return "/var/cache/trc";
  if (const char* caches = std::getenv("XDG_CACHE_HOME")) return std::string(caches) + "/trc";
  const char* home = std::getenv("HOME");
  return home ? std::string(home) + "/.cache/trc" : std::string();
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
  if (wants_dump(o, "image")) std::fputs(image::dump(code.image).c_str(), stdout);
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
  run.show_libbpf = wants_dump(o, "libbpf");
  run.show_verifier = wants_dump(o, "verifier");
  run.unsafe = o.unsafe;
  run.exit_with_child = o.exit_with_child;
  run.stop_on_map = o.stop_on_map;
  if (o.test) run.mode = runtime::RunOptions::Mode::Test;
  if (o.bench) run.mode = runtime::RunOptions::Mode::Bench;
  run.probe_filter = o.probe_filter;
  run.notify_attached = notify_text();
  run.no_features = o.no_features;
  Result<int> status = runtime::run(image, run, kernel::system_facts(), signals, std::move(child), *sink);
  if (!status && image.settings.compat && status.error().exit_status() == runtime::kLoadFailure)
    return std::move(status).error().status(runtime::kCompatLoadFailure);
  return status;
}

/// --aot: the image behind a line that lets the kernel start it with trc.
Result<> write_executable(const std::string& path, const image::ProgramImage& image) {
  TRC_CHECK(write_file(path, std::string(kImageShebang) + image::save(image)));
  if (::chmod(path.c_str(), 0755) != 0) return Error::from_errno("make " + path + " executable");
  return {};
}

/// A file that --aot has written. It was compiled for every process and with its parameters.
Result<int> run_saved(const Options& o, std::string_view bytes) {
  if (o.command || o.pid) return Error(fmt::format("'{}' is compiled: -c and -p cannot be used with it", o.file)).hint("run the script itself");
  if (!o.positionals.empty()) return Error(fmt::format("'{}' is compiled: it takes no parameters", o.file)).hint("its parameters were given when it was compiled");
  TRC_TRY(image, image::load(bytes));
  TRC_CHECK(kernel::check_privileges());
  runtime::EndSignals signals;
  return run_image(o, image, signals, nullptr);
}

/// --mode compiler-bench: how long each stage took.
class StageTimes {
 public:
  void stage(const char* name) {
    const auto now = std::chrono::steady_clock::now();
    times_.emplace_back(name, std::chrono::duration<double, std::milli>(now - last_).count());
    last_ = now;
  }
  std::string text() const {
    std::string out;
    for (const auto& [name, milliseconds] : times_) out += fmt::format("{:<12}{:>10.3f} ms\n", name, milliseconds);
    return out;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::vector<std::pair<const char*, double>> times_;
};

}  // namespace

Result<int> run_script(const Options& o) {
  symbols::set_debug_folders(o.debug_folders);
  if (!o.traceable_functions.empty()) {
    if (::access(o.traceable_functions.c_str(), R_OK) != 0) return Error::from_errno(fmt::format("--traceable-functions '{}'", o.traceable_functions));
    kernel::set_traceable_functions(o.traceable_functions);
  }
  TRC_TRY(file, read_program(o));
  if (const std::string_view image = saved_image(file.text()); !image.empty()) return run_saved(o, image);

  StageTimes times;
  Diagnostics diags;
  if (wants_dump(o, "tokens")) std::fputs(parser::dump_tokens(file, {.positionals = o.positionals}).c_str(), stdout);
  const parser::LoadedScript script = parser::load(std::move(file), {o.positionals, script_path(o)}, diags);
  const ast::Program& program = script.program;
  const std::vector<const SourceFile*> files = script.files();
  times.stage("parse");
  if (wants_dump(o, "ast")) std::fputs(ast::dump(program).c_str(), stdout);
  if (!diags.ok()) {
    print_diagnostics(diags, files, o);
    return 1;
  }

  if (o.script_help) {
    std::fputs(ast::parameter_help(program, builtins::catalogue()).c_str(), stdout);
    return 0;
  }

  if (o.stop == Options::Stop::Never) TRC_CHECK(kernel::check_privileges());
  ast::AnalyseOptions analyse = analyse_options(o);
  runtime::EndSignals signals;
  std::unique_ptr<runtime::Child> child;
  if (o.pid) {
    TRC_CHECK(check_pid(*o.pid));
    analyse.scope.pid = *o.pid;
  }
  if (o.command && !o.test && !o.bench) {
    TRC_TRY(started, runtime::Child::start(*o.command));  // held before its exec: a mistake in the script starts nothing
    child = std::move(started);
    analyse.scope.pid = child->pid();
    analyse.scope.is_child = true;
    analyse.scope.command_path = child->program_path();
  }

  std::optional<ast::Analysis> analysis = ast::analyse(program, files, builtins::catalogue(), kernel::system_facts(), analyse, diags);
  times.stage("analyse");
  print_diagnostics(diags, files, o);
  if (!analysis) return 1;
  if (wants_dump(o, "typed")) std::fputs(typed::dump(analysis->program).c_str(), stdout);

  codegen::CodegenOptions codegen;
  codegen.keep_ir = wants_dump(o, "codegen") || wants_dump(o, "codegen-opt") || !o.emit_llvm.empty();
  codegen.keep_assembly = wants_dump(o, "asm");
  const std::unique_ptr<FileCache> cache = o.no_cache || o.stop == Options::Stop::AfterBench ? nullptr : FileCache::open(cache_folder());
  codegen.cache = cache.get();
  codegen.report_reads = o.all_warnings;
  TRC_TRY(code, codegen::generate(analysis->program, codegen));
  if (o.verbose && code.from_cache) fmt::print(stderr, "compiled in an earlier run: {}\n", cache_folder());
  times.stage("generate");
  code.image.settings = std::move(analysis->settings);
  for (const SourceFile* source : files) code.image.sources.push_back({source->name(), std::string(source->text())});
  code.image.expansions = diags.expansions();
  TRC_TRY(done, emit(o, code));
  if (!o.aot_file.empty()) TRC_CHECK(write_executable(o.aot_file, code.image));
  if (o.stop == Options::Stop::AfterBench) std::fputs(times.text().c_str(), stdout);
  if (done || !o.aot_file.empty() || o.stop != Options::Stop::Never) return 0;
  return run_image(o, code.image, signals, std::move(child));
}

}  // namespace trc::cli
