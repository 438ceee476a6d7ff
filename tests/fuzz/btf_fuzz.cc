// Any bytes as type information, alone and on top of a base made of the same bytes: everything returns.
// Built with -DTRC_FUZZ=ON (clang); run as: btf_fuzz CORPUS
#include <cstdint>
#include <string>
#include <vector>

#include "kernel/btf.h"
#include "types/btf_types.h"

namespace {

void read_types(const trc::kernel::Btf& btf) {
  const trc::types::BtfSource source{&btf, 1, 0};
  for (std::uint32_t id = 0; id < 64; ++id) {
    trc::types::btf_type(source, id);
    trc::types::btf_members(source, id);
    btf.parameters(id);
  }
  btf.find(trc::kernel::BtfKind::Struct, "a");
  btf.find_enumerator("A");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> members{"task_struct.mm", "mm_struct.mm_mt.ma_root", "a.b", "a.b.c", "."};
  const auto base = trc::kernel::Btf::parse(bytes);
  if (!base) return 0;
  base->member_offsets(members);
  base->raw_tracepoints();
  read_types(*base);
  if (const auto module = trc::kernel::Btf::parse(bytes, &*base)) {
    module->member_offsets(members);
    module->raw_tracepoints();
    read_types(*module);
  }
  return 0;
}
