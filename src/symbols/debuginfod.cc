#include "symbols/debuginfod.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

#include "base/owned.h"
#include "base/strings.h"
#include "symbols/debug_file.h"

namespace trc::symbols {
namespace {

/// libdebuginfod's client and the functions in use, as debuginfod.h (elfutils) declares them; the header is a package of its own.
struct debuginfod_client;
struct Library {
  debuginfod_client* (*begin)() = nullptr;
  int (*find)(debuginfod_client*, const unsigned char*, int, char**) = nullptr;
};

/// Null if it is not there.
const Library* library() {
  static const Library kLibrary = [] {
    Library functions;
    void* handle = ::dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return functions;
    functions.begin = reinterpret_cast<decltype(functions.begin)>(::dlsym(handle, "debuginfod_begin"));
    functions.find = reinterpret_cast<decltype(functions.find)>(::dlsym(handle, "debuginfod_find_debuginfo"));
    return functions;
  }();
  return kLibrary.begin != nullptr && kLibrary.find != nullptr ? &kLibrary : nullptr;
}

}  // namespace

std::shared_ptr<const ElfReader> fetch_debug_file(const std::string& build_id) {
  const char* urls = std::getenv("DEBUGINFOD_URLS");
  if (urls == nullptr || *urls == '\0' || build_id.empty() || library() == nullptr) return nullptr;
  // One for the whole run: it keeps its connections, and notes what the servers do not have.
  static debuginfod_client* const kClient = library()->begin();
  if (kClient == nullptr) return nullptr;
  std::vector<unsigned char> id;
  for (std::size_t i = 0; i + 1 < build_id.size(); i += 2) id.push_back(static_cast<unsigned char>(hex_digit(build_id[i]) << 4 | hex_digit(build_id[i + 1])));
  Fd file(library()->find(kClient, id.data(), static_cast<int>(id.size()), nullptr));
  if (file.get() < 0) {
    (void)file.release();   // a negative error number
    return nullptr;
  }
  auto reader = ElfReader::from_file(std::move(file), "debug file of " + build_id);
  if (!reader || read_build_id(*reader) != build_id) return nullptr;
  return std::make_shared<const ElfReader>(std::move(*reader));
}

}  // namespace trc::symbols
