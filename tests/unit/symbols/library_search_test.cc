#include "symbols/library_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "symbols/elf_file.h"
#include "unit/build_program.h"

namespace trc::symbols {
namespace {

struct CacheEntry { std::uint32_t flags; std::string soname, path; };

/// A cache as ldconfig writes it.
std::string library_cache(const std::vector<CacheEntry>& entries) {
  std::string table, strings;
  const std::size_t strings_start = 48 + entries.size() * 24;
  const auto number = [](std::uint32_t value) { return std::string(reinterpret_cast<const char*>(&value), 4); };
  const auto add_string = [&](const std::string& text) {
    const auto at = static_cast<std::uint32_t>(strings_start + strings.size());
    strings += text + '\0';
    return at;
  };
  for (const CacheEntry& entry : entries) {
    const std::uint32_t soname = add_string(entry.soname), path = add_string(entry.path);
    table += number(entry.flags) + number(soname) + number(path) + number(0) + std::string(8, '\0');
  }
  return "glibc-ld.so.cache1.1" + number(static_cast<std::uint32_t>(entries.size())) + number(static_cast<std::uint32_t>(strings.size())) +
         std::string(20, '\0') + table + strings;
}

TEST(LibraryCache, TakesThisMachinesEntries) {
  const std::string bytes = library_cache({{0x0303, "liba.so.1", "/lib/liba.so.1"}, {0x0003, "liba.so.1", "/lib32/liba.so.1"}});
  const auto entries = parse_library_cache(bytes);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].soname + " " + entries[0].path, "liba.so.1 /lib/liba.so.1");
  const std::string old_table = std::string("ld.so-1.7.0\0", 12) + std::string("\1\0\0\0", 4) + std::string(12, '\0') + std::string(4, '\0');
  EXPECT_EQ(parse_library_cache(old_table + bytes).size(), 1u);
}

TEST(LibraryCache, SurvivesEveryCutAndWildNumbers) {
  std::string bytes = library_cache({{0x0303, "liba.so.1", "/lib/liba.so.1"}, {0x0303, "libb.so.1", "/lib/libb.so.1"}});
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_LE(parse_library_cache(std::string_view(bytes).substr(0, size)).size(), 2u);
  std::memset(bytes.data() + 20, 0xff, 4);  // 4 billion entries
  std::memset(bytes.data() + 52, 0xff, 8);  // strings far outside
  EXPECT_LE(parse_library_cache(bytes).size(), 2u);
}

TEST(LibraryName, Forms) {
  for (const char* name : {"libssl.so.3", "libssl.so", "libssl", "ssl"}) EXPECT_TRUE(library_name_matches(name, "libssl.so.3")) << name;
  for (const char* name : {"libssl.so.1", "lib", "s", "libss", "libsslx", ""}) EXPECT_FALSE(library_name_matches(name, "libssl.so.3")) << name;
  EXPECT_TRUE(library_name_matches("libpython3", "libpython3.11.so.1.0"));
  EXPECT_FALSE(library_name_matches("libpython", "libpython3.11.so.1.0"));
  EXPECT_FALSE(library_name_matches("libpython3.1", "libpython3.11.so.1.0"));
  EXPECT_FALSE(library_name_matches("libc", "libc.a"));
}

TEST(FindLibrary, TheCLibraryByAnyName) {
  const std::string path = find_library("libc.so.6");
  ASSERT_FALSE(path.empty());
  EXPECT_EQ(find_library("libc"), path);
  EXPECT_EQ(find_library("c"), path);
  EXPECT_EQ(find_library("libtrc-has-no-such-library"), "");
  EXPECT_EQ(find_library("../etc"), "");
}

TEST(ResolveNeeded, OriginBeforeTheSystem) {
  TemporaryFolder folder;
  folder.compile("libinner.so.1", "int inner(void) { return 1; }", "-shared -fPIC -Wl,-soname,libinner.so.1");
  ASSERT_TRUE(folder.run("mkdir lib bin && mv libinner.so.1 lib/"));
  for (const char* tags : {"--enable-new-dtags", "--disable-new-dtags"}) {
    const std::string path = folder.compile("bin/prog", "int inner(void); int main(void) { return inner(); }",
                                            std::string("-Wl,--no-as-needed -Llib -l:libinner.so.1 -Wl,-rpath,'$ORIGIN/../lib',") + tags);
    std::filesystem::remove(folder.path("link"));
    std::filesystem::create_symlink(path, folder.path("link"));
    const auto file = ElfFile::open(folder.path("link"));
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(std::filesystem::canonical(resolve_needed(**file, "libinner.so.1")), folder.path("lib/libinner.so.1"));
    EXPECT_EQ(resolve_needed(**file, "libc.so.6"), find_library("libc.so.6"));
    EXPECT_EQ(resolve_needed(**file, "libnone.so.6"), "");
  }
}

}  // namespace
}  // namespace trc::symbols
