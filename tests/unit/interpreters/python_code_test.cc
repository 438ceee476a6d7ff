#include "interpreters/python/code.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <sstream>
#include <vector>

namespace trc::interpreters::python {
namespace {

using namespace std::string_literals;

// state: interned 0-1, kind 2-4, compact 5, ascii 6
constexpr std::uint32_t kAscii = 1 << 2 | 1 << 5 | 1 << 6, kLatin = 1 << 2 | 1 << 5, kTwo = 2 << 2 | 1 << 5, kFour = 4 << 2 | 1 << 5;

TEST(PythonString, EachWidth) {
  EXPECT_EQ(decode_string(kAscii, "Some.name"), "Some.name");
  EXPECT_EQ(decode_string(kLatin, "caf\xe9"), "café");
  EXPECT_EQ(decode_string(kTwo, "\xe9\x00\xac\x20"s), "é€");
  EXPECT_EQ(decode_string(kFour, "\x80\xf6\x01\x00"s), "\U0001f680");
  EXPECT_EQ(decode_string(kAscii | 3, "interned"), "interned");
}

TEST(PythonString, WhatNoStringIs) {
  EXPECT_EQ(decode_string(0, "x"), std::nullopt);
  EXPECT_EQ(decode_string(1 << 5, "x"), std::nullopt);           // no kind
  EXPECT_EQ(decode_string(3 << 2 | 1 << 5, "xyz"), std::nullopt);
  EXPECT_EQ(decode_string(kTwo, "\xe9\x00\xac"s), "é");          // half a character at the end
  EXPECT_EQ(decode_string(kTwo, "\x00\xd8"s), "\xef\xbf\xbd");   // half a surrogate pair
  EXPECT_EQ(decode_string(kFour, "\xff\xff\xff\xff"s), "\xef\xbf\xbd");
}

TEST(PythonLines, HandMade) {
  // two code units on the line after the first; one without a line; one two lines back with a long entry
  const std::string table = "\xd9\x00\x00"s + "\xf8"s + "\xe8\x05"s;
  EXPECT_EQ(line_at(table, 10, -1), 10);
  EXPECT_EQ(line_at(table, 10, 0), 11);
  EXPECT_EQ(line_at(table, 10, 1), 11);
  EXPECT_EQ(line_at(table, 10, 2), std::nullopt);
  EXPECT_EQ(line_at(table, 10, 3), 9);
  EXPECT_EQ(line_at(table, 10, 4), std::nullopt);   // behind the end
  EXPECT_EQ(line_at("", 10, 0), std::nullopt);
}

TEST(PythonLines, Damage) {
  EXPECT_EQ(line_at("\xd9\x00"s, 10, 0), std::nullopt);            // cut inside an entry
  EXPECT_EQ(line_at(std::string(4000, '\xff'), 10, 5), std::nullopt);
  EXPECT_EQ(line_at("\xe8"s + std::string(4000, '\x7f'), 10, 0), std::nullopt);   // a number without an end
  EXPECT_EQ(line_at("\xe8\x7f\x3f"s, 1, 0), std::nullopt);         // a line below zero
}

// The interpreter's own word for every instruction of many code objects.
constexpr const char* kDump = R"(
import argparse, asyncio.base_events, decimal, json.decoder, re, tarfile, types, typing
def walk(code):
    lines = ["-1"] * (len(code.co_code) // 2)
    for start, end, line in code.co_lines():
        for at in range(start // 2, end // 2):
            lines[at] = str(line) if line is not None else "-1"
    print(code.co_linetable.hex(), code.co_firstlineno, len(lines), *lines)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            walk(constant)
for module in (argparse, asyncio.base_events, json.decoder, re, tarfile, typing):
    walk(compile(open(module.__file__).read(), module.__file__, "exec"))
)";

TEST(PythonLines, AsTheInterpreterSays) {
  const std::string command = "python3 - <<'EOF'"s + kDump + "EOF\n";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  ASSERT_TRUE(pipe);
  std::string output;
  std::vector<char> buffer(1 << 16);
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) output.append(buffer.data(), got);
  std::istringstream lines(output);
  std::string line;
  std::size_t code_objects = 0, instructions = 0;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string hex, table;
    int first = 0;
    std::int64_t count = 0;
    words >> hex >> first >> count;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) table += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    for (std::int64_t place = 0; place < count; ++place, ++instructions) {
      int expected = 0;
      words >> expected;
      ASSERT_EQ(line_at(table, first, place).value_or(-1), expected) << "instruction " << place << " of " << hex;
    }
    ++code_objects;
  }
  EXPECT_GT(code_objects, 300u);
  EXPECT_GT(instructions, 10000u);
}

}  // namespace
}  // namespace trc::interpreters::python
