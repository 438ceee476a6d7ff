#include "kernel/bpf_programs.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "base/owned.h"
#include "kernel/btf.h"

namespace trc::kernel {
namespace {

/// The type information that a program was loaded with.
std::optional<Btf> read_btf(std::uint32_t id) {
  const Fd fd(std::max(bpf_btf_get_fd_by_id(id), -1));
  if (!fd) return std::nullopt;
  bpf_btf_info info{};
  std::uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return std::nullopt;
  std::string bytes(info.btf_size, '\0');
  info = {};
  info.btf = reinterpret_cast<std::uint64_t>(bytes.data());
  info.btf_size = static_cast<std::uint32_t>(bytes.size());
  size = sizeof info;
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return std::nullopt;
  auto parsed = Btf::parse(std::move(bytes));
  return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
}

/// The BTF ids of a program's functions.
std::vector<std::uint32_t> function_types(int program, const bpf_prog_info& known) {
  std::vector<char> rows(std::size_t{known.nr_func_info} * known.func_info_rec_size);
  bpf_prog_info info{};
  info.nr_func_info = known.nr_func_info;
  info.func_info_rec_size = known.func_info_rec_size;
  info.func_info = reinterpret_cast<std::uint64_t>(rows.data());
  std::uint32_t size = sizeof info;
  std::vector<std::uint32_t> ids;
  if (known.func_info_rec_size < sizeof(bpf_func_info) || bpf_obj_get_info_by_fd(program, &info, &size) != 0) return ids;
  for (std::size_t i = 0; i < known.nr_func_info; ++i) {
    bpf_func_info row{};
    std::memcpy(&row, rows.data() + i * known.func_info_rec_size, sizeof row);
    ids.push_back(row.type_id);
  }
  return ids;
}

}  // namespace

Result<std::vector<BpfFunction>> loaded_bpf_functions() {
  std::vector<BpfFunction> functions;
  std::map<std::uint32_t, std::optional<Btf>> types;   // the programs of one object share theirs
  for (std::uint32_t id = 0;;) {
    if (bpf_prog_get_next_id(id, &id) != 0) {
      if (errno == ENOENT) return functions;
      return Error::from_errno("list the BPF programs of the kernel");
    }
    const Fd program(std::max(bpf_prog_get_fd_by_id(id), -1));
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0 || info.btf_id == 0) continue;
    auto [place, is_new] = types.try_emplace(info.btf_id);
    if (is_new) place->second = read_btf(info.btf_id);
    if (!place->second) continue;
    for (const std::uint32_t type : function_types(program.get(), info)) {
      functions.push_back({id, std::string(place->second->type(type).name), info.type != BPF_PROG_TYPE_TRACING && info.type != BPF_PROG_TYPE_EXT});
    }
  }
}

}  // namespace trc::kernel
