// printf of the language: C's rules for flags, width and precision over decoded values (output.md §6).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lang/format_string.h"
#include "output/value.h"

namespace trc::output {

/// How values are formatted where there is a choice.
struct PrintfStyle {
  std::string_view trailer = kDefaultTrailer;
  /// As the reference does it: precision is ignored, zeros come in front of the sign (%05d of -3 is 000-3).
  bool compat = false;
  /// For a terminal: see append_harmless().
  bool harmless = false;
};

/// Appends the formatted text. An argument that is not there formats as an empty text (the checker has matched them; an image may lie).
void append_printf(std::string& out, const lang::FormatString& format, const std::vector<Value>& arguments, const PrintfStyle& style = {});

std::string format_printf(const lang::FormatString& format, const std::vector<Value>& arguments, const PrintfStyle& style = {});

}  // namespace trc::output
