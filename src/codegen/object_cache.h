// What LLVM has made of a module in an earlier run. The key is the module itself, as bitcode, and the build of trc: everything that the result depends on.
#pragma once

#include <optional>
#include <string>

#include <llvm/IR/Module.h>

#include "base/file_cache.h"
#include "image/program_image.h"

namespace trc::codegen {

class ObjectCache {
 public:
  /// `files` may be null: then nothing is found. `module` is as it is before the library is linked to it.
  ObjectCache(const FileCache* files, const llvm::Module& module);

  /// Puts what depends on the module alone into `image`: the object, with where things lie in it, and the helpers that it calls. An empty object:
  /// the module needs too much stack.
  bool find(image::ProgramImage& image) const;
  void store(const image::ProgramImage& image) const;

 private:
  const FileCache* files_;
  std::string key_;
};

}  // namespace trc::codegen
