#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/read_file.h"
#include "fake_facts.h"
#include "probes/arch.h"
#include "probes/function_match.h"
#include "probes/provider.h"
#include "probes/user_files.h"
#include "unit/build_program.h"

namespace trc::probes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kLibrary = R"(
int alpha(int x) { return x + 1; }
int beta(int x) { return x + 2; }
static int gamma_hidden(int x) { return x + 3; }
int (*volatile keep)(int) = gamma_hidden;
int beta_alias(int) __attribute__((alias("beta")));
)";

/// A folder that is PATH: a launcher whose code is in a library of its name, found by RUNPATH, and a script in front of it.
class UserProbe : public ::testing::Test {
 protected:
  void SetUp() override {
    old_path_ = std::getenv("PATH");
    folder_.compile("lib/libtool7.2.so.1", kLibrary, "-shared -fPIC -Wl,-soname,libtool7.2.so.1");
    folder_.compile("bin/tool7.2", "int alpha(int); int main(int c, char **v) { return alpha(c); }",
                    "-Wl,--no-as-needed -Llib -l:libtool7.2.so.1 -Wl,-rpath,'$ORIGIN/../lib'");
    std::filesystem::create_symlink("tool7.2", folder_.path("bin/tool7"));
    folder_.write("shims/tool7", "#!/bin/sh\nexec real\n");
    folder_.run("chmod +x shims/tool7");
    ::setenv("PATH", (folder_.path("shims") + ":" + folder_.path("bin") + ":" + old_path_).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", old_path_.c_str(), 1); }

  Result<Expansion> expand(const std::string& text, const Scope& scope = {}) {
    auto parsed = parse_attach_point(text, scope);
    if (!parsed) return std::move(parsed).error();
    auto groups = parsed->provider->contexts(parsed->target, facts_, scope, true);
    if (!groups) return std::move(groups).error();
    return parsed->provider->expand(parsed->target, facts_, scope);
  }
  std::vector<std::string> sites(const std::string& text, const Scope& scope = {}) {
    std::vector<std::string> names;
    auto expansion = expand(text, scope);
    if (!expansion) return {"error: " + expansion.error().message()};
    for (const AttachSpec& spec : expansion->specs)
      for (const UserSite& site : std::get<UserProbes>(spec.how).sites) names.push_back(site.name);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string error(const std::string& text, const Scope& scope = {}) {
    auto expansion = expand(text, scope);
    return expansion ? "no error" : expansion.error().message() + " | " + expansion.error().hint();
  }
  bool wants(const std::string& text, const std::string& exe, const std::vector<std::string>& names) {
    auto parsed = parse_attach_point(text, {});
    return parsed->provider->wants_exec(parsed->target, exe, names);
  }

  Scope child(const std::string& command, bool executed = false) {
    Scope scope;
    scope.pid = ::getpid();
    scope.is_child = true;
    scope.command_path = command;
    scope.executed = executed;
    return scope;
  }

  std::string library() { return folder_.path("lib/libtool7.2.so.1"); }
  std::string program() { return folder_.path("bin/tool7.2"); }
  TemporaryFolder folder_;
  FakeFacts facts_;
  std::string old_path_;
};

TEST_F(UserProbe, Forms) {
  EXPECT_THAT(sites("uprobe:" + library() + ":alpha"), ElementsAre("uprobe:" + library() + ":alpha"));
  EXPECT_THAT(sites("u:" + library() + ":al*"), ElementsAre("uprobe:" + library() + ":alpha"));
  EXPECT_THAT(sites("uprobe:" + library() + ":alpha+4"), ElementsAre("uprobe:" + library() + ":alpha+4"));
  EXPECT_THAT(sites("uretprobe:\"" + library() + "\":alpha"), ElementsAre("uretprobe:" + library() + ":alpha"));
  const auto elf = symbols::open_cached(library());
  const std::uint64_t address = (*elf)->find("alpha")->address;
  EXPECT_THAT(sites("uprobe:" + library() + ":" + std::to_string(address)), ElementsAre("uprobe:" + library() + ":alpha"));
  EXPECT_THAT(sites("uprobe:" + library() + ":" + std::to_string(address + 4)), ElementsAre("uprobe:" + library() + ":alpha+4"));
  const auto expansion = expand("uprobe:" + library() + ":alpha");
  const auto& probes = std::get<UserProbes>(expansion->specs.at(0).how);
  EXPECT_EQ(probes.path, library());
  EXPECT_EQ(probes.sites.at(0).offset, *(*elf)->file_offset(address));
  EXPECT_EQ(probes.pid, -1);
}

TEST_F(UserProbe, RelativePathsAreResolved) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path("bin"));
  EXPECT_THAT(sites("uprobe:./tool7:main"), ElementsAre("uprobe:" + program() + ":main"));
  std::filesystem::current_path(before);
}

TEST_F(UserProbe, Contexts) {
  const auto groups = [&](const std::string& text) {
    auto parsed = parse_attach_point(text, {});
    return *parsed->provider->contexts(parsed->target, facts_, {}, true);
  };
  const lang::Context entry = groups("uprobe:tool7:alpha").at(0).context;
  ASSERT_EQ(entry.positional.size(), 6u);
  EXPECT_EQ(std::get<lang::RegisterSource>(entry.positional[0].source).offset, 112);  // rdi
  EXPECT_EQ(entry.positional[0].type, lang::make_uint64());
  EXPECT_FALSE(entry.return_value);
  EXPECT_EQ(entry.space, lang::AddressSpace::User);
  const lang::Context exit = groups("uretprobe:tool7:alpha").at(0).context;
  EXPECT_THAT(exit.positional, IsEmpty());
  EXPECT_EQ(std::get<lang::RegisterSource>(exit.return_value->source).offset, 80);  // rax
}

TEST_F(UserProbe, WildcardsTakeEachFunctionOnceAndNoHelpers) {
  const auto names = sites("uprobe:" + library() + ":*");
  for (const char* function : {"alpha", "beta", "gamma_hidden"}) EXPECT_THAT(names, ::testing::Contains("uprobe:" + library() + ":" + function));
  EXPECT_THAT(names, ::testing::Each(::testing::Not(HasSubstr("beta_alias"))));
  EXPECT_THAT(names, ::testing::Each(::testing::Not(HasSubstr("register_tm_clones"))));
  EXPECT_THAT(sites("uprobe:" + library() + ":beta_*"), ElementsAre("uprobe:" + library() + ":beta_alias"));
}

TEST_F(UserProbe, WildcardsSkipWhatTheKernelRefuses) {
  const std::string path = folder_.compile("odd.so", R"(
    .text
    .globl good, locked, halted, sizeless
    .type good,@function
    .type locked,@function
    .type halted,@function
    .type sizeless,@function
    good: ret
    .size good,1
    locked: lock incl (%rdi)
    ret
    .size locked,4
    halted: hlt
    .size halted,1
    sizeless: ret
    .type chosen,@gnu_indirect_function
    .globl chosen
    chosen: xor %eax, %eax
    ret
    .size chosen,3
    )", "-shared -nostdlib -x assembler");
  const auto expansion = expand("uprobe:" + path + ":*");
  ASSERT_TRUE(expansion.has_value());
  EXPECT_EQ(expansion->skipped, 3u);
  EXPECT_THAT(sites("uprobe:" + path + ":*"), ElementsAre("uprobe:" + path + ":good", "uprobe:" + path + ":sizeless"));
  EXPECT_THAT(error("uprobe:" + path + ":locked"), HasSubstr("the kernel cannot probe locked"));
  EXPECT_THAT(error("uprobe:" + path + ":lock*"), HasSubstr("the kernel cannot probe the 1 functions"));
  EXPECT_THAT(expand("uprobe:" + path + ":chosen")->notes, ElementsAre(HasSubstr("indirect function (IFUNC)")));
}

TEST_F(UserProbe, OffsetsAreInstructions) {
  const std::string path = folder_.compile("steps.so", R"(
    .text
    .globl steps
    .type steps,@function
    steps: movl $1, %eax
    nop
    .byte 0x06
    ret
    .size steps,8
    )", "-shared -nostdlib -x assembler");
  const std::string name = "uprobe:" + path + ":steps";
  EXPECT_THAT(sites(name + "+5"), ElementsAre(name + "+5"));
  EXPECT_THAT(error(name + "+2"), HasSubstr("Could not add uprobe into middle of instruction: " + path + ":steps+2 | the next instruction begins at steps+5"));
  EXPECT_THAT(error(name + "+7"), HasSubstr("Could not determine instruction boundary"));
  Scope unsafe;
  unsafe.unsafe = true;
  EXPECT_TRUE(expand(name + "+2", unsafe).has_value());
}

TEST_F(UserProbe, SourceLines) {
  folder_.write("one/same.c", "int first(int x) {\n  int y = x * 3;\n\n  return y + 1;\n}\n");
  folder_.write("two/same.c", "#include \"header.h\"\nint second(int x) { return in_header(x) + 2; }\n");
  folder_.write("two/header.h", "static inline int in_header(int x) {\n  return x * 7;\n}\n");
  ASSERT_TRUE(folder_.run("gcc -g -O0 -shared -fPIC -o lines.so one/same.c two/same.c"));
  const std::string path = folder_.path("lines.so");
  const auto place = [&](const std::string& line) {
    auto expansion = expand("uprobe:" + path + "@" + line);
    if (!expansion) return error("uprobe:" + path + "@" + line);
    const UserSite& site = std::get<UserProbes>(expansion->specs.at(0).how).sites.at(0);
    EXPECT_EQ(site.name, "uprobe:" + path + ":" + std::to_string(site.offset));   // a small file is loaded as it lies
    return site.function;
  };
  EXPECT_EQ(place("one/same.c:2"), "first");
  EXPECT_EQ(place("one/same.c:4"), "first");
  EXPECT_EQ(place("two/same.c:2"), "second");
  EXPECT_EQ(place(folder_.path("one/same.c") + ":1"), "first");
  EXPECT_THAT(place("one/same.c:3"), HasSubstr("Unable to map 'one/same.c:3' to address | no statement begins there; the next line with code is 4"));
  EXPECT_THAT(place("same.c:2"), HasSubstr("Ambiguous source path, matches multiple files: "));
  EXPECT_THAT(place("header.h:2"), HasSubstr("No compilation unit matches header.h"));
  EXPECT_THAT(place("one/same.c:2:200"), HasSubstr("Unable to map"));
}

TEST_F(UserProbe, CppNames) {
  const std::string path = folder_.path("libcpp.so");
  folder_.write("cpp.cc", "namespace ns { int over(int x) { return x; } int over(char *) { return 2; } struct S { int operator()(int) const; }; "
                          "int S::operator()(int x) const { return x; } }");
  ASSERT_TRUE(folder_.run("g++ -w -shared -fPIC -o libcpp.so cpp.cc"));
  EXPECT_THAT(sites("uprobe:" + path + ":cpp:\"ns::over\""), ElementsAre("uprobe:" + path + ":_ZN2ns4overEPc", "uprobe:" + path + ":_ZN2ns4overEi"));
  EXPECT_THAT(sites("uprobe:" + path + ":cpp:\"ns::over(int)\""), ElementsAre("uprobe:" + path + ":_ZN2ns4overEi"));
  EXPECT_THAT(sites("uprobe:" + path + ":cpp:\"ns::S::*\"").size(), 1u);
  EXPECT_THAT(error("uprobe:" + path + ":d:x"), HasSubstr("'d' is not a language of uprobe targets"));
}

TEST_F(UserProbe, BareNameMeansTheProgramAndItsLibrary) {
  const auto expansion = expand("uprobe:tool7:*");
  ASSERT_TRUE(expansion.has_value()) << expansion.error().message();
  ASSERT_EQ(expansion->specs.size(), 2u);
  EXPECT_EQ(std::get<UserProbes>(expansion->specs[0].how).path, program());
  EXPECT_EQ(std::filesystem::canonical(std::get<UserProbes>(expansion->specs[1].how).path), library());
  ASSERT_EQ(expansion->notes.size(), 2u);
  EXPECT_EQ(expansion->notes[0], "tool7: " + folder_.path("shims/tool7") + " is a script; the ELF file of that name on PATH is " + program());
  EXPECT_THAT(expansion->notes[1], ::testing::MatchesRegex("tool7: [0-9]+ functions? in " + program() + ", [0-9]+ in .*libtool7.2.so.1"));
  EXPECT_THAT(sites("uprobe:tool7:alpha"), ElementsAre("uprobe:" + library() + ":alpha"));
}

TEST_F(UserProbe, APathMeansThatFileAlone) {
  EXPECT_THAT(error("uprobe:" + program() + ":alpha"), HasSubstr("is a launcher whose code is in"));
  const auto expansion = expand("uprobe:" + program() + ":*");
  EXPECT_EQ(expansion->specs.size(), 1u);
  EXPECT_THAT(expansion->notes, ElementsAre(HasSubstr("is a launcher whose code is in")));
  EXPECT_THAT(error("uprobe:" + folder_.path("shims/tool7") + ":*"), HasSubstr("is a script, not an ELF file | its interpreter is /bin/sh"));
}

TEST_F(UserProbe, WithACommandTheExecutedFileCounts) {
  // The command is a script: what it will execute is not known yet.
  const auto later = expand("uprobe:tool7:*", child(folder_.path("shims/tool7")));
  ASSERT_TRUE(later.has_value());
  EXPECT_THAT(later->specs, IsEmpty());
  EXPECT_EQ(later->deferred->bare_name, "tool7");
  // The command is the program itself.
  const auto now = expand("uprobe:tool7:*", child(folder_.path("bin/tool7")));
  ASSERT_EQ(now->specs.size(), 2u);
  EXPECT_FALSE(now->deferred);
  EXPECT_EQ(std::get<UserProbes>(now->specs[0].how).pid, ::getpid());
  // Another program runs first; then the runner says what was executed.
  EXPECT_TRUE(expand("uprobe:tool7:*", child("/usr/bin/env"))->deferred);
  EXPECT_EQ(expand("uprobe:tool7:*", child(program(), true))->specs.size(), 2u);
  // A name that nothing on this machine has is not an error: the command may have it.
  EXPECT_TRUE(expand("uprobe:trc-none:*", child("/usr/bin/env"))->deferred);
}

TEST_F(UserProbe, WhichExecutionsMatter) {
  EXPECT_TRUE(wants("uprobe:tool7:*", program(), {"anything"}));
  EXPECT_TRUE(wants("uprobe:tool7:*", "/opt/busybox", {"tool7"}));
  EXPECT_TRUE(wants("uprobe:bash:*", "/opt/other", {"-bash"}));
  // A script of that name: comm and path say tool7, the file is the shell.
  EXPECT_FALSE(wants("uprobe:tool7:*", "/usr/bin/dash", {"/bin/sh", "tool7", "tool7"}));
  EXPECT_TRUE(wants("uprobe:" + folder_.path("bin/tool7") + ":*", program(), {"x"}));
  EXPECT_FALSE(wants("uprobe:" + folder_.path("bin/tool7") + ":*", library(), {"tool7"}));
  EXPECT_TRUE(wants("uprobe:libc:malloc", program(), {"x"}));
}

TEST_F(UserProbe, LibrariesOfTheCommand) {
  // Not in ld.so.cache, but the command links it.
  EXPECT_EQ(sites("uprobe:libtool7.2:beta", child(folder_.path("bin/tool7"))).size(), 1u);
  EXPECT_THAT(error("uprobe:libtool7.2:beta"), HasSubstr("uprobe target file 'libtool7.2' does not exist"));
  EXPECT_EQ(sites("uprobe:libc.so.6:malloc").size(), 1u);
  EXPECT_EQ(sites("uprobe:libc:malloc"), sites("uprobe:libc.so.6:malloc"));
}

TEST_F(UserProbe, TargetsOfAProcess) {
  Scope scope;
  scope.pid = ::getpid();
  EXPECT_EQ(sites("uprobe:malloc", scope).empty(), false);
  EXPECT_THAT(sites("uprobe:libc:malloc", scope), ElementsAre(HasSubstr("libc.so.6:malloc")));
  EXPECT_THAT(sites("uprobe:unit_probes:main", scope), ElementsAre(HasSubstr("unit_probes:main")));
  EXPECT_THAT(error("uprobe:trc_no_such_function", scope), HasSubstr("mapped files of the process"));
  EXPECT_THAT(error("uprobe:malloc"), HasSubstr("uprobe without a file looks through the mapped files of a process, and there is none"));
  const std::string in_root = "/proc/" + std::to_string(::getpid()) + "/root" + folder_.path("bin/tool7");
  EXPECT_THAT(sites("uprobe:" + in_root + ":main"),
              ElementsAre("uprobe:/proc/" + std::to_string(::getpid()) + "/root" + program() + ":main"));
}

TEST_F(UserProbe, Mistakes) {
  EXPECT_EQ(error("uprobe:" + library() + ":alpah"), "No matches for uprobe:" + library() + ":alpah: no such function in " + library() +
                                                         " | did you mean alpha?");
  EXPECT_THAT(error("uprobe:/none/at/all:f"), HasSubstr("uprobe target file '/none/at/all' does not exist or is not executable"));
  EXPECT_THAT(error("uprobe:tool77:f"), HasSubstr("uprobe target file 'tool77' does not exist or is not executable | did you mean tool7"));
  EXPECT_THAT(error("uprobe:" + library() + ":alpha+999"), HasSubstr("offset 999 lies outside of function alpha"));
  EXPECT_THAT(error("uprobe:" + library() + ":0xffffff"), HasSubstr("address 0xffffff is not in the code of"));
  EXPECT_THAT(error("uretprobe:" + library() + ":alpha+4"), HasSubstr("takes no offset"));
  EXPECT_THAT(error("uprobe:" + library()), HasSubstr("uprobe probe type requires 2 arguments, found 1"));
  EXPECT_THAT(error("uprobe:" + library() + ":"), HasSubstr("uprobe needs the name of a function"));
  EXPECT_THAT(error("uprobe:" + library() + "@file.c:12"), HasSubstr("has no debug information"));
  EXPECT_THAT(error("uretprobe:" + library() + "@file.c:12"), HasSubstr("takes no source line"));
  const std::string text = folder_.write("text", "plain");
  EXPECT_THAT(error("uprobe:" + text + ":f"), HasSubstr("is not an ELF file"));
}

TEST_F(UserProbe, OtherArchitecturesAreNamed) {
  std::string bytes = *read_file(library());
  reinterpret_cast<Elf64_Ehdr*>(bytes.data())->e_machine = EM_AARCH64;
  const std::string path = folder_.write("foreign", bytes);
  EXPECT_EQ(error("uprobe:" + path + ":f"), path + " is a 64-bit aarch64 ELF file, and this trc traces 64-bit x86-64 ones | ");
  std::string narrow(sizeof(Elf32_Ehdr), '\0');
  auto* header = reinterpret_cast<Elf32_Ehdr*>(narrow.data());
  std::copy_n(ELFMAG, SELFMAG, header->e_ident);
  header->e_ident[EI_CLASS] = ELFCLASS32;
  header->e_ident[EI_DATA] = ELFDATA2LSB;
  header->e_machine = EM_386;
  const std::string path32 = folder_.write("narrow", narrow);
  EXPECT_THAT(error("uprobe:" + path32 + ":f"), HasSubstr("is a 32-bit i386 ELF file"));
}

TEST(ProgramName, Versions) {
  for (const char* file : {"python3", "python3.11", "python3-3.11"}) EXPECT_TRUE(program_name_matches("python3", file)) << file;
  for (const char* file : {"python", "python3.11-config", "python3x", "python3.", "python3-"}) EXPECT_FALSE(program_name_matches("python3", file)) << file;
  EXPECT_TRUE(program_name_matches("python", "python3.11"));
}

TEST(Arch, FirstInstructions) {
  const auto probeable = [](std::string_view code) { return native_arch().is_probeable(code); };
  EXPECT_TRUE(probeable("\xf3\x0f\x1e\xfa"));   // endbr64
  EXPECT_TRUE(probeable("\x55"));               // push %rbp
  EXPECT_TRUE(probeable("\x48\x83\xec\x08"));   // sub $8,%rsp
  EXPECT_TRUE(probeable("\x64\x48\x8b\x04\x25"));  // mov %fs:…
  EXPECT_FALSE(probeable("\xf0\xff\x0f"));      // lock decl
  EXPECT_FALSE(probeable("\xcc"));              // int3
  EXPECT_FALSE(probeable("\xf4"));              // hlt
  EXPECT_FALSE(probeable("\x66"));              // cut off
  EXPECT_FALSE(probeable(""));
}

TEST(Arch, Registers) {
  EXPECT_EQ(native_arch().find_register("edi")->offset, 112);
  EXPECT_EQ(native_arch().find_register("edi")->bytes, 4);
  EXPECT_EQ(native_arch().find_register("r15b")->bytes, 1);
  EXPECT_FALSE(native_arch().find_register("xmm0"));
  EXPECT_FALSE(native_arch().find_register("ah"));
  EXPECT_FALSE(native_arch().find_register(""));
}

TEST(FunctionPattern, Forms) {
  using Form = FunctionPattern::Form;
  EXPECT_EQ(parse_function("f", false).form, Form::Name);
  EXPECT_EQ(parse_function("f*", false).form, Form::Wildcard);
  EXPECT_EQ(parse_function("f+0x10", false).number, 16u);
  EXPECT_EQ(parse_function("0x10", false).form, Form::Address);
  EXPECT_EQ(parse_function("operator+", true).form, Form::Name);
  EXPECT_EQ(parse_function("f+g", false).form, Form::Name);
}

}  // namespace
}  // namespace trc::probes
