// Any bytes as type information, alone and on top of a base made of the same bytes: everything returns.
// Built with -DTRC_FUZZ=ON (clang); run as: btf_fuzz CORPUS
#include <cstdint>
#include <string>
#include <vector>

#include "kernel/btf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> members{"task_struct.mm", "mm_struct.mm_mt.ma_root", "a.b", "a.b.c", "."};
  const auto base = trc::kernel::Btf::parse(bytes);
  if (!base) return 0;
  base->member_offsets(members);
  base->raw_tracepoints();
  if (const auto module = trc::kernel::Btf::parse(bytes, &*base)) {
    module->member_offsets(members);
    module->raw_tracepoints();
  }
  return 0;
}
