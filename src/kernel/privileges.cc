#include "kernel/privileges.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <vector>

#include "kernel/facts.h"

namespace trc::kernel {
namespace {

// Numbers, because headers older than 5.8 do not have the last two.
constexpr unsigned kSysAdmin = 21, kPerfmon = 38, kBpf = 39;

std::string first_line(const char* path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string status_field(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  }
  return {};
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

}  // namespace

bool has_capability(std::uint64_t set, unsigned capability) { return ((set >> capability) & 1) != 0; }

Result<> judge_privileges(const PrivilegeFacts& facts) {
  if (facts.bpf_errno == ENOSYS) {
    return Error("this kernel has no bpf() system call, so nothing can be traced").hint("a kernel with CONFIG_BPF_SYSCALL is needed");
  }
  const bool admin = has_capability(facts.capabilities, kSysAdmin);
  std::vector<std::string> missing;
  if (!admin && !has_capability(facts.capabilities, kBpf)) missing.emplace_back("CAP_BPF");
  if (!admin && !has_capability(facts.capabilities, kPerfmon)) missing.emplace_back("CAP_PERFMON");
  if (!missing.empty()) {
    return Error("tracing needs " + list(missing) + ", which this process does not have")
        .hint("run trc as root (sudo trc …), or give it the capabilities: setcap cap_bpf,cap_perfmon,cap_dac_read_search+ep $(command -v trc)");
  }
  if (!facts.initial_user_namespace) {
    return Error("this process is root only in a user namespace, and the kernel lets only the initial one trace")
        .hint("run trc outside of the container or namespace");
  }
  if (facts.lockdown.find("[confidentiality]") != std::string::npos) {
    return Error("the kernel is locked down (confidentiality mode), which forbids tracing")
        .hint("boot with lockdown=integrity or lockdown=none; see /sys/kernel/security/lockdown");
  }
  if (facts.bpf_errno == EPERM || facts.bpf_errno == EACCES) {
    return Error(facts.seccomp ? "a seccomp filter, as containers have it, forbids the bpf() system call"
                               : "the kernel refuses the bpf() system call although the capabilities are there")
        .hint(facts.seccomp ? "start the container with --privileged, or with a seccomp profile that allows bpf and perf_event_open"
                            : "a security module (SELinux, AppArmor) may forbid it; look into the kernel's log");
  }
  return {};
}

PrivilegeFacts gather_privilege_facts() {
  PrivilegeFacts facts;
  facts.capabilities = std::strtoull(status_field("CapEff").c_str(), nullptr, 16);
  facts.seccomp = status_field("Seccomp") == "2";
  facts.lockdown = first_line("/sys/kernel/security/lockdown");
  {
    std::ifstream in("/proc/self/uid_map");
    std::uint64_t inside = 0, outside = 0, count = 0;
    if (in >> inside >> outside >> count) facts.initial_user_namespace = inside == 0 && outside == 0 && count == 0xffffffff;
  }
  const int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "trc_check", 4, 8, 1, nullptr);
  if (fd >= 0) {
    ::close(fd);
  } else {
    facts.bpf_errno = errno;
  }
  return facts;
}

Result<> check_privileges() { return judge_privileges(gather_privilege_facts()); }

}  // namespace trc::kernel
