// Addresses to names: kernel addresses by kallsyms, user addresses by what is or was mapped in the process and the ELF symbol tables
// (.symtab, .dynsym, .gnu_debugdata, .gnu_debuglink and build-id debug files) or what programs tell of code they generate, demangled. A lookup that fails gives the reason, not an error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/timed_ranges.h"

namespace trc::symbols {

struct Frame {
  std::uint64_t address = 0;
  std::string symbol;           ///< empty: unknown
  std::uint64_t offset = 0;     ///< bytes into the symbol
  std::string module;           ///< path of the file, "[unknown]" if none; kernel module name for kernel frames of modules
  std::string file;             ///< source file, empty if not asked for or not known
  unsigned line = 0;
  bool is_inlined = false;      ///< `symbol` is in the code of the frame that follows; `offset` means nothing
};

/// A place in a file, for finding its name elsewhere.
struct FileLocation {
  std::string build_id;         ///< hex
  std::uint64_t offset = 0;     ///< bytes into the file
};

/// One executable mapping of a process, as the kernel reports it.
struct Mapping {
  std::uint64_t start = 0, end = 0;   ///< addresses
  std::uint64_t file_offset = 0;      ///< bytes into the file at `start`
  std::string path;                   ///< as /proc/PID/maps shows it; " (deleted)" at its end is the kernel's mark
  std::uint64_t device = 0, inode = 0;
};

/// All functions may be called by any thread.
class Symbolizer {
 public:
  /// debug_info: user_frames() tells source lines and inlined functions. Without DebugInfo::check() it cannot.
  explicit Symbolizer(bool demangle = true, bool debug_info = false);
  ~Symbolizer();
  Frame kernel(std::uint64_t address);
  /// What was at an address of a process at a time (CLOCK_MONOTONIC, ns; kNow: what is there now, or was there last). `pid` in the root of trc's /proc. Reads /proc/PID/maps at first
  /// sight, and again when an address is in no known mapping; keeps what it has read after the process is gone.
  Frame user(std::uint32_t pid, std::uint64_t address, std::uint64_t time = kNow);
  /// The same with the functions that were inlined there, the innermost first; at least one frame. Needs debug_info.
  std::vector<Frame> user_frames(std::uint32_t pid, std::uint64_t address, std::uint64_t time = kNow);
  /// Nullopt for an address outside of any file, and in files without build-id.
  std::optional<FileLocation> user_location(std::uint32_t pid, std::uint64_t address, std::uint64_t time);

  // What the runner observes of processes, and when, so that names outlive them.
  /// Called before an address is looked up for a time that nobody has been asked about: it is to report (mapped() …) what happened until now.
  void set_observer(std::function<void()> catch_up);
  void mapped(std::uint32_t pid, const Mapping& mapping, std::uint64_t time);
  void executed(std::uint32_t pid, std::uint64_t time);   ///< its mappings are gone: the program was replaced
  void forked(std::uint32_t parent, std::uint32_t child, std::uint64_t time);
  void exited(std::uint32_t pid, std::uint64_t time);     ///< its number may be given to another
  /// Some of the above was not observed: reads the maps of all living processes again.
  void missed();
  /// Reads /proc/PID/maps now.
  void snapshot(std::uint32_t pid);
  /// Keeps other threads out, for several reports that belong together.
  std::unique_lock<std::recursive_mutex> lock();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// C++ (Itanium), Rust and D names; the name itself when it is not mangled.
std::string demangle(std::string_view name);

}  // namespace trc::symbols
