// The stubs through which a file calls functions of others: what each leads to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace trc::symbols {

class ElfReader;

/// The stubs of .plt, .plt.sec and .plt.got (x86-64), found by what they do: jump through a slot that a relocation fills. Stubs have no
/// symbols of their own.
class PltStubs {
 public:
  struct Stub {
    std::uint64_t address = 0;
    std::string name;           ///< of the function that it leads to, without version
  };
  static PltStubs read(const ElfReader& file);
  /// The stub that covers a virtual address; nullptr if none, or if it leads to a function without a name.
  const Stub* find(std::uint64_t address) const;

 private:
  struct Section { std::uint64_t start = 0, end = 0, step = 0; };
  std::vector<Section> sections_;
  std::unordered_map<std::uint64_t, Stub> stubs_;   ///< by address
};

}  // namespace trc::symbols
