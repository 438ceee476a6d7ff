#include "symbols/debug_types.h"

#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "symbols/debug_file.h"
#include "symbols/libdw.h"

namespace trc::symbols {
namespace {

/// Bounds for what a hostile file may claim.
constexpr std::size_t kMaxEntries = 1 << 24;       // looked at in one search
constexpr std::size_t kMaxTypes = 1 << 20, kMaxMembers = 1 << 14, kMaxParameters = 256, kMaxDimensions = 8;
constexpr int kMaxDepth = 64;                      // of typedefs and qualifiers, of namespaces

class DwarfTypes final : public DebugTypes {
 public:
  explicit DwarfTypes(std::unique_ptr<libdw::Loaded> loaded) : loaded_(std::move(loaded)) { types_.emplace_back(); }

  std::optional<DebugFunction> function(std::uint64_t address) override {
    std::optional<DebugFunction> found;
    libdw::find_unit(loaded_->dwarf.get(), [&](Dwarf_Die& unit, Dwarf_Off) {
      if (!covers(unit, address)) return false;
      std::size_t left = kMaxEntries;
      Dwarf_Die function;
      if (!find_function(unit, address, function, 0, left)) return false;
      units_.push_back(unit);
      found = describe(function, address);
      return true;
    });
    return found;
  }

  DebugType type(DebugTypeId id) override {
    DebugType result;
    Dwarf_Die die;
    std::string alias;
    for (int depth = 0;; ++depth) {
      if (depth > kMaxDepth || id == 0 || id >= types_.size()) return result;   // void
      die = types_[id];
      const int tag = dw_.dwarf_tag(&die);
      const bool leads_on = tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type || tag == DW_TAG_restrict_type ||
                            tag == DW_TAG_atomic_type || tag == DW_TAG_template_alias;
      if (!leads_on) break;
      if (tag == DW_TAG_typedef && alias.empty()) alias = text(die, DW_AT_name);
      id = type_of(die);
    }
    result.id = id;
    result.alias = std::move(alias);
    fill_in(die, result);
    return result;
  }

  std::vector<DebugMember> members(DebugTypeId id) override {
    std::vector<DebugMember> members;
    const DebugType whole = type(id);
    if (whole.id == 0) return members;
    for_each_child(types_[whole.id], [&](Dwarf_Die& child) {
      const int tag = dw_.dwarf_tag(&child);
      if (tag != DW_TAG_member && tag != DW_TAG_inheritance) return true;
      const auto offset = member_offset(child);
      // Static members are declared here and lie elsewhere; members of a union need not say that they are at its start.
      if (flag(child, DW_AT_declaration) || flag(child, DW_AT_external) || (!offset && whole.kind != DebugType::Kind::Union)) return true;
      DebugMember member{.name = tag == DW_TAG_inheritance ? std::string() : text(child, DW_AT_name), .type = type_of(child), .bit_offset = offset.value_or(0)};
      member.bit_size = static_cast<std::uint32_t>(std::min<std::uint64_t>(number(child, DW_AT_bit_size).value_or(0), 64));
      members.push_back(std::move(member));
      return members.size() < kMaxMembers;
    });
    return members;
  }

  std::vector<DebugEnumerator> enumerators(DebugTypeId id) override {
    std::vector<DebugEnumerator> result;
    const DebugType whole = type(id);
    if (whole.id == 0 || whole.kind != DebugType::Kind::Enumeration) return result;
    for_each_child(types_[whole.id], [&](Dwarf_Die& child) {
      if (dw_.dwarf_tag(&child) != DW_TAG_enumerator) return true;
      Dwarf_Attribute attribute;
      Dwarf_Sword value = 0;
      if (dw_.dwarf_attr(&child, DW_AT_const_value, &attribute) != nullptr && dw_.dwarf_formsdata(&attribute, &value) == 0) {
        result.push_back({text(child, DW_AT_name), value});
      }
      return result.size() < kMaxMembers;
    });
    return result;
  }

  std::optional<DebugTypeId> find(DebugType::Kind kind, std::string_view tag) override {
    const auto [place, is_new] = found_.try_emplace({kind, std::string(tag)});
    if (!is_new) return place->second;
    std::size_t left = kMaxEntries;
    for (Dwarf_Die& unit : units_) {
      if (!place->second) place->second = find_in(unit, "", kind, tag, 0, left);
    }
    if (!place->second) {
      libdw::find_unit(loaded_->dwarf.get(), [&](Dwarf_Die& unit, Dwarf_Off) {
        place->second = find_in(unit, "", kind, tag, 0, left);
        return place->second.has_value() || left == 0;
      });
    }
    return place->second;
  }

 private:
  using Kind = DebugType::Kind;

  // ---- attributes ----
  std::string text(Dwarf_Die& die, unsigned name) const {
    Dwarf_Attribute attribute;
    if (dw_.dwarf_attr_integrate(&die, name, &attribute) == nullptr) return {};
    const char* found = dw_.dwarf_formstring(&attribute);
    return found != nullptr ? found : "";
  }

  std::optional<std::uint64_t> number(Dwarf_Die& die, unsigned name) const {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dw_.dwarf_attr_integrate(&die, name, &attribute) == nullptr || dw_.dwarf_formudata(&attribute, &value) != 0) return std::nullopt;
    return value;
  }

  bool flag(Dwarf_Die& die, unsigned name) const {
    Dwarf_Attribute attribute;
    bool value = false;
    return dw_.dwarf_attr(&die, name, &attribute) != nullptr && dw_.dwarf_formflag(&attribute, &value) == 0 && value;
  }

  bool reference(Dwarf_Die& die, unsigned name, Dwarf_Die& target) const {
    Dwarf_Attribute attribute;
    return dw_.dwarf_attr_integrate(&die, name, &attribute) != nullptr && dw_.dwarf_formref_die(&attribute, &target) != nullptr;
  }

  /// Calls use(child) until it says false.
  template <class Use>
  void for_each_child(Dwarf_Die die, Use use) const {
    Dwarf_Die child;
    if (dw_.dwarf_child(&die, &child) != 0) return;
    for (std::size_t count = 0; count < kMaxEntries && use(child); ++count) {
      if (dw_.dwarf_siblingof(&child, &child) != 0) return;
    }
  }

  /// A type's number: the same each time it is met.
  DebugTypeId number_of(Dwarf_Die& die) {
    const auto [place, is_new] = numbers_.try_emplace(die.addr, 0);
    if (!is_new) return place->second;
    if (types_.size() >= kMaxTypes) return 0;
    types_.push_back(die);
    return place->second = static_cast<DebugTypeId>(types_.size() - 1);
  }

  DebugTypeId type_of(Dwarf_Die& die) {
    Dwarf_Die target;
    return reference(die, DW_AT_type, target) ? number_of(target) : 0;
  }

  // ---- functions ----
  bool covers(Dwarf_Die& unit, std::uint64_t address) const {
    Dwarf_Addr base = 0, start = 0, end = 0;
    ptrdiff_t range = 0;
    for (std::size_t count = 0; count < kMaxEntries && (range = dw_.dwarf_ranges(&unit, range, &base, &start, &end)) > 0; ++count) {
      if (address >= start && address < end) return true;
    }
    return false;
  }

  bool begins_at(Dwarf_Die& function, std::uint64_t address) const {
    Dwarf_Addr entry = 0, base = 0, start = 0, end = 0;
    if (dw_.dwarf_entrypc(&function, &entry) == 0 && entry == address) return true;
    return dw_.dwarf_ranges(&function, 0, &base, &start, &end) > 0 && start == address;
  }

  bool find_function(Dwarf_Die die, std::uint64_t address, Dwarf_Die& found, int depth, std::size_t& left) const {
    bool is_found = false;
    for_each_child(die, [&](Dwarf_Die& child) {
      if (left == 0) return false;
      --left;
      const int tag = dw_.dwarf_tag(&child);
      if (tag == DW_TAG_subprogram) {
        is_found = begins_at(child, address);
        if (is_found) found = child;
      }
      // What may hold functions; a function may hold those of nested scopes (GNU C, lambdas).
      const bool is_scope = tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_module || tag == DW_TAG_subprogram;
      if (!is_found && is_scope && depth < kMaxDepth) is_found = find_function(child, address, found, depth + 1, left);
      return !is_found;
    });
    return is_found;
  }

  /// Of a structure: by what leads to it when the function begins.
  DebugType::Passed passed(Dwarf_Die& parameter, std::uint64_t address) const {
    using Passed = DebugType::Passed;
    Dwarf_Attribute attribute;
    Dwarf_Op* steps = nullptr;
    std::size_t count = 0;
    if (dw_.dwarf_attr(&parameter, DW_AT_location, &attribute) == nullptr || dw_.dwarf_getlocation_addr(&attribute, address, &steps, &count, 1) != 1 || count == 0) {
      return Passed::Unknown;
    }
    const unsigned first = steps[0].atom;
    const bool is_in_frame = first == DW_OP_fbreg || first == DW_OP_call_frame_cfa || first == DW_OP_breg6 || first == DW_OP_breg7;   // rbp, rsp
    if (is_in_frame) {
      for (std::size_t i = 1; i < count; ++i) {
        if (steps[i].atom == DW_OP_deref) return Passed::ByReference;
      }
      return Passed::ByValue;
    }
    if (first >= DW_OP_breg0 && first <= DW_OP_breg31) return Passed::ByReference;
    return (first >= DW_OP_reg0 && first <= DW_OP_reg31) || first == DW_OP_piece ? Passed::ByValue : Passed::Unknown;
  }

  DebugFunction describe(Dwarf_Die& function, std::uint64_t address) {
    DebugFunction result;
    result.result = type_of(function);
    result.is_changed = number(function, DW_AT_calling_convention).value_or(DW_CC_normal) == DW_CC_nocall;
    Dwarf_Die from = function;
    for (int depth = 0; depth < kMaxDepth; ++depth) {   // a function without parameters here may have them where it was declared
      for_each_child(from, [&](Dwarf_Die& child) {
        if (dw_.dwarf_tag(&child) == DW_TAG_formal_parameter) result.parameters.push_back({text(child, DW_AT_name), type_of(child), passed(child, address)});
        return result.parameters.size() < kMaxParameters;
      });
      Dwarf_Attribute attribute;
      Dwarf_Die origin;
      if (!result.parameters.empty()) break;
      const bool leads_on = dw_.dwarf_attr(&from, DW_AT_abstract_origin, &attribute) != nullptr || dw_.dwarf_attr(&from, DW_AT_specification, &attribute) != nullptr;
      if (!leads_on || dw_.dwarf_formref_die(&attribute, &origin) == nullptr) break;
      from = origin;
    }
    return result;
  }

  // ---- types ----
  void fill_in(Dwarf_Die& die, DebugType& type) {
    type.size = number(die, DW_AT_byte_size).value_or(0);
    switch (dw_.dwarf_tag(&die)) {
      case DW_TAG_base_type: return fill_in_base(die, type);
      case DW_TAG_pointer_type:
      case DW_TAG_reference_type:
      case DW_TAG_rvalue_reference_type:
        type.kind = Kind::Pointer;
        type.inner = type_of(die);
        if (type.size == 0) type.size = 8;
        return;
      case DW_TAG_array_type: return fill_in_array(die, type);
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_interface_type: return fill_in_structure(die, type, Kind::Structure);
      case DW_TAG_union_type: return fill_in_structure(die, type, Kind::Union);
      case DW_TAG_enumeration_type: {
        type.kind = Kind::Enumeration;
        type.name = text(die, DW_AT_name);
        const DebugTypeId base = type_of(die);
        type.is_signed = base != 0 ? this->type(base).is_signed : has_negative(type.id);
        return;
      }
      default: type.kind = Kind::Other; return;
    }
  }

  bool has_negative(DebugTypeId id) {
    bool found = false;
    for_each_child(types_[id], [&](Dwarf_Die& child) {
      Dwarf_Attribute attribute;
      Dwarf_Sword value = 0;
      found = dw_.dwarf_tag(&child) == DW_TAG_enumerator && dw_.dwarf_attr(&child, DW_AT_const_value, &attribute) != nullptr &&
              dw_.dwarf_formsdata(&attribute, &value) == 0 && value < 0;
      return !found;
    });
    return found;
  }

  void fill_in_base(Dwarf_Die& die, DebugType& type) const {
    type.name = text(die, DW_AT_name);
    type.kind = Kind::Integer;
    switch (number(die, DW_AT_encoding).value_or(0)) {
      case DW_ATE_boolean: type.kind = Kind::Bool; return;
      case DW_ATE_signed:
      case DW_ATE_signed_char: type.is_signed = true; return;
      case DW_ATE_unsigned:
      case DW_ATE_unsigned_char:
      case DW_ATE_UTF:
      case DW_ATE_address: return;
      case DW_ATE_float: type.kind = Kind::Float; return;
      default: type.kind = Kind::Other; return;
    }
  }

  void fill_in_array(Dwarf_Die& die, DebugType& type) {
    type.kind = Kind::Array;
    type.inner = type_of(die);
    if (flag(die, DW_AT_GNU_vector)) {
      type.kind = Kind::Other;
      return;
    }
    for_each_child(die, [&](Dwarf_Die& child) {
      if (dw_.dwarf_tag(&child) != DW_TAG_subrange_type) return true;
      std::uint64_t count = number(child, DW_AT_count).value_or(0);
      if (const auto last = number(child, DW_AT_upper_bound); last && *last != ~std::uint64_t{0}) count = *last + 1;
      type.counts.push_back(count);
      return type.counts.size() < kMaxDimensions;
    });
    if (type.counts.empty()) type.counts.push_back(0);
  }

  void fill_in_structure(Dwarf_Die& die, DebugType& type, Kind kind) const {
    type.kind = kind;
    type.name = text(die, DW_AT_name);
    type.is_declaration = flag(die, DW_AT_declaration);
    type.line = static_cast<unsigned>(number(die, DW_AT_decl_line).value_or(0));
    switch (number(die, DW_AT_calling_convention).value_or(0)) {
      case DW_CC_pass_by_reference: type.passed = DebugType::Passed::ByReference; break;
      case DW_CC_pass_by_value: break;
      default: type.passed = is_c(die) ? DebugType::Passed::ByValue : DebugType::Passed::Unknown;
    }
  }

  bool is_c(Dwarf_Die& die) const {
    Dwarf_Die unit;
    if (dw_.dwarf_diecu(&die, &unit, nullptr, nullptr) == nullptr) return false;
    switch (dw_.dwarf_srclang(&unit)) {
      case DW_LANG_C:
      case DW_LANG_C89:
      case DW_LANG_C99:
      case DW_LANG_C11: return true;
      default: return false;
    }
  }

  /// In bits; nothing for a member that does not say where it lies.
  std::optional<std::uint64_t> member_offset(Dwarf_Die& member) {
    if (const auto bits = number(member, DW_AT_data_bit_offset)) return bits;
    const auto bytes = number(member, DW_AT_data_member_location);
    if (!bytes || *bytes > (std::uint64_t{1} << 32)) return std::nullopt;
    // Before DWARF 4 a bit field counts from the upper end of its storage unit.
    const auto from_top = number(member, DW_AT_bit_offset), bit_size = number(member, DW_AT_bit_size);
    if (!from_top || !bit_size) return *bytes * 8;
    std::uint64_t unit = number(member, DW_AT_byte_size).value_or(0);
    if (unit == 0) unit = type(type_of(member)).size;
    const std::uint64_t end = *bytes * 8 + unit * 8;
    return *from_top + *bit_size <= end ? std::optional(end - *from_top - *bit_size) : std::nullopt;
  }

  // ---- by name ----
  std::optional<DebugTypeId> find_in(Dwarf_Die& scope, const std::string& prefix, Kind kind, std::string_view tag, int depth, std::size_t& left) {
    std::optional<DebugTypeId> found;
    for_each_child(scope, [&](Dwarf_Die& child) {
      if (left == 0) return false;
      --left;
      const int tag_of = dw_.dwarf_tag(&child);
      if (tag_of == DW_TAG_namespace && depth < kMaxDepth) found = find_in(child, prefix + text(child, DW_AT_name) + "::", kind, tag, depth + 1, left);
      const bool fits = kind == Kind::Structure ? tag_of == DW_TAG_structure_type || tag_of == DW_TAG_class_type
                                                : tag_of == (kind == Kind::Union ? DW_TAG_union_type : DW_TAG_enumeration_type);
      if (fits && !flag(child, DW_AT_declaration)) {
        const std::string name = text(child, DW_AT_name);
        // Any namespace does: a script cannot write them.
        if (name == tag || prefix + name == tag) found = number_of(child);
      }
      return !found;
    });
    return found;
  }

  const libdw::Functions& dw_ = *libdw::functions();
  std::unique_ptr<libdw::Loaded> loaded_;
  std::vector<Dwarf_Die> types_;                       // by number; the first is nothing
  std::map<void*, DebugTypeId> numbers_;               // by where the entry lies in memory
  std::vector<Dwarf_Die> units_;                       // of the functions that were asked for
  std::map<std::pair<Kind, std::string>, std::optional<DebugTypeId>> found_;
};

}  // namespace

std::unique_ptr<DebugTypes> DebugTypes::read(const ElfReader& file) {
  auto loaded = libdw::load(file, libdw::Part::Types);
  return loaded ? std::make_unique<DwarfTypes>(std::move(loaded)) : nullptr;
}

Result<std::unique_ptr<DebugTypes>> DebugTypes::open(const std::string& path) {
  if (libdw::functions() == nullptr) {
    return Error("names and types of arguments need libdw, which is not installed").hint("install it (Debian's package is libdw1), or use arg0, arg1, …");
  }
  TRC_TRY(file, ElfReader::open(path));
  auto types = read(file);
  if (!types) {
    if (const std::string other = find_debug_file(file, {.path = path}); !other.empty()) {
      if (const auto debug_file = ElfReader::open(other)) types = read(*debug_file);
    }
  }
  if (!types) return Error(fmt::format("no debuginfo found for {}", path)).hint("install it, compile with -g, or use arg0, arg1, …");
  return types;
}

}  // namespace trc::symbols
