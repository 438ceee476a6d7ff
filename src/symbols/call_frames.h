// Call frame information (DWARF 5, section 6.4: .debug_frame; the variant of .eh_frame in the Linux Standard Base), carried out for three
// things only: the CFA, the caller's rbp, the return address. Each place in the code comes out as a rule of stdlib/unwind_abi.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace trc::symbols {

struct FrameRow {
  std::uint64_t address = 0;   ///< virtual, in the file; the rule holds from here to the next row or the end of the function
  std::uint64_t rule = 0;
};

class CallFrames {
 public:
  /// A function, or a part of one, that the section describes.
  struct Function {
    std::uint64_t start = 0, end = 0;   ///< virtual addresses, start < end
    std::uint32_t common = 0;           ///< of the description
    std::uint32_t section = 0;          ///< not used here: for whoever puts the functions of several sections together
    std::string_view program;           ///< into the bytes given
  };

  enum class Kind : std::uint8_t {
    EhFrame,
    EhFrameToZero,   ///< its size is not known: a length of 0 is the end
    DebugFrame
  };
  /// `bytes` of a section at the virtual address `address`; they must outlive this. Damaged entries are left out.
  CallFrames(std::string_view bytes, std::uint64_t address, Kind kind);

  /// In the order of the section.
  std::vector<Function>& functions() { return functions_; }
  /// Appends the rows of a function: ascending, the first at its start, none at its end or beyond.
  void append_rows(const Function& function, std::vector<FrameRow>& rows);

 private:
  enum class Cfa : std::uint8_t { Register, Expression, Deref, Plt, Other };
  enum class Saved : std::uint8_t { Same, AtCfa, AtFp, AtSp, Undefined, Other };
  struct State {
    std::int64_t cfa_offset = 0, fp_offset = 0, ra_offset = 0;
    std::int64_t expression_offset = 0;                         // an expression leaves register and offset as they were, for later use
    std::uint8_t cfa_register = 0, expression_register = 0, expression_added = 0;
    Cfa cfa = Cfa::Other;
    Saved fp = Saved::Same, ra = Saved::Other;
  };
  /// A CIE: what functions have in common.
  struct Common {
    std::uint64_t offset = 0;         // in the section
    std::uint64_t code_align = 1;
    std::int64_t data_align = 1;
    std::uint8_t encoding = 0;        // of addresses
    bool has_augmentation = false, is_signal = false;
    State initial;
  };
  class Interpreter;

  void read_eh_frame(bool zero_ends);
  void read_debug_frame();
  void read_common(std::uint64_t offset, std::string_view entry);
  void read_function(std::uint64_t offset, std::uint64_t common_offset, std::string_view entry);
  static std::uint64_t rule_of(const State& state, const Common& common);

  std::string_view bytes_;
  std::uint64_t address_;
  std::vector<Common> commons_;       // by offset
  std::vector<Function> functions_;
  std::vector<State> remembered_;     // kept for its memory
};

}  // namespace trc::symbols
