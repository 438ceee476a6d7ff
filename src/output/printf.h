// printf of the language: C's rules for flags, width and precision over decoded values (output.md §6).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lang/format_string.h"
#include "output/value.h"

namespace trc::output {

/// Appends the formatted text. An argument that is not there formats as an empty text (the checker has matched them; an image may lie).
void append_printf(std::string& out, const lang::FormatString& format, const std::vector<Value>& arguments,
                   std::string_view trailer = kDefaultTrailer);

std::string format_printf(const lang::FormatString& format, const std::vector<Value>& arguments,
                          std::string_view trailer = kDefaultTrailer);

}  // namespace trc::output
