// Intel's manual, volume 2, chapter 2 (formats) and appendix A (opcode maps). Lengths depend on little: prefixes, the opcode's map, whether
// a ModRM byte follows, and the size of the immediate.
#include "probes/x86_instruction.h"

#include <cstdint>

namespace trc::probes {
namespace {

constexpr std::size_t kLongest = 15;

enum class Immediate : std::uint8_t { None, Byte, Word, Operand, WideOperand, Double, Offset, Enter };
struct Form {
  bool is_known = false, has_modrm = false;
  Immediate immediate = Immediate::None;
};
constexpr Form kUnknown{};
constexpr Form plain(Immediate immediate = Immediate::None) { return {true, false, immediate}; }
constexpr Form modrm(Immediate immediate = Immediate::None) { return {true, true, immediate}; }

/// One-byte opcodes. `reg`: the middle field of the byte behind, which some groups need.
Form one_byte(unsigned opcode, unsigned reg) {
  if (opcode < 0x40) {
    switch (opcode & 7) {
      case 4: return plain(Immediate::Byte);
      case 5: return plain(Immediate::Operand);
      case 6:
      case 7: return kUnknown;   // pushes of segments, decimal adjustment: not in 64-bit mode
      default: return modrm();
    }
  }
  if (opcode >= 0x50 && opcode <= 0x5f) return plain();
  if (opcode >= 0x70 && opcode <= 0x7f) return plain(Immediate::Byte);
  if (opcode >= 0x84 && opcode <= 0x8e) return modrm();
  if (opcode >= 0x90 && opcode <= 0x99) return plain();
  if (opcode >= 0x9b && opcode <= 0x9f) return plain();
  if (opcode >= 0xa0 && opcode <= 0xa3) return plain(Immediate::Offset);
  if (opcode >= 0xb0 && opcode <= 0xb7) return plain(Immediate::Byte);
  if (opcode >= 0xb8 && opcode <= 0xbf) return plain(Immediate::WideOperand);
  if (opcode >= 0xd0 && opcode <= 0xd3) return modrm();
  if (opcode >= 0xd8 && opcode <= 0xdf) return modrm();
  if (opcode >= 0xe0 && opcode <= 0xe7) return plain(Immediate::Byte);
  switch (opcode) {
    case 0x63: return modrm();
    case 0x68: return plain(Immediate::Operand);
    case 0x69: return modrm(Immediate::Operand);
    case 0x6a: return plain(Immediate::Byte);
    case 0x6b: return modrm(Immediate::Byte);
    case 0x6c: case 0x6d: case 0x6e: case 0x6f: return plain();
    case 0x80: case 0x83: return modrm(Immediate::Byte);
    case 0x81: return modrm(Immediate::Operand);
    case 0x8f: return reg == 0 ? modrm() : kUnknown;   // else XOP
    case 0xa4: case 0xa5: case 0xa6: case 0xa7: case 0xaa: case 0xab: case 0xac: case 0xad: case 0xae: case 0xaf: return plain();
    case 0xa8: return plain(Immediate::Byte);
    case 0xa9: return plain(Immediate::Operand);
    case 0xc0: case 0xc1: case 0xc6: return modrm(Immediate::Byte);
    case 0xc2: case 0xca: return plain(Immediate::Word);
    case 0xc3: case 0xc9: case 0xcb: case 0xcc: case 0xcf: case 0xd7: return plain();
    case 0xc7: return modrm(Immediate::Operand);
    case 0xc8: return plain(Immediate::Enter);
    case 0xcd: case 0xeb: return plain(Immediate::Byte);
    case 0xe8: case 0xe9: return plain(Immediate::Double);
    case 0xec: case 0xed: case 0xee: case 0xef: case 0xf1: case 0xf4: case 0xf5: return plain();
    case 0xf6: return modrm(reg < 2 ? Immediate::Byte : Immediate::None);
    case 0xf7: return modrm(reg < 2 ? Immediate::Operand : Immediate::None);
    case 0xf8: case 0xf9: case 0xfa: case 0xfb: case 0xfc: case 0xfd: return plain();
    case 0xfe: case 0xff: return modrm();
    default: return kUnknown;
  }
}

/// Behind 0f, and map 1 of VEX and EVEX.
Form two_byte(unsigned opcode, bool is_vex) {
  if (opcode >= 0x70 && opcode <= 0x73) return modrm(Immediate::Byte);
  if (opcode == 0x77) return plain();
  if (opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6)) return modrm(Immediate::Byte);
  if (is_vex) return modrm();
  if (opcode >= 0x30 && opcode <= 0x37) return opcode == 0x36 ? kUnknown : plain();
  if (opcode >= 0x80 && opcode <= 0x8f) return plain(Immediate::Double);
  if (opcode >= 0xc8 && opcode <= 0xcf) return plain();
  switch (opcode) {
    case 0x04: case 0x0a: case 0x0c: case 0x24: case 0x25: case 0x26: case 0x27: case 0x39: case 0x3b: case 0x3c: case 0x3d: case 0x3e: case 0x3f:
    case 0x78: case 0x79: case 0x7a: case 0x7b: return kUnknown;   // not assigned, or AMD's SSE4a
    case 0x05: case 0x06: case 0x07: case 0x08: case 0x09: case 0x0b: case 0x0e: return plain();
    case 0xa0: case 0xa1: case 0xa2: case 0xa8: case 0xa9: case 0xaa: return plain();
    case 0x0f: case 0xa4: case 0xac: case 0xba: return modrm(Immediate::Byte);
    default: return modrm();
  }
}

/// Maps by number, as VEX and EVEX write it: 1 is 0f, 2 is 0f 38, 3 is 0f 3a; 5 and 6 are EVEX's.
Form in_map(unsigned map, unsigned opcode, bool is_vex) {
  switch (map) {
    case 1: return two_byte(opcode, is_vex);
    case 2: case 5: case 6: return modrm();
    case 3: return modrm(Immediate::Byte);
    default: return kUnknown;
  }
}

}  // namespace

std::size_t x86_instruction_length(std::string_view code) {
  code = code.substr(0, kLongest);
  std::size_t at = 0;
  bool fits = true;
  const auto take = [&]() -> unsigned {
    if (at < code.size()) return static_cast<unsigned char>(code[at++]);
    fits = false;
    return 0;
  };
  const auto peek = [&](std::size_t ahead) -> unsigned { return at + ahead < code.size() ? static_cast<unsigned char>(code[at + ahead]) : 0; };

  bool has_operand_prefix = false, has_address_prefix = false, is_wide = false;
  for (;; ++at) {
    const unsigned next = peek(0);
    if (next == 0x66) has_operand_prefix = true;
    else if (next == 0x67) has_address_prefix = true;
    else if (next != 0x26 && next != 0x2e && next != 0x36 && next != 0x3e && next != 0x64 && next != 0x65 && next != 0xf0 && next != 0xf2 && next != 0xf3) break;
  }
  if ((peek(0) & 0xf0) == 0x40) is_wide = (take() & 8) != 0;   // REX

  Form form;
  unsigned opcode = take();
  if (opcode == 0xc5) {
    take();
    form = in_map(1, take(), true);
  } else if (opcode == 0xc4) {
    const unsigned map = take() & 0x1f;
    take();
    form = in_map(map, take(), true);
  } else if (opcode == 0x62) {
    const unsigned map = take() & 0x0f;   // bit 3 is not EVEX
    take(), take();
    form = in_map(map, take(), true);
  } else if (opcode == 0x0f) {
    opcode = take();
    form = opcode == 0x38 ? in_map(2, take(), false) : opcode == 0x3a ? in_map(3, take(), false) : two_byte(opcode, false);
  } else {
    form = one_byte(opcode, peek(0) >> 3 & 7);
  }
  if (!form.is_known) return 0;

  std::size_t more = 0;
  if (form.has_modrm) {
    const unsigned byte = take();
    const unsigned mode = byte >> 6, memory = byte & 7;
    unsigned base = memory;
    if (mode != 3 && memory == 4) base = take() & 7;   // SIB
    if (mode == 1) more += 1;
    if (mode == 2 || (mode == 0 && base == 5)) more += 4;
  }
  const std::size_t operand = has_operand_prefix && !is_wide ? 2 : 4;
  switch (form.immediate) {
    case Immediate::None: break;
    case Immediate::Byte: more += 1; break;
    case Immediate::Word: more += 2; break;
    case Immediate::Enter: more += 3; break;
    case Immediate::Double: more += 4; break;
    case Immediate::Operand: more += operand; break;
    case Immediate::WideOperand: more += is_wide ? 8 : operand; break;
    case Immediate::Offset: more += has_address_prefix ? 4 : 8; break;
  }
  return fits && at + more <= code.size() ? at + more : 0;
}

}  // namespace trc::probes
