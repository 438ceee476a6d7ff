// The list of the -c command's processes that programs look at (stdlib/process_tree_abi.h). runtime/follow keeps it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/owned.h"
#include "base/result.h"

namespace trc::runtime {

class ProcessTree {
 public:
  /// Nobody belongs to it yet.
  static Result<std::unique_ptr<ProcessTree>> create();

  struct Named { const char* name; int fd; };   ///< descriptors are borrowed
  std::vector<Named> maps() const { return {{"trc_tree", tree_.get()}, {"trc_tree_members", members_.get()}}; }

  int members() const { return members_.get(); }

  /// Nobody keeps the list: every process counts as one of it.
  Result<> open_to_all();

 private:
  ProcessTree(Fd tree, Fd members) : tree_(std::move(tree)), members_(std::move(members)) {}
  Result<> write(unsigned command, unsigned state);

  Fd tree_, members_;
};

}  // namespace trc::runtime
