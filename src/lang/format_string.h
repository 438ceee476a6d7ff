// printf formats, split into pieces once. The checker uses it to match arguments, the runner to print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trc::lang {

enum class Conversion : std::uint8_t { Signed, Unsigned, Hex, HexUpper, Octal, Char, String, Pointer, BufferEscaped /* %r */,
                                       BufferEscapedAll /* %rx */, BufferHex /* %rh */, BufferRaw /* %gr */ };

struct FormatPiece {
  std::string literal;            ///< text before the conversion, %% already one percent sign
  bool has_conversion = false;    ///< false only for the last piece (trailing text)
  Conversion conversion = Conversion::Signed;
  bool left = false, plus = false, space = false, alternate = false, zero = false;
  int width = -1;                 ///< -1: none; -2: from an argument (*)
  int precision = -1;             ///< -1: none; -2: from an argument
  std::uint8_t bits = 32;         ///< how many bits of an integer are shown: 8 (hh), 16 (h), 32, 64 (l, ll, z, t, j)
  std::uint32_t begin = 0, end = 0;  ///< where the conversion stands in the text, for diagnostics
  char letter = 0;                ///< as written, for diagnostics
};

struct FormatString {
  std::vector<FormatPiece> pieces;
  std::string unsupported;        ///< the first conversion that is known in C but not here ("f"), else empty
  std::size_t arguments() const;  ///< how many arguments it consumes, stars included
};

FormatString parse_format(std::string_view text);

}  // namespace trc::lang
