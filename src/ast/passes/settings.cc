// Configuration variables (language.md §21): one row each. The environment beats the config block; TRC_X is asked before BPFTRACE_X.
#include <algorithm>
#include <cctype>
#include <string>

#include <fmt/format.h>

#include "ast/passes/passes.h"
#include "base/strings.h"

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

std::optional<std::string> ignore(Options&, const std::string&) { return std::nullopt; }

struct Row {
  std::string_view key;
  Take take;
  bool from_environment = true;
};

const Row kRows[] = {
    {"max_strlen", [](Options& c, const std::string& v) { return take_number(v, 1, 65536, c.settings.max_strlen); }},
    {"max_map_keys", [](Options& c, const std::string& v) { return take_number(v, 1, 0xffffffff, c.max_map_keys); }},
    {"max_probes", [](Options& c, const std::string& v) { return take_number(v, 1, 0xffffffff, c.settings.max_probes); }},
    {"on_stack_limit", take_limit},
    {"perf_rb_pages", take_pages},
    {"print_maps_on_exit", [](Options& c, const std::string& v) { return take_bool(v, c.settings.print_maps_on_exit); }},
    {"cpp_demangle", [](Options& c, const std::string& v) { return take_bool(v, c.settings.cpp_demangle); }},
    {"show_debug_info", [](Options& c, const std::string& v) { return take_bool(v, c.settings.show_debug_info); }},
    {"str_trunc_trailer", [](Options& c, const std::string& v) -> std::optional<std::string> {
       c.settings.str_trunc_trailer = v;
       return std::nullopt;
     }},
    {"missing_probes", [](Options& c, const std::string& v) { return take_word(v, {"error", "warn", "ignore"}, c.settings.missing_probes); }},
    {"stack_mode", [](Options& c, const std::string& v) { return take_word(v, {"bpftrace", "perf", "raw", "build_id"}, c.settings.stack_mode); }},
    {"stack_unwind", take_unwinding},
    {"compat", [](Options& c, const std::string& v) { return take_bool(v, c.settings.compat); }},
    {"license", take_license},
    // Known settings of things that trc does not need to be told about, or does not have yet; harmless.
    {"cache_user_symbols", ignore},
    {"lazy_symbolication", ignore},
    {"log_size", ignore},
    {"max_bpf_progs", ignore},
    {"max_cat_bytes", ignore},
    {"use_blazesym", ignore},
    {"unstable_dw_ustack", ignore, false},
    {"unstable_import_statement", ignore, false},
    {"unstable_tseries", ignore, false},
    {"unstable_typeinfo", ignore, false},
    {"symbol_source", ignore, false},
    {"max_type_res_iterations", ignore, false},
    {"unstable_addr", ignore, false},
    {"unstable_import", ignore, false},
    {"unstable_macro", ignore, false},
    {"unstable_map_decl", ignore, false},
};

struct Renamed {
  std::string_view old_key, key;
};
constexpr Renamed kRenamed[] = {{"strlen", "max_strlen"}, {"cat_bytes_max", "max_cat_bytes"}, {"map_keys_max", "max_map_keys"}};

constexpr std::string_view kEnvironmentOnly[] = {"btf", "vmlinux", "kernel_source", "kernel_build", "color", "objcopy"};

std::string upper(std::string_view text) {
  std::string result;
  for (char c : text) result += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

const Row* find_row(std::string_view key) {
  for (const Row& row : kRows) {
    if (row.key == key) return &row;
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
  std::string key = plain_key(entry.key);
  if (std::find(std::begin(kEnvironmentOnly), std::end(kEnvironmentOnly), key) != std::end(kEnvironmentOnly)) {
    diags.report(Diag::InvalidConfig, entry.key_span, entry.key + ": can only be set as an environment variable");
    return;
  }
  for (const Renamed& renamed : kRenamed) {
    if (key != renamed.old_key) continue;
    diags.report(Diag::Deprecated, entry.key_span, fmt::format("{} is now called {}", key, renamed.key));
    key = renamed.key;
  }
  const Row* row = find_row(key);
  if (!row) {
    std::vector<std::string> keys;
    for (const Row& other : kRows) keys.emplace_back(other.key);
    Diagnostic& report = diags.report(Diag::InvalidConfig, entry.key_span, entry.key + ": not a known configuration option");
    if (auto near = nearest(key, keys); !near.empty()) report.with_hint("did you mean " + near + "?");
    return;
  }
  if (auto accepted = row->take(config, entry.value)) {
    diags.report(Diag::InvalidConfig, entry.value_span, fmt::format("invalid value for {}: '{}', expected {}", key, entry.value, *accepted));
  }
}

void read_variable(Options& config, const Row& row, const Environment& environment, Diagnostics& diags) {
  for (std::string_view prefix : {"TRC_", "BPFTRACE_"}) {
    const std::string name = std::string(prefix) + upper(row.key);
    const char* value = environment(name.c_str());
    if (!value) continue;
    if (auto accepted = row.take(config, value)) {
      diags.report(Diag::InvalidConfig, Span{}, fmt::format("invalid value for environment variable {}: '{}', expected {}", name, value, *accepted));
    }
    return;
  }
}

}  // namespace

Options read_settings(const ast::Config* block, const Environment& environment, Diagnostics& diags) {
  Options config;
  if (block) {
    for (const ConfigEntry& entry : block->entries) read_entry(config, entry, diags);
  }
  for (const Row& row : kRows) {
    if (row.from_environment) read_variable(config, row, environment, diags);
  }
  return config;
}

}  // namespace trc::ast
