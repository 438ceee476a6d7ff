#include "codegen/object_cache.h"

#include <utility>

#include <llvm/ADT/StringExtras.h>
#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/Support/BLAKE3.h>

#include "base/build_id.h"

namespace trc::codegen {
namespace {

/// What is kept, in a program image that has nothing else.
image::ProgramImage part_of(const image::ProgramImage& image) {
  image::ProgramImage part;
  part.object = image.object;
  part.helpers = image.helpers;
  part.constants = image.constants;
  part.kernel_symbols = image.kernel_symbols;
  part.kernel_fields = image.kernel_fields;
  return part;
}

}  // namespace

ObjectCache::ObjectCache(const FileCache* files, const llvm::Module& module) : files_(files) {
  if (!files_) return;
  const std::string build = own_build_id();
  if (build.empty()) {
    files_ = nullptr;
    return;
  }
  llvm::SmallVector<char, 0> bitcode;
  {
    llvm::BitcodeWriter writer(bitcode);
    writer.writeModule(module);
    writer.writeStrtab();
  }
  llvm::BLAKE3 hash;
  hash.update(build);
  hash.update(llvm::StringRef(bitcode.data(), bitcode.size()));
  key_ = llvm::toHex(hash.final(), true);
}

bool ObjectCache::find(image::ProgramImage& image) const {
  if (!files_) return false;
  const auto content = files_->find(key_);
  if (!content) return false;
  auto part = image::load(*content);
  if (!part) return false;
  if (!part->object.empty() && part->kernel_symbols.size() != image.kernel_symbols.size()) return false;
  image.object = std::move(part->object);
  image.helpers = std::move(part->helpers);
  image.kernel_fields = std::move(part->kernel_fields);
  image.constants = std::move(part->constants);
  for (std::size_t i = 0; i < part->kernel_symbols.size(); ++i) image.kernel_symbols[i].offset = part->kernel_symbols[i].offset;   // spans are the script's
  return true;
}

void ObjectCache::store(const image::ProgramImage& image) const {
  if (files_) files_->store(key_, image::save(part_of(image)));
}

}  // namespace trc::codegen
