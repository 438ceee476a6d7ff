// What providers must know of the processor: where its registers lie in struct pt_regs, how calls pass arguments, which instructions
// the kernel refuses to put a uprobe on. One file an architecture (arch_x86_64.cc); a port adds a file and changes nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace trc::probes {

/// A register as assemblers name it: where it lies in struct pt_regs, and how many of its low bytes the name means.
struct RegisterPlace { std::uint16_t offset = 0; std::uint8_t bytes = 8; };

struct Arch {
  std::string_view name;                             ///< as messages show it
  std::uint16_t elf_machine = 0;                     ///< EM_*
  std::span<const std::uint16_t> argument_registers; ///< offsets into pt_regs, of integer arguments in order
  std::uint16_t return_register = 0;
  std::uint16_t instruction_pointer = 0;
  /// Without the '%'. Empty if a program cannot read it from pt_regs (vector registers, high bytes).
  std::optional<RegisterPlace> (*find_register)(std::string_view name) = nullptr;
  /// Whether the kernel accepts a uprobe on the instruction that these bytes start with (up to 15; fewer at the end of a file).
  bool (*is_probeable)(std::string_view code) = nullptr;
  /// Bytes of the instruction that the code (up to 15 bytes) starts with; 0: not known.
  std::size_t (*instruction_length)(std::string_view code) = nullptr;
};

/// The processor trc was built for.
const Arch& native_arch();

}  // namespace trc::probes
