// The text of a script and places in it. Everything after the lexer speaks of places as Spans; lines and columns
// are computed only when something is printed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trc {

/// A half-open range of bytes [begin, end) in the source file with index `file`.
struct Span {
  std::uint32_t file = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t expansion = 0;  ///< of a macro: what Diagnostics::expanded_at() gave for the call; 0: the text stands for itself
  template <class Archive>
  void serialize(Archive& ar) {
    ar(file, begin, end, expansion);
  }
};

/// 1-based line and column (columns count bytes).
struct LineColumn {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

class SourceFile {
 public:
  /// `name` is what diagnostics show: the path as given, or "stdin" for -e and "-".
  SourceFile(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {}

  const std::string& name() const { return name_; }
  std::string_view text() const { return text_; }
  LineColumn line_column(std::uint32_t offset) const;
  /// The text of a 1-based line without its newline.
  std::string_view line(std::uint32_t number) const;

 private:
  std::string name_;
  std::string text_;
  mutable std::vector<std::uint32_t> line_starts_;  // built at the first question
};

}  // namespace trc
