#include "runtime/file_key.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "kernel/btf.h"

extern const char trc_file_key_object[];
extern const char trc_file_key_object_end[];

namespace trc::runtime {
namespace {

constexpr std::size_t kAddress = 0, kKey = 8, kResult = 24;   // in .bss, see file_key.bpf.c
constexpr int kTries = 20;                                    // another thread of ours may be mapping something

/// File systems whose inodes stand in mappings as stat(2) tells them.
constexpr unsigned long kPlain[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC, F2FS_SUPER_MAGIC, SQUASHFS_MAGIC, EROFS_SUPER_MAGIC_V1,
                                    ISOFS_SUPER_MAGIC};

template <class T>
std::string_view as_bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

std::uint64_t kernel_device(dev_t device) { return std::uint64_t{major(device)} << 20 | minor(device); }

FileKeys::Answer FileKeys::of(int fd, const struct stat& info) {
  const trc_uw_file_key key{kernel_device(info.st_dev), info.st_ino};
  struct statfs system {};
  const bool known = ::fstatfs(fd, &system) == 0;
  if (known && std::find(std::begin(kPlain), std::end(kPlain), static_cast<unsigned long>(system.f_type)) != std::end(kPlain)) return {key, true};
  trc_uw_file_key asked{};
  if (info.st_size > 0 && ask(fd, asked)) return {asked, true};
  return {key, false};
}

void FileKeys::load() {
  tried_ = true;
  const std::vector<std::string> members{"vm_area_struct.vm_file", "file.f_inode", "inode.i_ino", "inode.i_sb", "super_block.s_dev"};
  const auto offsets = kernel::kernel_member_offsets(members);
  auto object = kernel::BpfObject::open({trc_file_key_object, static_cast<std::size_t>(trc_file_key_object_end - trc_file_key_object)}, "trc_file_key");
  if (!offsets || !object) return;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!(*offsets)[i] || !(*object)->set_data(".rodata", i * sizeof(std::uint64_t), as_bytes(*(*offsets)[i]))) return;
  }
  if (!(*object)->set_type("look", kernel::ProgramType::RawTracepoint) || !(*object)->load()) return;
  const auto program = (*object)->program("look");
  if (!program) return;
  program_ = *program;
  object_ = std::move(*object);
}

bool FileKeys::ask(int fd, trc_uw_file_key& key) {
  if (!tried_) load();
  if (!object_) return false;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* memory = ::mmap(nullptr, page, PROT_READ, MAP_PRIVATE, fd, 0);   // never touched
  if (memory == MAP_FAILED) return false;
  const auto address = reinterpret_cast<std::uint64_t>(memory);
  bool done = static_cast<bool>(object_->write_data(".bss", kAddress, as_bytes(address)));
  std::int64_t result = -EBUSY;
  for (int i = 0; i < kTries && done && result == -EBUSY; ++i) {
    done = static_cast<bool>(kernel::run_raw_tracepoint(program_));
    const auto answer = object_->read_data(".bss", kResult, sizeof result);
    done = done && answer;
    if (done) std::memcpy(&result, answer->data(), sizeof result);
  }
  const auto answer = object_->read_data(".bss", kKey, sizeof key);
  done = done && result == 0 && answer;
  if (done) std::memcpy(&key, answer->data(), sizeof key);
  ::munmap(memory, page);
  return done && key.inode != 0;
}

}  // namespace trc::runtime
