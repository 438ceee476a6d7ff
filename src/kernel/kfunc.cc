#include "kernel/kfunc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/owned.h"
#include "kernel/program_types.h"

namespace trc::kernel {
namespace {

/// The type information of a module as a descriptor; none when the kernel has no such module.
Fd open_module_btf(const std::string& module) {
  for (std::uint32_t id = 0; bpf_btf_get_next_id(id, &id) == 0;) {
    Fd fd(std::max(bpf_btf_get_fd_by_id(id), -1));
    std::array<char, 64> name{};
    bpf_btf_info info{};
    info.name = reinterpret_cast<std::uint64_t>(name.data());
    info.name_len = name.size();
    std::uint32_t size = sizeof info;
    if (fd && bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 && info.kernel_btf != 0 && module == name.data()) return fd;
  }
  return {};
}

/// Something that each kernel has and programs of the type can be bound to; null when they are bound to nothing.
const char* bound_to(ProgramType type) {
  if (type == ProgramType::Fentry || type == ProgramType::Fexit) return "bpf_fentry_test1";
  return type == ProgramType::Iterator ? "task" : nullptr;
}

/// What the verifier says of a program of this kind that does nothing but a call, whose arguments are wrong. Nothing: it was not asked.
std::optional<std::string> verifier_on(const bpf_insn& call, ProgramType type, const int* descriptors) {
  const bpf_insn instructions[] = {call,
                                   {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                                   {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const ProgramTypeRow row = program_type_row(type);
  std::string log(4096, '\0');
  LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = static_cast<bpf_attach_type>(row.expected));
  load.log_level = 1;
  load.log_buf = log.data();
  load.log_size = static_cast<std::uint32_t>(log.size());
  load.fd_array = descriptors;
  if (const char* target = bound_to(type)) {
    const int id = libbpf_find_vmlinux_btf_id(target, static_cast<bpf_attach_type>(row.expected));
    if (id < 0) return std::nullopt;
    load.attach_btf_id = static_cast<std::uint32_t>(id);
  }
  const Fd program(std::max(bpf_prog_load(row.type, "trc_probe", "GPL", instructions, std::size(instructions), &load), -1));
  std::string said = log.c_str();
  if (!program && said.empty()) return std::nullopt;
  return said;
}

/// Whether a call is allowed is looked at before its arguments, about which there may be anything.
bool is_refused(std::string_view said) {
  for (const std::string_view words : {"not allowed", "does not support calling kernel function", "unknown func", "cannot use helper", "invalid func"})
    if (said.find(words) != std::string_view::npos) return true;
  return false;
}

}  // namespace

bool allows_kfunc(const std::string& module, std::uint32_t id, ProgramType type) {
  const bool is_of_module = module != "vmlinux";
  const Fd btf = is_of_module ? open_module_btf(module) : Fd();
  if (is_of_module && !btf) return false;
  const int descriptors[] = {-1, btf.get()};
  const bpf_insn call = {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = BPF_PSEUDO_KFUNC_CALL, .off = static_cast<std::int16_t>(is_of_module ? 1 : 0),
                         .imm = static_cast<std::int32_t>(id)};
  const auto said = verifier_on(call, type, is_of_module ? descriptors : nullptr);
  return said && !is_refused(*said);
}

bool allows_helper(std::int32_t helper, ProgramType type) {
  const auto said = verifier_on({.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = helper}, type, nullptr);
  return said && !is_refused(*said);
}

}  // namespace trc::kernel
