// A reader of the kernel's type information (BTF), as far as trc asks: which raw tracepoints there are and how many arguments they pass, and
// where members of structures lie. The bytes are checked, not trusted.
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
  std::uint32_t end_id() const { return first_id() + count_; }
  std::optional<std::size_t> position(std::uint32_t id) const;
  std::optional<Record> record(std::uint32_t id) const;
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
};

/// Btf::member_offsets of the running kernel.
Result<std::vector<std::optional<std::uint64_t>>> kernel_member_offsets(std::span<const std::string> members);

}  // namespace trc::kernel
