#include "symbols/kallsyms.h"

#include <gtest/gtest.h>

#include "base/read_file.h"

namespace trc::symbols {
namespace {

constexpr std::string_view kText =
    "0000000000000000 A fixed_percpu_data\n"
    "ffffffff81000000 T _stext\n"
    "ffffffff81000000 T alias\n"
    "ffffffff81000100 t do_one\n"
    "ffffffff81000200 W weak_two\n"
    "ffffffff81000300 D some_data\n"
    "ffffffff81000400 d more_data\n"
    "ffffffff81000500 T after_data\n"
    "ffffffffc0200000 t mod_function\t[nf_tables]\n"
    "ffffffffc0200080 t mod_other\t[nf_tables]\n";

TEST(KernelSymbols, FindsFunctions) {
  const auto symbols = KernelSymbols::parse(kText);
  EXPECT_EQ(symbols.find(0xffffffff81000104)->name, "do_one");
  EXPECT_EQ(symbols.find(0xffffffff81000104)->offset, 4U);
  EXPECT_EQ(symbols.find(0xffffffff810001ff)->name, "do_one");
  EXPECT_EQ(symbols.find(0xffffffff81000200)->name, "weak_two");
  EXPECT_EQ(symbols.find(0xffffffff81000200)->module, "");
  EXPECT_EQ(symbols.find(0xffffffff81000500)->name, "after_data");
}

TEST(KernelSymbols, TheFirstOfSeveralNamesWins) { EXPECT_EQ(KernelSymbols::parse(kText).find(0xffffffff81000010)->name, "_stext"); }

TEST(KernelSymbols, KnowsModules) {
  const auto symbols = KernelSymbols::parse(kText);
  const auto match = symbols.find(0xffffffffc0200081);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->name, "mod_other");
  EXPECT_EQ(match->module, "nf_tables");
}

TEST(KernelSymbols, DataAndNowhereHaveNoName) {
  const auto symbols = KernelSymbols::parse(kText);
  EXPECT_FALSE(symbols.find(0));
  EXPECT_FALSE(symbols.find(0xffffffff80ffffff));
  EXPECT_FALSE(symbols.find(0xffffffff81000310));
  EXPECT_FALSE(symbols.find(0xffffffff81000410));
  EXPECT_FALSE(symbols.find(0xffffffff90000000));
  EXPECT_FALSE(symbols.find(0xffffffffffffffff));
}

TEST(KernelSymbols, HiddenAddressesGiveNothing) {
  const auto symbols = KernelSymbols::parse("0000000000000000 T _stext\n0000000000000000 t do_one\n");
  EXPECT_EQ(symbols.size(), 0U);
  EXPECT_FALSE(symbols.find(0xffffffff81000000));
}

TEST(KernelSymbols, DamagedTextIsPassedOver) {
  const auto symbols = KernelSymbols::parse("\n \nzz\nffffffff81000000\nffffffff81000000 T\nffffffff81000000 T ok");
  EXPECT_EQ(symbols.size(), 1U);
  EXPECT_EQ(symbols.find(0xffffffff81000000)->name, "ok");
}

TEST(KernelSymbols, OfThisKernel) {
  const auto symbols = KernelSymbols::read();
  if (symbols.size() == 0) GTEST_SKIP() << "addresses are hidden here";
  const auto text = read_file("/proc/kallsyms");
  const std::size_t at = text->find(" T ksys_read\n");
  if (at == std::string::npos) GTEST_SKIP() << "no ksys_read in this kernel";
  const std::uint64_t address = std::stoull(text->substr(text->rfind('\n', at) + 1, 16), nullptr, 16);
  EXPECT_EQ(symbols.find(address)->name, "ksys_read");
  EXPECT_EQ(symbols.find(address + 3)->offset, 3U);
}

TEST(KernelSymbols, AddressesByName) {
  const auto found = find_symbol_addresses("ffffffff81000000 T start\nffffffff82000000 D jiffies\n0000000000000000 T hidden\nffffffffc0000000 t helper\t[module]\n"
                                           "ffffffff83000000 t start\n", {"jiffies", "helper", "start", "hidden", "none"});
  const std::vector<std::optional<std::uint64_t>> wanted = {0xffffffff82000000, 0xffffffffc0000000, 0xffffffff81000000, std::nullopt, std::nullopt};
  EXPECT_EQ(found, wanted);
}

}  // namespace
}  // namespace trc::symbols
