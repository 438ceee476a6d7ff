// A reader of type information (BTF), the kernel's and that of objects: which raw tracepoints there are, where members of structures lie, and
// single types, found by name and read when they are asked for. The bytes are checked, not trusted: what is damaged is not there, or empty.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace trc::kernel {

/// A raw tracepoint and how many arguments it passes.
struct RawTracepoint { std::string name; std::uint32_t arguments = 0; };

/// The kinds that trc tells apart: BTF_KIND_* of linux/btf.h, but both kinds of enumeration are one. Unknown: no such type, or another kind.
enum class BtfKind : std::uint8_t { Unknown, Integer, Pointer, Array, Struct, Union, Enum, Forward, Typedef, Qualifier, TypeTag, Function, Prototype, Float };

/// One type. `size`: bytes of integers, floats, structures, unions and enumerations. `target`: what pointers, typedefs, qualifiers, tags and
/// functions are of, what prototypes return; 0 is void.
struct BtfType {
  BtfKind kind = BtfKind::Unknown;
  std::string_view name;     ///< Qualifier: "const", "volatile" or "restrict"
  std::uint32_t size = 0, target = 0;
  bool is_signed = false;    ///< Integer, Enum
  bool is_bool = false;      ///< Integer
  bool is_union = false;     ///< Forward
};
/// A member of a structure or union. `bit_size` 0: no bit field.
struct BtfMember { std::string_view name; std::uint32_t type = 0, bit_offset = 0, bit_size = 0; };
struct BtfArray { std::uint32_t element = 0, count = 0; };
struct BtfEnumerator { std::string_view name; std::int64_t value = 0; };
struct BtfParameter { std::string_view name; std::uint32_t type = 0; };
/// A function found by its name.
struct BtfFunction { std::string_view name; std::uint32_t id = 0; };
/// An enumerator found by its name, and the enumeration that has it.
struct BtfConstant { std::uint32_t type = 0; std::int64_t value = 0; };

class Btf {
 public:
  Btf(Btf&& other) noexcept;
  Btf& operator=(Btf&& other) noexcept;
  ~Btf();

  /// Parses the bytes of a BTF file. `base`: the vmlinux BTF that a module's BTF continues; it must outlive this object.
  static Result<Btf> parse(std::string bytes, const Btf* base = nullptr);
  /// Parses a file, without a copy of it where it can be mapped (the kernel's own since 6.16).
  static Result<Btf> open(const std::string& path, const Btf* base = nullptr);

  /// Every X for which there is a "typedef void (*btf_trace_X)(void *, …)". Sorted by name. Walks all types: keep the answer.
  std::vector<RawTracepoint> raw_tracepoints() const;

  // ---- single types; ids of the base are answered by the base ----
  /// Types that the base has come first; those of this file begin here.
  std::uint32_t first_own_id() const { return first_id(); }
  std::uint32_t end_id() const { return first_id() + count_; }     ///< one behind the last type
  BtfType type(std::uint32_t id) const;
  std::vector<BtfMember> members(std::uint32_t id) const;          ///< of a structure or union
  BtfArray array(std::uint32_t id) const;
  std::vector<BtfEnumerator> enumerators(std::uint32_t id) const;
  std::vector<BtfParameter> parameters(std::uint32_t id) const;    ///< of a prototype; a last one of type 0 stands for "..."
  /// The type of this name among those of this file (not of the base).
  std::optional<std::uint32_t> find(BtfKind kind, std::string_view name) const;
  /// The functions of this file (not of the base), sorted by name. Walks all types once; from then on find() looks here for functions.
  const std::vector<BtfFunction>& functions() const;
  /// The enumerator of this name among those of this file.
  std::optional<BtfConstant> find_enumerator(std::string_view name) const;

  /// Bytes from the start of a structure to a member, for each of `members`: "structure.member", "structure.member.inner". Members of
  /// anonymous members count as the structure's own. Nullopt: there is none such, or it is a bit field. Looks at all structures once.
  std::vector<std::optional<std::uint64_t>> member_offsets(std::span<const std::string> members) const;

 private:
  struct Record { std::uint32_t name = 0, info = 0, size_or_type = 0; };  // struct btf_type
  struct Structure { std::uint32_t id = 0, name = 0; };
  class Storage;

  Btf() = default;
  static Result<Btf> parse_stored(std::unique_ptr<const Storage> storage, const Btf* base);
  std::uint32_t first_id() const { return base_ ? base_->end_id() : 1; }
  std::optional<std::size_t> position(std::uint32_t id) const;
  std::optional<Record> record(std::uint32_t id) const;
  std::vector<std::uint32_t> offsets_of(std::string_view name) const;
  std::optional<std::uint32_t> probe_arguments(std::uint32_t pointer_id) const;
  std::string_view trailing(std::uint32_t id) const;
  Record without_names(std::uint32_t id, std::uint32_t& found) const;
  std::optional<std::uint64_t> offset_in(std::uint32_t id, std::string_view path, unsigned depth) const;
  std::string_view string_from(std::uint32_t offset) const;
  std::string_view string_at(std::uint32_t offset) const;
  std::uint32_t strings_end() const;

  std::unique_ptr<const Storage> storage_;
  std::string_view bytes_;                                  // in storage_
  const Btf* base_ = nullptr;
  std::size_t types_ = 0, strings_ = 0, strings_size_ = 0;  // positions in bytes_
  std::uint32_t count_ = 0;                                 // of types
  std::vector<std::uint32_t> landmarks_;                    // of every kStride-th type: where it begins, from types_
  std::vector<Structure> structures_;                       // and unions; those with names
  mutable std::vector<BtfFunction> functions_;              // once they were asked for
};

/// Btf::member_offsets of the running kernel.
Result<std::vector<std::optional<std::uint64_t>>> kernel_member_offsets(std::span<const std::string> members);

}  // namespace trc::kernel
