#include "codegen/kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "kernel/btf.h"
#include "lang/aggregates.h"
#include "stdlib/unwind_abi.h"
#include "kernel/pid_namespace.h"

namespace trc::test {
namespace {

std::string verifier_log;
int keep_warnings(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[65536];
  const int length = std::vsnprintf(line, sizeof line, format, arguments);
  verifier_log.append(line, std::min<std::size_t>(static_cast<std::size_t>(length), sizeof line - 1));
  return length;
}

enum bpf_prog_type program_type(lang::ProgramKind kind) {
  switch (kind) {
    case lang::ProgramKind::TestRun:
    case lang::ProgramKind::RawTracepoint: return BPF_PROG_TYPE_RAW_TRACEPOINT;
    case lang::ProgramKind::UserProbe:
    case lang::ProgramKind::KernelFunction:
    case lang::ProgramKind::KernelAddress: return BPF_PROG_TYPE_KPROBE;
    case lang::ProgramKind::Tracepoint: return BPF_PROG_TYPE_TRACEPOINT;
    case lang::ProgramKind::PerfEvent: return BPF_PROG_TYPE_PERF_EVENT;
    case lang::ProgramKind::FunctionEntry:
    case lang::ProgramKind::FunctionExit:
    case lang::ProgramKind::Iterator: return BPF_PROG_TYPE_TRACING;
  }
  return BPF_PROG_TYPE_UNSPEC;
}

}  // namespace

std::string why_no_bpf() {
  if (geteuid() != 0) return "needs root to load BPF programs";
  LIBBPF_OPTS(bpf_map_create_opts, options);
  const int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "trc_test", 4, 8, 1, &options);
  if (fd < 0) return std::string("cannot create BPF maps here: ") + std::strerror(errno);
  close(fd);
  return {};
}

Loaded::Loaded(const typed::TypedProgram& program) {
  auto made = codegen::generate(program, {.keep_ir = true, .keep_assembly = true});
  if (!made) {
    ADD_FAILURE() << made.error().message();
    return;
  }
  result_ = std::move(*made);
  if (const char* path = std::getenv("TRC_KEEP_OBJECT")) {  // for a look with llvm-objdump
    std::ofstream(path, std::ios::binary) << result_.image.object;
    std::ofstream(std::string(path) + ".s") << result_.assembly;
    std::ofstream(std::string(path) + ".ll") << result_.ir << result_.optimized_ir;
  }
  libbpf_set_print(keep_warnings);
  verifier_log.clear();
  bpf_object* object = bpf_object__open_mem(result_.image.object.data(), result_.image.object.size(), nullptr);
  if (!object) {
    ADD_FAILURE() << "open: " << std::strerror(errno) << "\n" << verifier_log;
    return;
  }
  for (const image::ProgramEntry& entry : result_.image.programs) {
    bpf_program__set_type(bpf_object__find_program_by_name(object, entry.name.c_str()), program_type(entry.kind));
  }
  bpf_map* read_only = nullptr;  // ".rodata"
  bpf_object__for_each_map(read_only, object) {
    if (!std::strstr(bpf_map__name(read_only), "rodata")) continue;
    std::size_t size = 0;
    auto* data = static_cast<char*>(bpf_map__initial_value(read_only, &size));
    for (const image::RuntimeConstantEntry& constant : result_.image.constants) {
      std::uint64_t number = 0;
      switch (static_cast<typed::RuntimeConstant>(constant.which)) {
        case typed::RuntimeConstant::TargetPid: number = static_cast<std::uint64_t>(getpid()); break;
        case typed::RuntimeConstant::ChildPid: number = 4711; break;
        case typed::RuntimeConstant::CpuCount: number = static_cast<std::uint64_t>(libbpf_num_possible_cpus()); break;
        case typed::RuntimeConstant::StartNs: number = 1; break;
        case typed::RuntimeConstant::TaiDelta: number = 1; break;
        case typed::RuntimeConstant::MaxStack: number = 127; break;
        case typed::RuntimeConstant::PidNamespaceDevice: number = kernel::own_pid_namespace().device; break;
        case typed::RuntimeConstant::PidNamespaceInode: number = kernel::own_pid_namespace().inode; break;
      }
      EXPECT_LE(constant.offset + 8, size);
      std::memcpy(data + constant.offset, &number, 8);
    }
    std::vector<std::string> members;
    for (const image::KernelFieldEntry& field : result_.image.kernel_fields) members.push_back(field.member);
    if (members.empty()) continue;
    const auto offsets = kernel::kernel_member_offsets(members);
    if (!offsets) {
      ADD_FAILURE() << offsets.error().message();
      continue;
    }
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::uint64_t at = (*offsets)[i].value_or(image::kNoMember);
      EXPECT_NE(at, image::kNoMember) << members[i];
      EXPECT_LE(result_.image.kernel_fields[i].offset + 8, size);
      std::memcpy(data + result_.image.kernel_fields[i].offset, &at, 8);
    }
  }
  provide_maps(object);
  if (bpf_object__load(object) != 0) {
    ADD_FAILURE() << "load: " << std::strerror(errno) << "\n" << verifier_log << "\n" << result_.assembly;
    bpf_object__close(object);
    return;
  }
  object_ = object;
}

/// What the runner makes: slots for every CPU, and unwind tables, here without anything in them.
void Loaded::provide_maps(bpf_object* object) {
  for (const image::MapEntry& entry : result_.image.maps) {
    bpf_map* map = bpf_object__find_map_by_name(object, entry.name.c_str());
    if (entry.role == image::MapRole::Slots) bpf_map__set_max_entries(map, entry.max_entries * static_cast<unsigned>(libbpf_num_possible_cpus()));
    if (entry.role != image::MapRole::Given) continue;
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = entry.flags);
    if (entry.bpf_type == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
      const int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "trc_chunk", 4, sizeof(trc_uw_block), TRC_UW_CHUNK_BLOCKS, nullptr);
      options.inner_map_fd = static_cast<unsigned>(inner);
      given_.push_back(inner);
    }
    const int fd = bpf_map_create(static_cast<bpf_map_type>(entry.bpf_type), entry.name.c_str(), entry.key_size, entry.value_size, entry.max_entries, &options);
    given_.push_back(fd);
    if (fd < 0 || bpf_map__reuse_fd(map, fd) != 0) ADD_FAILURE() << "cannot make " << entry.name << ": " << std::strerror(errno);
  }
}

Loaded::~Loaded() {
  for (const int fd : given_) close(fd);
  if (object_) bpf_object__close(object_);
}

std::uint32_t Loaded::run(std::uint32_t program) {
  if (!object_) return 0;
  LIBBPF_OPTS(bpf_test_run_opts, options);
  bpf_program* found = bpf_object__find_program_by_name(object_, result_.image.programs[program].name.c_str());
  EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(found), &options), 0) << std::strerror(errno);
  return options.retval;
}

int Loaded::map_fd(std::uint32_t map) const {
  if (!object_) return -1;
  return bpf_map__fd(bpf_object__find_map_by_name(object_, result_.image.maps[map].name.substr(0, 63).c_str()));
}

std::vector<std::vector<std::byte>> Loaded::records() {
  std::vector<std::vector<std::byte>> found;
  for (std::uint32_t i = 0; i < result_.image.maps.size(); ++i) {
    if (result_.image.maps[i].role != image::MapRole::Ring) continue;
    auto keep = [](void* list, void* data, std::size_t size) {
      auto* bytes = static_cast<const std::byte*>(data);
      static_cast<std::vector<std::vector<std::byte>>*>(list)->emplace_back(bytes, bytes + size);
      return 0;
    };
    ring_buffer* ring = ring_buffer__new(map_fd(i), keep, &found, nullptr);
    if (!ring) return {};
    ring_buffer__consume(ring);
    ring_buffer__free(ring);
  }
  return found;
}

std::vector<std::byte> Loaded::element(std::uint32_t map, std::span<const std::byte> key) {
  const image::MapEntry& entry = result_.image.maps[map];
  EXPECT_EQ(key.size(), entry.key_size);
  const std::size_t stride = (entry.value_size + 7) / 8 * 8;
  std::vector<std::byte> value(stride * (entry.per_cpu ? static_cast<std::size_t>(libbpf_num_possible_cpus()) : 1));
  if (bpf_map_lookup_elem(map_fd(map), key.data(), value.data()) != 0) return {};
  return value;
}

std::uint64_t Loaded::word(std::uint32_t map, std::span<const std::byte> key, std::uint32_t offset) {
  const auto value = element(map, key);
  const std::size_t stride = (result_.image.maps[map].value_size + 7) / 8 * 8;
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < value.size(); at += stride) {
    std::uint64_t one = 0;
    std::memcpy(&one, value.data() + at + offset, std::min<std::size_t>(8, result_.image.maps[map].value_size - offset));
    sum += one;
  }
  return sum;
}

std::uint64_t Loaded::word(std::uint32_t map, std::uint32_t offset) {
  const std::uint32_t zero = 0;
  return word(map, bytes_of(zero), offset);
}

std::size_t Loaded::count(std::uint32_t map) {
  std::vector<std::byte> key(result_.image.maps[map].key_size), next(key.size());
  std::size_t n = 0;
  const void* previous = nullptr;
  while (bpf_map_get_next_key(map_fd(map), previous, next.data()) == 0) {
    ++n;
    key = next;
    previous = key.data();
  }
  return n;
}

image::LossCounters Loaded::losses(std::uint32_t program) {
  image::LossCounters sum;
  for (std::uint32_t i = 0; i < result_.image.maps.size(); ++i) {
    if (result_.image.maps[i].role != image::MapRole::Loss) continue;
    sum.ring_full = word(i, bytes_of(program), offsetof(image::LossCounters, ring_full));
    sum.map_full = word(i, bytes_of(program), offsetof(image::LossCounters, map_full));
    sum.scratch_busy = word(i, bytes_of(program), offsetof(image::LossCounters, scratch_busy));
    sum.stacks_full = word(i, bytes_of(program), offsetof(image::LossCounters, stacks_full));
    sum.helper_failed = word(i, bytes_of(program), offsetof(image::LossCounters, helper_failed));
  }
  return sum;
}

std::uint32_t Loaded::verified(std::uint32_t program) const {
  bpf_prog_info info = {};
  __u32 size = sizeof info;
  bpf_program* found = bpf_object__find_program_by_name(object_, result_.image.programs[program].name.c_str());
  EXPECT_EQ(bpf_prog_get_info_by_fd(bpf_program__fd(found), &info, &size), 0);
  return info.verified_insns;
}

}  // namespace trc::test
