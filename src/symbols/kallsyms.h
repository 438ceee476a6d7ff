// The kernel's functions by address, from /proc/kallsyms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trc::symbols {

class KernelSymbols {
 public:
  struct Match {
    std::string_view name;     ///< valid as long as this object
    std::uint64_t offset = 0;
    std::string_view module;   ///< empty for the kernel itself
  };

  /// `kallsyms` is the text of the file. Where the kernel hides addresses (kptr_restrict) the result is empty.
  static KernelSymbols parse(std::string_view kallsyms);
  /// Of the running kernel; empty when it cannot be read.
  static KernelSymbols read();

  /// The function that the address is in. Addresses in data, before the first and beyond the last symbol have none.
  std::optional<Match> find(std::uint64_t address) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t address;
    std::uint32_t name;        ///< into names_; kNotCode for the start of something that is no function
    std::uint32_t module;      ///< into modules_
  };
  static constexpr std::uint32_t kNotCode = 0xffffffff;

  void add(std::uint64_t address, char kind, std::string_view name, std::string_view module);
  void finish();

  std::vector<Entry> entries_;          ///< by address, one for each
  std::string names_;                   ///< NUL-terminated, one after another
  std::vector<std::string> modules_;    ///< [0] is ""
};

/// Where symbols of the running kernel lie, functions and data, of the kernel itself and of modules; the first of several with one name.
/// Nullopt: there is none, or addresses are hidden. Reads /proc/kallsyms once.
std::vector<std::optional<std::uint64_t>> kernel_symbol_addresses(const std::vector<std::string>& names);
/// The same in a text like that file's.
std::vector<std::optional<std::uint64_t>> find_symbol_addresses(std::string_view kallsyms, const std::vector<std::string>& names);

}  // namespace trc::symbols
