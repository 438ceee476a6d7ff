// The stack walker (stdlib/unwind.bpf.c) compiled for user space, on processes that stand still: programs of tests/programs and python3, stopped
// by ptrace where their stacks are deep. Registers, memory and mappings are theirs, the tables are made of their files by
// symbols/unwind_table; the truth is elfutils' unwinder (libdw), compared pc by pc. Needs no privileges and no BPF.
#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "stdlib/loss.h"
#include "stdlib/stack_hash.h"
#include "stdlib/stack_walk.h"
#include "symbols/elf_reader.h"
#include "symbols/unwind_table.h"
#include "unit/stdlib/host_helpers.h"

extern "C" {
extern char trc_walks, trc_stacks_seen, trc_stack_ends, trc_ring, trc_loss, trc_uw_files, trc_uw_pages, trc_uw_rows, trc_uw_rules;
unsigned long long trc_user_stack(trc_stack_name* name, unsigned program, unsigned limit, unsigned flags);
}

namespace {

using ::testing::ElementsAreArray;
using u64 = unsigned long long;

constexpr unsigned kLimit = 16384;

// ---- the tables, as the runner lays them out ---------------------------------------------------------------------------------------------

struct Tables {
  std::map<std::pair<u64, u64>, trc_uw_file> files;
  std::vector<trc_uw_page> pages;
  std::vector<unsigned> rows;
  std::vector<u64> rules = {TRC_UW_NONE};
  std::map<u64, unsigned> numbers = {{TRC_UW_NONE, 0}};

  void add(std::pair<u64, u64> key, const trc::symbols::UnwindTable& table) {
    if (table.rows.empty()) {
      files[key] = {.first_page = 0, .pages = 0, .page_base = 0, .state = TRC_UW_FILE_BARE};
      return;
    }
    const auto page_of = [](const trc::symbols::UnwindRow& row) { return static_cast<u64>(row.offset) >> TRC_UW_PAGE_SHIFT; };
    const u64 first = page_of(table.rows.front()), count = page_of(table.rows.back()) - first + 1;
    files[key] = {.first_page = static_cast<unsigned>(first), .pages = static_cast<unsigned>(count), .page_base = static_cast<unsigned>(pages.size()),
                  .state = TRC_UW_FILE_READY};
    unsigned in_force = 0;
    auto row = table.rows.begin();
    for (u64 page = first; page < first + count; ++page) {
      std::vector<unsigned> of_page{in_force << 16};
      for (; row != table.rows.end() && page_of(*row) == page; ++row) {
        const auto [number, fresh] = numbers.try_emplace(table.rules[row->rule], static_cast<unsigned>(rules.size()));
        if (fresh) rules.push_back(number->first);
        in_force = number->second;
        const auto byte = static_cast<unsigned>(row->offset & 4095);
        if (byte == 0) of_page.clear();
        of_page.push_back(byte | in_force << 16);
      }
      if (rows.size() % TRC_UW_BLOCK_ROWS + of_page.size() > TRC_UW_BLOCK_ROWS) rows.resize((rows.size() / TRC_UW_BLOCK_ROWS + 1) * TRC_UW_BLOCK_ROWS);
      pages.push_back({.first = static_cast<unsigned>(rows.size()), .count = static_cast<unsigned>(of_page.size())});
      rows.insert(rows.end(), of_page.begin(), of_page.end());
    }
  }
  void finish() { rows.resize((rows.size() / TRC_UW_BLOCK_ROWS + 1) * TRC_UW_BLOCK_ROWS); }
};

// ---- the kernel's side of the process ----------------------------------------------------------------------------------------------------

struct KernelObject { alignas(256) u64 words[WORDS] = {}; };
struct Node { alignas(256) u64 words[32] = {}; };
u64 address(const void* pointer) { return reinterpret_cast<u64>(pointer); }

struct Mapping {
  u64 start, end, offset, inode, device;
  bool is_code;
  std::string path;
};

std::vector<Mapping> mappings_of(pid_t pid) {
  std::vector<Mapping> mappings;
  std::ifstream file("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(file, line);) {
    Mapping m{};
    char flags[8] = {};
    unsigned major = 0, minor = 0;
    int path = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx %7s %llx %x:%x %llu %n", &m.start, &m.end, flags, &m.offset, &major, &minor, &m.inode, &path) < 7) continue;
    m.device = static_cast<u64>(major) << 20 | minor;   // a dev_t as the kernel has it
    m.is_code = flags[2] == 'x';
    m.path = line.substr(static_cast<std::size_t>(path));
    mappings.push_back(m);
  }
  return mappings;
}

/// What the walker sees while it is replayed.
struct Machine {
  pid_t pid = 0;
  KernelObject task, mm;
  std::deque<KernelObject> objects;
  std::deque<Node> nodes;
  u64 registers[TRC_WALK_REGISTERS] = {};
  Tables tables;
  std::array<std::vector<u64>, TRC_WALK_SLOTS_PER_CPU> walks;
  std::array<u64, TRC_STACK_ENDS> ends = {};
  loss_counters losses = {};
  std::vector<unsigned char> record;
  u64 yes = 0, chunks[TRC_UW_MAX_CHUNKS] = {};

  /// A tree of mappings like the kernel's: leaves of up to 14 ranges, above them nodes of up to 9.
  void set_mappings(const std::vector<Mapping>& mappings) {
    struct Slot { u64 last, what; };
    std::vector<Slot> level;
    const auto object = [this]() -> KernelObject& { return objects.emplace_back(); };
    u64 next = 0;
    for (const Mapping& m : mappings) {
      if (m.start > next) level.push_back({m.start - 1, 0});
      KernelObject& area = object();
      area.words[WORD_vma_start] = m.start;
      area.words[WORD_vma_end] = m.end;
      area.words[WORD_vma_flags] = m.is_code ? 4 : 0;
      area.words[WORD_vma_page_offset] = m.offset >> 12;
      if (m.path == "[vdso]") mm.words[WORD_mm_vdso] = m.start;
      if (m.inode != 0) {
        KernelObject &file = object(), &inode = object(), &super_block = object();
        area.words[WORD_vma_file] = address(&file);
        file.words[WORD_file_inode] = address(&inode);
        inode.words[WORD_inode_number] = m.inode;
        inode.words[WORD_inode_super_block] = address(&super_block);
        super_block.words[WORD_super_block_device] = m.device;
      }
      level.push_back({m.end - 1, address(&area)});
      next = m.end;
    }
    level.push_back({~u64{0}, 0});
    for (u64 kind = 1;; kind = 3) {
      const std::size_t width = kind == 1 ? 14 : 9, first_slot = kind == 1 ? 16 : 10;
      std::vector<Slot> above;
      for (std::size_t begin = 0; begin < level.size(); begin += width) {
        u64* words = nodes.emplace_back().words;
        const std::size_t count = std::min(width, level.size() - begin);
        for (std::size_t i = 0; i < count; ++i) {
          if (i + 1 < count) words[1 + i] = level[begin + i].last;   // the last slot ends where the node does
          words[first_slot + i] = level[begin + i].what;
        }
        words[kind == 1 ? 31 : 30] = count - 1;
        above.push_back({level[begin + count - 1].last, address(words) | kind << 3});
      }
      level = above;
      if (level.size() == 1) break;
    }
    mm.words[WORD_mm_maple_root] = level[0].what | 2;
  }
};
Machine* machine = nullptr;

}  // namespace

extern "C" {
void* bpf_map_lookup_elem(const void* map, const void* key) {
  unsigned index = 0;
  std::memcpy(&index, key, 4);
  if (map == &trc_walks) return index < machine->walks.size() ? machine->walks[index].data() : nullptr;
  if (map == &trc_stack_ends) return machine->ends.data();
  if (map == &trc_loss) return &machine->losses;
  if (map == &trc_stacks_seen) return nullptr;
  Tables& t = machine->tables;
  if (map == &trc_uw_pages) return index < t.pages.size() ? &t.pages[index] : nullptr;
  if (map == &trc_uw_rows) return index < TRC_UW_MAX_CHUNKS ? &machine->chunks[index] : nullptr;
  if (map >= machine->chunks && map < machine->chunks + TRC_UW_MAX_CHUNKS) {
    const std::size_t block = static_cast<std::size_t>(static_cast<const u64*>(map) - machine->chunks) * TRC_UW_CHUNK_BLOCKS + index;
    return (block + 1) * TRC_UW_BLOCK_ROWS <= t.rows.size() ? &t.rows[block * TRC_UW_BLOCK_ROWS] : nullptr;
  }
  if (map == &trc_uw_rules) return index < t.rules.size() ? &t.rules[index] : nullptr;
  std::array<u64, 2> pair{};
  std::memcpy(pair.data(), key, 16);
  const auto found = t.files.find({pair[0], pair[1]});
  return found == t.files.end() ? nullptr : &found->second;
}
long long bpf_map_update_elem(const void*, const void*, const void*, u64) { return 0; }
long long bpf_map_delete_elem(const void*, const void*) { return 0; }
u64 bpf_ktime_get_ns(void) { return 99; }
unsigned bpf_get_smp_processor_id(void) { return 0; }
u64 bpf_get_current_pid_tgid(void) { return static_cast<u64>(machine->pid) << 32; }
u64 trc_pid_tgid(void) { return bpf_get_current_pid_tgid(); }
u64 bpf_get_current_task(void) { return address(&machine->task); }
long long bpf_get_stack(void*, void*, unsigned, u64) { return -1; }
long long bpf_get_task_stack(void*, void*, unsigned, u64) { return -1; }
long long bpf_probe_read_user(void* to, unsigned size, const void* from) {
  const iovec mine{to, size}, theirs{const_cast<void*>(from), size};
  return process_vm_readv(machine->pid, &mine, 1, &theirs, 1, 0) == static_cast<long>(size) ? 0 : -14;
}
long long bpf_probe_read_kernel(void* to, unsigned size, const void* from) {
  if (address(from) < 4096) return -14;
  std::memcpy(to, from, size);   // the objects and nodes made here; each is as large as what is read of it
  return 0;
}
long long bpf_ringbuf_output(const void*, const void* data, u64 size, u64) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  machine->record.assign(bytes, bytes + size);
  return 0;
}
void* bpf_ringbuf_reserve(const void*, u64, u64) { return nullptr; }
void bpf_ringbuf_submit(void*, u64) {}
void* bpf_get_current_task_btf(void) { return &machine->task; }
void* bpf_task_pt_regs(void*) { return machine->registers; }
long long bpf_loop(unsigned times, void* callback, void* context, u64) {
  for (unsigned i = 0; i < times; ++i) {
    if (reinterpret_cast<long long (*)(unsigned, void*)>(callback)(i, context) != 0) return i + 1;
  }
  return times;
}
}

namespace {

/// A child that stands still.
class Stopped {
 public:
  explicit Stopped(const std::vector<std::string>& command) {
    pid_ = fork();
    if (pid_ == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      const int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      std::vector<char*> arguments;
      for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    is_alive_ = wait_for(SIGTRAP);
    if (is_alive_) ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
    executable_ = command[0];
  }
  ~Stopped() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) > 0) {}
  }
  Stopped(const Stopped&) = delete;

  /// Runs to the first instruction of a function of the executable.
  bool run_to(const std::string& function) {
    const u64 place = is_alive_ ? symbol(function) : 0;
    if (place == 0) return false;
    const long code = ptrace(PTRACE_PEEKTEXT, pid_, place, nullptr);
    ptrace(PTRACE_POKETEXT, pid_, place, (code & ~0xffl) | 0xcc);
    if (!go_on(PTRACE_CONT, SIGTRAP)) return false;
    ptrace(PTRACE_POKETEXT, pid_, place, code);
    user_regs_struct registers = this->registers();
    if (registers.rip != place + 1) return false;
    registers.rip = place;
    return ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) == 0;
  }
  /// Where a symbol of the executable lies in the process; 0: there is none.
  u64 symbol(const std::string& wanted) const {
    const auto file = trc::symbols::ElfReader::open(executable_);
    if (!file) return 0;
    u64 place = 0;
    const auto *symbols = file->section(".symtab"), *strings = file->section(".strtab");
    if (symbols != nullptr && strings != nullptr) {
      const std::string names = file->read(*strings);
      file->for_each_symbol(*symbols, [&](const trc::symbols::ElfSymbol& symbol) {
        if (symbol.name < names.size() && wanted == names.data() + symbol.name) place = symbol.value;
      });
    }
    struct stat own{};
    if (place == 0 || stat(executable_.c_str(), &own) != 0) return 0;
    for (const Mapping& m : mappings_of(pid_)) {
      if (file->type() == ET_DYN && m.offset == 0 && m.inode == own.st_ino) {
        place += m.start;
        break;
      }
    }
    return place;
  }
  /// Runs to where the system call was entered.
  bool run_to_call(u64 number) {
    while (go_on(PTRACE_SYSCALL, SIGTRAP | 0x80)) {
      if (registers().orig_rax == number) return true;
    }
    return false;
  }
  bool step() { return go_on(PTRACE_SINGLESTEP, SIGTRAP); }
  user_regs_struct registers() const {
    user_regs_struct registers{};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &registers);
    return registers;
  }
  pid_t pid() const { return pid_; }

 private:
  bool wait_for(int wanted) {
    int status = 0;
    return waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status) && WSTOPSIG(status) == wanted;
  }
  /// Signals of its own reach the child.
  bool go_on(__ptrace_request request, int wanted) {
    long signal = 0;
    for (;;) {
      int status = 0;
      if (ptrace(request, pid_, nullptr, signal) != 0 || waitpid(pid_, &status, 0) != pid_ || !WIFSTOPPED(status)) return is_alive_ = false;
      if (WSTOPSIG(status) == wanted) return true;
      signal = WSTOPSIG(status);
    }
  }

  pid_t pid_ = -1;
  bool is_alive_ = false;
  std::string executable_;
};

/// As elfutils unwinds it; without debug files, which could only be slower.
std::vector<u64> true_stack(pid_t pid) {
  Dwfl_Callbacks callbacks{};
  callbacks.find_elf = dwfl_linux_proc_find_elf;
  callbacks.find_debuginfo = [](Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word, char**) { return -1; };
  callbacks.section_address = dwfl_offline_section_address;
  const std::unique_ptr<Dwfl, decltype(&dwfl_end)> dwfl(dwfl_begin(&callbacks), dwfl_end);
  std::vector<u64> frames;
  if (!dwfl || dwfl_linux_proc_report(dwfl.get(), pid) != 0 || dwfl_report_end(dwfl.get(), nullptr, nullptr) != 0 ||
      dwfl_linux_proc_attach(dwfl.get(), pid, true) != 0) {
    return frames;
  }
  const auto keep = [](Dwfl_Frame* frame, void* to) {
    Dwarf_Addr pc = 0;
    if (dwfl_frame_pc(frame, &pc, nullptr)) static_cast<std::vector<u64>*>(to)->push_back(pc);
    return static_cast<int>(DWARF_CB_OK);
  };
  dwfl_getthread_frames(dwfl.get(), pid, keep, &frames);
  return frames;
}

class Replay : public ::testing::Test {
 protected:
  Replay() {
    machine = &machine_;
    for (auto& walk : machine_.walks) walk.resize(sizeof(trc_walk) / 8 + kLimit);
  }

  /// Takes over the mappings of a process, and makes the tables of what it has mapped.
  void record(const Stopped& process) {
    machine_.pid = process.pid();
    const std::vector<Mapping> mappings = mappings_of(process.pid());
    machine_.objects.clear();
    machine_.nodes.clear();
    machine_.set_mappings(mappings);
    machine_.task.words[WORD_task_mm] = address(&machine_.mm);
    machine_.mm.words[WORD_mm_lock_seq]++;
    std::ifstream stat("/proc/" + std::to_string(process.pid()) + "/stat");
    std::string line;
    std::getline(stat, line);
    std::istringstream words(line.substr(line.rfind(')') + 2));
    std::string word;
    for (int field = 3; field <= 28; ++field) words >> word;   // startstack
    machine_.mm.words[WORD_mm_start_stack] = std::stoull(word);
    for (const Mapping& m : mappings) {
      const std::pair<u64, u64> key{m.device, m.inode};
      if (!m.is_code || m.inode == 0 || machine_.tables.files.count(key) != 0) continue;
      const auto file = trc::symbols::ElfReader::open(m.path);
      ASSERT_TRUE(file) << m.path;
      const auto table = trc::symbols::build_unwind_table(*file);
      ASSERT_TRUE(table) << m.path;
      machine_.tables.add(key, *table);
    }
    if (const auto table = trc::symbols::build_vdso_unwind_table()) machine_.tables.add({0, 0}, *table);
    machine_.tables.finish();
  }

  /// Of the process as it stands now.
  std::vector<u64> walk(const Stopped& process) {
    const user_regs_struct registers = process.registers();
    std::memcpy(machine_.registers, &registers, sizeof machine_.registers);
    trc_stack_name name{};
    machine_.record.clear();
    machine_.ends = {};
    const u64 count = trc_user_stack(&name, 0, kLimit, 0);
    trc_stack_record head{};
    std::vector<u64> frames(count);
    if (machine_.record.size() != sizeof head + count * 8) return {};
    std::memcpy(&head, machine_.record.data(), sizeof head);
    if (count != 0) std::memcpy(frames.data(), machine_.record.data() + sizeof head, count * 8);
    for (u64& frame : frames) frame &= ~TRC_STACK_SIGNAL_FRAME;
    end_ = static_cast<trc_stack_end>(head.end);
    return frames;
  }

  void expect_truth(const Stopped& process, std::size_t at_least) {
    record(process);
    const std::vector<u64> frames = walk(process);
    EXPECT_EQ(end_, TRC_STACK_Root);
    EXPECT_GE(frames.size(), at_least);
    EXPECT_THAT(frames, ElementsAreArray(true_stack(process.pid())));
  }

  static std::string program(const std::string& name) { return std::string(TRC_BINARY_DIR) + "/tests/programs/" + name; }
  /// Is `whole` what `stack` ends with?
  static bool ends_with(const std::vector<u64>& stack, const std::vector<u64>& whole) {
    return stack.size() >= whole.size() && std::equal(whole.rbegin(), whole.rend(), stack.rbegin());
  }

  Machine machine_;
  trc_stack_end end_ = TRC_STACK_ENDS;
};

// Virtual calls, alloca, qsort callbacks, frames realigned to 64 bytes; -O2, no frame pointers.
TEST_F(Replay, EveryShapeOfFrame) {
  for (const char* depth : {"10", "100", "1000"}) {
    Stopped process({program("frames"), depth});
    ASSERT_TRUE(process.run_to("frames_bottom"));
    expect_truth(process, static_cast<std::size_t>(std::atoi(depth)));
  }
}

TEST_F(Replay, StaticProgram) {
  Stopped process({program("frames_static"), "50"});
  ASSERT_TRUE(process.run_to("frames_bottom"));
  expect_truth(process, 50);
}

TEST_F(Replay, SignalHandlerOnItsOwnStackAndOnTheSame) {
  for (const char* mode : {"signal", "altstack"}) {
    Stopped process({program("frames"), "40", mode});
    ASSERT_TRUE(process.run_to("frames_bottom"));
    expect_truth(process, 40);
  }
}

TEST_F(Replay, PythonThatCCallsBackInto) {
  const std::string script =
      "import os\ndef descend(left):\n  return os.getpgid(0) if left == 0 else sorted([left], key=lambda x: descend(x - 1))\ndescend(40)\n";
  if (access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "lacks /usr/bin/python3";
  Stopped process({"/usr/bin/python3", "-S", "-c", script});
  ASSERT_TRUE(process.run_to_call(SYS_getpgid));
  expect_truth(process, 200);
}

// Each instruction from before a call through the PLT to after it: the stub, the dynamic loader that looks the function up, the library.
TEST_F(Replay, EveryInstructionOfACallIntoALibrary) {
  Stopped process({program("deep"), "20"});
  ASSERT_TRUE(process.run_to("bottom"));
  record(process);
  const std::vector<u64> at_entry = walk(process);
  EXPECT_EQ(end_, TRC_STACK_Root);
  ASSERT_GE(at_entry.size(), 23u);
  const std::vector<u64> callers(at_entry.begin() + 1, at_entry.end());
  const u64 first_stack = process.registers().rsp;
  std::size_t whole = 0, cut = 0;
  while (process.step() && process.registers().rsp <= first_stack) {
    const std::vector<u64> frames = walk(process);
    if (end_ == TRC_STACK_Unsupported) {   // _dl_runtime_resolve keeps its CFA in rbx
      ++cut;
      continue;
    }
    ++whole;
    ASSERT_TRUE(ends_with(frames, callers)) << "at " << std::hex << frames.at(0) << ", end " << end_;
  }
  EXPECT_GE(whole, 20u);
  RecordProperty("cut", static_cast<int>(cut));
}

// Functions that the program has made itself, without tables and mostly without frame pointers; it knows where each call returns to.
TEST_F(Replay, GeneratedCode) {
  constexpr std::size_t kDepth = 40;
  Stopped process({program("generated"), std::to_string(kDepth)});
  ASSERT_TRUE(process.run_to("generated_bottom"));
  record(process);
  const std::vector<u64> frames = walk(process);
  EXPECT_EQ(end_, TRC_STACK_Root);
  std::vector<u64> truth(2 * kDepth + 1);
  ASSERT_EQ(bpf_probe_read_user(truth.data(), static_cast<unsigned>(truth.size() * 8), reinterpret_cast<void*>(process.symbol("generated_truth"))), 0);
  ASSERT_GT(frames.size(), truth.size() + 2);
  EXPECT_THAT(std::vector<u64>(frames.begin() + 2, frames.begin() + 2 + static_cast<long>(truth.size())), ElementsAreArray(truth));
}

TEST_F(Replay, InTheVdso) {
  Stopped process({program("jumps"), "clock", "5"});
  ASSERT_TRUE(process.run_to("ask_for_the_time"));
  record(process);
  const std::vector<u64> at_entry = walk(process);
  EXPECT_EQ(end_, TRC_STACK_Root);
  const std::vector<u64> callers(at_entry.begin() + 1, at_entry.end());
  const u64 vdso = machine_.mm.words[WORD_mm_vdso], first_stack = process.registers().rsp;
  ASSERT_NE(vdso, 0u);
  std::size_t inside = 0;
  while (process.step() && process.registers().rsp <= first_stack) {
    const std::vector<u64> frames = walk(process);
    if (frames.at(0) - vdso >= 0x4000) continue;
    ++inside;
    ASSERT_TRUE(ends_with(frames, callers)) << "at vdso + " << std::hex << frames.at(0) - vdso << ", end " << end_;
  }
  EXPECT_GE(inside, 10u);
}

}  // namespace
