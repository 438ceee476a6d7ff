#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>
#include <regex>

#include "base/strings.h"
#include "output/sink.h"
#include "source/diagnostics.h"

namespace trc::cli {
namespace {

constexpr const char* kAcceptedGroup = "Accepted";
constexpr const char* kDumpStages[] = {"tokens", "ast", "typed", "codegen", "codegen-opt", "asm", "image", "libbpf", "verifier"};
/// As the reference calls them.
constexpr std::pair<const char*, const char*> kStageAliases[] = {{"types", "typed"}, {"parse", "tokens"}, {"dis", "asm"}};
constexpr const char* kFeatures[] = {"uprobe_multi", "kprobe_multi", "kprobe_session"};

/// The option table, one row per option: parsing and --help both come from it.
struct Parser {
  CLI::App app{"", "trc"};
  Options options;
  std::string program, pid, command, buffering = "line", dumps, features, mode, diagnostics = "text", debug_folders;
  bool list = false, help = false, version = false, tables = false, format = false, fix = false, info = false, ignored = false;
  int k_count = 0;
  std::vector<std::string> words, words_ignored;

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
    app.add_option("-I", options.include_folders, "Look for headers of #include in this folder too")->type_name("DIR")->expected(1)->group(tracing);
    app.add_option("--include", options.include_files, "Read this header before the program")->type_name("FILE")->expected(1)->group(tracing);
    app.add_flag("--unsafe", options.unsafe, "Allow what can change the traced system")->group(tracing);
    app.add_flag("--compat", options.compat, "Behave as bpftrace 0.27 where trc does better")->group(tracing);
    app.add_flag("--test", options.test, "Run the script's test: probes, say which fail")->group(tracing);
    app.add_flag("--bench", options.bench, "Run and measure the script's bench: probes")->group(tracing);
    app.add_flag("--dry-run", options.dry_run, "Compile, load and attach, then stop")->group(tracing);

    const std::string output = "Output";
    app.add_option("-o,--output", options.output_file, "Write the program's output to this file")->take_last()->type_name("FILE")->group(output);
    app.add_option("-f,--format", options.format, "Output format: text, json or jsonl")->take_last()->type_name("FORMAT")->group(output);
    app.add_option("-B", buffering, "Output buffering: line, full or none")->take_last()->type_name("MODE")->group(output);
    app.add_flag("-q,--quiet", options.quiet, "Print results and errors only")->group(output);
    app.add_flag("-v,--verbose", options.verbose, "Tell what is being done")->group(output);
    app.add_flag("-k,--warnings", k_count, "Also report memory reads and map look-ups that fail")->group(output);
    app.add_flag("--no-warnings", options.no_warnings, "Print no warnings")->group(output);
    app.add_option("--diagnostics", diagnostics, "Mistakes in the script as text or json")->take_last()->type_name("FORMAT")->group(output);
    app.add_option("--probe-filter", options.probe_filter, "Attach only probes whose name holds a match of this expression")
        ->take_last()->type_name("REGEX")->group(tracing);
    app.add_option("--traceable-functions", options.traceable_functions, "The kernel functions that may be probed, one a line, instead of the kernel's own list")
        ->take_last()->type_name("FILE")->group(tracing);
    app.add_option("--debuginfo", debug_folders, "Folders of debug files, in front of /usr/lib/debug")->take_last()->type_name("DIR[:DIR]")->group(tracing);
    app.add_option("--aot", options.aot_file, "Write the compiled script to this file, which trc runs without compiling")
        ->take_last()->type_name("FILE")->group(tracing);

    const std::string debugging = "Debugging trc";
    app.add_flag("--fmt", format, "Print the script in canonical layout; with -o write it there")->group(debugging);
    app.add_flag("--fix", fix, "Make the mends that are certain in the script's file, or in that of -o")->group(debugging);
    app.add_option("-d", dumps, "Print stages, comma-separated: tokens, ast, typed, codegen, codegen-opt, asm, image, libbpf, verifier")
        ->take_last()->type_name("STAGES")->group(debugging);
    app.add_option("--emit-elf", options.emit_elf, "Write the BPF object to this file and stop")->take_last()->type_name("FILE")->group(debugging);
    app.add_option("--emit-llvm", options.emit_llvm, "Write FILE.original.ll and FILE.optimized.ll and stop")->take_last()->type_name("FILE")->group(debugging);
    app.add_option("--mode", mode, "Stop early: codegen compiles only, compiler-bench times the stages")->take_last()->type_name("MODE")->group(debugging);
    app.add_flag("--info", info, "Tell what this kernel, this user and this trc can do; with -f json as JSON")->group(debugging);
    app.add_flag("--no-cache", options.no_cache, "Compile the script anew, and do not keep what comes of it")->group(debugging);
    app.add_option("--no-feature", features, "Do without these kernel features: uprobe_multi, kprobe_multi, kprobe_session")->take_last()->type_name("LIST")->group(debugging);

    app.add_flag("--tables", tables, "Print what the language and trc have, as JSON, for editors and manuals")->group(debugging);

    app.add_flag("-h,--help", help, "Print this text");
    app.add_flag("-V,--version", version, "Print the version");
    app.add_flag("-b,--btf", ignored, "Accepted, no effect")->group(kAcceptedGroup);
    app.add_flag("--verify-llvm-ir", ignored, "Accepted: the code is always verified")->group(kAcceptedGroup);
    app.add_flag("--usdt-file-activation", ignored, "Accepted: the kernel counts USDT semaphores for every process")->group(kAcceptedGroup);
    app.add_option("--dwarf-pid", words_ignored, "Accepted: stacks of any process are whole")->type_name("PID")->group(kAcceptedGroup);
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
Result<std::vector<std::string>> choose(const std::string& list, const std::vector<std::string>& others, const char* const (&known)[N], const char* option) {
  std::vector<std::string> chosen = split_commas(list);
  if (chosen == std::vector<std::string>{"all"}) return std::vector<std::string>(std::begin(known), std::end(known));
  for (const std::string& word : chosen) {
    if (std::find(std::begin(known), std::end(known), word) != std::end(known)) continue;
    if (std::find(others.begin(), others.end(), word) != others.end()) continue;
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

/// Takes --name and --name=value out of the words behind "--": those that begin with -- in front of it are options, or refused.
void take_named(Options& o, std::vector<std::string>& words) {
  std::erase_if(words, [&](const std::string& word) {
    if (!word.starts_with("--")) return false;
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string name = word.substr(2, equals - 2);
    if (name == "help") o.script_help = true;
    else o.named[name] = word.substr(std::min(equals + 1, word.size()));
    return true;
  });
}

Error unknown_format(const std::string& name) {
  std::string names;
  for (const output::Format& f : output::formats()) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", f.name);
  return Error(fmt::format("Invalid output format \"{}\"", name)).hint("Valid formats: " + names);
}

Result<Options::Stop> parse_mode(const std::string& word) {
  if (word.empty()) return Options::Stop::Never;
  if (word == "codegen") return Options::Stop::AfterCodegen;
  if (word == "compiler-bench") return Options::Stop::AfterBench;
  return Error(fmt::format("USAGE: --mode can only be 'codegen' or 'compiler-bench', not '{}'", word));
}

Result<> check_filter(const std::string& expression, bool compat) {
  if (expression.empty()) return {};
  try {
    (void)std::regex(expression);
  } catch (const std::regex_error& e) {
    return Error(fmt::format("Invalid --probe-filter regex '{}': {}", expression, e.what())).status(compat ? 255 : 1);
  }
  return {};
}

/// The words that are neither options nor their values: script, pattern, parameters.
Result<> distribute(Options& o, std::vector<std::string> words) {
  take_named(o, words);
  if (o.mode == Options::Mode::Run && !o.program_text && !words.empty() && words[0] == "explain" && words.size() <= 2) {
    o.mode = Options::Mode::Explain;
    if (words.size() == 2) o.explained = words[1];
    return {};
  }
  if (o.mode == Options::Mode::List) {
    if (o.program_text) return {};
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

std::vector<OptionRow> option_table() {
  Parser p;
  std::vector<OptionRow> rows;
  for (const CLI::Option* option : p.app.get_options()) {
    OptionRow row;
    for (const std::string& name : option->get_snames()) row.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) row.names.push_back("--" + name);
    if (row.names.empty()) continue;   // the words that are no options
    if (option->get_items_expected_max() > 0) row.value = option->get_type_name();
    row.doc = option->get_description();
    row.group = option->get_group();
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string help_text() {
  Parser p;
  std::string text =
      "Usage: trc [options] FILE [parameters]\n"
      "       trc [options] -e 'PROGRAM' [parameters]\n"
      "       trc -l 'PATTERN'\n"
      "       trc explain [CODE]\n";
  auto formatter = std::dynamic_pointer_cast<CLI::Formatter>(p.app.get_formatter());
  for (CLI::Option* option : p.app.get_options()) {
    if (option->get_group() == kAcceptedGroup) option->group("");
  }
  text += formatter->make_groups(&p.app, CLI::AppFormatMode::Normal);
  text +=
      "Examples:\n"
      "  trc -e 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }'\n"
      "  trc -e 'uprobe:python3:* < @ = max(len(ustack)) >' -c 'python3 recurse.py'\n"
      "  trc -e 'profile:hz:99 { @[ustack] = count(); }' -p 1234\n"
      "\nSee trc(1).\n";
  return text;
}

namespace {

/// The first word that is no option: CLI11 says "The following argument was not expected: --nope --other".
Error unknown_option(std::string_view what) {
  std::string_view word = what.substr(std::min(what.rfind(": "), what.size() - 2) + 2);
  word = word.substr(0, word.find(' '));
  std::vector<std::string> names;
  for (const OptionRow& row : option_table()) names.insert(names.end(), row.names.begin(), row.names.end());
  const std::string_view name = word.substr(0, word.find('='));
  const std::string near = nearest(name, names);
  return Error(fmt::format("unrecognized option '{}'", word))
      .hint(near.empty() ? "see trc --help; parameters of the script that begin with - stand behind --" : fmt::format("did you mean {}?", near));
}

/// "--format: 1 required FORMAT missing"
Error missing_value(std::string_view what) {
  const std::string_view name = what.substr(0, what.find(':'));
  for (const OptionRow& row : option_table()) {
    if (std::find(row.names.begin(), row.names.end(), name) != row.names.end())
      return Error(fmt::format("the option {} needs a value: {}", name, row.value)).hint("see trc --help");
  }
  return Error(std::string(what)).hint("see trc --help");
}

}  // namespace

Result<Options> parse_options(int argc, char** argv) {
  Parser p;
  try {
    p.app.parse(argc, argv);
  } catch (const CLI::ExtrasError& e) {
    return unknown_option(e.what());
  } catch (const CLI::ArgumentMismatch& e) {
    return missing_value(e.what());
  } catch (const CLI::ParseError& e) {
    return Error(e.what()).hint("see trc --help");
  }
  Options& o = p.options;
  if (p.help) o.mode = Options::Mode::Help;
  if (p.version) o.mode = Options::Mode::Version;
  if (p.tables) o.mode = Options::Mode::Tables;
  if (p.info) o.mode = Options::Mode::Info;
  if (!output::find_format(o.format)) return unknown_format(o.format);
  if (p.help || p.version || p.tables || p.info) return std::move(o);
  if (p.list) o.mode = Options::Mode::List;
  if (p.format) o.mode = Options::Mode::Format;
  if (p.fix) o.mode = Options::Mode::Fix;
  if (p.app.count("-e")) o.program_text = p.program;
  if (p.app.count("-c")) o.command = p.command;
  if (p.app.count("-p")) {
    TRC_TRY(pid, parse_pid(p.pid));
    o.pid = pid;
  }
  if (o.pid && o.command) return Error("USAGE: Cannot use both -c and -p.");
  if (o.test && o.bench) return Error("USAGE: --bench conflicts with existing --test");
  if (o.exit_with_child && !o.command) return Error("USAGE: --exit-with-child needs -c.");
  if (p.k_count > 1) return Error("USAGE: -kk has been deprecated. Use a single -k for all warnings.");
  o.all_warnings = p.k_count > 0;
  if (o.all_warnings && o.no_warnings) return Error("USAGE: -k, --warnings conflicts with --no-warnings");
  TRC_TRY(buffering, parse_buffering(p.buffering));
  o.buffering = buffering;
  TRC_TRY(dumps, choose(p.dumps, {"types", "parse", "dis"}, kDumpStages, "-d"));
  o.dumps = dumps;
  TRC_TRY(features, choose(p.features, {}, kFeatures, "--no-feature"));
  o.no_features = features;
  for (const auto& [other, name] : kStageAliases) {
    if (std::find(o.dumps.begin(), o.dumps.end(), other) != o.dumps.end()) o.dumps.emplace_back(name);
  }
  TRC_TRY(stop, parse_mode(p.mode));
  o.stop = stop;
  if (p.diagnostics != "text" && p.diagnostics != "json")
    return Error(fmt::format("USAGE: --diagnostics can only be 'text' or 'json', not '{}'", p.diagnostics));
  o.json_diagnostics = p.diagnostics == "json";
  o.debug_folders = split(p.debug_folders, ':');
  std::erase(o.debug_folders, "");
  TRC_CHECK(check_filter(o.probe_filter, o.compat));
  if (!o.aot_file.empty() && (o.pid || o.command)) return Error("USAGE: --aot takes neither -c nor -p.").hint("what it writes traces every process");
  TRC_CHECK(distribute(o, p.words));
  return std::move(o);
}

}  // namespace trc::cli
