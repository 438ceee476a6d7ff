// The code objects that programs have sent, and the frames named by them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "interpreters/interpreter.h"

namespace trc::interpreters::python {

class CodeStore {
 public:
  /// Takes a record of lang::ActionKind::InterpreterCode. False: it is damaged, and was not used.
  bool add(std::span<const std::byte> record);
  /// The frame behind a word (TRC_PY_FRAME) of a stack of process `tgid`; nullopt: its code object was never received.
  std::optional<NamedFrame> name(std::uint32_t tgid, std::uint64_t word) const;
  /// How many code objects had the name of another of their process, so that one stands for both. (A name has 43 bits.)
  std::uint64_t confused() const { return confused_; }

 private:
  struct Code {
    std::uint64_t address = 0, tag = 0;
    std::int32_t first_line = 0;
    const std::string* function = nullptr;
    const std::string* file = nullptr;
    const std::string* lines = nullptr;   ///< the line table, or its first part
    std::string more_lines;               ///< what has come of the rest
  };
  /// One copy of equal strings: processes that run one program have the same names and tables.
  const std::string* keep(std::string text) { return &*strings_.insert(std::move(text)).first; }

  std::map<std::pair<std::uint32_t, std::uint64_t>, Code> codes_;   ///< by process and name
  std::set<std::string> strings_;
  std::uint64_t confused_ = 0;
};

}  // namespace trc::interpreters::python
