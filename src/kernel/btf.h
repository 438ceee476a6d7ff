// A reader of the kernel's type information (BTF), as far as trc asks: which raw tracepoints there are and how many arguments they pass, and
// where members of structures lie. The bytes are checked, not trusted.
#pragma once

#include <cstdint>
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
  /// Parses the bytes of a BTF file. `base`: the vmlinux BTF that a module's BTF continues; it must outlive this object.
  static Result<Btf> parse(std::string bytes, const Btf* base = nullptr);

  /// Every X for which there is a "typedef void (*btf_trace_X)(void *, …)". Sorted by name. Walks all types: keep the answer.
  std::vector<RawTracepoint> raw_tracepoints() const;

  /// Bytes from the start of a structure to a member, for each of `members`: "structure.member", "structure.member.inner". Members of
  /// anonymous members count as the structure's own. Nullopt: there is none such, or it is a bit field. Walks all types once.
  std::vector<std::optional<std::uint64_t>> member_offsets(std::span<const std::string> members) const;

 private:
  struct Record { std::uint32_t name = 0, info = 0, size_or_type = 0; };  // struct btf_type

  Btf() = default;
  std::uint32_t first_id() const { return base_ ? base_->end_id() : 1; }
  std::uint32_t end_id() const { return first_id() + static_cast<std::uint32_t>(offsets_.size()); }
  std::optional<Record> record(std::uint32_t id) const;
  std::optional<std::uint32_t> probe_arguments(std::uint32_t pointer_id) const;
  std::string_view trailing(std::uint32_t id) const;
  Record without_names(std::uint32_t id, std::uint32_t& found) const;
  std::optional<std::uint64_t> offset_in(std::uint32_t id, std::string_view path, unsigned depth) const;
  std::string_view string_at(std::uint32_t offset) const;
  std::uint32_t strings_end() const;

  std::string bytes_;
  const Btf* base_ = nullptr;
  std::size_t types_ = 0, strings_ = 0, strings_size_ = 0;  // positions in bytes_
  std::vector<std::uint32_t> offsets_;                      // of each type, from types_
};

/// Btf::member_offsets of the running kernel.
Result<std::vector<std::optional<std::uint64_t>>> kernel_member_offsets(std::span<const std::string> members);

}  // namespace trc::kernel
