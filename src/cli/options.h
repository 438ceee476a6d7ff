// What the user asked for, checked as far as that can be done without looking at the program.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "output/sink.h"

namespace trc::cli {

struct Options {
  enum class Mode : std::uint8_t { Run, List, Help, Version, Tables, Format, Fix, Info, Explain };
  Mode mode = Mode::Run;
  std::optional<std::string> program_text;   ///< -e
  std::string file;                          ///< script, "-" for standard input
  std::string explained;                     ///< the code after `explain`; empty: all
  std::string list_pattern;                  ///< -l
  std::vector<std::string> positionals;      ///< $1 …
  std::map<std::string, std::string> named;  ///< --name=value behind "--"
  bool script_help = false;                  ///< -- --help
  std::optional<std::int32_t> pid;           ///< -p
  std::optional<std::string> command;        ///< -c
  std::string output_file;                   ///< -o
  std::string format = "text";               ///< -f
  output::Buffering buffering = output::Buffering::Line;
  bool quiet = false, verbose = false, all_warnings = false, no_warnings = false;
  bool dry_run = false, unsafe = false, exit_with_child = false, stop_on_map = false, compat = false, test = false, bench = false;
  std::vector<std::string> include_folders;  ///< -I
  std::vector<std::string> include_files;    ///< --include
  enum class Stop : std::uint8_t { Never, AfterCodegen, AfterBench };
  Stop stop = Stop::Never;                   ///< --mode
  std::string aot_file;                      ///< --aot
  bool no_cache = false;                     ///< --no-cache
  std::string probe_filter;                  ///< --probe-filter, a valid regular expression; empty: none
  bool json_diagnostics = false;             ///< --diagnostics=json
  std::vector<std::string> debug_folders;    ///< --debuginfo
  std::vector<std::string> dumps;            ///< -d
  std::string emit_elf, emit_llvm;           ///< --emit-elf, --emit-llvm
  std::vector<std::string> no_features;      ///< --no-feature
  std::string traceable_functions;           ///< --traceable-functions; empty: the kernel's own list
};

/// Options from the command line. The error is one sentence, its hint names the way out.
Result<Options> parse_options(int argc, char** argv);

/// One row of --help.
struct OptionRow {
  std::vector<std::string> names;   ///< with their dashes
  std::string value, doc, group;
};
std::vector<OptionRow> option_table();

/// The text of --help.
std::string help_text();

}  // namespace trc::cli
