// Structures, unions and enumerations of BTF as they are written in C: for people (trc -lv 'struct NAME'), not for a compiler.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/btf.h"

namespace trc::types {

/// "struct NAME {", its members a line each, "};". Structures inside are written out where they have no name, and named otherwise.
std::string c_definition(const kernel::Btf& btf, std::uint32_t id);

struct NamedType {
  std::string spelled;       ///< "struct NAME"
  std::uint32_t id = 0;
};
/// Those of this file's own types (not of its base) that match a pattern: "struct timespec*", "union *", "enum pid_type". Sorted; walks all types.
std::vector<NamedType> find_tags(const kernel::Btf& btf, std::string_view pattern);

}  // namespace trc::types
