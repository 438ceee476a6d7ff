// Types of a BTF file as types of the language, one level at a time: structures are named by their definition and have no members until
// somebody asks for them, so that a type with pointers to half the kernel costs nothing.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kernel/btf.h"
#include "lang/type.h"

namespace trc::types {

/// A structure or enumeration of a BTF file: lang::Type::definition is made of where it is from and of its id there.
struct DefinitionId {
  std::uint32_t source = 0;   ///< the number of the BTF file (kernel::Facts::btf); from kFirstOwnSource on, one of the library's own
  std::uint32_t id = 0;
};
inline constexpr std::uint32_t kFirstOwnSource = 0x40000000;

inline std::uint64_t pack(DefinitionId definition) { return (std::uint64_t{definition.source} + 1) << 32 | definition.id; }
inline DefinitionId unpack(std::uint64_t definition) {
  return {static_cast<std::uint32_t>(definition >> 32) - 1, static_cast<std::uint32_t>(definition)};
}

/// A BTF file and the number of its own types; those below its first own id belong to `base_source`.
struct BtfSource {
  const kernel::Btf* btf = nullptr;
  std::uint32_t source = 0;
  std::uint32_t base_source = 0;
};

/// The type with this id. Void of size 0 for what values cannot have (functions, damaged types); Void with a size for what takes room and cannot
/// be read (floats). Pointers take the address space of their tag, or none.
lang::Type btf_type(const BtfSource& source, std::uint32_t id);

/// The members of a structure or union as they are declared: those of anonymous members stay inside a member without a name.
std::vector<lang::Field> btf_members(const BtfSource& source, std::uint32_t id);

/// Places a bit field: the smallest unit of 1, 2, 4 or 8 bytes that holds it, inside a structure of `structure_size` bytes unless that is too small.
/// The type is that of the declaration and gets the size of the unit. False when no unit holds it.
bool place_bit_field(lang::Field& field, std::uint64_t bit_offset, std::uint32_t bit_size, std::uint64_t structure_size);

}  // namespace trc::types
