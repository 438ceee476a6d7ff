// Which kernel map stands behind each map of the script, and the maps that code generation needs for itself.
#include <fmt/format.h>
#include <linux/bpf.h>

#include "codegen/module_emitter.h"
#include "lang/aggregates.h"
#include "stdlib/packet_abi.h"
#include "stdlib/process_tree_abi.h"
#include "stdlib/python_walk.h"
#include "stdlib/scratch.h"
#include "stdlib/stack_hash.h"
#include "stdlib/stack_walk.h"

namespace trc::codegen {
namespace {

constexpr std::uint32_t kDefaultRingBytes = 4 << 20;
constexpr std::uint32_t kPreallocateUpTo = 64 << 10;      // entries; larger hashes cost too much at every start
constexpr std::uint32_t kLargestPerCpuHashState = 1024;   // a histogram above this is one shared value with atomic counters
constexpr std::uint32_t kLargestPerCpuValue = 32 << 10;   // kernel limit
constexpr std::uint32_t kStacksRemembered = 64 << 10;     // names of stacks that were sent; one that was forgotten is sent again

constexpr std::uint32_t kLastFramesOfStacks = 1024;       // different ones, of kernel stacks that may be cut; those that find no room count as cut

std::uint32_t align8(std::uint32_t bytes) { return (bytes + 7) / 8 * 8; }
std::uint32_t align_line(std::uint32_t bytes) { return (bytes + 63) / 64 * 64; }   // what two CPUs write is not in one cache line

std::uint32_t hash_type(bool per_cpu, bool lru) {
  if (lru) return per_cpu ? BPF_MAP_TYPE_LRU_PERCPU_HASH : BPF_MAP_TYPE_LRU_HASH;
  return per_cpu ? BPF_MAP_TYPE_PERCPU_HASH : BPF_MAP_TYPE_HASH;
}

/// A C identifier that no map of code generation has.
std::string map_symbol(const std::string& script_name) { return "at_" + script_name.substr(script_name.find_first_not_of('@') == std::string::npos ? script_name.size() : 1); }

}  // namespace

void ModuleEmitter::add_user_map(const typed::Map& map) {
  image::MapEntry entry;
  entry.name = map_symbol(map.name);
  entry.script_name = map.name;
  entry.role = image::MapRole::User;
  entry.has_key = map.key.has_value();
  if (map.key) entry.key = *map.key;
  entry.value = map.value;
  const bool aggregate = map.value.is_aggregate();
  const std::uint32_t state = aggregate ? lang::aggregate_size(map.value) : map.value.size;
  if (entry.has_key) {
    entry.key_size = map.key->size;
    entry.value_size = state;
    entry.max_entries = map.max_entries;
    entry.per_cpu = aggregate && state <= kLargestPerCpuHashState;
    entry.bpf_type = hash_type(entry.per_cpu, map.lru);
    const bool large = aggregate && !entry.per_cpu;
    if (!map.lru && !entry.per_cpu && (large || map.max_entries > kPreallocateUpTo)) entry.flags = BPF_F_NO_PREALLOC;
  } else {
    entry.key_size = 4;
    entry.presence_offset = align8(state);
    entry.value_size = entry.presence_offset + 8;
    entry.max_entries = 1;
    entry.per_cpu = aggregate && entry.value_size <= kLargestPerCpuValue;   // a larger one is a time series of many buckets
    entry.bpf_type = entry.per_cpu ? BPF_MAP_TYPE_PERCPU_ARRAY : BPF_MAP_TYPE_ARRAY;
  }
  if (entry.per_cpu && entry.value_size > kLargestPerCpuValue) {
    fail(map.span, fmt::format("the value of {} takes {} bytes, and the kernel allows {} per CPU", map.name, entry.value_size, kLargestPerCpuValue));
  }
  map_symbols_.push_back(declare_map(entry.name));
  maps_.push_back(std::move(entry));
}

// The definition's shape is described in finish(), when every size is known.
llvm::GlobalVariable* ModuleEmitter::declare_map(const std::string& name) {
  auto* type = llvm::ArrayType::get(llvm::PointerType::get(module.getContext(), 0), 5);
  auto* symbol = new llvm::GlobalVariable(module, type, false, llvm::GlobalValue::ExternalLinkage, llvm::Constant::getNullValue(type), name);
  symbol->setSection(".maps");
  symbol->setAlignment(llvm::Align(8));
  return symbol;
}

llvm::GlobalVariable* ModuleEmitter::add_internal_map(image::MapEntry entry) {
  map_symbols_.push_back(declare_map(entry.name));
  maps_.push_back(std::move(entry));
  return map_symbols_.back();
}

llvm::GlobalVariable* ModuleEmitter::ring() {
  if (!ring_) {
    ring_ = add_internal_map({.name = "trc_ring", .role = image::MapRole::Ring, .bpf_type = BPF_MAP_TYPE_RINGBUF,
                              .max_entries = program.ring_bytes ? program.ring_bytes : kDefaultRingBytes});
  }
  return ring_;
}

llvm::GlobalVariable* ModuleEmitter::loss() {
  if (!loss_) {
    loss_ = add_internal_map({.name = "trc_loss", .role = image::MapRole::Loss, .bpf_type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4,
                              .value_size = sizeof(image::LossCounters), .max_entries = static_cast<std::uint32_t>(program.programs.size()),
                              .per_cpu = true});
  }
  return loss_;
}

llvm::GlobalVariable* ModuleEmitter::packets() {
  if (!packets_) {
    packets_ = add_internal_map({.name = TRC_PACKET_MAP, .role = image::MapRole::Given, .bpf_type = BPF_MAP_TYPE_PERF_EVENT_ARRAY, .key_size = 4, .value_size = 4});
  }
  return packets_;
}

llvm::GlobalVariable* ModuleEmitter::scratch(std::uint32_t bytes) {
  scratch_bytes_ = std::max(scratch_bytes_, bytes);
  if (!scratch_) {
    scratch_ = add_internal_map({.name = "trc_scratch", .role = image::MapRole::Slots, .bpf_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
                                 .max_entries = TRC_SCRATCH_SLOTS});
  }
  return scratch_;
}

std::uint32_t ModuleEmitter::add_site() {
  if (!sites_) sites_ = add_internal_map({.name = "trc_sites", .bpf_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8});
  return site_count_++;
}

void ModuleEmitter::use_stacks(std::uint32_t frames) {
  stack_capacity_ = std::max(stack_capacity_, frames);
  if (walks_) return;
  ring();
  loss();
  constant(typed::RuntimeConstant::MaxStack);
  walks_ = add_internal_map({.name = "trc_walks", .role = image::MapRole::Slots, .bpf_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
                             .max_entries = TRC_WALK_SLOTS_PER_CPU});
  add_internal_map({.name = "trc_stacks_seen", .bpf_type = BPF_MAP_TYPE_LRU_HASH, .key_size = sizeof(trc_stack_name), .value_size = 4,
                    .max_entries = kStacksRemembered});
  add_internal_map({.name = "trc_stack_ends", .role = image::MapRole::StackEnds, .bpf_type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4,
                    .value_size = 8 * TRC_STACK_ENDS, .max_entries = static_cast<std::uint32_t>(program.programs.size()), .per_cpu = true});
  add_number("trc_stack_event", add_event({.action = lang::ActionKind::StackFrames}));
}

void ModuleEmitter::use_kernel_stacks() {
  if (module.getNamedGlobal("trc_stack_limits")) return;
  add_internal_map({.name = "trc_stack_limits", .role = image::MapRole::StackLimits, .bpf_type = BPF_MAP_TYPE_HASH, .key_size = sizeof(trc_stack_limit),
                    .value_size = 8, .max_entries = kLastFramesOfStacks});
}

void ModuleEmitter::use_unwind_tables() {
  if (module.getNamedGlobal("trc_uw_files")) return;
  const auto add = [this](const char* name, std::uint32_t type, std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags) {
    add_internal_map({.name = name, .role = image::MapRole::Given, .bpf_type = type, .key_size = key, .value_size = value,
                      .max_entries = entries, .flags = flags});
  };
  add("trc_uw_files", BPF_MAP_TYPE_HASH, sizeof(trc_uw_file_key), sizeof(trc_uw_file), TRC_UW_MAX_FILES, BPF_F_NO_PREALLOC);
  add("trc_uw_pages", BPF_MAP_TYPE_ARRAY, 4, sizeof(trc_uw_page), TRC_UW_MAX_PAGES, BPF_F_MMAPABLE);
  add("trc_uw_rows", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, TRC_UW_MAX_CHUNKS, 0);
  add("trc_uw_rules", BPF_MAP_TYPE_ARRAY, 4, 8, TRC_UW_MAX_RULES, BPF_F_MMAPABLE);
  add_number("trc_unwind_event", add_event({.action = lang::ActionKind::UnwindFile}));
}

void ModuleEmitter::use_python(std::uint32_t words) {
  python_words_ = std::max(python_words_, words);
  if (python_walks_) return;
  python_walks_ = add_internal_map({.name = "trc_py_walks", .role = image::MapRole::Slots, .bpf_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
                                    .max_entries = TRC_WALK_SLOTS_PER_CPU});
  add_internal_map({.name = "trc_py_files", .role = image::MapRole::Given, .bpf_type = BPF_MAP_TYPE_HASH, .key_size = sizeof(trc_uw_file_key),
                    .value_size = sizeof(trc_py_file), .max_entries = TRC_PY_MAX_FILES});
  add_internal_map({.name = "trc_py_late", .role = image::MapRole::Given, .bpf_type = BPF_MAP_TYPE_HASH, .key_size = sizeof(trc_py_late_key),
                    .value_size = 8, .max_entries = TRC_PY_MAX_FILES});
  add_internal_map({.name = "trc_py_runtimes", .role = image::MapRole::Given, .bpf_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
                    .value_size = sizeof(trc_py_runtime), .max_entries = TRC_PY_MAX_RUNTIMES});
  add_internal_map({.name = "trc_py_processes", .bpf_type = BPF_MAP_TYPE_LRU_HASH, .key_size = 4, .value_size = sizeof(trc_py_process),
                    .max_entries = TRC_PY_MAX_PROCESSES});
  add_internal_map({.name = "trc_py_codes", .bpf_type = BPF_MAP_TYPE_LRU_HASH, .key_size = sizeof(trc_py_code_key), .value_size = 8,
                    .max_entries = TRC_PY_MAX_CODES});
  add_number("trc_py_code_event", add_event({.action = lang::ActionKind::InterpreterCode}));
  add_number("trc_py_file_event", add_event({.action = lang::ActionKind::InterpreterFile}));
}

void ModuleEmitter::use_process_tree() {
  if (module.getNamedGlobal("trc_tree")) return;
  add_internal_map({.name = "trc_tree", .role = image::MapRole::Given, .bpf_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = sizeof(trc_tree), .max_entries = 1});
  add_internal_map({.name = "trc_tree_members", .role = image::MapRole::Given, .bpf_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4,
                    .max_entries = TRC_TREE_PROCESSES, .flags = BPF_F_NO_PREALLOC});
}

void ModuleEmitter::finish() {
  for (std::size_t i = 0; i < maps_.size(); ++i) {
    image::MapEntry& entry = maps_[i];
    if (map_symbols_[i] == scratch_) entry.value_size = align_line(TRC_SCRATCH_HEADER + scratch_bytes_);
    if (map_symbols_[i] == walks_) entry.value_size = sizeof(trc_walk) + 8 * stack_capacity_;
    if (map_symbols_[i] == python_walks_) entry.value_size = sizeof(trc_py_walk) + 8 * python_words_;
    if (map_symbols_[i] == sites_) entry.max_entries = site_count_;
    debug.describe_map(*map_symbols_[i], {entry.bpf_type, entry.key_size, entry.value_size, entry.max_entries, entry.flags});
  }
  if (python_walks_) add_number("trc_py_capacity", python_words_);
  if (walks_) add_number("trc_stack_capacity", stack_capacity_);
  if (zeros_) {
    // Its final size was not known when it was first used.
    auto* type = llvm::ArrayType::get(llvm::Type::getInt8Ty(module.getContext()), zero_bytes_);
    auto* final_zeros = read_only("trc_zeros_", llvm::Constant::getNullValue(type));
    zeros_->replaceAllUsesWith(final_zeros);
    zeros_->eraseFromParent();
    final_zeros->setName("trc_zeros");
  }
  image.maps.assign(maps_.begin(), maps_.end());
  debug.finish();
}

}  // namespace trc::codegen
