#include "types/btf_types.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace trc::types {
namespace {

using kernel::BtfKind;
using kernel::BtfType;
using lang::AddressSpace;
using lang::Type;

constexpr unsigned kMaxDepth = 32;   // of pointers, arrays and typedefs; damaged BTF may go in circles
constexpr std::uint32_t kMaxTypeSize = 1 << 20;

Type unreadable(std::uint32_t size) {
  Type type = lang::make_void();
  type.size = size;
  return type;
}

/// Integers that no register holds are so many words.
Type integer_type(const BtfType& type) {
  if (type.is_bool && type.size == 1) return lang::make_bool();
  switch (type.size) {
    case 1:
      // The kernel's plain char is unsigned; a script's is signed, whatever holds it.
      return lang::make_integer(8, type.is_signed || type.name == "char");
    case 2:
    case 4:
    case 8: return lang::make_integer(type.size * 8, type.is_signed);
    case 16: return lang::make_array(lang::make_uint64(), 2);
    default: return unreadable(std::min(type.size, kMaxTypeSize));
  }
}

/// Alignment of a structure, as far as its size tells: BTF does not say it. It only matters for where copies of values lie.
std::uint32_t alignment(std::uint32_t size) {
  std::uint32_t align = 8;
  while (align > 1 && size % align != 0) align /= 2;
  return align;
}

class Converter {
 public:
  explicit Converter(const BtfSource& source) : source_(source), btf_(*source.btf) {}

  Type convert(std::uint32_t id, unsigned depth, std::string_view alias = {}) const {
    const BtfType type = btf_.type(id);
    if (depth > kMaxDepth) return lang::make_void();
    switch (type.kind) {
      case BtfKind::Integer: return integer_type(type);
      case BtfKind::Pointer: return pointer_type(type.target, depth);
      case BtfKind::Array: return array_type(id, depth);
      case BtfKind::Struct: return structure("struct", id, type, alias);
      case BtfKind::Union: return structure("union", id, type, alias);
      case BtfKind::Forward: return lang::make_struct(spelled(type.is_union ? "union" : "struct", type.name, alias));
      case BtfKind::Enum: return enumeration(id, type, alias);
      case BtfKind::Typedef: return convert(type.target, depth + 1, type.name);
      case BtfKind::Qualifier:
      case BtfKind::TypeTag: return convert(type.target, depth + 1, alias);
      case BtfKind::Float: return unreadable(std::min(type.size, kMaxTypeSize));
      case BtfKind::Function:
      case BtfKind::Prototype:
      case BtfKind::Unknown: break;
    }
    return lang::make_void();
  }

 private:
  static std::string spelled(std::string_view tag, std::string_view name, std::string_view alias) {
    if (!name.empty()) return std::string(tag) + " " + std::string(name);
    return alias.empty() ? std::string(tag) + " (anonymous)" : std::string(alias);
  }

  std::uint64_t definition(std::uint32_t id) const {
    return pack({id < btf_.first_own_id() ? source_.base_source : source_.source, id});
  }

  Type structure(std::string_view tag, std::uint32_t id, const BtfType& btf_type, std::string_view alias) const {
    Type type = lang::make_struct(spelled(tag, btf_type.name, alias));
    type.size = std::min(btf_type.size, kMaxTypeSize);
    type.align = alignment(type.size);
    type.definition = definition(id);
    return type;
  }

  Type enumeration(std::uint32_t id, const BtfType& type, std::string_view alias) const {
    if (type.size != 1 && type.size != 2 && type.size != 4 && type.size != 8) return unreadable(std::min(type.size, kMaxTypeSize));
    std::vector<lang::Enumerator> names;
    for (const kernel::BtfEnumerator& one : btf_.enumerators(id)) names.push_back({std::string(one.name), one.value});
    Type integer = lang::make_integer(type.size * 8, type.is_signed);
    if (names.empty()) return integer;
    return lang::make_enumeration(spelled("enum", type.name, alias), std::move(integer), std::move(names));
  }

  Type pointer_type(std::uint32_t target, unsigned depth) const {
    AddressSpace space = AddressSpace::None;
    for (unsigned steps = 0; steps < kMaxDepth; ++steps) {
      const BtfType tag = btf_.type(target);
      if (tag.kind != BtfKind::TypeTag) break;
      if (tag.name == "user") space = AddressSpace::User;
      target = tag.target;
    }
    return lang::make_pointer(target == 0 ? lang::make_void() : convert(target, depth + 1), space);
  }

  /// char[] is a text; unsigned char[] is bytes.
  bool is_char(std::uint32_t id) const {
    for (unsigned steps = 0; steps < kMaxDepth; ++steps) {
      const BtfType type = btf_.type(id);
      if (type.kind == BtfKind::Integer) return type.size == 1 && type.name == "char";
      if (type.kind != BtfKind::Qualifier && type.kind != BtfKind::Typedef) return false;
      id = type.target;
    }
    return false;
  }

  Type array_type(std::uint32_t id, unsigned depth) const {
    const kernel::BtfArray array = btf_.array(id);
    if (array.count != 0 && array.count <= kMaxTypeSize && is_char(array.element)) return lang::make_string(array.count);
    Type element = convert(array.element, depth + 1);
    if (element.size != 0 && array.count > kMaxTypeSize / element.size) return lang::make_void();
    return lang::make_array(std::move(element), array.count);
  }

  const BtfSource& source_;
  const kernel::Btf& btf_;
};

}  // namespace

Type btf_type(const BtfSource& source, std::uint32_t id) { return id == 0 ? lang::make_void() : Converter(source).convert(id, 0); }

bool place_bit_field(lang::Field& field, std::uint64_t bit_offset, std::uint32_t bit_size, std::uint64_t structure_size) {
  // At a multiple of its size; where the field begins; at the end of the structure. One that is smaller than the unit is read beyond its end.
  for (const int attempt : {0, 1, 2, 3}) {
    for (const std::uint32_t unit : {1u, 2u, 4u, 8u}) {
      const std::uint64_t first = bit_offset / 8;
      const std::uint64_t last = structure_size > unit ? structure_size - unit : 0;
      const std::uint64_t start = attempt == 0 ? first / unit * unit : attempt == 1 ? first : std::min(first, last);
      const std::uint64_t bit = bit_offset - start * 8;
      if (bit + bit_size > std::uint64_t{unit} * 8 || (attempt < 3 && start + unit > structure_size)) continue;
      field.offset = static_cast<std::uint32_t>(start);
      field.bit_offset = static_cast<std::uint8_t>(bit);
      field.bit_size = static_cast<std::uint8_t>(bit_size);
      field.type.size = field.type.align = unit;
      return true;
    }
  }
  return false;
}

std::vector<lang::Field> btf_members(const BtfSource& source, std::uint32_t id) {
  std::vector<lang::Field> fields;
  const std::uint64_t size = source.btf->type(id).size;
  for (const kernel::BtfMember& member : source.btf->members(id)) {
    lang::Field field{.name = std::string(member.name), .type = btf_type(source, member.type), .offset = member.bit_offset / 8};
    const bool is_number = field.type.is_integer() || field.type.is(lang::TypeKind::Bool);
    // Old BTF has no widths, and writes a bit field as an integer that does not start at a byte: it is left out.
    if (member.bit_size == 0 && member.bit_offset % 8 != 0) continue;
    if (member.bit_size != 0 && (!is_number || !place_bit_field(field, member.bit_offset, member.bit_size, size))) continue;
    if (std::uint64_t{field.offset} + field.type.size > size) continue;
    fields.push_back(std::move(field));
  }
  return fields;
}

}  // namespace trc::types
