#include "interpreters/python/code_store.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "stdlib/python_abi.h"

namespace trc::interpreters::python {
namespace {

using namespace std::string_literals;

constexpr std::uint32_t kAscii = 1 << 2 | 1 << 5 | 1 << 6;

struct Sent {
  trc_py_code_record record{.key = {.code = 0x7f0000001000, .tag = 7, .tgid = 42}, .id = 99, .name_state = kAscii, .file_state = kAscii, .first_line = 10};
  std::string name = "Thing.method", file = "/srv/app.py", lines = "\xd9\x00\x00"s;

  std::vector<std::byte> bytes() {
    record.name_bytes = static_cast<unsigned short>(name.size());
    record.file_bytes = static_cast<unsigned short>(file.size());
    record.line_bytes = static_cast<unsigned short>(lines.size());
    if (record.name_length == 0) record.name_length = record.name_bytes;
    if (record.file_length == 0) record.file_length = record.file_bytes;
    const std::string all = std::string(reinterpret_cast<const char*>(&record), sizeof record) + name + file + lines;
    const auto* first = reinterpret_cast<const std::byte*>(all.data());
    return {first, first + all.size()};
  }
};

std::uint64_t word(std::uint64_t id, int place) { return TRC_PY_FRAME | id << TRC_PY_PLACE_BITS | static_cast<unsigned>(place + 1); }

TEST(PythonStore, NamesFrames) {
  CodeStore store;
  ASSERT_TRUE(store.add(Sent().bytes()));
  const auto frame = store.name(42, word(99, 1));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->function, "Thing.method");
  EXPECT_EQ(frame->file, "/srv/app.py");
  EXPECT_EQ(frame->line, 11);
  EXPECT_EQ(store.name(42, word(99, -1))->line, 10);
  EXPECT_EQ(store.name(42, word(99, 500))->line, std::nullopt);
  EXPECT_FALSE(store.name(43, word(99, 1)));   // another process
  EXPECT_FALSE(store.name(42, word(98, 1)));
  EXPECT_EQ(store.name(42, TRC_PY_FRAME | 99ull << TRC_PY_PLACE_BITS | TRC_PY_PLACE_MAX)->line, std::nullopt);
}

TEST(PythonStore, LongTablesComeInParts) {
  CodeStore store;
  Sent first, second;
  first.record.line_total = second.record.line_total = 6;
  second.record.line_offset = 3;
  second.lines = "\xd9\x00\x00"s;
  ASSERT_TRUE(store.add(first.bytes()));
  EXPECT_EQ(store.name(42, word(99, 3))->line, std::nullopt);
  ASSERT_TRUE(store.add(second.bytes()));
  EXPECT_EQ(store.name(42, word(99, 3))->line, 12);
  EXPECT_FALSE(store.add(second.bytes()));   // the same part again does not fit
  EXPECT_EQ(store.name(42, word(99, 3))->line, 12);
}

TEST(PythonStore, CutNamesSaySo) {
  CodeStore store;
  Sent sent;
  sent.record.name_length = 2000;
  ASSERT_TRUE(store.add(sent.bytes()));
  EXPECT_EQ(store.name(42, word(99, 0))->function, "Thing.method...");
}

TEST(PythonStore, HostileNamesStayOnOneLine) {
  CodeStore store;
  Sent sent;
  sent.name = "a\nb\x1b[31m";
  ASSERT_TRUE(store.add(sent.bytes()));
  EXPECT_EQ(store.name(42, word(99, 0))->function, "a?b?[31m");
}

TEST(PythonStore, DamagedRecords) {
  CodeStore store;
  const auto bytes = Sent().bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(store.add(std::span(bytes).first(size))) << size;
  EXPECT_FALSE(store.name(42, word(99, 0)));
  Sent later;
  later.record.line_offset = 3;
  EXPECT_FALSE(store.add(later.bytes()));   // a further part of nothing
  EXPECT_FALSE(store.name(42, word(99, 0)));
}

TEST(PythonStore, CountsNamesThatTwoCodeObjectsHave) {
  CodeStore store;
  Sent one, other;
  other.record.key.code += 64;
  ASSERT_TRUE(store.add(one.bytes()));
  ASSERT_TRUE(store.add(one.bytes()));   // sent again: the same
  EXPECT_EQ(store.confused(), 0u);
  ASSERT_TRUE(store.add(other.bytes()));
  EXPECT_EQ(store.confused(), 1u);
}

}  // namespace
}  // namespace trc::interpreters::python
