// --info: what this kernel, this user and this binary can do.
#include <fmt/format.h>

#include <cstdio>

#include "base/json_writer.h"
#include "base/version.h"
#include "cli/commands.h"
#include "codegen/codegen.h"
#include "kernel/inspect.h"
#include "output/sink.h"
#include "probes/provider.h"
#include "symbols/debug_info.h"

namespace trc::cli {
namespace {

constexpr std::size_t kColumn = 33;

kernel::FindingGroup build_group() {
  kernel::FindingGroup group{"Build", {{"version", kVersion}, {"LLVM", codegen::llvm_version()}, {"libbpf", kernel::libbpf_version()}}};
  group.findings.push_back({"libdw (source lines in stacks)", symbols::DebugInfo::check() ? "yes" : "no"});
  std::string names;
  for (const probes::Provider* provider : probes::registry()) names += (names.empty() ? "" : " ") + std::string(provider->name());
  group.findings.push_back({"probe types", names});
  names.clear();
  for (const output::Format& format : output::formats()) names += (names.empty() ? "" : " ") + std::string(format.name);
  group.findings.push_back({"output formats", names});
  return group;
}

bool is_flag(const kernel::Finding& finding) { return finding.value == "yes" || finding.value == "no"; }

/// Short answers stand two on a line, others alone.
std::string text_of(const kernel::FindingGroup& group) {
  std::string out = group.title + "\n", line;
  const bool columns = group.findings.size() > 6;
  const auto end_line = [&] {
    if (!line.empty()) out += "  " + line + "\n";
    line.clear();
  };
  for (const kernel::Finding& finding : group.findings) {
    const std::string text = fmt::format("{}: {}", finding.name, finding.value);
    if (!columns || !is_flag(finding) || text.size() >= kColumn) {
      end_line();
      line = text;
      end_line();
    } else if (line.empty()) {
      line = text;
    } else {
      line = fmt::format("{:<{}}{}", line, kColumn, text);
      end_line();
    }
  }
  end_line();
  return out;
}

std::string json_of(const std::vector<kernel::FindingGroup>& groups) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const kernel::FindingGroup& group : groups) {
    std::string key;
    for (const char c : group.title) key += c == ' ' ? '_' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    json.key(key).begin_object();
    for (const kernel::Finding& finding : group.findings) {
      json.key(finding.name);
      if (is_flag(finding)) json.boolean(finding.value == "yes");
      else json.string(finding.value);
    }
    json.end_object();
  }
  json.end_object();
  return out + "\n";
}

}  // namespace

std::string info_text(const Options& options) {
  std::vector<kernel::FindingGroup> groups = kernel::inspect();
  groups.insert(groups.begin() + 1, build_group());
  if (options.format != "text") return json_of(groups);
  std::string out;
  for (const kernel::FindingGroup& group : groups) out += (out.empty() ? "" : "\n") + text_of(group);
  return out;
}

}  // namespace trc::cli
