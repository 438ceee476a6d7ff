#include "kernel/kfunc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <array>
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

}  // namespace

bool allows_kfunc(const std::string& module, std::uint32_t id, ProgramType type) {
  const bool is_of_module = module != "vmlinux";
  const Fd btf = is_of_module ? open_module_btf(module) : Fd();
  if (is_of_module && !btf) return false;
  const bpf_insn call[] = {
      {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = BPF_PSEUDO_KFUNC_CALL, .off = static_cast<std::int16_t>(is_of_module ? 1 : 0),
       .imm = static_cast<std::int32_t>(id)},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const ProgramTypeRow row = program_type_row(type);
  const int descriptors[] = {-1, btf.get()};
  std::string log(4096, '\0');
  LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = static_cast<bpf_attach_type>(row.expected));
  load.log_level = 1;
  load.log_buf = log.data();
  load.log_size = static_cast<std::uint32_t>(log.size());
  if (is_of_module) load.fd_array = descriptors;
  if (const char* target = bound_to(type)) {
    const int target_id = libbpf_find_vmlinux_btf_id(target, static_cast<bpf_attach_type>(row.expected));
    if (target_id < 0) return false;
    load.attach_btf_id = static_cast<std::uint32_t>(target_id);
  }
  const Fd program(std::max(bpf_prog_load(row.type, "trc_probe", "GPL", call, std::size(call), &load), -1));
  if (program) return true;
  // Anything else that it says is about the arguments.
  const std::string_view said(log.c_str());
  const auto says = [&](std::string_view words) { return said.find(words) != std::string_view::npos; };
  return !said.empty() && !says("not allowed") && !says("does not support calling kernel function");
}

}  // namespace trc::kernel
