#include "types/library.h"

#include <algorithm>
#include <utility>

namespace trc::types {

using kernel::BtfKind;
using lang::Field;
using lang::Type;
using lang::TypeKind;

namespace {

constexpr unsigned kMaxNesting = 32;           // of structures in structures; damaged definitions may go in circles
constexpr std::size_t kMaxMembers = 16 * 1024; // of one value, those of the structures inside included

constexpr BtfKind kind_of(Tag tag) {
  switch (tag) {
    case Tag::Struct: return BtfKind::Struct;
    case Tag::Union: return BtfKind::Union;
    case Tag::Enum: return BtfKind::Enum;
  }
  return BtfKind::Unknown;
}

}  // namespace

std::optional<BtfSource> Library::btf_source(std::uint32_t number) {
  const auto btf = facts_.btf(number);
  if (!btf) return std::nullopt;
  return BtfSource{*btf, number, 0};
}

std::string Library::why_no_kernel_types() {
  const auto btf = facts_.btf(0);
  return btf ? "" : btf.error().message();
}

std::optional<Type> Library::find_in_kernel(BtfKind kind, std::string_view name) {
  const auto [place, is_new] = kernel_names_.try_emplace({kind, std::string(name)});
  if (!is_new) return place->second;
  const std::size_t files = std::max<std::size_t>(facts_.btf_names().size(), 1);
  for (std::uint32_t number = 0; number < files && !place->second; ++number) {
    const auto source = btf_source(number);
    if (!source) continue;
    if (const auto id = source->btf->find(kind, name)) place->second = btf_type(*source, *id);
  }
  return place->second;
}

std::optional<Type> Library::find_own_tag(std::string_view spelled) const {
  const auto place = own_tags_.find(spelled);
  return place == own_tags_.end() ? std::nullopt : std::optional(place->second);
}

std::optional<Type> Library::find_own_typedef(std::string_view name) const {
  const auto place = own_typedefs_.find(name);
  return place == own_typedefs_.end() ? std::nullopt : std::optional(place->second);
}

std::optional<Constant> Library::find_own_constant(std::string_view name) const {
  if (const auto place = own_constants_.find(name); place != own_constants_.end()) return place->second;
  return macros_ ? macros_(name) : std::nullopt;
}

std::optional<Type> Library::find(Tag tag, std::string_view name) {
  constexpr std::string_view kWords[] = {"struct ", "union ", "enum "};
  if (auto own = find_own_tag(std::string(kWords[static_cast<std::size_t>(tag)]) + std::string(name))) return own;
  return find_in_kernel(kind_of(tag), name);
}

std::optional<Type> Library::find_typedef(std::string_view name) {
  if (auto own = find_own_typedef(name)) return own;
  return find_in_kernel(BtfKind::Typedef, name);
}

std::optional<Constant> Library::find_constant(std::string_view name) {
  if (auto own = find_own_constant(name)) return own;
  const auto [place, is_new] = kernel_constants_.try_emplace(std::string(name));
  if (!is_new) return place->second;
  const std::size_t files = std::max<std::size_t>(facts_.btf_names().size(), 1);
  for (std::uint32_t number = 0; number < files && !place->second; ++number) {
    const auto source = btf_source(number);
    if (!source) continue;
    const auto found = source->btf->find_enumerator(name);
    if (found) place->second = Constant{btf_type(*source, found->type), static_cast<std::uint64_t>(found->value), {}};
  }
  return place->second;
}

Type Library::define_structure(Type type, std::vector<Field> members) {
  type.definition = pack({kFirstOwnSource, ++own_structures_});
  members_[type.definition] = std::move(members);
  if (!type.name.ends_with("(anonymous)")) define_tag(type.name, type);
  return type;
}

std::uint32_t Library::alignment(const Type& type) { return alignment(type, 0); }

/// BTF does not say it of structures; their members do, unless they are packed.
std::uint32_t Library::alignment(const Type& type, unsigned depth) {
  if (type.is(TypeKind::Array) && depth < kMaxNesting) return alignment(type.element(), depth + 1);
  if (!type.is(TypeKind::Struct) || depth >= kMaxNesting) return std::max<std::uint32_t>(type.align, 1);
  const Type structure = resolved(type);
  if (unpack(structure.definition).source >= kFirstOwnSource) return structure.align;
  std::uint32_t largest = 1;
  for (const Field& field : members_of(structure.definition)) {
    const std::uint32_t align = alignment(field.type, depth + 1);
    if (field.bit_size == 0 && field.offset % align != 0) return 1;
    largest = std::max(largest, align);
  }
  return structure.size % largest == 0 ? largest : 1;
}

Type Library::resolved(Type type) {
  if (!type.is(TypeKind::Struct) || type.definition != 0) return type;
  const std::size_t space = type.name.find(' ');
  std::optional<Type> found;
  if (type.name.starts_with("struct ")) found = find(Tag::Struct, type.name.substr(space + 1));
  else if (type.name.starts_with("union ")) found = find(Tag::Union, type.name.substr(space + 1));
  return found ? std::move(*found) : std::move(type);
}

const std::vector<Field>& Library::members_of(std::uint64_t definition) {
  const auto [place, is_new] = members_.try_emplace(definition);
  if (!is_new || definition == 0) return place->second;
  const DefinitionId where = unpack(definition);
  if (const auto foreign = foreign_.find(where.source); foreign != foreign_.end()) {
    place->second = foreign->second->members(where.id);
  } else if (const auto source = btf_source(where.source)) {
    place->second = btf_members(*source, where.id);
  }
  return place->second;
}

std::optional<Field> Library::member_in(std::uint64_t definition, std::string_view name, unsigned depth) {
  if (depth > kMaxNesting || definition == 0) return std::nullopt;
  const std::vector<Field>& members = members_of(definition);
  for (const Field& field : members) {
    if (field.name == name) return field;
  }
  for (const Field& field : members) {
    if (!field.name.empty() || !field.type.is(TypeKind::Struct)) continue;
    if (auto inner = member_in(field.type.definition, name, depth + 1)) {
      inner->offset += field.offset;
      return inner;
    }
  }
  return std::nullopt;
}

std::optional<Field> Library::member(const Type& structure, std::string_view name) {
  return name.empty() ? std::nullopt : member_in(resolved(structure).definition, name, 0);
}

void Library::add_names(std::uint64_t definition, std::vector<std::string>& names, unsigned depth) {
  if (depth > kMaxNesting || definition == 0) return;
  for (const Field& field : members_of(definition)) {
    if (!field.name.empty()) names.push_back(field.name);
    else if (field.type.is(TypeKind::Struct)) add_names(field.type.definition, names, depth + 1);
  }
}

std::vector<std::string> Library::member_names(const Type& structure) {
  std::vector<std::string> names;
  add_names(resolved(structure).definition, names, 0);
  return names;
}

bool Library::add_members(std::uint64_t definition, std::uint32_t offset, std::vector<Field>& into, unsigned depth) {
  if (depth > kMaxNesting) return false;
  for (Field field : members_of(definition)) {
    field.offset += offset;
    if (field.name.empty() && field.type.is(TypeKind::Struct)) {
      if (!add_members(field.type.definition, field.offset, into, depth + 1)) return false;
      continue;
    }
    if (field.name.empty()) continue;   // a bit field that only takes room
    if (into.size() >= kMaxMembers || !complete(field.type, depth + 1)) return false;
    into.push_back(std::move(field));
  }
  return true;
}

bool Library::complete(Type& type, unsigned depth) {
  if (depth > kMaxNesting) return false;
  if (type.is(TypeKind::Array)) return complete(type.fields.front().type, depth + 1);
  if (!type.is(TypeKind::Struct) || !type.fields.empty()) return true;
  type = resolved(std::move(type));
  if (type.definition == 0) return false;
  return add_members(type.definition, 0, type.fields, depth + 1);
}

std::optional<Type> Library::completed(Type type) {
  type = resolved(std::move(type));
  if (type.size == 0 || type.size > kMaxValueSize || !complete(type, 0)) return std::nullopt;
  return type;
}

}  // namespace trc::types
