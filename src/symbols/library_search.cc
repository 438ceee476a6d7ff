#include "symbols/library_search.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/read_file.h"
#include "base/strings.h"
#include "symbols/elf_file.h"

namespace trc::symbols {
namespace {

namespace fs = std::filesystem;

// /etc/ld.so.cache: "glibc-ld.so.cache1.1", counts, entries, then strings; offsets count from the magic. Older systems put another
// table in front, "ld.so-1.7.0" with entries of 12 bytes.
constexpr std::string_view kOldMagic = "ld.so-1.7.0", kNewMagic = "glibc-ld.so.cache1.1";
constexpr std::size_t kNewHeader = 48, kNewEntry = 24, kOldHeader = 16, kOldEntry = 12;
/// The flags of the cache's entries for this machine (a libc 6 library of its word size), and what $LIB and $PLATFORM stand for.
#if defined(__x86_64__)
constexpr std::uint32_t kNativeFlags = 0x0303;
constexpr const char* kMultiarch = "x86_64-linux-gnu";
constexpr const char* kPlatform = "x86_64";
#elif defined(__aarch64__)
constexpr std::uint32_t kNativeFlags = 0x0a03;
constexpr const char* kMultiarch = "aarch64-linux-gnu";
constexpr const char* kPlatform = "aarch64";
#else
#error "library_search.cc: add what the dynamic loader of this architecture uses"
#endif

std::uint32_t u32_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  if (at + 4 <= bytes.size()) std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

std::string text_at(std::string_view bytes, std::size_t at) {
  if (at >= bytes.size()) return "";
  const std::string_view rest = bytes.substr(at);
  return std::string(rest.substr(0, std::min<std::size_t>(rest.find('\0'), 4096)));
}

/// Read once: the loader's view at the start of the run.
const std::vector<CachedLibrary>& library_cache() {
  static const std::vector<CachedLibrary> entries = [] {
    const auto bytes = read_file("/etc/ld.so.cache");
    return bytes ? parse_library_cache(*bytes) : std::vector<CachedLibrary>();
  }();
  return entries;
}

const std::vector<std::string>& usual_directories() {
  static const std::vector<std::string> directories = {
      std::string("/lib/") + kMultiarch, std::string("/usr/lib/") + kMultiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib",
      "/usr/local/lib64", "/usr/local/lib"};
  return directories;
}

/// "libx.so.10" after "libx.so.9": runs of digits compare as numbers.
bool version_less(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const auto number = [](std::string_view text, std::size_t& at) {
        const std::size_t start = at;
        while (at < text.size() && is_digit(text[at])) ++at;
        while (text.size() > start + 1 && text[start] == '0' && at - start > 1) return text.substr(start + 1, at - start - 1);
        return text.substr(start, at - start);
      };
      const std::string_view x = number(a, i), y = number(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

bool is_native_library(const std::string& path) {
  static const auto self = open_cached("/proc/self/exe");
  const auto file = open_cached(path);
  return file && self && (*file)->machine() == (*self)->machine() && (*file)->is_64bit() == (*self)->is_64bit();
}

/// The exact name first, then the highest version; of equals the first, as the loader does.
std::string choose(std::string_view name, const std::vector<CachedLibrary>& candidates) {
  std::vector<const CachedLibrary*> order;
  for (const CachedLibrary& candidate : candidates) order.push_back(&candidate);
  std::sort(order.begin(), order.end(), [&](const CachedLibrary* a, const CachedLibrary* b) {
    const bool exact_a = a->soname == name, exact_b = b->soname == name;
    if (exact_a != exact_b) return exact_a;
    if (a->soname != b->soname) return version_less(b->soname, a->soname);
    return a < b;
  });
  for (const CachedLibrary* candidate : order)
    if (is_native_library(candidate->path)) return candidate->path;
  return "";
}

std::vector<CachedLibrary> in_usual_directories(std::string_view name) {
  std::vector<CachedLibrary> found;
  for (const std::string& directory : usual_directories()) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) {
      std::string file = entry.path().filename();
      if (library_name_matches(name, file)) found.push_back({std::move(file), entry.path()});
    }
  }
  return found;
}

/// $ORIGIN, $LIB and $PLATFORM as the loader replaces them.
std::string expand_tokens(std::string directory, const std::string& origin) {
  for (const char* token : {"$ORIGIN", "${ORIGIN}"}) directory = replace_all(std::move(directory), token, origin);
  for (const char* token : {"$LIB", "${LIB}"}) directory = replace_all(std::move(directory), token, std::string("lib/") + kMultiarch);
  for (const char* token : {"$PLATFORM", "${PLATFORM}"}) directory = replace_all(std::move(directory), token, kPlatform);
  return directory;
}

std::string in_path_list(const std::string& list, const std::string& origin, std::string_view soname) {
  if (list.empty()) return "";
  for (const std::string& directory : split(list, ':')) {
    const std::string path = expand_tokens(directory.empty() ? "." : directory, origin) + "/" + std::string(soname);
    if (::access(path.c_str(), R_OK) == 0 && is_native_library(path)) return path;
  }
  return "";
}

}  // namespace

std::vector<CachedLibrary> parse_library_cache(std::string_view bytes) {
  std::vector<CachedLibrary> entries;
  if (bytes.starts_with(kOldMagic)) {
    const std::uint64_t end = kOldHeader + std::uint64_t{u32_at(bytes, 12)} * kOldEntry;
    const std::uint64_t next = (end + 7) / 8 * 8;
    if (next >= bytes.size()) return entries;
    bytes = bytes.substr(next);
  }
  if (!bytes.starts_with(kNewMagic) || bytes.size() < kNewHeader) return entries;
  const std::uint64_t count = std::min<std::uint64_t>(u32_at(bytes, 20), (bytes.size() - kNewHeader) / kNewEntry);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t at = kNewHeader + i * kNewEntry;
    if (u32_at(bytes, at) != kNativeFlags) continue;
    CachedLibrary entry{text_at(bytes, u32_at(bytes, at + 4)), text_at(bytes, u32_at(bytes, at + 8))};
    if (!entry.soname.empty() && entry.path.starts_with('/')) entries.push_back(std::move(entry));
  }
  return entries;
}

bool library_name_matches(std::string_view name, std::string_view file) {
  if (name.empty() || file.find(".so") == std::string_view::npos) return false;
  if (file == name) return true;
  const auto is_prefix = [&](std::string_view whole) {
    if (!whole.starts_with(name)) return false;
    const std::string_view rest = whole.substr(name.size());
    return rest.starts_with(".so") || (name.find(".so") != std::string_view::npos && rest.starts_with(".")) ||
           (is_digit(name.back()) && rest.starts_with("."));
  };
  return is_prefix(file) || (file.starts_with("lib") && is_prefix(file.substr(3)));
}

std::string find_library(std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos) return "";
  // Asked again for each program that a traced command starts; walking the directories takes milliseconds.
  static std::map<std::string, std::string, std::less<>> known;
  if (const auto place = known.find(name); place != known.end()) return place->second;
  std::vector<CachedLibrary> candidates;
  for (const CachedLibrary& entry : library_cache())
    if (library_name_matches(name, entry.soname)) candidates.push_back(entry);
  std::string path = choose(name, candidates);
  if (path.empty()) path = choose(name, in_usual_directories(name));
  return known.emplace(name, std::move(path)).first->second;
}

std::string resolve_needed(const ElfFile& file, std::string_view soname) {
  if (soname.find('/') != std::string_view::npos) return std::string(soname);
  std::error_code failure;
  const fs::path real = fs::canonical(file.path(), failure);
  const std::string origin = (failure ? fs::path(file.path()) : real).parent_path();
  // RPATH counts only where there is no RUNPATH.
  if (file.runpath().empty()) {
    if (std::string path = in_path_list(file.rpath(), origin, soname); !path.empty()) return path;
  }
  if (const char* environment = std::getenv("LD_LIBRARY_PATH")) {
    if (std::string path = in_path_list(environment, origin, soname); !path.empty()) return path;
  }
  if (std::string path = in_path_list(file.runpath(), origin, soname); !path.empty()) return path;
  for (const CachedLibrary& entry : library_cache())
    if (entry.soname == soname && is_native_library(entry.path)) return entry.path;
  for (const std::string& directory : usual_directories()) {
    const std::string path = directory + "/" + std::string(soname);
    if (::access(path.c_str(), R_OK) == 0 && is_native_library(path)) return path;
  }
  return "";
}

}  // namespace trc::symbols
