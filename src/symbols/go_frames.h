// The frames of Go's functions, from the table that every Go program has for its own stack traces (.gopclntab; runtime/symtab.go and
// debug/gosym say how it is laid out). It tells for each place how far the stack pointer lies below the return address, which functions
// nothing is above, and which change stacks. Programs of Go 1.18 and later.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/call_frames.h"

namespace trc::symbols {

class ElfReader;

class GoFrames {
 public:
  struct Function {
    std::uint64_t start = 0, end = 0;   ///< virtual addresses, start < end
    std::uint32_t index = 0;
  };

  /// Nothing if the file holds no such table, or one of another version.
  static std::optional<GoFrames> read(const ElfReader& file);
  /// The same of the table's bytes; `text` is where Go's code begins, if the table does not say it.
  static std::optional<GoFrames> parse(std::string table, std::uint64_t text);
  /// By address, not overlapping; what is damaged is left out.
  const std::vector<Function>& functions() const { return functions_; }
  /// Appends the rows of a function: ascending, the first at its start, none at its end or beyond.
  void append_rows(const Function& function, std::vector<FrameRow>& rows) const;

 private:
  struct Details {
    std::uint32_t frame_sizes = 0;   ///< where they begin in `sizes_`; 0: there are none
    std::uint64_t rule = 0;          ///< of all of it, if not TRC_UW_NONE
  };

  std::unique_ptr<const std::string> bytes_;
  std::string_view sizes_;           // into them
  std::vector<Function> functions_;
  std::vector<Details> details_;
};

}  // namespace trc::symbols
