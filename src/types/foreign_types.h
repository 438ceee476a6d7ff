// Definitions of structures that neither the script nor the kernel has: those of a traced program.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lang/type.h"

namespace trc::types {

/// "struct", "union", "enum".
enum class Tag : std::uint8_t { Struct, Union, Enum };

class ForeignTypes {
 public:
  /// The first number of such a source, see DefinitionId::source; those of BTF files are below, those of a library's own from kFirstOwnSource on.
  static constexpr std::uint32_t kFirstSource = 0x20000000;

  virtual ~ForeignTypes() = default;
  /// Of all definitions here; another for each object.
  std::uint32_t source() const { return source_; }
  /// As btf_members().
  virtual std::vector<lang::Field> members(std::uint32_t id) = 0;
  virtual std::optional<lang::Type> find(Tag tag, std::string_view name) = 0;

 private:
  static inline std::atomic<std::uint32_t> next_source_{kFirstSource};
  std::uint32_t source_ = next_source_++;
};

}  // namespace trc::types
