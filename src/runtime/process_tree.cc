#include "runtime/process_tree.h"

#include <linux/bpf.h>

#include <span>

#include "kernel/bpf_map.h"
#include "stdlib/process_tree_abi.h"

namespace trc::runtime {

Result<std::unique_ptr<ProcessTree>> ProcessTree::create() {
  TRC_TRY(tree, kernel::create_map({.name = "trc_tree", .type = BPF_MAP_TYPE_ARRAY, .value_size = sizeof(trc_tree), .max_entries = 1}));
  TRC_TRY(members, kernel::create_map({.name = "trc_tree_members", .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4,
                                       .max_entries = TRC_TREE_PROCESSES, .flags = BPF_F_NO_PREALLOC}));
  auto made = std::unique_ptr<ProcessTree>(new ProcessTree(std::move(tree), std::move(members)));
  TRC_CHECK(made->write(TRC_TREE_NOBODY, TRC_TREE_COMMAND_ALONE));
  return made;
}

Result<> ProcessTree::open_to_all() { return write(TRC_TREE_NOBODY, TRC_TREE_EVERYBODY); }

Result<> ProcessTree::write(unsigned command, unsigned state) {
  const kernel::BpfMap map{.fd = tree_.get(), .key_size = 4, .value_size = sizeof(trc_tree), .max_entries = 1};
  const std::uint32_t key = 0;
  const trc_tree value{.command = command, .state = state};
  return kernel::update(map, std::as_bytes(std::span(&key, 1)), std::as_bytes(std::span(&value, 1)), false);
}

}  // namespace trc::runtime
