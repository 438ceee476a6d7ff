// The C types that a script may name: its own definitions, then those of the running kernel (BTF), found by name and read one by one when
// they are asked for. Nothing is opened before the first question.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/facts.h"
#include "lang/type.h"
#include "types/btf_types.h"
#include "types/foreign_types.h"

namespace trc::types {

/// A name that stands for a value: an enumerator, or a macro of the script.
struct Constant {
  lang::Type type;                    ///< Integer (of an enumeration for an enumerator), or String
  std::uint64_t bits = 0;             ///< Integer
  std::string text;                   ///< String
  bool is_negative = false;           ///< type None: a literal, whose type is that of its value; `bits` are those of a negative int64
};

/// Values larger than this are only reached through pointers.
inline constexpr std::uint32_t kMaxValueSize = 64 * 1024;

class Library {
 public:
  explicit Library(const kernel::Facts& facts) : facts_(facts) {}
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  // ---- by name ----
  /// Structures come without members, but with their size.
  std::optional<lang::Type> find(Tag tag, std::string_view name);
  std::optional<lang::Type> find_typedef(std::string_view name);
  std::optional<Constant> find_constant(std::string_view name);
  /// Why the kernel's types are not known; empty when they are.
  std::string why_no_kernel_types();

  // ---- the script's own, which come before those of the kernel ----
  /// Gives a structure its members and a definition, and finds it by its tag from now on unless it has none ("struct (anonymous)").
  lang::Type define_structure(lang::Type type, std::vector<lang::Field> members);
  void define_tag(std::string spelled, lang::Type type) { own_tags_.insert_or_assign(std::move(spelled), std::move(type)); }
  void define_typedef(std::string name, lang::Type type) { own_typedefs_.insert_or_assign(std::move(name), std::move(type)); }
  void define_constant(std::string name, Constant constant) { own_constants_.insert_or_assign(std::move(name), std::move(constant)); }
  /// What macros stand for, asked when one is used.
  void define_macros(std::function<std::optional<Constant>(std::string_view)> macros) { macros_ = std::move(macros); }
  std::optional<lang::Type> find_own_tag(std::string_view spelled) const;       ///< "struct foo"
  std::optional<lang::Type> find_own_typedef(std::string_view name) const;
  std::optional<Constant> find_own_constant(std::string_view name) const;
  /// Bytes to whose multiples a member of this type is placed.
  std::uint32_t alignment(const lang::Type& type);

  // ---- those of traced programs ----
  /// Makes the definitions known whose types name `source`. They stay as long as the library does.
  void use(ForeignTypes& source) { foreign_[source.source()] = &source; }

  // ---- definitions ----
  /// A structure that has only been named, with its definition and size; as it was when there is none.
  lang::Type resolved(lang::Type type);
  /// A member by name, also one of an anonymous member. `offset` counts from the start of `structure`.
  std::optional<lang::Field> member(const lang::Type& structure, std::string_view name);
  std::vector<std::string> member_names(const lang::Type& structure);
  /// With all members of structures inside, as a value has them. Anonymous members are replaced by theirs. Nothing when the type is not defined, or
  /// has no size, or one beyond kMaxValueSize.
  std::optional<lang::Type> completed(lang::Type type);

 private:
  std::optional<BtfSource> btf_source(std::uint32_t number);
  const std::vector<lang::Field>& members_of(std::uint64_t definition);
  std::optional<lang::Field> member_in(std::uint64_t definition, std::string_view name, unsigned depth);
  void add_names(std::uint64_t definition, std::vector<std::string>& names, unsigned depth);
  bool add_members(std::uint64_t definition, std::uint32_t offset, std::vector<lang::Field>& into, unsigned depth);
  bool complete(lang::Type& type, unsigned depth);
  std::optional<lang::Type> find_in_kernel(kernel::BtfKind kind, std::string_view name);
  std::uint32_t alignment(const lang::Type& type, unsigned depth);

  const kernel::Facts& facts_;
  std::map<std::string, lang::Type, std::less<>> own_tags_, own_typedefs_;
  std::map<std::string, Constant, std::less<>> own_constants_;
  std::function<std::optional<Constant>(std::string_view)> macros_;
  std::uint32_t own_structures_ = 0;
  std::map<std::pair<kernel::BtfKind, std::string>, std::optional<lang::Type>, std::less<>> kernel_names_;
  std::map<std::string, std::optional<Constant>, std::less<>> kernel_constants_;
  std::map<std::uint32_t, ForeignTypes*> foreign_;
  std::map<std::uint64_t, std::vector<lang::Field>> members_;   // by definition
};

}  // namespace trc::types
