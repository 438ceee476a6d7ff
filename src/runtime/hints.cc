#include "runtime/hints.h"

#include <algorithm>

namespace trc::runtime {
namespace {

/// System calls that today's C library no longer makes, and what it calls instead.
struct Row { std::string_view silent, instead; };
constexpr Row kSystemCalls[] = {
    {"open", "openat"},          {"creat", "openat"},         {"stat", "newfstatat"},     {"lstat", "newfstatat"},   {"fstat", "newfstatat"},
    {"fork", "clone"},           {"select", "pselect6"},      {"nanosleep", "clock_nanosleep"}, {"exit", "exit_group"},
    {"send", "sendto"},          {"recv", "recvfrom"},        {"getrlimit", "prlimit64"}, {"setrlimit", "prlimit64"},
    {"getdents", "getdents64"},  {"pipe", "pipe2"},
};

}  // namespace

std::vector<std::string> silent_tracepoint_hints(const image::ProgramImage& image) {
  std::vector<std::string> hints;
  for (const image::ProbeEntry& probe : image.probes) {
    constexpr std::string_view kPrefixes[] = {"tracepoint:syscalls:sys_enter_", "tracepoint:syscalls:sys_exit_"};
    for (const std::string_view prefix : kPrefixes) {
      if (!probe.text.starts_with(prefix)) continue;
      const std::string_view name = std::string_view(probe.text).substr(prefix.size());
      const auto* row = std::find_if(std::begin(kSystemCalls), std::end(kSystemCalls), [&](const Row& r) { return r.silent == name; });
      if (row == std::end(kSystemCalls)) continue;
      hints.push_back(probe.text + " never fired: the C library of today calls " + std::string(row->instead) + ", not " + std::string(name));
    }
  }
  return hints;
}

}  // namespace trc::runtime
