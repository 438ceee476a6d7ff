#include "runtime/unwind/program_files.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/read_file.h"
#include "base/strings.h"
#include "symbols/elf_file.h"
#include "symbols/library_search.h"

namespace trc::runtime {
namespace {

constexpr int kMostInterpreters = 4;        // of scripts of scripts, as the kernel has it
constexpr std::size_t kMostFiles = 1000;    // more than any program has

std::vector<std::string> preloaded(const std::vector<std::string>& environment) {
  constexpr std::string_view kVariable = "LD_PRELOAD=";
  std::string list;
  for (const std::string& entry : environment) {
    if (entry.starts_with(kVariable)) list += entry.substr(kVariable.size()) + ":";
  }
  if (const auto file = read_file("/etc/ld.so.preload")) list += *file;
  std::replace_if(list.begin(), list.end(), [](char c) { return c == ' ' || c == '\n' || c == '\t'; }, ':');
  std::vector<std::string> files;
  for (const std::string& name : split(list, ':')) {
    if (name.empty()) continue;
    files.push_back(name.find('/') != std::string::npos ? name : symbols::find_library(name));
  }
  return files;
}

}  // namespace

std::vector<std::string> files_of_program(const std::string& path, const std::vector<std::string>& environment) {
  std::vector<std::string> files;
  std::set<std::string> seen;
  const auto add = [&](const std::string& file) {
    if (!file.empty() && files.size() < kMostFiles && seen.insert(file).second) files.push_back(file);
  };
  std::string program = path;
  for (int i = 0; i < kMostInterpreters; ++i) {
    const std::string interpreter = symbols::script_interpreter(program);
    if (interpreter.empty()) break;
    program = interpreter;
  }
  add(program);
  for (const std::string& file : preloaded(environment)) add(file);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto elf = symbols::open_cached(files[i]);
    if (!elf) continue;
    if (i == 0) add((*elf)->interpreter());
    for (const std::string& soname : (*elf)->needed()) add(symbols::resolve_needed(**elf, soname));
  }
  return files;
}

std::vector<std::string> environment_of(std::int32_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/environ");
  return text ? split(*text, '\0') : std::vector<std::string>();
}

}  // namespace trc::runtime
