#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>

#include "output/sink.h"

namespace trc::cli {
namespace {

/// Options of the language's command line that this version does not have; each is refused by name.
struct Missing {
  const char* name;
  bool takes_value;
};
constexpr Missing kMissing[] = {
    {"--aot", true},          {"--info", false},       {"--fmt", false},
    {"--test", false},        {"--bench", false},      {"--mode", true},
    {"--probe-filter", true}, {"--include", true},     {"-I", true},
    {"--debuginfo", true},    {"--dwarf-pid", true},   {"--traceable-functions", true},
    {"--usdt-file-activation", false},                 {"--verify-llvm-ir", false},
};

constexpr const char* kDumpStages[] = {"ast", "typed", "codegen", "codegen-opt", "asm"};
constexpr const char* kFeatures[] = {"uprobe_multi", "kprobe_multi"};

/// The option table, one row per option: parsing and --help both come from it.
struct Parser {
  CLI::App app{"", "trc"};
  Options options;
  std::string program, pid, command, buffering = "line", dumps, features;
  bool list = false, help = false, version = false, ignored = false;
  int k_count = 0;
  std::vector<std::string> words, missing;

  Parser() {
    app.set_help_flag("");
    app.get_formatter()->column_width(28);
    define();
  }

  void define() {
    const std::string tracing = "Tracing";
    app.add_option("-e", program, "Run this program text")->take_last()->type_name("PROGRAM")->group(tracing);
    app.add_flag("-l,--list", list, "List probes that match a pattern, e.g. -l 'tracepoint:sched:*'")->group(tracing);
    app.add_option("-p,--pid", pid, "Trace this process; end when it ends")->take_last()->type_name("PID")->group(tracing);
    app.add_option("-c,--cmd", command, "Run this command, trace it, end when it ends")->take_last()->type_name("COMMAND")->group(tracing);
    app.add_flag("--exit-with-child", options.exit_with_child, "Exit with the status of the -c command")->group(tracing);
    app.add_flag("--stop-on-map", options.stop_on_map, "Hold a process that maps code until its stacks can be walked")->group(tracing);
    app.add_flag("--unsafe", options.unsafe, "Allow what can change the traced system")->group(tracing);
    app.add_flag("--compat", options.compat, "Behave as bpftrace 0.27 where trc does better")->group(tracing);
    app.add_flag("--dry-run", options.dry_run, "Compile, load and attach, then stop")->group(tracing);

    const std::string output = "Output";
    app.add_option("-o,--output", options.output_file, "Write the program's output to this file")->take_last()->type_name("FILE")->group(output);
    app.add_option("-f,--format", options.format, "Output format: text or json")->take_last()->type_name("FORMAT")->group(output);
    app.add_option("-B", buffering, "Output buffering: line, full or none")->take_last()->type_name("MODE")->group(output);
    app.add_flag("-q,--quiet", options.quiet, "Print results and errors only")->group(output);
    app.add_flag("-v,--verbose", options.verbose, "Tell what is being done")->group(output);
    app.add_flag("-k,--warnings", k_count, "Also report memory reads and map look-ups that fail")->group(output);
    app.add_flag("--no-warnings", options.no_warnings, "Print no warnings")->group(output);

    const std::string debugging = "Debugging trc";
    app.add_option("-d", dumps, "Print stages, comma-separated: ast, typed, codegen, codegen-opt, asm")
        ->take_last()->type_name("STAGES")->group(debugging);
    app.add_option("--emit-elf", options.emit_elf, "Write the BPF object to this file and stop")->take_last()->type_name("FILE")->group(debugging);
    app.add_option("--emit-llvm", options.emit_llvm, "Write FILE.original.ll and FILE.optimized.ll and stop")->take_last()->type_name("FILE")->group(debugging);
    app.add_option("--no-feature", features, "Do without these kernel features: uprobe_multi, kprobe_multi")->take_last()->type_name("LIST")->group(debugging);

    app.add_flag("-h,--help", help, "Print this text");
    app.add_flag("-V,--version", version, "Print the version");
    app.add_flag("-b,--btf", ignored, "Accepted, no effect")->group("");
    for (const Missing& m : kMissing) {
      CLI::callback_t seen = [this, name = std::string(m.name)](const CLI::results_t&) {
        missing.push_back(name);
        return true;
      };
      CLI::Option* option = app.add_option(m.name, seen)->group("");
      if (!m.takes_value) option->expected(0);
    }
    app.add_option("arguments", words)->group("");
  }
};

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at <= text.size()) {
    std::size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

template <std::size_t N>
Result<std::vector<std::string>> choose(const std::string& list, const char* const (&known)[N], const char* option) {
  std::vector<std::string> chosen = split_commas(list);
  if (chosen == std::vector<std::string>{"all"}) return std::vector<std::string>(std::begin(known), std::end(known));
  for (const std::string& word : chosen) {
    if (std::find(std::begin(known), std::end(known), word) != std::end(known)) continue;
    return Error(fmt::format("invalid option for {}: {}", option, word)).hint(fmt::format("choose from: {}", fmt::join(known, ", ")));
  }
  return chosen;
}

Result<std::int32_t> parse_pid(const std::string& text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }))
    return Error(fmt::format("Failed to parse pid: invalid integer: {}", text));
  constexpr long kMaxPid = 0x400000;  // PID_MAX_LIMIT, include/linux/threads.h
  long value = text.size() > 9 ? kMaxPid + 1 : std::stol(text);
  if (value < 1 || value > kMaxPid) return Error(fmt::format("Pid out of range: {}", text));
  return static_cast<std::int32_t>(value);
}

Result<output::Buffering> parse_buffering(const std::string& word) {
  if (word == "line") return output::Buffering::Line;
  if (word == "full") return output::Buffering::Full;
  if (word == "none") return output::Buffering::None;
  return Error("USAGE: -B must be either 'line', 'full', or 'none'.");
}

/// The words that are neither options nor their values: script, pattern, parameters.
Result<> distribute(Options& o, std::vector<std::string> words) {
  auto named = std::find_if(words.begin(), words.end(), [](const std::string& w) { return w.rfind("--", 0) == 0; });
  if (named != words.end())
    return Error(fmt::format("named parameters ({}) are not supported yet", *named)).hint("use positional parameters: $1, $2, …");
  if (o.mode == Options::Mode::List) {
    if (o.program_text) return Error("-l does not take a program text yet").hint("give a pattern: trc -l 'tracepoint:sched:*'");
    if (words.size() > 1) return Error("-l takes one pattern").hint("quote it: trc -l 'uprobe:/bin/bash:*'");
    o.list_pattern = words.empty() ? "*" : words[0];
    return {};
  }
  if (!o.program_text) {
    if (words.empty()) return Error("USAGE: filename or -e 'program' required.");
    o.file = words[0];
    words.erase(words.begin());
  }
  o.positionals = std::move(words);
  return {};
}

}  // namespace

std::string help_text() {
  Parser p;
  std::string text =
      "Usage: trc [options] FILE [parameters]\n"
      "       trc [options] -e 'PROGRAM' [parameters]\n"
      "       trc -l 'PATTERN'\n";
  auto formatter = std::dynamic_pointer_cast<CLI::Formatter>(p.app.get_formatter());
  text += formatter->make_groups(&p.app, CLI::AppFormatMode::Normal);
  text +=
      "Examples:\n"
      "  trc -e 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }'\n"
      "  trc -e 'uprobe:python3:* < @ = max(len(ustack)) >' -c 'python3 recurse.py'\n"
      "  trc -e 'profile:hz:99 { @[ustack] = count(); }' -p 1234\n"
      "\nSee trc(1).\n";
  return text;
}

Result<Options> parse_options(int argc, char** argv) {
  Parser p;
  try {
    p.app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return Error(e.what()).hint("see trc --help");
  }
  Options& o = p.options;
  if (p.help) o.mode = Options::Mode::Help;
  if (p.version) o.mode = Options::Mode::Version;
  if (p.help || p.version) return std::move(o);
  if (!p.missing.empty()) return Error(fmt::format("the option {} is not supported yet", p.missing.front()));
  if (p.list) o.mode = Options::Mode::List;
  if (p.app.count("-e")) o.program_text = p.program;
  if (p.app.count("-c")) o.command = p.command;
  if (p.app.count("-p")) {
    TRC_TRY(pid, parse_pid(p.pid));
    o.pid = pid;
  }
  if (o.pid && o.command) return Error("USAGE: Cannot use both -c and -p.");
  if (o.exit_with_child && !o.command) return Error("USAGE: --exit-with-child needs -c.");
  if (p.k_count > 1) return Error("USAGE: -kk has been deprecated. Use a single -k for all warnings.");
  o.all_warnings = p.k_count > 0;
  if (o.all_warnings && o.no_warnings) return Error("USAGE: -k, --warnings conflicts with --no-warnings");
  TRC_TRY(buffering, parse_buffering(p.buffering));
  o.buffering = buffering;
  TRC_TRY(dumps, choose(p.dumps, kDumpStages, "-d"));
  o.dumps = dumps;
  TRC_TRY(features, choose(p.features, kFeatures, "--no-feature"));
  o.no_features = features;
  if (!output::find_format(o.format)) {
    std::string names;
    for (const output::Format& f : output::formats()) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", f.name);
    return Error(fmt::format("Invalid output format \"{}\"", o.format)).hint("Valid formats: " + names);
  }
  TRC_CHECK(distribute(o, p.words));
  return std::move(o);
}

}  // namespace trc::cli
