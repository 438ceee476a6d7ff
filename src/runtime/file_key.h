// The device and inode number of an open file as programs in the kernel see them at its mappings. On overlayfs those are of the file
// beneath, on btrfs the device is not the one that stat(2) tells.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>

#include "kernel/bpf_object.h"
#include "stdlib/unwind_abi.h"

namespace trc::runtime {

/// A device number of stat(2) in the encoding of struct super_block.
std::uint64_t kernel_device(dev_t device);

class FileKeys {
 public:
  struct Answer {
    trc_uw_file_key key;
    bool is_certain;   ///< false: the kernel would not tell, this is what stat(2) says
  };
  /// `info` is what fstat(2) says of it. Where mappings may show something else, the kernel is asked.
  Answer of(int fd, const struct stat& info);

 private:
  bool ask(int fd, trc_uw_file_key& key);
  void load();

  std::unique_ptr<kernel::BpfObject> object_;   ///< loaded when first needed
  int program_ = -1;
  bool tried_ = false;
};

}  // namespace trc::runtime
