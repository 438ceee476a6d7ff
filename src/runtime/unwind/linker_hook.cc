#include "runtime/unwind/linker_hook.h"

#include <array>
#include <string_view>

#include "symbols/find_symbols.h"

namespace trc::runtime {

std::optional<LinkerHook> find_linker_hook(const symbols::ElfReader& file) {
  // glibc exports the structure, musl a pointer to it (for gdb, both); .dynsym has them, so stripping takes nothing away.
  constexpr std::array<std::string_view, 3> kNames = {"_dl_debug_state", "_r_debug", "_dl_debug_addr"};
  const auto found = symbols::find_symbols(file, kNames);
  const bool is_pointer = found[1] == 0;
  const std::uint64_t list = is_pointer ? found[2] : found[1];
  if (found[0] == 0 || list == 0) return std::nullopt;
  const auto offset = file.file_offset(found[0]);
  if (!offset) return std::nullopt;
  return LinkerHook{.offset = *offset, .to_list = static_cast<std::int64_t>(list - found[0]), .is_pointer = is_pointer};
}

}  // namespace trc::runtime
