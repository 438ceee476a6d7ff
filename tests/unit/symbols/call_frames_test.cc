#include "symbols/call_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "stdlib/unwind_abi.h"

namespace trc::symbols {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kSectionAt = 0x5000;
const std::string kUsualStart = "\x0c\x07\x08\x90\x01";   // def_cfa rsp+8, offset of the return address 1 * -8

std::uint64_t sp(int offset) { return TRC_UW_RULE(TRC_UW_SP, 0, 0, 0, offset); }
std::uint64_t saved(unsigned kind, int offset, int fp_offset) { return TRC_UW_RULE(kind, TRC_UW_FP_SAVED, 0, fp_offset, offset); }
const std::uint64_t kOther = TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0), kEnd = TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0);

template <class T>
std::string bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// An .eh_frame section in the making: one CIE, then functions from 0x1000 on, each 0x100 bytes.
struct Section {
  std::string content;
  std::uint64_t next = 0x1000;

  explicit Section(const std::string& initial = kUsualStart, const std::string& augmentation = "zR", const std::string& data = "\x1b") {
    std::string cie = bytes<std::uint32_t>(0);
    cie += '\x01';
    cie += augmentation;
    cie += std::string("\0\x01\x78\x10", 4);   // code 1, data -8, return address in column 16
    if (augmentation.starts_with('z')) cie += static_cast<char>(data.size()) + data;
    add(cie + initial);
  }
  void add(const std::string& entry) { content += bytes(static_cast<std::uint32_t>(entry.size())) + entry; }
  Section& function(const std::string& program) {
    const std::uint64_t entry = content.size() + 4;
    const auto distance = static_cast<std::int32_t>(next - (kSectionAt + entry + 4));
    add(bytes(static_cast<std::uint32_t>(entry)) + bytes(distance) + bytes<std::uint32_t>(0x100) + std::string(1, '\0') + program);
    next += 0x100;
    return *this;
  }
};

std::vector<FrameRow> rows_of(const Section& section, std::size_t index = 0) {
  CallFrames frames(section.content, kSectionAt, CallFrames::Kind::EhFrame);
  std::vector<FrameRow> rows;
  if (index < frames.functions().size()) frames.append_rows(frames.functions()[index], rows);
  return rows;
}
std::vector<FrameRow> rows_of(const std::string& program) { return rows_of(Section().function(program)); }

auto row(std::uint64_t address, std::uint64_t rule) { return testing::AllOf(testing::Field(&FrameRow::address, address), testing::Field(&FrameRow::rule, rule)); }

TEST(CallFrames, AFunctionThatPushesAndPops) {
  // push rbp: CFA rsp+16, rbp at CFA-16; mov rbp,rsp: CFA rbp+16; leave: CFA rsp+8
  const std::string program("\x41\x0e\x10\x86\x02\x43\x0d\x06\x02\x20\x0c\x07\x08\xc6", 14);
  EXPECT_THAT(rows_of(program), ElementsAre(row(0x1000, sp(8)), row(0x1001, saved(TRC_UW_SP, 16, -16)), row(0x1004, saved(TRC_UW_FP, 16, -16)),
                                            row(0x1024, sp(8))));
}

TEST(CallFrames, StatesAreRememberedAndRestored) {
  EXPECT_THAT(rows_of("\x41\x0e\x20\x0a\x42\x0e\x08\x41\x0b"), ElementsAre(row(0x1000, sp(8)), row(0x1001, sp(32)), row(0x1003, sp(8)), row(0x1004, sp(32))));
  EXPECT_THAT(rows_of("\x41\x0b"), ElementsAre(row(0x1000, sp(8)), row(0x1001, kOther)));                        // nothing to restore
  EXPECT_THAT(rows_of(std::string(100, '\x0a') + "\x41"), ElementsAre(row(0x1000, kOther)));   // deeper than any compiler
}

TEST(CallFrames, AdvancesOfEachWidth) {
  const std::string program("\x02\x10\x0e\x10\x03\x10\x00\x0e\x18\x04\x10\x00\x00\x00\x0e\x20", 16);
  EXPECT_THAT(rows_of(program), ElementsAre(row(0x1000, sp(8)), row(0x1010, sp(16)), row(0x1020, sp(24)), row(0x1030, sp(32))));
  EXPECT_THAT(rows_of(std::string("\x03\xff\x00\x0e\x10\x41\x0e\x18\x41", 9)), ElementsAre(row(0x1000, sp(8)), row(0x10ff, sp(16))));   // up to the end only
}

TEST(CallFrames, PlacesAreSetRelativeToTheInstruction) {
  Section section;
  section.function("");
  // The operand lies 4 + 4 + 4 + 4 + 1 + 1 bytes into the entry.
  const std::uint64_t place = kSectionAt + section.content.size() + 18;
  section.function("\x01" + bytes(static_cast<std::int32_t>(0x1140 - place)) + "\x0e\x10");
  EXPECT_THAT(rows_of(section, 1), ElementsAre(row(0x1100, sp(8)), row(0x1140, sp(16))));
  // Back to where it has been: nothing after that is believed.
  section.function("\x41\x01" + bytes<std::int32_t>(-0x4000));
  EXPECT_THAT(rows_of(section, 2), ElementsAre(row(0x1200, sp(8)), row(0x1201, kOther)));
}

TEST(CallFrames, ThePltOfALinker) {
  for (const char literal : {'\x3a', '\x3b'}) {
    const std::string program = std::string("\x0f\x0b\x77\x08\x80\x00\x3f\x1a", 8) + literal + "\x2a\x33\x24\x22";
    EXPECT_THAT(rows_of(program), ElementsAre(row(0x1000, TRC_UW_RULE(TRC_UW_PLT, 0, 0, 0, literal - 0x30))));
  }
  EXPECT_THAT(rows_of(std::string("\x0f\x0b\x77\x10\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22", 13)), ElementsAre(row(0x1000, kOther)));
}

TEST(CallFrames, CfasBehindPointers) {
  EXPECT_THAT(rows_of("\x0f\x03\x76\x78\x06"), ElementsAre(row(0x1000, TRC_UW_RULE(TRC_UW_DEREF_FP, 0, 0, 0, -8))));
  EXPECT_THAT(rows_of("\x0f\x05\x77\x28\x06\x23\x08"), ElementsAre(row(0x1000, TRC_UW_RULE(TRC_UW_DEREF_SP, 0, 8, 0, 40))));
  EXPECT_THAT(rows_of("\x0f\x05\x77\x28\x06\x38\x22"), ElementsAre(row(0x1000, TRC_UW_RULE(TRC_UW_DEREF_SP, 0, 8, 0, 40))));
  EXPECT_THAT(rows_of("\x0f\x03\x7a\x78\x06"), ElementsAre(row(0x1000, kOther)));   // behind r10
  EXPECT_THAT(rows_of("\x0f\x02\x77\x18"), ElementsAre(row(0x1000, sp(24))));       // no pointer at all
  // An expression leaves the register and the offset from before as they are.
  EXPECT_THAT(rows_of("\x0e\x38\x0f\x03\x76\x78\x06\x41\x0d\x07"), ElementsAre(row(0x1000, TRC_UW_RULE(TRC_UW_DEREF_FP, 0, 0, 0, -8)), row(0x1001, sp(56))));
}

TEST(CallFrames, OtherRegistersAsCfa) {
  EXPECT_THAT(rows_of(std::string("\x0c\x0a\x00", 3)), ElementsAre(row(0x1000, TRC_UW_RULE(TRC_UW_REGISTER, 0, 10, 0, 0))));
  EXPECT_THAT(rows_of(std::string("\x0c\x21\x00", 3)), ElementsAre(row(0x1000, kOther)));   // a vector register
}

TEST(CallFrames, WhereTheFramePointerIs) {
  EXPECT_THAT(rows_of(std::string("\x10\x06\x02\x76\x00", 5)), ElementsAre(row(0x1000, TRC_UW_RULE(TRC_UW_SP, TRC_UW_FP_AT_FP, 0, 0, 8))));
  EXPECT_THAT(rows_of(std::string("\x0e\x20\x10\x06\x02\x77\x08", 7)), ElementsAre(row(0x1000, saved(TRC_UW_SP, 32, -24))));
  EXPECT_THAT(rows_of("\x05\x06\x03"), ElementsAre(row(0x1000, saved(TRC_UW_SP, 8, -24))));
  EXPECT_THAT(rows_of("\x11\x06\x03"), ElementsAre(row(0x1000, saved(TRC_UW_SP, 8, -24))));
  EXPECT_THAT(rows_of("\x2f\x06\x03"), ElementsAre(row(0x1000, saved(TRC_UW_SP, 8, 24))));
  EXPECT_THAT(rows_of("\x86\x02\x41\x08\x06"), ElementsAre(row(0x1000, saved(TRC_UW_SP, 8, -16)), row(0x1001, sp(8))));
  EXPECT_THAT(rows_of("\x09\x06\x06"), ElementsAre(row(0x1000, sp(8))));
  EXPECT_THAT(rows_of("\x09\x06\x03"), ElementsAre(row(0x1000, kOther)));                   // in another register
  EXPECT_THAT(rows_of("\x86\xff\x7f"), ElementsAre(row(0x1000, kOther)));                   // 16 bits do not reach there
}

TEST(CallFrames, WhereTheReturnAddressIs) {
  EXPECT_THAT(rows_of("\x07\x10"), ElementsAre(row(0x1000, kEnd)));
  EXPECT_THAT(rows_of("\x90\x02"), ElementsAre(row(0x1000, kOther)));
  EXPECT_THAT(rows_of("\x09\x10\x05"), ElementsAre(row(0x1000, kOther)));
  EXPECT_THAT(rows_of("\x90\x02\x41\xd0"), ElementsAre(row(0x1000, kOther), row(0x1001, sp(8))));
}

TEST(CallFrames, SignalFramesAreThoseOfTheKernel) {
  const std::string kernel = std::string("\x0f\x04\x77\xa0\x01\x06", 6);
  EXPECT_THAT(rows_of(Section("", "zRS").function(kernel)), ElementsAre(row(0x1000, TRC_UW_RULE(TRC_UW_SIGNAL, 0, 0, 0, 0))));
  EXPECT_THAT(rows_of(Section(kUsualStart, "zRS").function("")), ElementsAre(row(0x1000, kOther)));
}

TEST(CallFrames, Augmentations) {
  const std::string personality = "\x03" + bytes<std::uint32_t>(0x4000);
  EXPECT_THAT(rows_of(Section(kUsualStart, "zPLR", personality + "\x1b\x1b").function("")), ElementsAre(row(0x1000, sp(8))));
  EXPECT_THAT(rows_of(Section(kUsualStart, "zR", "\x9b").function("")), IsEmpty());     // the address is behind a pointer
  EXPECT_THAT(rows_of(Section(kUsualStart, "zR", "\x3b").function("")), IsEmpty());     // relative to something unknown
  EXPECT_THAT(rows_of(Section(kUsualStart, "eh", "").function("")), IsEmpty());
}

TEST(CallFrames, DamagedEntriesAreLeftOut) {
  Section section;
  section.function("\x41\x0e\x10");
  section.add(bytes<std::uint32_t>(0x7000) + std::string(20, '\0'));   // its CIE would lie before the section
  section.add(bytes<std::uint32_t>(12) + std::string(20, '\0'));       // no CIE begins there
  section.add("\x01");
  section.function("\x3f\x41");                                        // no such instruction
  EXPECT_THAT(rows_of(section, 0), ElementsAre(row(0x1000, sp(8)), row(0x1001, sp(16))));
  EXPECT_THAT(rows_of(section, 1), ElementsAre(row(0x1100, kOther)));
  const std::string whole = section.content;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CallFrames frames(std::string_view(whole).substr(0, size), kSectionAt, CallFrames::Kind::EhFrame);
    EXPECT_LE(frames.functions().size(), 2U);
    std::vector<FrameRow> rows;
    for (const auto& function : frames.functions()) frames.append_rows(function, rows);
  }
}

/// A .debug_frame section of one CIE and functions at 0x1000 and, as the linker leaves one that it has dropped, at 0; `wide`: 64-bit DWARF.
std::string debug_frame(bool wide, const std::string& program) {
  const auto number = [&](std::uint64_t value) { return wide ? bytes(value) : bytes(static_cast<std::uint32_t>(value)); };
  const auto entry = [&](const std::string& content) { return (wide ? bytes(~std::uint32_t{0}) : "") + number(content.size()) + content; };
  std::string content = entry(number(8) + "no CIE begins there");
  const std::uint64_t common = content.size();
  content += entry(number(~std::uint64_t{0}) + std::string("\x03\0\x01\x78\x10", 5) + kUsualStart);
  for (const std::uint64_t start : {std::uint64_t{0}, std::uint64_t{0x1000}}) {
    content += entry(number(common) + bytes(start) + bytes<std::uint64_t>(0x100) + program);
  }
  return content;
}

TEST(CallFrames, OfDebuggersInBothFormats) {
  for (const bool wide : {false, true}) {
    const std::string content = debug_frame(wide, "\x41\x0e\x10\x86\x02");   // push rbp
    CallFrames frames(content, 0, CallFrames::Kind::DebugFrame);
    ASSERT_EQ(frames.functions().size(), 1U);
    std::vector<FrameRow> rows;
    frames.append_rows(frames.functions()[0], rows);
    EXPECT_THAT(rows, ElementsAre(row(0x1000, sp(8)), row(0x1001, saved(TRC_UW_SP, 16, -16))));
    for (std::size_t size = 0; size < content.size(); ++size) {
      EXPECT_LE(CallFrames(std::string_view(content).substr(0, size), 0, CallFrames::Kind::DebugFrame).functions().size(), 1U);
    }
  }
}

TEST(CallFrames, AZeroLengthIsTheEndWhereThatIsWanted) {
  Section section;
  section.function("");
  section.content += std::string(4, '\0');
  section.function("");
  EXPECT_EQ(CallFrames(section.content, kSectionAt, CallFrames::Kind::EhFrame).functions().size(), 2U);
  EXPECT_EQ(CallFrames(section.content, kSectionAt, CallFrames::Kind::EhFrameToZero).functions().size(), 1U);
}

}  // namespace
}  // namespace trc::symbols
