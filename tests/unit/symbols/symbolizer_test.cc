#include "symbols/symbolizer.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "symbols/debug_info.h"
#include "symbols/elf_file.h"
#include "symbols/library_search.h"
#include "symbols/process_maps.h"
#include "base/read_file.h"
#include "unit/build_program.h"

extern "C" __attribute__((noinline)) int trc_test_known_function(int x) { return x * 3 + static_cast<int>(::getpid()); }

namespace trc::symbols {
namespace {

template <class Function>
std::uint64_t address_of(Function* function) { return reinterpret_cast<std::uint64_t>(function); }

std::uint32_t self() { return static_cast<std::uint32_t>(::getpid()); }

/// A process that waits until it is told to end.
class Waiting {
 public:
  explicit Waiting(pid_t pid) : pid_(pid) {}
  /// Runs `program`, which must print a line when it is ready; that line is in `greeting`.
  static Waiting start(const std::string& program, std::string& greeting) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      ::execl(program.c_str(), program.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    char text[64] = {};
    const ssize_t got = ::read(ends[0], text, sizeof text - 1);
    ::close(ends[0]);
    greeting.assign(text, got > 0 ? static_cast<std::size_t>(got) : 0);
    return Waiting(pid);
  }
  Waiting(const Waiting&) = delete;
  ~Waiting() { end(); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

 private:
  pid_t pid_;
};

constexpr const char* kGreeter = R"(
#include <stdio.h>
#include <unistd.h>
void the_function(void) { sleep(1); }
int main(void) { printf("%lx\n", (unsigned long)the_function); fflush(stdout); for (;;) the_function(); }
)";

std::uint64_t hexadecimal(const std::string& text) { return std::stoull("0" + text, nullptr, 16); }

TEST(Symbolizer, OwnProcess) {
  Symbolizer symbols;
  const Frame frame = symbols.user(self(), address_of(trc_test_known_function) + 2);
  EXPECT_EQ(frame.symbol, "trc_test_known_function");
  EXPECT_EQ(frame.offset, 2U);
  EXPECT_EQ(frame.address, address_of(trc_test_known_function) + 2);
  EXPECT_EQ(frame.module, std::filesystem::read_symlink("/proc/self/exe").string());
}

TEST(Symbolizer, SharedLibrary) {
  Symbolizer symbols;
  void* function = ::dlsym(RTLD_DEFAULT, "getppid");
  ASSERT_NE(function, nullptr);
  const Frame frame = symbols.user(self(), reinterpret_cast<std::uint64_t>(function));
  EXPECT_EQ(frame.symbol, "getppid");
  EXPECT_EQ(frame.offset, 0U);
  EXPECT_NE(frame.module.find("libc"), std::string::npos);
}

TEST(Symbolizer, NamesAreDemangledOnlyIfAsked) {
  const std::uint64_t address = address_of(&read_file);
  EXPECT_EQ(Symbolizer(true).user(self(), address).symbol.substr(0, 15), "trc::read_file(");
  EXPECT_EQ(Symbolizer(false).user(self(), address).symbol.substr(0, 2), "_Z");
}

TEST(Symbolizer, Vdso) {
  const std::uint64_t start = ::getauxval(AT_SYSINFO_EHDR);
  if (start == 0) GTEST_SKIP() << "no vDSO here";
  const auto maps = read_file("/proc/self/maps");
  std::uint64_t size = 0;
  for (const MapsLine& line : parse_maps(*maps)) {
    if (line.mapping.path == "[vdso]") size = line.mapping.end - line.mapping.start;
  }
  const auto elf = ElfFile::from_bytes(std::string(reinterpret_cast<const char*>(start), size), "vdso");
  ASSERT_TRUE(elf);
  const Function* function = (*elf)->find("__vdso_clock_gettime");
  if (function == nullptr) GTEST_SKIP() << "no __vdso_clock_gettime in this vDSO";
  const Frame frame = Symbolizer().user(self(), start + *(*elf)->file_offset(function->address) + 1);
  EXPECT_NE(frame.symbol.find("clock_gettime"), std::string::npos);
  EXPECT_EQ(frame.offset, 1U);
  EXPECT_EQ(frame.module, "[vdso]");
}

TEST(Symbolizer, UnknownAddresses) {
  Symbolizer symbols;
  const Frame frame = symbols.user(self(), 0x10);
  EXPECT_EQ(frame.symbol, "");
  EXPECT_EQ(frame.module, "[unknown]");
  EXPECT_EQ(frame.address, 0x10U);
  EXPECT_EQ(symbols.user(0, 0x1000).symbol, "");
  EXPECT_EQ(symbols.user(0x7fffffff, 0x1000).module, "[unknown]");
}

TEST(Symbolizer, LibrariesThatAreLoadedLaterAreFound) {
  const TemporaryFolder folder;
  const std::string library = folder.compile("late.so", "int late_function(int x) { return x + 1; }", "-shared -fPIC");
  Symbolizer symbols;
  EXPECT_EQ(symbols.user(self(), address_of(trc_test_known_function)).symbol, "trc_test_known_function");
  void* handle = ::dlopen(library.c_str(), RTLD_NOW);
  ASSERT_NE(handle, nullptr) << ::dlerror();
  const auto address = reinterpret_cast<std::uint64_t>(::dlsym(handle, "late_function"));
  ::usleep(20'000);  // maps are not read again at once
  EXPECT_EQ(symbols.user(self(), address).symbol, "late_function");
  ::dlclose(handle);
  EXPECT_EQ(symbols.user(self(), address).symbol, "late_function");
}

TEST(Symbolizer, NamesOutliveTheProcess) {
  Symbolizer symbols;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::pause();
    ::_exit(0);
  }
  Waiting child(pid);
  symbols.snapshot(static_cast<std::uint32_t>(pid));
  child.end();
  EXPECT_EQ(symbols.user(static_cast<std::uint32_t>(pid), address_of(trc_test_known_function)).symbol, "trc_test_known_function");
}

TEST(Symbolizer, NamesOutliveTheFile) {
  const TemporaryFolder folder;
  const std::string program = folder.compile("greeter", kGreeter);
  std::string greeting;
  Waiting child = Waiting::start(program, greeting);
  const std::uint32_t pid = child.pid();
  Symbolizer symbols;
  symbols.snapshot(pid);
  std::filesystem::remove(program);
  child.end();
  const Frame frame = symbols.user(pid, hexadecimal(greeting) + 1);
  EXPECT_EQ(frame.symbol, "the_function");
  EXPECT_EQ(frame.offset, 1U);
  EXPECT_EQ(frame.module, program);
}

TEST(Symbolizer, DeletedFilesAreReachedThroughTheProcess) {
  const TemporaryFolder folder;
  const std::string program = folder.compile("greeter", kGreeter);
  std::string greeting;
  Waiting child = Waiting::start(program, greeting);
  std::filesystem::remove(program);
  // Another program takes the name: its symbols would be wrong.
  folder.compile("greeter", "int other_function(void) { return 1; } int main(void) { return other_function(); }");
  EXPECT_EQ(Symbolizer().user(child.pid(), hexadecimal(greeting)).symbol, "the_function");
}

TEST(Symbolizer, AForkedChildHasTheMappingsOfItsParent) {
  Symbolizer symbols;
  symbols.snapshot(self());
  constexpr std::uint32_t kGone = 0x7ffffffe;  // beyond any pid_max: the child has ended before anybody looked
  symbols.forked(self(), kGone, 5);
  EXPECT_EQ(symbols.user(kGone, address_of(trc_test_known_function)).symbol, "trc_test_known_function");
}

TEST(Symbolizer, AForkedChildOfAParentThatIsReadLater) {
  Symbolizer symbols;
  constexpr std::uint32_t kGone = 0x7ffffffe;
  symbols.forked(self(), kGone, 5);
  symbols.snapshot(self());
  EXPECT_EQ(symbols.user(kGone, address_of(trc_test_known_function)).symbol, "trc_test_known_function");
}

TEST(Symbolizer, ExecReplacesTheMappingsButOldStacksKeepTheirNames) {
  const TemporaryFolder folder;
  std::string greeting;
  Waiting child = Waiting::start(folder.compile("greeter", kGreeter), greeting);
  Symbolizer symbols;
  symbols.snapshot(self());
  symbols.forked(self(), child.pid(), 5);  // as it was before its exec
  const std::uint64_t before = address_of(trc_test_known_function), after = hexadecimal(greeting);
  EXPECT_EQ(symbols.user(child.pid(), before).symbol, "trc_test_known_function");
  symbols.executed(child.pid(), 9);
  EXPECT_EQ(symbols.user(child.pid(), after).symbol, "the_function");
  EXPECT_EQ(symbols.user(child.pid(), before).symbol, "trc_test_known_function");
}

TEST(Symbolizer, ObservedMappings) {
  const TemporaryFolder folder;
  const std::string library = folder.compile("lib.so", "int lib_function(int x) { return x + 1; }", "-shared -fPIC");
  const auto elf = ElfFile::open(library);
  ASSERT_TRUE(elf);
  const Function* function = (*elf)->find("lib_function");
  ASSERT_NE(function, nullptr);
  const std::uint64_t offset = *(*elf)->file_offset(function->address), page = offset & ~std::uint64_t{0xfff};
  Symbolizer symbols;
  constexpr std::uint32_t kGone = 0x7ffffffe;
  symbols.mapped(kGone, {.start = 0x10000, .end = 0x20000, .file_offset = page, .path = library}, 5);
  const Frame frame = symbols.user(kGone, 0x10000 + offset - page + 3);
  EXPECT_EQ(frame.symbol, "lib_function");
  EXPECT_EQ(frame.offset, 3U);
  EXPECT_EQ(frame.module, library);
}

/// Where a function of a library lies when the page that holds it is mapped.
struct InLibrary {
  InLibrary(const std::string& library, const char* name) : path(library) {
    const auto elf = ElfFile::open(library);
    const Function* function = elf ? (*elf)->find(name) : nullptr;
    if (function == nullptr) throw std::runtime_error("no function in " + library);
    const std::uint64_t offset = *(*elf)->file_offset(function->address);
    page = offset & ~std::uint64_t{0xfff};
    inside = offset - page;
  }
  Mapping at(std::uint64_t start) const { return {.start = start, .end = start + 0x2000, .file_offset = page, .path = path}; }
  std::string path;
  std::uint64_t page = 0, inside = 0;
};

class SymbolizerInTime : public testing::Test {
 protected:
  std::string name(std::uint32_t pid, const InLibrary& what, std::uint64_t start, std::uint64_t time) {
    return symbols_.user(pid, start + what.inside, time).symbol;
  }
  const TemporaryFolder folder_;
  InLibrary one_{folder_.compile("one.so", "int one(int x) { return x + 1; }", "-shared -fPIC"), "one"};
  InLibrary two_{folder_.compile("two.so", "int two(int x) { return x + 2; }", "-shared -fPIC"), "two"};
  Symbolizer symbols_;
  static constexpr std::uint32_t kPid = 0x7ffffff0;   // beyond any pid_max
};

TEST_F(SymbolizerInTime, AnotherLibraryAtTheSameAddress) {
  symbols_.mapped(kPid, one_.at(0x10000), 100);
  symbols_.mapped(kPid, two_.at(0x10000), 200);
  EXPECT_EQ(name(kPid, one_, 0x10000, 99), "");
  EXPECT_EQ(name(kPid, one_, 0x10000, 100), "one");
  EXPECT_EQ(name(kPid, one_, 0x10000, 199), "one");
  EXPECT_EQ(name(kPid, two_, 0x10000, 200), "two");
  EXPECT_EQ(symbols_.user(kPid, 0x10000 + two_.inside).symbol, "two");
}

TEST_F(SymbolizerInTime, ExecSeparatesTwoPrograms) {
  symbols_.mapped(kPid, one_.at(0x10000), 100);
  symbols_.executed(kPid, 200);
  symbols_.mapped(kPid, two_.at(0x20000), 201);
  EXPECT_EQ(name(kPid, one_, 0x10000, 199), "one");
  EXPECT_EQ(name(kPid, one_, 0x10000, 200), "");
  EXPECT_EQ(name(kPid, two_, 0x20000, 199), "");
  EXPECT_EQ(name(kPid, two_, 0x20000, 201), "two");
}

TEST_F(SymbolizerInTime, AChildHasWhatItsParentHadWhenItForked) {
  symbols_.mapped(kPid, one_.at(0x10000), 100);
  symbols_.forked(kPid, kPid + 1, 150);
  symbols_.mapped(kPid, two_.at(0x10000), 200);
  symbols_.mapped(kPid + 1, two_.at(0x20000), 210);
  EXPECT_EQ(name(kPid + 1, one_, 0x10000, 300), "one");
  EXPECT_EQ(name(kPid + 1, two_, 0x20000, 300), "two");
  EXPECT_EQ(name(kPid, two_, 0x10000, 300), "two");
  EXPECT_EQ(name(kPid, two_, 0x20000, 300), "");
}

TEST_F(SymbolizerInTime, AProcessNumberIsUsedAgain) {
  symbols_.mapped(kPid, one_.at(0x10000), 100);
  symbols_.exited(kPid, 150);
  EXPECT_EQ(name(kPid, one_, 0x10000, 140), "one");
  symbols_.forked(kPid + 1, kPid, 200);
  symbols_.mapped(kPid, two_.at(0x10000), 210);
  EXPECT_EQ(name(kPid, one_, 0x10000, 140), "one");
  EXPECT_EQ(name(kPid, two_, 0x10000, 220), "two");
}

TEST_F(SymbolizerInTime, ALongChainOfForks) {
  symbols_.mapped(kPid, one_.at(0x10000), 100);
  symbols_.mapped(kPid, two_.at(0x11000), 110);   // covers the end of the first
  for (std::uint32_t i = 0; i < 100; i++) {
    symbols_.forked(kPid - i, kPid - i - 1, 200 + i);
    symbols_.exited(kPid - i, 200 + i);
  }
  EXPECT_EQ(name(kPid - 100, one_, 0x10000, 1000), "one");
  EXPECT_EQ(name(kPid - 100, two_, 0x11000, 1000), "two");
}

/// The code of outer() is a call of leaf() that comes from middle(), inlined in it.
class Inlined : public testing::Test {
 protected:
  static constexpr const char* kSource = R"(int leaf(int);
static inline __attribute__((always_inline)) int middle(int x) {
  return leaf(x) * 2;
}
int outer(int x) {
  int r = middle(x);
  return r + 1;
}
__attribute__((noinline)) int leaf(int x) { return x + 1; }
)";
  void SetUp() override {
    if (!DebugInfo::check()) GTEST_SKIP() << DebugInfo::check().error().message();
  }
  /// Each frame at an address that is inside the call, as "name:line".
  std::vector<std::string> lines(const std::string& library) {
    Symbolizer symbols(true, true);
    const InLibrary outer(library, "outer");
    symbols.mapped(kGone, outer.at(0x10000), 5);
    std::vector<std::string> found;
    for (std::uint64_t offset = 0; offset < 40 && found.size() < 2; ++offset) {   // the call is somewhere in the first instructions
      const std::vector<Frame> frames = symbols.user_frames(kGone, 0x10000 + outer.inside + offset);
      if (frames.back().symbol != "outer") break;
      found.clear();
      for (const Frame& frame : frames) {
        found.push_back(frame.symbol + (frame.is_inlined ? " inlined" : "") + ":" + std::to_string(frame.line));
        file_ = frame.file;
      }
    }
    return found;
  }
  static constexpr std::uint32_t kGone = 0x7ffffffe;
  const TemporaryFolder folder_;
  std::string file_;
};

TEST_F(Inlined, FunctionsHaveFramesOfTheirOwn) {
  for (const char* options : {"-gdwarf-5", "-gdwarf-4", "-g -gz=zlib"}) {
    EXPECT_EQ(lines(folder_.compile("inlined.so", kSource, std::string("-O1 -shared -fPIC ") + options)), (std::vector<std::string>{"middle inlined:3", "outer:6"})) << options;
    EXPECT_TRUE(file_.ends_with("inlined.so.c")) << file_;
  }
}

TEST_F(Inlined, FromASeparateDebugFile) {
  folder_.compile("inlined.so", kSource, "-O1 -g -shared -fPIC");
  ASSERT_TRUE(folder_.run("objcopy --only-keep-debug inlined.so d && strip inlined.so && objcopy --add-gnu-debuglink=d inlined.so"));
  EXPECT_EQ(lines(folder_.path("inlined.so")), (std::vector<std::string>{"middle inlined:3", "outer:6"}));
}

TEST_F(Inlined, NothingWithoutDebugInformation) {
  EXPECT_EQ(lines(folder_.compile("inlined.so", kSource, "-O1 -shared -fPIC")), (std::vector<std::string>{"outer:0"}));
}

TEST(Symbolizer, ADebugFileFromAServer) {
  if (find_library("libdebuginfod.so.1").empty()) GTEST_SKIP() << "no libdebuginfod";
  const TemporaryFolder folder;
  const std::string library = folder.compile("lib.so", "static __attribute__((noinline)) int inner(int x) { __asm__(\"\"); return x + 1; } int outer(int x) { return inner(x) + 1; }",
                                             "-O1 -g -shared -fPIC -Wl,--build-id");
  const InLibrary inner(library, "inner");
  const std::string id = (*ElfFile::open(library))->build_id();
  // A server can be a folder.
  ASSERT_TRUE(folder.run("mkdir -p served/buildid/" + id + " && objcopy --only-keep-debug lib.so served/buildid/" + id + "/debuginfo && strip lib.so"));
  constexpr std::uint32_t kGone = 0x7ffffffe;
  const auto name = [&] {
    Symbolizer symbols;
    symbols.mapped(kGone, inner.at(0x10000), 5);
    return symbols.user(kGone, 0x10000 + inner.inside).symbol;
  };
  ::unsetenv("DEBUGINFOD_URLS");
  EXPECT_EQ(name(), "");
  ::setenv("DEBUGINFOD_CACHE_PATH", folder.path("cache").c_str(), 1);
  ::setenv("DEBUGINFOD_URLS", ("file://" + folder.path("served")).c_str(), 1);
  // In a process of its own: the library brings many others.
  EXPECT_EXIT(::_exit(name() == "inner" ? 0 : 1), testing::ExitedWithCode(0), "");
  ::unsetenv("DEBUGINFOD_URLS");
}

TEST(Symbolizer, AMappedFileThatIsNotElfHasNoNames) {
  const TemporaryFolder folder;
  const std::string path = folder.write("text", std::string(8192, 'x'));
  Symbolizer symbols;
  constexpr std::uint32_t kGone = 0x7ffffffe;
  symbols.mapped(kGone, {.start = 0x10000, .end = 0x12000, .path = path}, 5);
  symbols.mapped(kGone, {.start = 0x20000, .end = 0x22000, .path = folder.path("missing")}, 5);
  EXPECT_EQ(symbols.user(kGone, 0x10010).symbol, "");
  EXPECT_EQ(symbols.user(kGone, 0x10010).module, path);
  EXPECT_EQ(symbols.user(kGone, 0x20010).module, folder.path("missing"));
}

TEST(Symbolizer, Kernel) {
  Symbolizer symbols;
  EXPECT_EQ(symbols.kernel(0x1000).symbol, "");
  EXPECT_EQ(symbols.kernel(0x1000).address, 0x1000U);
}

}  // namespace
}  // namespace trc::symbols
