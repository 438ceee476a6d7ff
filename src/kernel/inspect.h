// What this kernel can do and what this process may do, tried out: the facts behind --info. Slow (it loads small programs); only for showing.
#pragma once

#include <string>
#include <vector>

namespace trc::kernel {

struct Finding {
  std::string name;
  std::string value;   ///< "yes", "no" or words
};
struct FindingGroup {
  std::string title;
  std::vector<Finding> findings;
};

/// System, User, Kernel helpers, Kernel features, Probe types; in this order.
std::vector<FindingGroup> inspect();

/// The libbpf that is linked, e.g. "1.5".
std::string libbpf_version();

}  // namespace trc::kernel
