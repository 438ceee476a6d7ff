#include "symbols/elf_file.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "base/read_file.h"
#include "symbols/debug_file.h"
#include "symbols/elf_reader.h"
#include "unit/build_program.h"

namespace trc::symbols {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kProgram = R"(
static int helper(int x) { return x * 3; }
__attribute__((noinline)) int visible(int x) { return helper(x) + 1; }
__attribute__((noinline)) static int hidden(int x) { return x + visible(x); }
int (*volatile keep)(int) = hidden;
int same_place(int) __attribute__((alias("visible")));
int data_object = 7;
int main(int c, char **v) { return keep(c); }
)";

class ElfFileTest : public ::testing::Test {
 protected:
  std::shared_ptr<const ElfFile> open(const std::string& path) {
    auto file = ElfFile::open(path);
    EXPECT_TRUE(file.has_value()) << file.error().message();
    return file ? *file : nullptr;
  }
  TemporaryFolder folder_;
};

TEST_F(ElfFileTest, Header) {
  const auto file = open(folder_.compile("prog", kProgram));
  EXPECT_EQ(machine_name(file->machine()), "x86-64");
  EXPECT_TRUE(file->is_64bit());
  EXPECT_TRUE(file->is_executable());
  EXPECT_THAT(file->interpreter(), HasSubstr("ld-linux"));
  EXPECT_THAT(file->needed(), ::testing::ElementsAre("libc.so.6"));
  EXPECT_EQ(file->build_id().size(), 40u);
}

TEST_F(ElfFileTest, StaticPieIsExecutableAndALibraryIsNot) {
  EXPECT_TRUE(open(folder_.compile("static", kProgram, "-static-pie"))->is_executable());
  const auto library = open(folder_.compile("libx.so", kProgram, "-shared -fPIC -Wl,-soname,libx.so.7 -Wl,-rpath,/some/where"));
  EXPECT_FALSE(library->is_executable());
  EXPECT_EQ(library->soname(), "libx.so.7");
  EXPECT_EQ(library->runpath() + library->rpath(), "/some/where");
}

TEST_F(ElfFileTest, Functions) {
  const auto file = open(folder_.compile("prog", kProgram));
  const Function* visible = file->find("visible");
  const Function* hidden = file->find("hidden");
  ASSERT_TRUE(visible && hidden);
  EXPECT_TRUE(visible->is_global);
  EXPECT_FALSE(hidden->is_global);
  EXPECT_GT(visible->size, 0u);
  EXPECT_EQ(file->find("same_place")->address, visible->address);
  EXPECT_EQ(file->find("data_object"), nullptr);
  EXPECT_EQ(file->find("printf"), nullptr);
  EXPECT_EQ(file->at(visible->address + 1)->address, visible->address);
  EXPECT_EQ(file->at(hidden->address + hidden->size - 1), hidden);
  EXPECT_EQ(file->at(1), nullptr);
  EXPECT_TRUE(file->is_code(visible->address));
  EXPECT_FALSE(file->is_code(visible->address + (1u << 30)));
  const auto offset = file->file_offset(visible->address);
  ASSERT_TRUE(offset);
  EXPECT_EQ(file->virtual_address(*offset), visible->address);
  EXPECT_EQ(file->bytes(*offset, 4).size(), 4u);
  // Read from the file by another way.
  const std::string whole = *read_file(file->path());
  EXPECT_EQ(file->bytes(*offset, 16), std::string_view(whole).substr(*offset, 16));
  EXPECT_EQ(file->bytes(65530, 16), std::string_view(whole).substr(std::min<std::size_t>(65530, whole.size()), 16));
}

TEST_F(ElfFileTest, IndirectFunctions) {
  const auto file = open(folder_.compile("prog", R"(
    static int one(void) { return 1; }
    static void *choose(void) { return one; }
    int chosen(void) __attribute__((ifunc("choose")));
    int main(void) { return chosen(); })"));
  ASSERT_TRUE(file->find("chosen"));
  EXPECT_TRUE(file->find("chosen")->is_indirect);
  EXPECT_FALSE(file->find("one")->is_indirect);
}

TEST_F(ElfFileTest, StrippedFilesUseTheirDebugFile) {
  folder_.compile("prog", kProgram, "-Wl,--build-id=none");
  ASSERT_TRUE(folder_.run("objcopy --only-keep-debug prog prog.dbg && strip prog && objcopy --add-gnu-debuglink=prog.dbg prog"));
  EXPECT_TRUE(open(folder_.path("prog"))->find("hidden"));
  // In .debug/ beside it …
  ASSERT_TRUE(folder_.run("mkdir .debug && mv prog.dbg .debug/"));
  EXPECT_TRUE(open(folder_.path("prog"))->find("hidden"));
  // … but not when it is another build's.
  ASSERT_TRUE(folder_.run("printf x >> .debug/prog.dbg"));
  EXPECT_FALSE(open(folder_.path("prog"))->find("hidden"));
}

TEST_F(ElfFileTest, DebugFileByBuildId) {
  folder_.compile("prog", kProgram);
  const std::string id = open(folder_.path("prog"))->build_id();
  const std::string target = "debug/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug";
  ASSERT_TRUE(folder_.run("mkdir -p debug/.build-id/" + id.substr(0, 2) + " && objcopy --only-keep-debug prog " + target + " && strip prog"));
  const auto reader = ElfReader::open(folder_.path("prog"));
  EXPECT_EQ(find_debug_file(*reader, {.path = folder_.path("prog"), .debug_folder = folder_.path("debug")}), folder_.path(target));
  folder_.compile("other", "int main(void) { return 2; }");
  ASSERT_TRUE(folder_.run("objcopy --only-keep-debug other " + target));
  EXPECT_EQ(find_debug_file(*reader, {.path = folder_.path("prog"), .debug_folder = folder_.path("debug")}), "");
}

TEST(DebugLink, ChecksumIsTheCommonCrc32) {
  EXPECT_EQ(debuglink_checksum("123456789"), 0xcbf43926u);
  EXPECT_EQ(debuglink_checksum("6789", debuglink_checksum("12345")), 0xcbf43926u);
}

TEST_F(ElfFileTest, WhatIsNotElf) {
  const auto message = [](const std::string& path) { return ElfFile::open(path).error().message(); };
  const std::string script = folder_.write("script", "#! /bin/sh -e\nexit\n");
  EXPECT_EQ(message(script), script + " is a script, not an ELF file");
  EXPECT_THAT(ElfFile::open(script).error().hint(), HasSubstr("its interpreter is /bin/sh:"));
  const std::string text = folder_.write("text", "hello");
  EXPECT_EQ(message(text), text + " is not an ELF file");
  EXPECT_EQ(message(folder_.path("")), folder_.path("") + " is a directory, not an ELF file");
  EXPECT_EQ(message("/dev/null"), "/dev/null is not a regular file");
  EXPECT_EQ(ElfFile::open(folder_.path("none")).error().code(), ENOENT);
  const std::string cut = folder_.write("cut", std::string("\177ELF\2\1\1", 7) + std::string(20, '\0'));
  EXPECT_EQ(message(cut), cut + " is a damaged ELF file: it ends inside the header");
}

TEST_F(ElfFileTest, OtherMachines) {
  std::string bytes = *read_file(folder_.compile("prog", kProgram));
  auto* header = reinterpret_cast<Elf64_Ehdr*>(bytes.data());
  header->e_machine = EM_AARCH64;
  EXPECT_EQ(machine_name((*ElfFile::from_bytes(bytes, "x"))->machine()), "aarch64");
  header->e_ident[EI_DATA] = ELFDATA2MSB;
  header->e_machine = __builtin_bswap16(EM_S390);
  const auto big = ElfFile::from_bytes(bytes, "x");
  EXPECT_EQ(machine_name((*big)->machine()), "s390x");
  EXPECT_THAT((*big)->functions(), IsEmpty());
}

TEST_F(ElfFileTest, SurvivesEveryCut) {
  const std::string bytes = *read_file(folder_.compile("prog", kProgram));
  for (std::size_t size = 0; size < bytes.size(); size += 61) {
    const auto file = ElfFile::from_bytes(bytes.substr(0, size), "cut");
    if (!file) continue;
    for (const Function& function : (*file)->functions()) EXPECT_TRUE((*file)->is_code(function.address));
    (*file)->usdt();
  }
}

TEST_F(ElfFileTest, ManyFunctionsInMilliseconds) {
  std::string source;
  for (int i = 0; i < 10'000; ++i) source += ".globl function_number_" + std::to_string(i) + "\n.type function_number_" + std::to_string(i) +
      ",@function\nfunction_number_" + std::to_string(i) + ":\nret\n.size function_number_" + std::to_string(i) + ",1\n";
  const std::string path = folder_.compile("many.so", ".text\n" + source, "-shared -nostdlib -x assembler");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(open(path)->functions().size(), 10'000u);
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(ms, 500) << "far more than the few milliseconds it takes on a quiet machine";
  RecordProperty("milliseconds", std::to_string(ms));
}

TEST_F(ElfFileTest, OpenCachedKnowsAReplacedFile) {
  const std::string path = folder_.compile("prog", kProgram);
  const auto first = open_cached(path);
  EXPECT_EQ(open_cached(path)->get(), first->get());
  folder_.compile("prog", "int replaced(void) { return 1; } int main(void) { return 0; }");
  EXPECT_TRUE((*open_cached(path))->find("replaced"));
  EXPECT_FALSE((*first)->find("replaced"));
}

constexpr const char* kUsdtProgram = R"(
__asm__(
  ".section .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n.weak _.stapsdt.base\n.hidden _.stapsdt.base\n"
  "_.stapsdt.base: .space 1\n.size _.stapsdt.base, 1\n.previous\n"
  ".section .probes,\"aw\"\n.globl trc_semaphore\ntrc_semaphore: .short 0\n.previous\n");
int work(int a, long b) {
  __asm__ volatile("990: nop\n"
    ".pushsection .note.stapsdt,\"\",\"note\"\n.balign 4\n.4byte 992f-991f, 994f-993f, 3\n"
    "991: .asciz \"stapsdt\"\n992: .balign 4\n993: .8byte 990b\n.8byte _.stapsdt.base\n.8byte trc_semaphore\n"
    ".asciz \"my_app\"\n.asciz \"start\"\n.asciz \"-4@%%edi 8@%%rsi\"\n994: .balign 4\n.popsection\n" : : "r"(a), "r"(b));
  return a;
}
int main(int c, char **v) { return work(c, 2); }
)";

TEST_F(ElfFileTest, UsdtNotes) {
  const auto file = open(folder_.compile("prog", kUsdtProgram, "-O1"));
  ASSERT_EQ(file->usdt().size(), 1u);
  const UsdtNote& note = file->usdt().front();
  EXPECT_EQ(note.provider + ":" + note.name, "my_app:start");
  EXPECT_EQ(note.arguments, "-4@%edi 8@%rsi");
  EXPECT_EQ(file->at(note.address)->name, "work");
  EXPECT_TRUE(file->file_offset(note.semaphore));
  EXPECT_FALSE(file->is_code(note.semaphore));
}

TEST_F(ElfFileTest, UsdtNotesFollowThePrelinkedBase) {
  const std::string path = folder_.compile("prog", kUsdtProgram, "-O1");
  const UsdtNote before = open(path)->usdt().front();
  std::string bytes = *read_file(path);
  // Pretend that the note was written when the base section lay 0x100 lower.
  const std::uint64_t base = before.base, lower = base - 0x100;
  const auto reader = ElfReader::open(path);
  const ElfSection* notes = reader->section(".note.stapsdt");
  std::string wanted(reinterpret_cast<const char*>(&base), 8);
  const std::size_t at = bytes.find(wanted, notes->offset);
  ASSERT_LT(at, notes->offset + notes->size);
  bytes.replace(at, 8, reinterpret_cast<const char*>(&lower), 8);
  const auto moved = ElfFile::from_bytes(bytes, "moved");
  EXPECT_EQ((*moved)->usdt().front().address, before.address + 0x100);
  EXPECT_EQ((*moved)->usdt().front().semaphore, before.semaphore + 0x100);
}

}  // namespace
}  // namespace trc::symbols
