#include "interpreters/python/recognise.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/read_file.h"
#include "unit/build_program.h"

namespace trc::interpreters::python {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

ThreadVariable decode(const std::string& code) { return decode_thread_variable(code + std::string(16, '\x90'), 0x1000); }

TEST(PythonThreadVariable, InTheProgram) {
  const auto variable = decode("\xf3\x0f\x1e\xfa\x64\x48\x8b\x04\x25\xe8\xff\xff\xff"s);   // endbr64; mov %fs:-24,%rax
  EXPECT_EQ(variable.kind, TRC_PY_TLS_FIXED);
  EXPECT_EQ(variable.offset, -24);
}

TEST(PythonThreadVariable, InALibraryOfTheProgram) {
  const auto variable = decode("\x48\x8b\x05\x10\x00\x00\x00\x64\x48\x8b\x00"s);
  EXPECT_EQ(variable.kind, TRC_PY_TLS_INITIAL);
  EXPECT_EQ(variable.got, 0x1017u);
}

TEST(PythonThreadVariable, InALibrary) {
  const std::string lea = "\x66\x48\x8d\x3d\x00\x01\x00\x00"s, call = "\x66\x66\x48\xe8\x00\x00\x00\x00"s, prologue = "\x48\x83\xec\x08"s;
  const auto plain = decode(prologue + lea + call + "\x48\x8b\x00"s);
  EXPECT_EQ(plain.kind, TRC_PY_TLS_DYNAMIC);
  EXPECT_EQ(plain.got, 0x1000u + 4 + 8 + 0x100);
  EXPECT_EQ(plain.offset, 0);
  EXPECT_EQ(decode(prologue + lea.substr(1) + "\xe8\x00\x00\x00\x00"s + "\x48\x8b\x40\xd8"s).offset, -40);
  EXPECT_EQ(decode(prologue + lea.substr(1) + "\xff\x15\x00\x00\x00\x00"s + "\x48\x8b\x80\x00\x10\x00\x00"s).offset, 0x1000);
}

TEST(PythonThreadVariable, OtherCode) {
  EXPECT_EQ(decode("").kind, TRC_PY_TLS_NONE);
  EXPECT_EQ(decode("\x48\x8d\x3d\x00\x01\x00\x00\xc3"s).kind, TRC_PY_TLS_NONE);
  EXPECT_EQ(decode_thread_variable("\x64\x48\x8b\x04\x25\xe8\xff"s, 0).kind, TRC_PY_TLS_NONE);   // cut off
  EXPECT_EQ(decode_thread_variable("\x48\x8b\x05\x10\x00\x00\x00\x64\x48"s, 0).kind, TRC_PY_TLS_NONE);
}

class PythonRecognise : public ::testing::Test {
 protected:
  std::optional<Result<trc_py_runtime>> recognise_file(const std::string& path) {
    auto file = symbols::ElfReader::open(path);
    EXPECT_TRUE(file.has_value()) << path;
    return file ? recognise(*file, path) : std::nullopt;
  }
  /// What an interpreter of that version is made of, as far as it is looked at.
  std::string source(const std::string& version, const std::string& words = "") {
    return "__attribute__((section(\".PyRuntime\"))) unsigned long long _PyRuntime[1000] = {" + words + "};\n"
           "const unsigned Py_Version = " + version + ";\n"
           "int PyCode_Type = 1;\n"
           "static __thread void *state;\n"
           "void set_state(void *now) { state = now; }\n"
           "void *PyThreadState_Get(void) { return state; }\n";
  }
  std::string error_of(const std::string& path) {
    auto found = recognise_file(path);
    if (!found) return "no interpreter";
    return found->has_value() ? "no error" : found->error().message();
  }
  TemporaryFolder folder_;
  const std::string main_ = "int main(void) { return PyThreadState_Get() != 0; }\n";
};

/// The published offsets of 3.13.0 as it has them, the words that are looked at.
std::string words_313(const std::string& version, unsigned free_threaded = 0) {
  std::vector<std::string> words(64, "0");
  words[0] = "0x7970677562656478";
  words[1] = version;
  words[2] = std::to_string(free_threaded);
  words[5] = "632"; words[8] = "7264"; words[9] = "7344";
  words[21] = "8"; words[23] = "72"; words[24] = "152";
  words[29] = "8"; words[30] = "0"; words[31] = "56"; words[33] = "70";
  words[35] = "112"; words[37] = "128"; words[38] = "136"; words[39] = "68"; words[43] = "200";
  std::string all;
  for (const std::string& word : words) all += word + ",";
  return all;
}

TEST_F(PythonRecognise, OtherFiles) {
  EXPECT_FALSE(recognise_file(folder_.compile("other", "int main(void) { return 0; }")));
  EXPECT_FALSE(recognise_file("/bin/sh"));
}

TEST_F(PythonRecognise, AProgram) {
  const auto found = recognise_file(folder_.compile("any-name", source("0x030c01f0") + main_, "-O2 -rdynamic -no-pie"));
  ASSERT_TRUE(found && found->has_value());
  const trc_py_runtime& runtime = **found;
  EXPECT_EQ(runtime.version, 0x030c01f0u);
  EXPECT_EQ(runtime.layout.thread_id, 136);
  EXPECT_NE(runtime.code_type, 0u);
  EXPECT_EQ(runtime.tls_kind, static_cast<unsigned>(TRC_PY_TLS_FIXED));
  EXPECT_EQ(runtime.tls_offset, -8);
  EXPECT_EQ(runtime.code_offset % 4096, 0u);
  EXPECT_GT(runtime.code_end, runtime.code_offset);
  EXPECT_EQ(runtime.code_address % 4096, 0u);
}

TEST_F(PythonRecognise, ALibrary) {
  const auto found = recognise_file(folder_.compile("libany.so", source("0x030c01f0"), "-O2 -shared -fPIC"));
  ASSERT_TRUE(found && found->has_value());
  EXPECT_EQ((*found)->tls_kind, static_cast<unsigned>(TRC_PY_TLS_DYNAMIC));
  EXPECT_NE((*found)->tls_got, 0u);
}

TEST_F(PythonRecognise, PublishedOffsets) {
  const auto found = recognise_file(folder_.compile("libpy.so", source("0x030d00f0", words_313("0x030d00f0")), "-O2 -shared -fPIC"));
  ASSERT_TRUE(found && found->has_value()) << found->error().message();
  const trc_py_layout& layout = (*found)->layout;
  EXPECT_EQ(layout.runtime_interpreters, 632);
  EXPECT_EQ(layout.interpreter_threads, 7344);
  EXPECT_EQ(layout.thread_frame, 72);
  EXPECT_EQ(layout.frame_owner, 70);
  EXPECT_EQ(layout.code_instructions, 200);
  EXPECT_EQ(layout.code_first_traceable, 184);
  EXPECT_EQ(layout.string_ascii, 40);
}

TEST_F(PythonRecognise, FreeThreadedObjectsAreLonger) {
  const auto found = recognise_file(folder_.compile("libpy.so", source("0x030d00f0", words_313("0x030d00f0", 1)), "-O2 -shared -fPIC"));
  ASSERT_TRUE(found && found->has_value());
  EXPECT_EQ((*found)->layout.code_first_traceable, 200);
  EXPECT_EQ((*found)->layout.string_data, 72);
}

TEST_F(PythonRecognise, WithoutSectionsAndSymbols) {
  auto bytes = read_file(folder_.compile("stripped", source("0x030d00f0", words_313("0x030d00f0")) + main_, "-O2 -s"));
  ASSERT_TRUE(bytes);
  bytes->replace(offsetof(Elf64_Ehdr, e_shoff), 8, std::string(8, '\0'));
  const auto file = symbols::ElfReader::from_bytes(*bytes, "stripped");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->sections().empty());
  const auto found = recognise(*file, "stripped");
  ASSERT_TRUE(found && found->has_value());
  EXPECT_EQ((*found)->version, 0x030d00f0u);
}

TEST_F(PythonRecognise, RefusalsSayWhy) {
  EXPECT_THAT(error_of(folder_.compile("old", source("0x030a0df0") + main_, "-rdynamic")), HasSubstr("Python 3.10.13 is too old"));
  EXPECT_THAT(error_of(folder_.compile("new", source("0x030f00f0") + main_, "-rdynamic")), HasSubstr("Python 3.15.0 is newer"));
  EXPECT_THAT(error_of(folder_.compile("beta", source("0x030e00b2") + main_, "-rdynamic")), HasSubstr("Python 3.14.0b2 is a pre-release"));
  EXPECT_THAT(error_of(folder_.compile("damaged", source("0x030d00f0") + main_, "-rdynamic")), HasSubstr("not where they belong"));
  EXPECT_THAT(error_of(folder_.compile("none", source("0x030c00f0") + main_, "-s")), HasSubstr("older than 3.11, or all of its symbols were stripped"));
  EXPECT_THAT(error_of(folder_.compile("python3.8", "int _PyRuntime = 1; int main(void) { return 0; }", "-rdynamic")), HasSubstr("older than 3.11"));
  EXPECT_EQ(error_of(folder_.compile("other", "int _PyRuntime = 1; int main(void) { return 0; }", "-rdynamic")), "no interpreter");
  std::string words = words_313("0x030d00f0");
  words.replace(words.find("632"), 3, "0x99999999");
  EXPECT_THAT(error_of(folder_.compile("insane", source("0x030d00f0", words) + main_, "-rdynamic")), HasSubstr("make no sense"));
  EXPECT_THAT(error_of(folder_.compile("free", source("0x030e00f0", words_313("0x030e00f0", 1)) + main_, "-rdynamic")), HasSubstr("free threading"));
}

TEST_F(PythonRecognise, TheCLibraryTellsWhereThreadDataIs) {
  const auto file = symbols::ElfReader::open("/lib/x86_64-linux-gnu/libc.so.6");
  if (!file) GTEST_SKIP() << "no glibc at its usual place";
  EXPECT_EQ(read_specific(*file), kUsualSpecific);
  const auto other = symbols::ElfReader::open(folder_.compile("other", "int main(void) { return 0; }"));
  EXPECT_EQ(read_specific(*other), std::nullopt);
}

}  // namespace
}  // namespace trc::interpreters::python
