// The configuration variables there are, for the manual and for tests.
#pragma once

#include <string_view>
#include <vector>

namespace trc::ast {

struct ConfigVariable {
  std::string_view key;
  std::string_view standard;       ///< the value unless given; empty: the variable has no effect
  std::string_view doc;            ///< one line
  bool from_environment = true;    ///< also as TRC_KEY and BPFTRACE_KEY
};
std::vector<ConfigVariable> config_variables();

}  // namespace trc::ast
