#include "symbols/symbol_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <sstream>

#include "base/read_file.h"
#include "symbols/debug_file.h"
#include "symbols/elf_file.h"
#include "symbols/xz.h"
#include "symbols/zlib.h"
#include "unit/build_program.h"

namespace trc::symbols {
namespace {

std::shared_ptr<const ElfReader> open_elf(const std::string& path) {
  auto reader = ElfReader::open(path);
  return reader ? std::make_shared<const ElfReader>(std::move(*reader)) : nullptr;
}

SymbolIndex index_of(const std::string& path) {
  const auto file = open_elf(path);
  return SymbolIndex(file, other_symbol_files(*file, {.path = path}));
}

std::string name_at(const SymbolIndex& index, std::uint64_t address) {
  const auto match = index.find(address);
  return match ? index.name(*match) + "+" + std::to_string(address - match->address) : "-";
}

/// What a command prints.
std::string output_of(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  std::string text;
  char buffer[4096];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe.get())) text.append(buffer, got);
  return text;
}

/// Every function that nm lists is found at its first and last byte, under its own name or another one of the same place.
void expect_as_nm(const SymbolIndex& index, const std::string& nm_output, std::size_t at_least) {
  std::map<std::uint64_t, std::set<std::string>> names;
  std::map<std::uint64_t, std::uint64_t> sizes;
  std::istringstream lines(nm_output);
  for (std::string line; std::getline(lines, line);) {
    std::uint64_t address = 0, size = 0;
    char kind = 0, name[1000];
    if (std::sscanf(line.c_str(), "%lx %lx %c %999s", &address, &size, &kind, name) != 4 || std::string("tTwWi").find(kind) == std::string::npos) continue;
    names[address].insert(std::string(name).substr(0, std::string(name).find('@')));
    sizes[address] = std::max(sizes[address], size);
  }
  ASSERT_GE(names.size(), at_least);
  for (const auto& [address, expected] : names) {
    const std::string first = name_at(index, address), last = name_at(index, address + sizes[address] - 1);
    EXPECT_TRUE(expected.contains(first.substr(0, first.find('+')))) << first << " for " << *expected.begin();
    EXPECT_EQ(last.substr(0, last.find('+')), first.substr(0, first.find('+')));
  }
}

TEST(SymbolIndex, AgreesWithNm) {
  const std::string self = "/proc/self/exe";
  expect_as_nm(index_of(self), output_of("nm -S " + std::string(TRC_BINARY_DIR) + "/tests/unit_symbols"), 1000);
}

TEST(SymbolIndex, TheDynamicTableOfALibrary) {
  const std::string libc = "/lib/x86_64-linux-gnu/libc.so.6";
  if (!open_elf(libc)) GTEST_SKIP() << "no " << libc;
  expect_as_nm(index_of(libc), output_of("nm -D -S " + libc), 1000);
}

constexpr const char* kSource = R"(
#include <stdio.h>
#include <stdlib.h>
static int __attribute__((noinline)) hidden(int x) { return x * 3 + getpid(); }
int shown(int x) { return hidden(x) + abs(x); }
int __shown(int x) __attribute__((alias("shown")));
int main(int c, char** v) { (void)v; puts("x"); return shown(c) + atoi("7"); }
__asm__(".text\n.p2align 4\n nop\n.globl by_hand\nby_hand: nop\n nop\n ret\n .p2align 6\n");
)";

class SmallProgram : public testing::Test {
 protected:
  std::uint64_t address_of(const char* name) { return (*ElfFile::open(path_))->find(name)->address; }
  const TemporaryFolder folder_;
  const std::string path_ = folder_.compile("prog", std::string("int getpid(void);\n") + kSource);
};

TEST_F(SmallProgram, OfTwoNamesTheOneWithFewerUnderscores) { EXPECT_EQ(name_at(index_of(path_), address_of("shown") + 1), "shown+1"); }

TEST_F(SmallProgram, LabelsInHandWrittenCode) {
  const SymbolIndex index = index_of(path_);
  const std::string nm = output_of("nm " + path_);
  const std::size_t at = nm.find(" T by_hand");
  ASSERT_NE(at, std::string::npos);
  const std::uint64_t address = std::stoull(nm.substr(nm.rfind('\n', at) + 1), nullptr, 16);
  EXPECT_EQ(name_at(index, address + 2), "by_hand+2");
}

TEST_F(SmallProgram, NothingIsGuessedBetweenFunctions) {
  const SymbolIndex index = index_of(path_);
  const Function* function = (*ElfFile::open(path_))->find("main");
  ASSERT_NE(function, nullptr);
  const std::string text = name_at(index, 0);
  EXPECT_EQ(text, "-");
  EXPECT_EQ(name_at(index, ~std::uint64_t{0}), "-");
  const std::string stripped = folder_.path("stripped");
  ASSERT_EQ(std::system(("strip -o " + stripped + " " + path_).c_str()), 0);
  EXPECT_EQ(name_at(index_of(stripped), address_of("hidden")), "-");
}

TEST_F(SmallProgram, StubsAreNamedAfterWhatTheyLeadTo) {
  // objdump names them too: "0000000000001030 <puts@plt>:"
  for (const std::string options : {"", "-fcf-protection=none -Wl,-z,lazy", "-Wl,-z,now", "-fcf-protection=full -Wl,-z,ibtplt"}) {
    const std::string program = folder_.compile("stubs", std::string("int getpid(void);\n") + kSource, options);
    const SymbolIndex index = index_of(program);
    std::istringstream lines(output_of("objdump -d " + program));
    int stubs = 0;
    for (std::string line; std::getline(lines, line);) {
      std::uint64_t address = 0;
      char name[200];
      if (std::sscanf(line.c_str(), "%lx <%199[^>]>:", &address, name) != 2 || !std::string(name).ends_with("@plt")) continue;
      ++stubs;
      EXPECT_EQ(name_at(index, address), std::string(name) + "+0") << options;
      EXPECT_EQ(name_at(index, address + 5), std::string(name) + "+5") << options;
    }
    EXPECT_GE(stubs, 3) << options;
  }
}

TEST_F(SmallProgram, SymbolsPackedInTheFileItself) {
  const std::string mini = folder_.path("mini"), packed = folder_.path("packed");
  ASSERT_EQ(std::system(("cd " + folder_.path("") + " && objcopy -S --keep-symbol=hidden --keep-symbol=main " + path_ + " " + mini + " && xz -f " + mini +
                         " && strip -o " + packed + " " + path_ + " && objcopy --add-section .gnu_debugdata=" + mini + ".xz " + packed)
                            .c_str()),
            0);
  EXPECT_EQ(name_at(index_of(packed), address_of("hidden") + 1), "hidden+1");
  EXPECT_NE((*ElfFile::open(packed))->find("hidden"), nullptr);   // and a probe finds it
}

TEST(Zlib, Bounds) {
  std::string plain(3 << 20, '\0'), packed(::compressBound(plain.size()), '\0');
  uLongf size = packed.size();
  ASSERT_EQ(::compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(plain.data()), plain.size()), Z_OK);
  packed.resize(size);
  EXPECT_EQ(unpack_zlib(packed, 3 << 20)->size(), 3U << 20);
  EXPECT_FALSE(unpack_zlib(packed, (3 << 20) - 1));
  EXPECT_FALSE(unpack_zlib(packed.substr(0, packed.size() / 2), 3 << 20));
  EXPECT_FALSE(unpack_zlib("", 100));
}

TEST(Xz, Bounds) {
  const TemporaryFolder folder;
  const std::string path = folder.write("zeros", std::string(3 << 20, '\0'));
  ASSERT_EQ(std::system(("xz -f " + path).c_str()), 0);
  const std::string packed = *read_file(path + ".xz");
  EXPECT_EQ(unpack_xz(packed, 3 << 20)->size(), 3U << 20);
  EXPECT_FALSE(unpack_xz(packed, (3 << 20) - 1));
  EXPECT_FALSE(unpack_xz(packed.substr(0, packed.size() / 2), 3 << 20));
  EXPECT_FALSE(unpack_xz("", 100));
  EXPECT_FALSE(unpack_xz("not packed at all", 100));
}

}  // namespace
}  // namespace trc::symbols
