#include "symbols/unwind_table.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/read_file.h"
#include "base/strings.h"
#include "stdlib/unwind_abi.h"
#include "symbols/debug_file.h"
#include "symbols/elf_file.h"
#include "symbols/elf_reader.h"
#include "symbols/process_maps.h"
#include "unit/build_program.h"

namespace trc::symbols {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

UnwindTable table_of(const ElfReader& file) {
  auto table = build_unwind_table(file);
  EXPECT_TRUE(table) << table.error().message();
  return table ? std::move(*table) : UnwindTable{};
}
UnwindTable table_of(const std::string& path) { return table_of(ElfReader::open(path).value()); }

std::uint64_t rule_at(const UnwindTable& table, std::uint64_t offset) {
  const auto after = std::upper_bound(table.rows.begin(), table.rows.end(), offset, [](std::uint64_t o, const UnwindRow& row) { return o < row.offset; });
  return after == table.rows.begin() ? std::uint64_t{TRC_UW_NONE} : table.rules[std::prev(after)->rule];
}

void expect_sound(const UnwindTable& table) {
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    ASSERT_LT(table.rows[i].rule, table.rules.size());
    if (i == 0) continue;
    ASSERT_LT(table.rows[i - 1].offset, table.rows[i].offset);
    ASSERT_NE(table.rows[i - 1].rule, table.rows[i].rule);
  }
  if (!table.rows.empty()) {
    EXPECT_EQ(table.rows.back().rule, 0U);
  }
  EXPECT_EQ(std::set(table.rules.begin(), table.rules.end()).size(), table.rules.size());
}

/// What readelf says of one place: "rsp+8", "c-16" and the like.
struct Told {
  std::uint64_t address = 0;
  std::string cfa, rbp, ra;
};
struct ToldFunction {
  std::uint64_t end = 0;
  bool is_signal = false;
  std::vector<Told> rows;
};

std::vector<ToldFunction> ask_readelf(const std::string& path) {
  std::vector<ToldFunction> functions;
  FILE* pipe = ::popen(("readelf -wF " + path + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return functions;
  std::set<std::string> signal_commons;
  std::vector<std::string> columns;
  bool in_function = false;
  char buffer[1024];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
    std::istringstream line(buffer);
    std::vector<std::string> words;
    for (std::string word; line >> word;) {
      if (!word.starts_with('(')) words.push_back(word);   // "r10 (r10)" is one
    }
    if (words.size() > 4 && words[3] == "CIE") {
      in_function = false;
      if (words[4].find('S') != std::string::npos) signal_commons.insert(words[0]);
    } else if (words.size() > 5 && words[3] == "FDE") {
      in_function = true;
      ToldFunction& function = functions.emplace_back();
      function.end = std::stoull(words[5].substr(words[5].find("..") + 2), nullptr, 16);
      function.is_signal = signal_commons.contains(words[4].substr(words[4].find('=') + 1));
    } else if (in_function && !words.empty() && words[0] == "LOC") {
      columns = words;
    } else if (words.size() == 3 && words[1] == "ZERO") {   // a terminator
      in_function = false;
    } else if (in_function && words.size() == columns.size() && words.size() > 2) {
      Told row{.address = std::stoull(words[0], nullptr, 16), .cfa = words[1], .rbp = "u", .ra = "?"};
      for (std::size_t i = 2; i < words.size(); ++i) {
        if (columns[i] == "rbp") row.rbp = words[i];
        if (columns[i] == "ra") row.ra = words[i];
      }
      functions.back().rows.push_back(row);
    }
  }
  ::pclose(pipe);
  return functions;
}

/// Our rule in readelf's words.
Told in_words(std::uint64_t rule) {
  Told words;
  const std::string offset = (TRC_UW_RULE_OFFSET(rule) < 0 ? "" : "+") + std::to_string(TRC_UW_RULE_OFFSET(rule));
  constexpr const char* kRegisters[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
  words.ra = "c-8";
  switch (TRC_UW_RULE_KIND(rule)) {
    case TRC_UW_SP: words.cfa = "rsp" + offset; break;
    case TRC_UW_FP: words.cfa = "rbp" + offset; break;
    case TRC_UW_REGISTER: words.cfa = kRegisters[TRC_UW_RULE_ADD(rule) % 16] + offset; break;
    case TRC_UW_PLT:
    case TRC_UW_DEREF_FP:
    case TRC_UW_DEREF_SP: words.cfa = "exp"; break;
    case TRC_UW_END: words.ra = "u"; break;
    default: break;
  }
  switch (TRC_UW_RULE_FP(rule)) {
    case TRC_UW_FP_SAME: words.rbp = "u"; break;    // readelf's word for a register that nothing is said of
    case TRC_UW_FP_SAVED: words.rbp = "c" + std::string(TRC_UW_RULE_FP_OFFSET(rule) < 0 ? "" : "+") + std::to_string(TRC_UW_RULE_FP_OFFSET(rule)); break;
    case TRC_UW_FP_AT_FP: words.rbp = "exp"; break;
    default: break;
  }
  return words;
}

/// Every row that readelf prints, against the table.
void compare(const std::string& path, std::size_t at_least) {
  const ElfReader file = ElfReader::open(path).value();
  const UnwindTable table = table_of(file);
  expect_sound(table);
  std::size_t compared = 0, beyond = 0;
  for (const ToldFunction& function : ask_readelf(path)) {
    for (const Told& told : function.rows) {
      if (told.address >= function.end) continue;
      std::uint64_t offset = 0;
      for (const ElfSegment& segment : file.segments()) {
        if (segment.type == PT_LOAD && told.address - segment.address < segment.file_size) offset = told.address - segment.address + segment.offset;
      }
      ++compared;
      const std::uint64_t rule = rule_at(table, offset);
      if (TRC_UW_RULE_KIND(rule) == TRC_UW_OTHER) {
        const bool plain = (told.cfa.starts_with("rsp") || told.cfa.starts_with("rbp")) && told.ra == "c-8" && (told.rbp == "u" || told.rbp.starts_with("c"));
        EXPECT_FALSE(plain) << path << " " << std::hex << told.address << " " << told.cfa << " " << told.rbp << " " << told.ra;
        ++beyond;
        continue;
      }
      if (TRC_UW_RULE_KIND(rule) == TRC_UW_SIGNAL) {
        EXPECT_TRUE(function.is_signal);
        continue;
      }
      const Told ours = in_words(rule);
      const bool same = ours.ra == told.ra && (ours.ra == "u" || (ours.cfa == told.cfa && (ours.rbp == told.rbp || (ours.rbp == "u" && told.rbp == "s"))));
      EXPECT_TRUE(same) << path << " " << std::hex << told.address << ": readelf " << told.cfa << " " << told.rbp << " " << told.ra << ", table " << ours.cfa
                        << " " << ours.rbp << " " << ours.ra;
    }
  }
  EXPECT_GE(compared, at_least);
  EXPECT_LT(beyond * 20, compared + 20) << path;   // the loader's own trampolines are the worst
}

TEST(UnwindTable, AgreesWithReadelfOnTheLibrariesOfThisProcess) {
  std::set<std::string> files;
  for (const MapsLine& line : parse_maps(read_file("/proc/self/maps").value())) {
    if (line.mapping.path.find(".so") != std::string::npos) files.insert(line.mapping.path);
  }
  ASSERT_GE(files.size(), 3U);
  for (const std::string& path : files) compare(path, 100);
}

class UnwindTableTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(UnwindTableTest, AgreesWithReadelfOnTheVdso) {
  const auto table = build_vdso_unwind_table();
  ASSERT_TRUE(table) << table.error().message();
  const std::uint64_t start = ::getauxval(AT_SYSINFO_EHDR);
  for (const MapsLine& line : parse_maps(read_file("/proc/self/maps").value())) {
    if (line.mapping.start != start) continue;
    const std::string path = folder_.path("vdso");
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(start), static_cast<std::streamsize>(line.mapping.end - start));
    compare(path, 5);
    EXPECT_EQ(table_of(path).rows.size(), table->rows.size());
  }
}

constexpr const char* kProgram = R"(
void *memset(void *, int, unsigned long);
__attribute__((noinline, noclone)) int leaf(int x) { return x * 3; }
// Realigns the stack and has arguments on it: the CFA lies behind a pointer, the old rbp at rbp.
__attribute__((noinline, noclone)) int aligned(int a, int b, int c, int d, int e, int f, int g, int n) {
  __attribute__((aligned(64))) char values[128];
  char *room = __builtin_alloca(n);
  memset(values, n, sizeof values);
  memset(room, n, n);
  return leaf(a + g + n) + ((volatile char *)values)[n & 7] + room[n / 2];
}
int main(int c, char **v) { return aligned(c, 2, 3, 4, 5, 6, 7, 64) == 5; }
)";

TEST_F(UnwindTableTest, AgreesWithReadelfOnAProgramThatRealignsItsStack) {
  const std::string path = folder_.compile("program", kProgram, "-O2 -fomit-frame-pointer");
  compare(path, 10);
  const UnwindTable table = table_of(path);
  EXPECT_TRUE(std::any_of(table.rules.begin(), table.rules.end(), [](std::uint64_t rule) {
    return TRC_UW_RULE_KIND(rule) == TRC_UW_DEREF_FP && TRC_UW_RULE_FP(rule) == TRC_UW_FP_AT_FP;
  }));
  EXPECT_TRUE(std::any_of(table.rules.begin(), table.rules.end(), [](std::uint64_t rule) { return TRC_UW_RULE_KIND(rule) == TRC_UW_END; }));   // _start
}

TEST_F(UnwindTableTest, FindsTheSameWithoutSectionHeaders) {
  const std::string path = folder_.compile("program", kProgram);
  std::string bytes = read_file(path).value();
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
  std::memcpy(bytes.data(), &header, sizeof header);
  const ElfReader stripped = ElfReader::from_bytes(bytes, path).value();
  ASSERT_THAT(stripped.sections(), IsEmpty());
  const UnwindTable expected = table_of(path), table = table_of(stripped);
  EXPECT_EQ(table.rules, expected.rules);
  ASSERT_EQ(table.rows.size(), expected.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) EXPECT_EQ(table.rows[i].offset, expected.rows[i].offset);
}

constexpr const char* kForDebuggers = "-O2 -g -fomit-frame-pointer -fno-asynchronous-unwind-tables";

TEST_F(UnwindTableTest, AgreesWithReadelfOnProgramsWithFramesForDebuggers) {
  compare(folder_.compile("program", kProgram, kForDebuggers), 10);
  compare(folder_.compile("packed", kProgram, std::string(kForDebuggers) + " -Wl,--compress-debug-sections=zlib"), 10);
}

TEST_F(UnwindTableTest, FramesForDebuggersAreAddedToThoseOfTheProgram) {
  const auto path_of_both = folder_.path("both");
  folder_.compile("one", "int one(int x) { return x * 3; }", "-O2 -c");
  folder_.compile("two", "int one(int); int main(int c, char **v) { return one(c) + one(3); }", std::string(kForDebuggers) + " -c");
  ASSERT_EQ(std::system(("cc -o " + path_of_both + " -x none " + folder_.path("one") + " " + folder_.path("two")).c_str()), 0);
  compare(path_of_both, 5);
  const auto file = ElfFile::open(path_of_both).value();
  const UnwindTable table = table_of(path_of_both);
  for (const char* name : {"one", "main"}) EXPECT_NE(rule_at(table, *file->file_offset(file->find(name)->address)), std::uint64_t{TRC_UW_NONE}) << name;
}

TEST_F(UnwindTableTest, FramesForDebuggersAreFoundInTheDebugFile) {
  const std::string whole = folder_.compile("program", kProgram, kForDebuggers), bare = folder_.path("bare");
  const UnwindTable expected = table_of(whole);
  const auto make = [&](const std::string& more) {
    return std::system(("objcopy --only-keep-debug " + whole + " " + bare + ".debug && objcopy --strip-all " + more + " " + whole + " " + bare).c_str());
  };
  ASSERT_EQ(make(""), 0);
  const FilePlace place{.path = bare, .root = "", .debug_folder = folder_.path("debug")};
  const auto table = [&] {
    auto built = build_unwind_table(ElfReader::open(bare).value(), &place);
    EXPECT_TRUE(built);
    return built ? std::move(*built) : UnwindTable{};
  };
  const auto is_whole = [&] { return table().rows.size() == expected.rows.size(); };
  EXPECT_FALSE(is_whole());
  ASSERT_EQ(make("--add-gnu-debuglink=" + bare + ".debug"), 0);
  EXPECT_TRUE(is_whole());
  EXPECT_LT(table_of(bare).rows.size(), expected.rows.size());   // when it is not looked for
  ASSERT_EQ(make(""), 0);
  const std::string id = read_build_id(ElfReader::open(bare).value());
  ASSERT_GT(id.size(), 2U);
  const std::string folder = place.debug_folder + "/.build-id/" + id.substr(0, 2);
  std::filesystem::create_directories(folder);
  std::filesystem::rename(bare + ".debug", folder + "/" + id.substr(2) + ".debug");
  EXPECT_TRUE(is_whole());
}

TEST_F(UnwindTableTest, OffsetsAreThoseOfTheFile) {
  // At another address than in the file, as in programs that are not relocatable.
  const std::string path = folder_.compile("program", kProgram, "-no-pie -O1");
  const auto file = ElfFile::open(path).value();
  const Function* leaf = file->find("leaf");
  ASSERT_NE(leaf, nullptr);
  ASSERT_NE(leaf->address, file->file_offset(leaf->address).value());
  EXPECT_EQ(rule_at(table_of(path), *file->file_offset(leaf->address)), TRC_UW_RULE(TRC_UW_SP, 0, 0, 0, 8));
}

TEST_F(UnwindTableTest, FilesWithoutCallFrameInformationGiveAnEmptyTable) {
  const std::string path = folder_.compile("program", "void _start(void) { for (;;) {} }", "-nostdlib -static -fno-asynchronous-unwind-tables -Wl,--build-id=none");
  const UnwindTable table = table_of(path);
  EXPECT_THAT(table.rows, IsEmpty());
  EXPECT_EQ(table.rules.size(), 1U);
}

TEST_F(UnwindTableTest, OtherArchitecturesAreRefused) {
  std::string bytes = read_file(folder_.compile("program", kProgram)).value();
  bytes[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_AARCH64);
  const auto table = build_unwind_table(ElfReader::from_bytes(bytes, "other").value());
  ASSERT_FALSE(table);
  EXPECT_THAT(table.error().message(), HasSubstr("x86-64"));
}

TEST(UnwindTable, CanBeGivenUp) {
  const auto file = ElfReader::open("/proc/self/exe").value();
  std::atomic<bool> given_up = true;
  EXPECT_FALSE(build_unwind_table(file, nullptr, &given_up));
  given_up = false;
  EXPECT_TRUE(build_unwind_table(file, nullptr, &given_up));
}

}  // namespace
}  // namespace trc::symbols
