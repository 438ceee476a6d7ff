#include "types/c_definition.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/glob.h"

namespace trc::types {
namespace {

using kernel::Btf;
using kernel::BtfKind;
using kernel::BtfType;

constexpr unsigned kMaxDepth = 32;   // damaged BTF may go in circles

std::string_view tag_of(BtfKind kind) {
  switch (kind) {
    case BtfKind::Struct: return "struct";
    case BtfKind::Union: return "union";
    case BtfKind::Enum: return "enum";
    default: return "";
  }
}

/// A type in front of what it declares; either may be empty.
std::string before(std::string_view type, const std::string& declarator) {
  if (declarator.empty()) return std::string(type);
  return fmt::format("{}{}{}", type, declarator.starts_with('[') ? "" : " ", declarator);
}

class Printer {
 public:
  explicit Printer(const Btf& btf) : btf_(btf) {}

  /// "int (*compare)(const void *)": the declarator grows from the inside out.
  std::string declare(std::uint32_t id, std::string declarator, unsigned depth) const {
    const BtfType type = btf_.type(id);
    if (id == 0) return before("void", declarator);
    if (depth > kMaxDepth) return before("?", declarator);
    switch (type.kind) {
      case BtfKind::Pointer: {
        const BtfKind to = behind_tags(type.target).kind;
        if (to == BtfKind::Array || to == BtfKind::Prototype) return declare(type.target, "(*" + declarator + ")", depth + 1);
        return declare(type.target, "*" + declarator, depth + 1);
      }
      case BtfKind::Array: return declare(btf_.array(id).element, declarator + fmt::format("[{}]", btf_.array(id).count), depth + 1);
      case BtfKind::Prototype: return declare(type.target, declarator + parameters(id, depth), depth + 1);
      case BtfKind::Qualifier:
        if (behind_tags(type.target).kind == BtfKind::Pointer) return declare(type.target, before(type.name, declarator), depth + 1);
        return std::string(type.name) + " " + declare(type.target, std::move(declarator), depth + 1);
      case BtfKind::TypeTag: return declare(type.target, std::move(declarator), depth + 1);
      case BtfKind::Struct:
      case BtfKind::Union:
      case BtfKind::Enum:
        if (type.name.empty()) return before(body(id, type, depth), declarator);
        return before(fmt::format("{} {}", tag_of(type.kind), type.name), declarator);
      case BtfKind::Forward: return before(fmt::format("{} {}", type.is_union ? "union" : "struct", type.name), declarator);
      case BtfKind::Integer:
      case BtfKind::Float:
      case BtfKind::Typedef: return before(type.name, declarator);
      case BtfKind::Function:
      case BtfKind::Unknown: break;
    }
    return before("?", declarator);
  }

  /// "struct NAME { … }", indented by `depth` tabs inside of another.
  std::string body(std::uint32_t id, const BtfType& type, unsigned depth) const {
    const std::string indent(depth, '\t');
    std::string out = fmt::format("{}{}{} {{\n", tag_of(type.kind), type.name.empty() ? "" : " ", type.name);
    if (type.kind == BtfKind::Enum) {
      for (const kernel::BtfEnumerator& value : btf_.enumerators(id)) out += fmt::format("{}\t{} = {},\n", indent, value.name, value.value);
    } else {
      for (const kernel::BtfMember& member : btf_.members(id)) {
        out += indent + "\t" + declare(member.type, std::string(member.name), depth + 1);
        out += member.bit_size == 0 ? ";\n" : fmt::format(": {};\n", member.bit_size);
      }
    }
    return out + indent + "}";
  }

 private:
  BtfType behind_tags(std::uint32_t id) const {
    BtfType type = btf_.type(id);
    for (unsigned i = 0; i < kMaxDepth && (type.kind == BtfKind::Qualifier || type.kind == BtfKind::TypeTag); ++i) type = btf_.type(type.target);
    return type;
  }

  std::string parameters(std::uint32_t id, unsigned depth) const {
    std::string out;
    const auto all = btf_.parameters(id);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool dots = all[i].type == 0 && i + 1 == all.size();
      out += (i == 0 ? "" : ", ") + (dots ? std::string("...") : declare(all[i].type, std::string(all[i].name), depth + 1));
    }
    return "(" + (all.empty() ? std::string("void") : out) + ")";
  }

  const Btf& btf_;
};

}  // namespace

std::string c_definition(const Btf& btf, std::uint32_t id) { return Printer(btf).body(id, btf.type(id), 0) + ";"; }

std::vector<NamedType> find_tags(const Btf& btf, std::string_view pattern) {
  std::vector<NamedType> found;
  for (std::uint32_t id = btf.first_own_id(); id < btf.end_id(); ++id) {
    const BtfType type = btf.type(id);
    const std::string_view tag = tag_of(type.kind);
    if (tag.empty() || type.name.empty()) continue;
    std::string spelled = fmt::format("{} {}", tag, type.name);
    if (glob_match(pattern, spelled)) found.push_back({std::move(spelled), id});
  }
  std::sort(found.begin(), found.end(), [](const NamedType& a, const NamedType& b) { return a.spelled < b.spelled; });
  return found;
}

}  // namespace trc::types
