// Configuration variables (language.md §21): one row each. The environment beats the config block; TRC_X is asked before BPFTRACE_X.
#include <algorithm>
#include <cctype>
#include <string>

#include <fmt/format.h>

#include "ast/passes/config_variables.h"
#include "ast/passes/passes.h"
#include "base/strings.h"
#include "source/suggest.h"

namespace trc::ast {
namespace {

constexpr std::uint32_t kPageLimit = 1u << 20;

/// Takes a value or says what is accepted.
using Take = std::optional<std::string> (*)(Options&, const std::string& value);

std::optional<std::string> take_number(const std::string& value, std::uint64_t low, std::uint64_t high, std::uint32_t& into) {
  const auto number = parse_unsigned(value);
  if (!number || *number < low || *number > high) return fmt::format("a number from {} to {}", low, high);
  into = static_cast<std::uint32_t>(*number);
  return std::nullopt;
}

std::optional<std::string> take_bool(const std::string& value, bool& into) {
  const std::string word = to_lower(value);
  if (word == "true" || word == "1") {
    into = true;
  } else if (word == "false" || word == "0") {
    into = false;
  } else {
    return "true or false";
  }
  return std::nullopt;
}

std::optional<std::string> take_word(const std::string& value, const std::vector<std::string>& words, std::string& into) {
  if (std::find(words.begin(), words.end(), value) == words.end()) return "one of " + join(words, ", ");
  into = value;
  return std::nullopt;
}

std::optional<std::string> take_pages(Options& config, const std::string& value) {
  std::uint32_t pages = 0;
  if (auto problem = take_number(value, 0, kPageLimit, pages)) return problem;
  if ((pages & (pages - 1)) != 0) return "a power of two, or 0 to let trc choose";
  config.settings.ring_pages = pages;
  return std::nullopt;
}

std::optional<std::string> take_license(Options& config, const std::string& value) {
  static const std::vector<std::string> kLicenses{"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};
  return take_word(value, kLicenses, config.license);
}

std::optional<std::string> take_limit(Options& config, const std::string& value) {
  std::uint32_t limit = 0;
  if (auto problem = take_number(value, 0, 512, limit)) return problem;
  config.on_stack_limit = limit;
  return std::nullopt;
}

std::optional<std::string> take_unwinding(Options& config, const std::string& value) {
  if (value == "auto") config.unwinding = typed::Unwinding::Auto;
  else if (value == "fp") config.unwinding = typed::Unwinding::FramePointers;
  else if (value == "dwarf") config.unwinding = typed::Unwinding::Tables;
  else return "auto, fp or dwarf";
  return std::nullopt;
}

SettingValue show_unwinding(const Options& config) {
  switch (config.unwinding) {
    case typed::Unwinding::FramePointers: return "fp";
    case typed::Unwinding::Tables: return "dwarf";
    case typed::Unwinding::Setting:
    case typed::Unwinding::Auto: break;
  }
  return "auto";
}

/// Names of user space are kept as it suits trc; the words are checked all the same.
std::optional<std::string> take_caching(Options&, const std::string& value) {
  std::string chosen;
  return take_word(value, {"PER_PID", "PER_PROGRAM", "NONE", "0", "1"}, chosen);
}

/// What the variable is set to, for `config`; null: it is not in there.
using Show = SettingValue (*)(const Options&);

struct Row {
  ConfigVariable is;
  Take take;
  Show show = nullptr;
};

template <auto member>
SettingValue show(const Options& c) {
  if constexpr (requires { c.*member; }) {
    using Member = std::decay_t<decltype(c.*member)>;
    if constexpr (std::is_same_v<Member, std::uint32_t>) return std::uint64_t{c.*member};
    else return c.*member;
  } else {
    using Member = std::decay_t<decltype(c.settings.*member)>;
    if constexpr (std::is_same_v<Member, std::uint32_t>) return std::uint64_t{c.settings.*member};
    else return c.settings.*member;
  }
}

template <auto member, std::uint64_t low, std::uint64_t high>
std::optional<std::string> number(Options& c, const std::string& v) {
  if constexpr (requires { c.*member; }) return take_number(v, low, high, c.*member);
  else return take_number(v, low, high, c.settings.*member);
}

template <auto member>
std::optional<std::string> truth(Options& c, const std::string& v) {
  if constexpr (requires { c.*member; }) return take_bool(v, c.*member);
  else return take_bool(v, c.settings.*member);
}

/// enable, warn or error; true and false for the first and the last.
template <auto member>
std::optional<std::string> unstable(Options& c, const std::string& v) {
  const std::string word = to_lower(v);
  return take_word(word == "true" || word == "1" ? "enable" : word == "false" || word == "0" ? "error" : word, {"enable", "warn", "error"}, c.*member);
}

std::optional<std::string> take_trailer(Options& c, const std::string& v) {
  c.settings.str_trunc_trailer = v;
  return std::nullopt;
}

using image::Settings;
constexpr std::uint64_t kAny = 0xffffffff;

const Row kRows[] = {
    {{"max_strlen", "1024", "bytes of a string, its NUL included: 1 to 65536"}, number<&Settings::max_strlen, 1, 65536>, show<&Settings::max_strlen>},
    {{"max_map_keys", "4096", "entries of a map that does not say how many"}, number<&Options::max_map_keys, 1, kAny>, show<&Options::max_map_keys>},
    {{"max_probes", "no limit", "attach points that a script may have"}, number<&Settings::max_probes, 1, kAny>, show<&Settings::max_probes>},
    {{"max_bpf_progs", "1024", "accepted, no effect: a wildcard is one program"}, number<&Options::max_bpf_progs, 1, kAny>, show<&Options::max_bpf_progs>},
    {{"max_cat_bytes", "10240", "bytes of a file that cat() prints"}, number<&Settings::max_cat_bytes, 0, 1u << 30>, show<&Settings::max_cat_bytes>},
    {{"log_size", "1000000", "accepted, no effect: the verifier's log has the room it needs"}, number<&Options::log_size, 0, kAny>, show<&Options::log_size>},
    {{"on_stack_limit", "32", "bytes above which a value goes to memory of its own: 0 to 512"}, take_limit,
     [](const Options& c) -> SettingValue { return std::uint64_t{c.on_stack_limit.value_or(typed::TypedProgram{}.on_stack_limit)}; }},
    {{"perf_rb_pages", "0", "pages of the ring buffer, a power of two; 0: by the size of the machine"}, take_pages, show<&Settings::ring_pages>},
    {{"print_maps_on_exit", "true", "print all maps at the end"}, truth<&Settings::print_maps_on_exit>, show<&Settings::print_maps_on_exit>},
    {{"cpp_demangle", "true", "C++ and Rust names as in the source"}, truth<&Settings::cpp_demangle>, show<&Settings::cpp_demangle>},
    {{"show_debug_info", "false", "source lines and inlined functions in user stacks"}, truth<&Settings::show_debug_info>, show<&Settings::show_debug_info>},
    {{"lazy_symbolication", "true", "accepted, no effect: names are looked up when printed, and outlive the process"}, truth<&Options::lazy_symbolication>,
     show<&Options::lazy_symbolication>},
    {{"use_blazesym", "true", "accepted, no effect"}, truth<&Options::use_blazesym>, show<&Options::use_blazesym>},
    {{"str_trunc_trailer", "..", "what marks a string that was cut"}, take_trailer, show<&Settings::str_trunc_trailer>},
    {{"missing_probes", "error", "attach points that match nothing: error, warn or ignore"},
     [](Options& c, const std::string& v) { return take_word(v, {"error", "warn", "ignore"}, c.settings.missing_probes); }, show<&Settings::missing_probes>},
    {{"stack_mode", "bpftrace", "how stacks are printed: bpftrace, perf, raw, build_id or folded"},
     [](Options& c, const std::string& v) { return take_word(v, {"bpftrace", "perf", "raw", "build_id", "folded"}, c.settings.stack_mode); },
     show<&Settings::stack_mode>},
    {{"stack_unwind", "auto", "how user stacks are walked: auto, fp or dwarf"}, take_unwinding, show_unwinding},
    {{"license", "GPL", "licence that the programs declare to the kernel"}, take_license, show<&Options::license>},
    {{"compat", "false", "behave as bpftrace 0.27 where trc does better"}, truth<&Settings::compat>, show<&Settings::compat>},
    {{"unstable_dw_ustack", "warn", "dw_ustack(): enable, warn or error"}, unstable<&Options::unstable_dw_ustack>, show<&Options::unstable_dw_ustack>},
    {{"unstable_import_statement", "error", "imports inside blocks: enable, warn or error"}, unstable<&Options::unstable_import_statement>,
     show<&Options::unstable_import_statement>},
    {{"unstable_tseries", "warn", "tseries(): enable, warn or error"}, unstable<&Options::unstable_tseries>, show<&Options::unstable_tseries>},
    {{"unstable_typeinfo", "error", "typeinfo(): enable, warn or error"}, unstable<&Options::unstable_typeinfo>, show<&Options::unstable_typeinfo>},
    {{"cache_user_symbols", "PER_PID", "accepted, no effect: symbols are kept by file"}, take_caching},
};

/// Of older versions of the language: accepted, and without effect.
constexpr std::string_view kIgnored[] = {"symbol_source", "max_type_res_iterations", "unstable_addr", "unstable_import", "unstable_macro", "unstable_map_decl"};

struct Renamed {
  std::string_view old_key, key;
  bool is_negated = false;
};
constexpr Renamed kRenamed[] = {
    {"strlen", "max_strlen"}, {"cat_bytes_max", "max_cat_bytes"}, {"map_keys_max", "max_map_keys"}, {"no_cpp_demangle", "cpp_demangle", true}};

/// What a value of the old name means under the new one.
std::string renamed_value(const Renamed& renamed, const std::string& value) {
  bool truth = false;
  if (!renamed.is_negated || take_bool(value, truth)) return value;
  return truth ? "false" : "true";
}

constexpr std::string_view kEnvironmentOnly[] = {"btf", "vmlinux", "kernel_source", "kernel_build", "color", "objcopy"};

std::string upper(std::string_view text) {
  std::string result;
  for (char c : text) result += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

const Row* find_row(std::string_view key) {
  for (const Row& row : kRows) {
    if (row.is.key == key) return &row;
  }
  return nullptr;
}

/// The key in its own spelling: lower case, without the prefix of the environment variables.
std::string plain_key(const std::string& written) {
  std::string key = to_lower(written);
  for (std::string_view prefix : {"bpftrace_", "trc_"}) {
    if (key.starts_with(prefix)) return key.substr(prefix.size());
  }
  return key;
}

void read_entry(Options& config, const ConfigEntry& entry, Diagnostics& diags) {
  std::string key = plain_key(entry.key), value = entry.value;
  if (std::find(std::begin(kEnvironmentOnly), std::end(kEnvironmentOnly), key) != std::end(kEnvironmentOnly)) {
    diags.report(Diag::InvalidConfig, entry.key_span, entry.key + ": can only be set as an environment variable");
    return;
  }
  for (const Renamed& renamed : kRenamed) {
    if (key != renamed.old_key) continue;
    Diagnostic& report = diags.report(Diag::Deprecated, entry.key_span, fmt::format("{} is now called {}", key, renamed.key));
    key = renamed.key;
    value = renamed_value(renamed, value);
    if (value == entry.value) report.with_edit(entry.key_span, key);
  }
  if (std::find(std::begin(kIgnored), std::end(kIgnored), key) != std::end(kIgnored)) {
    diags.report(Diag::Deprecated, entry.key_span, key + " has no effect any more");
    return;
  }
  const Row* row = find_row(key);
  if (!row) {
    std::vector<std::string> keys;
    for (const Row& other : kRows) keys.emplace_back(other.is.key);
    Diagnostic& report = diags.report(Diag::InvalidConfig, entry.key_span, entry.key + ": not a known configuration option");
    suggest(report, entry.key_span, key, keys);
    return;
  }
  if (auto accepted = row->take(config, value)) {
    diags.report(Diag::InvalidConfig, entry.value_span, fmt::format("invalid value for {}: '{}', expected {}", key, entry.value, *accepted));
  }
}

/// TRC_KEY, else BPFTRACE_KEY: name and value.
std::optional<std::pair<std::string, std::string>> find_variable(std::string_view key, const Environment& environment) {
  for (std::string_view prefix : {"TRC_", "BPFTRACE_"}) {
    const std::string name = std::string(prefix) + upper(key);
    if (const char* value = environment(name.c_str())) return std::pair(name, std::string(value));
  }
  return std::nullopt;
}

constexpr Span kNowhere{.file = kNone};

void set_from_environment(Options& config, const Row& row, const std::string& name, const std::string& value, Diagnostics& diags) {
  if (auto accepted = row.take(config, value)) {
    diags.report(Diag::InvalidConfig, kNowhere, fmt::format("invalid value for environment variable {}: '{}', expected {}", name, value, *accepted));
  }
}

void read_environment(Options& config, const Environment& environment, Diagnostics& diags) {
  for (const Renamed& renamed : kRenamed) {
    const auto found = find_variable(renamed.old_key, environment);
    if (!found) continue;
    diags.report(Diag::Deprecated, kNowhere, fmt::format("{} is now called TRC_{}", found->first, upper(renamed.key)));
    set_from_environment(config, *find_row(renamed.key), found->first, renamed_value(renamed, found->second), diags);
  }
  for (const Row& row : kRows) {
    if (const auto found = find_variable(row.is.key, environment)) set_from_environment(config, row, found->first, found->second, diags);
  }
}

}  // namespace

std::vector<ConfigVariable> config_variables() {
  std::vector<ConfigVariable> all;
  for (const Row& row : kRows) all.push_back(row.is);
  return all;
}

Options read_settings(const ast::Config* block, const Environment& environment, Diagnostics& diags) {
  Options config;
  if (block) {
    for (const ConfigEntry& entry : block->entries) read_entry(config, entry, diags);
  }
  read_environment(config, environment, diags);
  return config;
}

std::vector<Setting> effective_settings(const Options& options) {
  std::vector<Setting> all;
  for (const Row& row : kRows) {
    if (row.show) all.push_back({row.is.key, row.show(options)});
  }
  return all;
}

}  // namespace trc::ast
