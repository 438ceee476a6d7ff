// The stack walker (stdlib/unwind.bpf.c) compiled for user space, on processes and tables that are made up here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "stdlib/loss.h"
#include "stdlib/stack_hash.h"
#include "stdlib/stack_walk.h"
#include "unit/stdlib/host_helpers.h"

extern "C" {
extern char trc_walks, trc_stacks_seen, trc_stack_ends, trc_ring, trc_loss, trc_uw_files, trc_uw_pages, trc_uw_rows, trc_uw_rules;
unsigned long long trc_user_stack(trc_stack_name* name, unsigned program, unsigned limit, unsigned flags);
unsigned long long trc_user_stack_fp(trc_stack_name* name, unsigned program, unsigned limit, unsigned flags);
unsigned long long trc_unwind_rule(unsigned page_base, unsigned pages, unsigned long long place);
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using u64 = unsigned long long;

constexpr u64 kCode = 0x400000, kCodeEnd = 0x440000, kStack = 0x7ffe0000, kStackEnd = 0x7ffe8000;
constexpr unsigned kCapacity = 64, kCpus = 2;
enum Register { R15, R14, R13, R12, BP, BX, R11, R10, R9, R8, AX, CX, DX, SI, DI, ORIG_AX, IP, CS, FLAGS, SP, SS };
struct KernelObject { alignas(256) u64 words[WORDS] = {}; };

/// A process with one file of code, a stack, and the tables of that file.
struct Machine {
  KernelObject task, mm, area, file, inode, super_block, probes, probe_code, instances[3];
  alignas(256) u64 node[32] = {};
  u64 registers[TRC_WALK_REGISTERS] = {};
  std::vector<unsigned char> code = std::vector<unsigned char>(kCodeEnd - kCode);
  std::vector<unsigned char> stack = std::vector<unsigned char>(kStackEnd - kStack);
  std::map<std::pair<u64, u64>, trc_uw_file> files;
  std::vector<trc_uw_page> pages = std::vector<trc_uw_page>(64);
  std::unique_ptr<trc_uw_block> block = std::make_unique<trc_uw_block>();
  std::vector<u64> rules = {TRC_UW_NONE};
  std::array<std::vector<u64>, kCpus * TRC_WALK_SLOTS_PER_CPU> walks;
  std::map<std::pair<u64, u64>, unsigned> seen;
  std::array<u64, TRC_STACK_ENDS> ends = {};
  loss_counters losses = {};
  std::vector<std::vector<unsigned char>> records;
  bool ring_is_full = false;
  alignas(8) unsigned char reserved[256] = {};
  u64 chunk = 0;
};
Machine* machine = nullptr;

u64 address(const void* pointer) { return reinterpret_cast<u64>(pointer); }

}  // namespace

extern "C" {
void* bpf_map_lookup_elem(const void* map, const void* key) {
  unsigned index = 0;
  std::memcpy(&index, key, 4);
  std::array<u64, 2> pair{};
  if (map == &trc_walks) return index < machine->walks.size() ? machine->walks[index].data() : nullptr;
  if (map == &trc_stack_ends) return machine->ends.data();
  if (map == &trc_loss) return &machine->losses;
  if (map == &trc_uw_pages) return index < machine->pages.size() ? &machine->pages[index] : nullptr;
  if (map == &trc_uw_rows) return index == 0 ? &machine->chunk : nullptr;
  if (map == &machine->chunk) return index == 0 ? machine->block.get() : nullptr;
  if (map == &trc_uw_rules) return index < machine->rules.size() ? &machine->rules[index] : nullptr;
  std::memcpy(pair.data(), key, 16);
  if (map == &trc_stacks_seen) {
    const auto found = machine->seen.find({pair[0], pair[1]});
    return found == machine->seen.end() ? nullptr : &found->second;
  }
  const auto found = machine->files.find({pair[0], pair[1]});
  return found == machine->files.end() ? nullptr : &found->second;
}
long long bpf_map_update_elem(const void* map, const void* key, const void* value, u64) {
  std::array<u64, 2> pair{};
  std::memcpy(pair.data(), key, 16);
  if (map == &trc_stacks_seen) machine->seen[{pair[0], pair[1]}] = 1;
  else std::memcpy(&machine->files[{pair[0], pair[1]}], value, sizeof(trc_uw_file));
  return 0;
}
long long bpf_map_delete_elem(const void*, const void* key) {
  std::array<u64, 2> pair{};
  std::memcpy(pair.data(), key, 16);
  machine->files.erase({pair[0], pair[1]});
  return 0;
}
u64 bpf_ktime_get_ns(void) { return 99; }
unsigned bpf_get_smp_processor_id(void) { return 1; }
u64 bpf_get_current_pid_tgid(void) { return u64{42} << 32 | 43; }
u64 trc_pid_tgid(void) { return bpf_get_current_pid_tgid(); }   // of the tracer's own pid namespace
u64 bpf_get_current_task(void) { return address(&machine->task); }
long long bpf_get_stack(void*, void*, unsigned, u64) { return -1; }
long long bpf_get_task_stack(void*, void*, unsigned, u64) { return -1; }
long long bpf_probe_read_user(void* to, unsigned size, const void* from) {
  const u64 at = address(from);
  if (at >= kCode && at <= kCodeEnd && size <= kCodeEnd - at) {
    std::memcpy(to, machine->code.data() + (at - kCode), size);
    return 0;
  }
  if (at < kStack || at > kStackEnd || size > kStackEnd - at) return -14;
  std::memcpy(to, machine->stack.data() + (at - kStack), size);
  return 0;
}
long long bpf_probe_read_kernel(void* to, unsigned size, const void* from) {
  const u64 at = address(from), first = address(machine);
  if (at < first || at > first + sizeof(Machine) || size > first + sizeof(Machine) - at) return -14;
  std::memcpy(to, from, size);
  return 0;
}
long long bpf_ringbuf_output(const void*, const void* data, u64 size, u64) {
  if (machine->ring_is_full) return -11;
  const auto* bytes = static_cast<const unsigned char*>(data);
  machine->records.emplace_back(bytes, bytes + size);
  return 0;
}
void* bpf_ringbuf_reserve(const void*, u64, u64) { return machine->ring_is_full ? nullptr : machine->reserved; }
void bpf_ringbuf_submit(void* record, u64) {
  auto* bytes = static_cast<unsigned char*>(record);
  machine->records.emplace_back(bytes, bytes + sizeof(trc_uw_file_record));
}
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

class Walker : public ::testing::Test {
 protected:
  Walker() {
    machine = &machine_;
    Machine& m = machine_;
    for (auto& walk : m.walks) walk.resize(sizeof(trc_walk) / 8 + kCapacity);
    // A tree of one leaf: nothing, the code, nothing, the stack.
    m.node[1] = kCode - 1, m.node[2] = kCodeEnd - 1, m.node[3] = ~u64{0};
    m.node[17] = address(&m.area);
    m.node[31] = 2;
    m.mm.words[WORD_mm_maple_root] = address(m.node) | 1 << 3 | 2;
    m.mm.words[WORD_mm_start_stack] = kStackEnd - 64;
    m.task.words[WORD_task_mm] = address(&m.mm);
    m.area.words[WORD_vma_start] = kCode;
    m.area.words[WORD_vma_end] = kCodeEnd;
    m.area.words[WORD_vma_flags] = 5;
    m.area.words[WORD_vma_page_offset] = 1;
    m.area.words[WORD_vma_file] = address(&m.file);
    m.file.words[WORD_file_inode] = address(&m.inode);
    m.inode.words[WORD_inode_number] = 77;
    m.inode.words[WORD_inode_super_block] = address(&m.super_block);
    m.super_block.words[WORD_super_block_device] = 8;
    m.files[{8, 77}] = {.first_page = 1, .pages = 64, .page_base = 0, .state = TRC_UW_FILE_READY};
    m.registers[CS] = 0x33;
    set(IP, kCode + 0x10);
    set(SP, kStack + 0x1000);
  }

  void set(Register which, u64 value) { machine_.registers[which] = value; }
  void put(u64 at, u64 value) { std::memcpy(machine_.stack.data() + (at - kStack), &value, 8); }

  /// The rule that holds on the whole page of code `page`.
  void rule(unsigned page, u64 rule) {
    machine_.rules.push_back(rule);
    machine_.block->rows[page] = static_cast<unsigned>(machine_.rules.size() - 1) << 16;
    machine_.pages[page] = {.first = page, .count = 1};
    changed = true;
  }

  u64 walk(unsigned limit = 50, unsigned flags = 0) {
    name = {};
    machine_.records.clear();
    if (changed) {   // real tables do not, so walks remember rules
      for (auto& walk : machine_.walks) std::memset(reinterpret_cast<trc_walk*>(walk.data())->rules, 0, sizeof(trc_walk::rules));
    }
    changed = false;
    if (mappings_change) machine_.mm.words[WORD_mm_lock_seq]++;
    return trc_user_stack(&name, 0, limit, flags);
  }
  /// Of the record that was sent.
  std::vector<u64> frames() {
    if (machine_.records.empty()) return {};
    std::memcpy(&head, machine_.records.back().data(), sizeof head);
    EXPECT_EQ(machine_.records.back().size(), sizeof head + head.count * 8);
    std::vector<u64> result(head.count);
    if (head.count) std::memcpy(result.data(), machine_.records.back().data() + sizeof head, head.count * 8);
    return result;
  }
  u64 ended(trc_stack_end end) { return machine_.ends[end]; }

  Machine machine_;
  bool changed = false;
  bool mappings_change = true;   // between two walks
  trc_stack_name name = {};
  trc_stack_record head = {};
};

constexpr u64 page_code(unsigned page) { return kCode + page * 4096; }

TEST_F(Walker, FollowsEachKindOfRule) {
  const u64 sp = kStack + 0x1000;
  rule(0, TRC_UW_RULE(TRC_UW_REGISTER, TRC_UW_FP_SAME, 10, 0, 16));       // r10 + 16
  set(R10, sp + 16);
  put(sp + 24, page_code(1) + 8);                                         // CFA sp + 32
  rule(1, TRC_UW_RULE(TRC_UW_SP, TRC_UW_FP_SAVED, 0, -16, 32));
  put(sp + 48, sp + 128), put(sp + 56, page_code(2) + 8);                 // CFA sp + 64
  rule(2, TRC_UW_RULE(TRC_UW_FP, TRC_UW_FP_AT_FP, 0, 0, 16));
  put(sp + 128, sp + 0x200), put(sp + 136, page_code(3) + 5);             // CFA sp + 144
  rule(3, TRC_UW_RULE(TRC_UW_DEREF_FP, TRC_UW_FP_SAME, 8, 0, -8));
  put(sp + 0x1f8, sp + 0x300), put(sp + 0x300, page_code(4) + 5);         // CFA *(rbp - 8) + 8
  rule(4, TRC_UW_RULE(TRC_UW_DEREF_SP, TRC_UW_FP_SAME, 0, 0, 8));
  put(sp + 0x310, sp + 0x400), put(sp + 0x3f8, page_code(5) + 5);         // CFA *(sp + 8)
  rule(5, TRC_UW_RULE(TRC_UW_PLT, TRC_UW_FP_SAME, 0, 0, 11));
  put(sp + 0x400, page_code(6) + 12);
  rule(6, TRC_UW_RULE(TRC_UW_PLT, TRC_UW_FP_SAME, 0, 0, 11));
  put(sp + 0x410, page_code(7) + 1);
  rule(7, TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0));
  EXPECT_EQ(walk(), 8u);
  EXPECT_THAT(frames(), ElementsAre(kCode + 0x10, page_code(1) + 8, page_code(2) + 8, page_code(3) + 5, page_code(4) + 5, page_code(5) + 5,
                                    page_code(6) + 12, page_code(7) + 1));
  EXPECT_EQ(head.end, TRC_STACK_Root);
  EXPECT_EQ(head.tgid, 42u);
  EXPECT_EQ(ended(TRC_STACK_Root), 1u);
  EXPECT_EQ(walk(50, TRC_WALK_COUNT), 8u);
  EXPECT_THAT(machine_.records, IsEmpty());
  EXPECT_EQ(name.low, 0u);
}

TEST_F(Walker, FollowsAChangeOfStacks) {
  const u64 high = kStack + 0x3000, low = kStack + 0x200;
  rule(0, TRC_UW_RULE(TRC_UW_OTHER_STACK, TRC_UW_FP_SAVED, 0, -16, 16));   // runs on a stack that lies above its caller's
  set(SP, high), set(BP, low);
  put(low, high + 0x100), put(low + 8, page_code(1) + 8);
  rule(1, TRC_UW_RULE(TRC_UW_SP, TRC_UW_FP_SAME, 0, 0, 16));
  put(low + 24, page_code(2) + 8);
  rule(2, TRC_UW_RULE(TRC_UW_OTHER_STACK, TRC_UW_FP_SAVED, 0, -16, 16));   // and one below
  put(high + 0x100, 0), put(high + 0x108, page_code(2) + 9);
  EXPECT_EQ(walk(), 4u);                                                   // where there is no other stack any more
  EXPECT_THAT(frames(), ElementsAre(kCode + 0x10, page_code(1) + 8, page_code(2) + 8, page_code(2) + 9));
  EXPECT_EQ(head.end, TRC_STACK_Root);
  put(low, low), put(low + 8, kCode + 0x20);                               // in circles
  EXPECT_LT(walk(1000), 300u);
  EXPECT_EQ(ended(TRC_STACK_NoRule) + ended(TRC_STACK_Limit), 1u);
}

TEST_F(Walker, StacksAreSentOnceAndNamedByContent) {
  rule(0, TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0));
  walk();
  const trc_stack_name first = name;
  EXPECT_EQ(machine_.records.size(), 1u);
  walk();
  EXPECT_EQ(machine_.records.size(), 0u);
  EXPECT_TRUE(name.low == first.low && name.high == first.high);
  machine_.area.words[WORD_vma_page_offset] = 2;   // the same addresses of another place in the file
  rule(1, TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0));
  walk();
  EXPECT_EQ(machine_.records.size(), 1u);
  EXPECT_NE(name.low, first.low);
  machine_.area.words[WORD_vma_page_offset] = 1;
  set(IP, kCode + 0x20);
  machine_.ring_is_full = true;   // then it is sent the next time
  walk();
  EXPECT_EQ(machine_.losses.stacks_full, 1u);
  machine_.ring_is_full = false;
  walk();
  EXPECT_EQ(machine_.records.size(), 1u);
}

TEST_F(Walker, MappingsAreRememberedUntilTheyChange) {
  rule(0, TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0));
  mappings_change = false;
  const auto is_found = [&] { return walk(50, TRC_WALK_COUNT) == 1 && ended(TRC_STACK_NoMapping) == 0; };
  EXPECT_TRUE(is_found());
  const u64 root = machine_.mm.words[WORD_mm_maple_root];
  machine_.mm.words[WORD_mm_maple_root] = 0;      // so whoever looks finds nothing
  EXPECT_TRUE(is_found());
  const auto is_not_known_any_more = [&] {
    EXPECT_EQ(walk(50, TRC_WALK_COUNT), 1u);
    EXPECT_EQ(ended(TRC_STACK_NoMapping), 1u);
    machine_.ends = {};
    machine_.mm.words[WORD_mm_maple_root] = root;
    EXPECT_TRUE(is_found());
    machine_.mm.words[WORD_mm_maple_root] = 0;
  };
  machine_.mm.words[WORD_mm_lock_seq]++, is_not_known_any_more();
  machine_.task.words[WORD_task_exec_id]++, is_not_known_any_more();
  machine_.mm.words[WORD_mm_maple_root] = root;
  const auto other = std::make_unique<KernelObject>(machine_.mm);   // not in reach of bpf_probe_read_kernel here, as its mappings are not either
  machine_.task.words[WORD_task_mm] = address(other.get());
  other->words[WORD_mm_maple_root] = 0;
  EXPECT_EQ(walk(50, TRC_WALK_COUNT), 1u);
  EXPECT_EQ(ended(TRC_STACK_NoMapping), 1u);
}

TEST_F(Walker, MappingsWithoutATableAreNotRemembered) {
  mappings_change = false;
  machine_.files.clear();
  walk(50, TRC_WALK_COUNT);
  EXPECT_EQ(ended(TRC_STACK_NotLoaded), 1u);
  rule(0, TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0));
  machine_.files[{8, 77}] = {.first_page = 1, .pages = 64, .page_base = 0, .state = TRC_UW_FILE_READY};
  walk(50, TRC_WALK_COUNT);
  EXPECT_EQ(ended(TRC_STACK_Root), 1u);
}

TEST_F(Walker, EveryEndHasAReason) {
  const u64 sp = kStack + 0x1000, to_self = TRC_UW_RULE(TRC_UW_SP, TRC_UW_FP_SAME, 0, 0, 8);
  const auto expect_end = [&](trc_stack_end end, u64 frames_seen, unsigned limit = 50, unsigned flags = 0) {
    const u64 before = ended(end);
    EXPECT_EQ(walk(limit, flags), frames_seen);
    EXPECT_EQ(ended(end), before + 1) << end;
  };
  rule(0, to_self);
  put(sp, kCode + 0x20), put(sp + 8, kCode + 0x30), put(sp + 16, kCode + 0x40);
  expect_end(TRC_STACK_Root, 4);                 // a return address of 0
  expect_end(TRC_STACK_Limit, 2, 2);
  expect_end(TRC_STACK_Asked, 2, 2, TRC_WALK_ASKED);
  put(sp + 16, 0x1234);
  expect_end(TRC_STACK_NoMapping, 3);            // what is not code is no frame
  machine_.area.words[WORD_vma_flags] = 1;
  expect_end(TRC_STACK_NoMapping, 1);            // but the innermost is where the program is
  machine_.area.words[WORD_vma_flags] = 5;
  set(SP, kStackEnd - 8);
  put(kStackEnd - 8, kCode + 0x20);
  expect_end(TRC_STACK_Unreadable, 2);
  set(SP, sp);
  rule(0, TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0));
  expect_end(TRC_STACK_Unsupported, 1);
  rule(0, TRC_UW_RULE(TRC_UW_SP, TRC_UW_FP_SAME, 0, 0, -8));
  expect_end(TRC_STACK_NoRule, 1);               // would go in circles
  rule(0, TRC_UW_NONE);
  set(BP, sp - 8);
  expect_end(TRC_STACK_NoRule, 1);
  for (auto& walk : machine_.walks) walk[0] = 1;
  expect_end(TRC_STACK_NoScratch, 0);
}

TEST_F(Walker, AsksForTables) {
  machine_.files.clear();
  EXPECT_EQ(walk(50, TRC_WALK_COUNT), 1u);
  EXPECT_EQ(ended(TRC_STACK_NotLoaded), 1u);
  ASSERT_EQ(machine_.records.size(), 1u);
  trc_uw_file_record asked{};
  std::memcpy(&asked, machine_.records[0].data(), sizeof asked);
  EXPECT_EQ(asked.event, 4u);
  EXPECT_EQ(asked.key.device, 8u);
  EXPECT_EQ(asked.key.inode, 77u);
  EXPECT_EQ(asked.start, kCode);
  EXPECT_EQ(asked.end, kCodeEnd);
  EXPECT_EQ(asked.tgid, 42u);
  walk(50, TRC_WALK_COUNT);
  EXPECT_THAT(machine_.records, IsEmpty());      // once
  machine_.files.clear();
  machine_.ring_is_full = true;
  walk(50, TRC_WALK_COUNT);
  EXPECT_THAT(machine_.files, IsEmpty());        // it will be asked for again
}

TEST_F(Walker, FramePointers) {
  const u64 sp = kStack + 0x1000;
  set(BP, sp + 16);
  put(sp + 16, sp + 64), put(sp + 24, kCode + 0x20), put(sp + 64, 0), put(sp + 72, kCode + 0x30);
  EXPECT_EQ(walk(), 3u);
  EXPECT_EQ(ended(TRC_STACK_Root), 1u);          // rbp is 0 after steps by frame pointer
  EXPECT_EQ(trc_user_stack_fp(&name, 0, 50, TRC_WALK_COUNT), 3u);
  EXPECT_EQ(walk(50, TRC_WALK_TABLES_ONLY), 1u);
  put(sp, kCode + 0x50);                          // at a function's entry nothing was pushed yet
  EXPECT_EQ(walk(50, TRC_WALK_ENTRY), 4u);
  EXPECT_EQ(frames()[1], kCode + 0x50);
  set(SP, kStackEnd - 64);                        // where the program found its stack
  EXPECT_EQ(walk(50, TRC_WALK_ENTRY), 1u);
}

TEST_F(Walker, FramePointersThatLeadToAnotherStack) {
  // Two mappings, the code and the upper half of the stack.
  KernelObject& upper = machine_.probes;
  const u64 sp = kStack + 0x5000, fp = kStack + 0x1000, back = kCode + 0x100;
  upper.words[WORD_vma_start] = kStack + 0x4000;
  upper.words[WORD_vma_end] = kStackEnd;
  machine_.node[3] = kStack + 0x4000 - 1, machine_.node[4] = ~u64{0};
  machine_.node[19] = address(&upper);
  machine_.node[31] = 3;
  set(SP, sp), set(BP, fp);
  put(fp, fp + 64), put(fp + 8, back), put(fp + 64, 0), put(fp + 72, kCode + 0x200);
  const auto code = [&](u64 at, const std::vector<unsigned char>& bytes) { std::copy(bytes.begin(), bytes.end(), machine_.code.begin() + (at - kCode)); };
  EXPECT_EQ(walk(), 1u);                           // no call is there
  code(back - 5, {0xe8});
  EXPECT_EQ(walk(), 3u);
  EXPECT_THAT(frames(), ElementsAre(kCode + 0x10, back, kCode + 0x200));
  code(back - 5, {0});
  for (const auto& [before, call] : std::vector<std::pair<unsigned, std::vector<unsigned char>>>{
           {2, {0xff, 0xd0}}, {3, {0xff, 0x50, 8}}, {6, {0xff, 0x15, 1, 1, 1, 1}}, {7, {0xff, 0x94, 0x24, 1, 1, 1, 1}}}) {
    code(back - before, call);
    EXPECT_EQ(walk(50, TRC_WALK_COUNT), 3u) << before;
    code(back - 7, {0, 0, 0, 0, 0, 0, 0});
  }
  code(back - 5, {0xe8});
  put(fp, fp - 8);                                 // a chain goes upwards
  EXPECT_EQ(walk(50, TRC_WALK_COUNT), 1u);
  put(fp, fp + 64);
  upper.words[WORD_vma_start] = kStack;            // the same stack
  EXPECT_EQ(walk(50, TRC_WALK_COUNT), 1u);
  upper.words[WORD_vma_start] = kStack + 0x4000;
  put(fp, sp), put(sp, fp), put(sp + 8, back);     // in circles
  EXPECT_LE(walk(50, TRC_WALK_COUNT), 8u);
}

TEST_F(Walker, SignalFrames) {
  const u64 sp = kStack + 0x1000, saved = sp + 8 + 40;
  rule(0, TRC_UW_RULE(TRC_UW_SP, TRC_UW_FP_SAME, 0, 0, 8));
  rule(3, TRC_UW_RULE(TRC_UW_SIGNAL, 0, 0, 0, 0));
  put(sp, page_code(3) + 9);
  rule(1, TRC_UW_RULE(TRC_UW_REGISTER, TRC_UW_FP_SAME, 12, 0, 8));        // registers are known again: r12 + 8
  rule(2, TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0));
  put(saved + 4 * 8, kStack + 0x100), put(saved + 15 * 8, kStack + 0x80);  // on a stack that lies lower
  put(saved + 16 * 8, page_code(1));                                       // exact: the byte before belongs to another page
  put(kStack + 0x100, page_code(2) + 4);
  EXPECT_EQ(walk(), 4u);
  EXPECT_THAT(frames(), ElementsAre(kCode + 0x10, (page_code(3) + 9) | TRC_STACK_SIGNAL_FRAME, page_code(1), page_code(2) + 4));
  const trc_stack_name whole = name;
  EXPECT_EQ(walk(2, TRC_WALK_ASKED), 2u);          // also where it is the last one
  EXPECT_THAT(frames(), ElementsAre(kCode + 0x10, (page_code(3) + 9) | TRC_STACK_SIGNAL_FRAME));
  EXPECT_NE(name.low, whole.low);
  EXPECT_EQ(walk(50, TRC_WALK_COUNT), 4u);
}

TEST_F(Walker, SignalFramesOfCodeWithoutTables) {
  const u64 sp = kStack + 0x1000, context = sp + 8, saved = context + 40, trampoline = page_code(3);
  const std::vector<unsigned char> with_rax{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05}, with_eax{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
  rule(0, TRC_UW_RULE(TRC_UW_SP, TRC_UW_FP_SAME, 0, 0, 8));
  rule(1, TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0));
  put(sp, trampoline);
  put(context, 7), put(context + 8, 0);
  put(saved + 15 * 8, kStack + 0x80), put(saved + 16 * 8, page_code(1));
  const auto code = [&](const std::vector<unsigned char>& bytes) {
    std::fill(machine_.code.begin(), machine_.code.end(), 0x90);
    std::copy(bytes.begin(), bytes.end(), machine_.code.begin() + (trampoline - kCode));
  };
  for (const auto& bytes : {with_rax, with_eax}) {
    code(bytes);
    for (const u64 flags : {6, 7}) {
      put(context, flags);
      machine_.seen.clear();
      EXPECT_EQ(walk(), 3u);
      EXPECT_THAT(frames(), ElementsAre(kCode + 0x10, trampoline | TRC_STACK_SIGNAL_FRAME, page_code(1)));
      EXPECT_EQ(trc_user_stack_fp(&name, 0, 50, TRC_WALK_COUNT | TRC_WALK_ENTRY), 3u);
      EXPECT_EQ(walk(50, TRC_WALK_COUNT | TRC_WALK_TABLES_ONLY), 3u);
    }
    set(SP, context);                              // the innermost frame: at each of the instructions, after them
    for (const std::size_t at : {std::size_t{0}, bytes.size() - 2, bytes.size()}) {
      set(IP, trampoline + at);
      EXPECT_EQ(walk(50, TRC_WALK_COUNT), 2u);
    }
    set(IP, trampoline + 3);
    EXPECT_EQ(walk(50, TRC_WALK_COUNT), 1u);
    set(IP, kCode + 0x10), set(SP, sp);
  }
  const auto is_none = [&] { EXPECT_EQ(walk(50, TRC_WALK_COUNT), 2u); };
  put(context, 5), is_none();                      // not what the kernel puts there
  put(context, 7), put(context + 8, 1), is_none();
  put(context + 8, 0);
  put(sp, trampoline + 7), is_none();              // an address that something is called from
  put(sp, trampoline);
  code({0xb8, 0x0e, 0, 0, 0, 0x0f, 0x05}), is_none();
  code({}), is_none();
}

TEST_F(Walker, PendingReturnProbes) {
  const u64 sp = kStack + 0x1000, trampoline = 0x7fff0000;
  rule(0, TRC_UW_RULE(TRC_UW_SP, TRC_UW_FP_SAME, 0, 0, 8));
  rule(1, TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0));
  put(sp, trampoline), put(sp + 8, kCode + 0x30), put(sp + 16, trampoline);
  machine_.task.words[WORD_task_utask] = address(&machine_.probes);
  machine_.probes.words[WORD_utask_return_instances] = address(&machine_.instances[0]);
  const auto instance = [&](int i, u64 stack, u64 original, u64 chained, int next) {
    u64* words = machine_.instances[i].words;
    words[WORD_return_instance_stack] = stack;
    words[WORD_return_instance_address] = original;
    words[WORD_return_instance_chained] = chained;
    words[WORD_return_instance_next] = next < 0 ? 0 : address(&machine_.instances[next]);
  };
  instance(0, sp, trampoline, 1, 1);              // two probes of one function: the first has found the other's trampoline
  instance(1, sp, kCode + 0x20, 0, 2);
  instance(2, sp + 16, page_code(1) + 4, 0, -1);
  const auto expected = ElementsAre(kCode + 0x10, kCode + 0x20, kCode + 0x30, page_code(1) + 4);
  EXPECT_EQ(walk(), 4u);
  EXPECT_THAT(frames(), expected);
  machine_.mm.words[WORD_mm_uprobe_code] = address(&machine_.probe_code);
  machine_.probe_code.words[WORD_uprobe_code_address] = trampoline;
  machine_.seen.clear();
  EXPECT_EQ(walk(), 4u);
  EXPECT_THAT(frames(), expected);
  put(sp, kCode + 0x24);                          // the frame of another function, since the probed one was left by longjmp()
  EXPECT_EQ(walk(), 4u);
  EXPECT_EQ(frames()[1], kCode + 0x24);
}

TEST_F(Walker, KernelThreadsHaveNoUserStack) {
  machine_.task.words[WORD_task_mm] = 0;
  EXPECT_EQ(walk(), 0u);
  EXPECT_EQ(name.low | name.high, 0u);
  for (const u64 count : machine_.ends) EXPECT_EQ(count, 0u);
}

TEST_F(Walker, FindsTheRowOfEveryByte) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    const unsigned count = 1 + random() % 200, first = random() % (TRC_UW_BLOCK_ROWS - count);
    std::vector<unsigned> starts{0};
    while (starts.size() < count) starts.push_back(starts.back() + 1 + random() % 20);
    machine_.rules.assign(count, 0);
    for (unsigned i = 0; i < count; ++i) {
      machine_.rules[i] = i * 1000 + 1;
      machine_.block->rows[first + i] = i << 16 | starts[i];
    }
    machine_.pages[3] = {.first = first, .count = count};
    for (unsigned byte = 0, row = 0; byte < 4096; ++byte) {
      while (row + 1 < count && starts[row + 1] <= byte) ++row;
      ASSERT_EQ(trc_unwind_rule(2, 4, u64{3} << 12 | byte), row * 1000 + 1) << byte;
    }
    ASSERT_EQ(trc_unwind_rule(2, 1, u64{3} << 12), TRC_UW_NONE);
    ASSERT_EQ(trc_unwind_rule(4, 4, u64{3} << 12), TRC_UW_NONE);
  }
}

/// Whatever the stack, the registers and the rules are: a walk ends, with a reason, within its limit.
TEST_F(Walker, AnyBytes) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    machine_.rules.resize(1);
    for (unsigned page = 0; page < 64; ++page) {
      const u64 small = random() % 3 == 0 ? random() : random() % 256;
      rule(page, TRC_UW_RULE(random() % 16, random() % 3, random(), random(), small));
    }
    for (u64 at = kStack; at < kStackEnd; at += 8) put(at, random() % 2 ? kCode + random() % (kCodeEnd - kCode) : kStack + random() % 0x8000);
    for (u64 at = kCode; round % 100 == 0 && at < kCodeEnd; ++at) machine_.code[at - kCode] = static_cast<unsigned char>(random());
    for (u64& value : machine_.registers) value = kStack + random() % 0x8000;
    set(IP, kCode + random() % (kCodeEnd - kCode));
    set(CS, 0x33);
    const unsigned limit = 1 + random() % 100;
    EXPECT_LE(walk(limit, random() % 16), limit);
  }
  u64 walks = 0;
  for (const u64 count : machine_.ends) walks += count;
  EXPECT_EQ(walks, 3000u);
  for (const auto& walk : machine_.walks) EXPECT_EQ(walk[0], 0u);   // all were given back
}

}  // namespace
