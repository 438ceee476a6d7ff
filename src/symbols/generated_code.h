// Names of code that a program makes while it runs (JIT compilers). The program tells them in a file: a perf map (/tmp/perf-PID.map: address,
// size and name in lines) or a jitdump (jit-PID.dump, which it maps so that tracers notice). Both grow while the program runs. What stands in
// them is the program's word: wrong lines can give wrong names, nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/owned.h"
#include "symbols/timed_ranges.h"

namespace trc::symbols {

class GeneratedNames {
 public:
  using Range = TimedRanges<std::string>::Range;
  void put(std::uint64_t start, std::uint64_t size, std::uint64_t since, std::string name);
  const Range* find(std::uint64_t address, std::uint64_t time) const { return ranges_.find(address, time); }

 private:
  TimedRanges<std::string> ranges_;
  std::size_t count_ = 0;
};

/// Takes the complete lines at the front of `text`; returns how many bytes that was. They hold since `since`.
std::size_t read_perf_map(std::string_view text, std::uint64_t since, GeneratedNames& names);

/// Reads a jitdump as it grows. Its time stamps are CLOCK_MONOTONIC unless it says otherwise.
class JitDump {
 public:
  /// Up to `size` bytes at `offset`; fewer at the end.
  using Read = std::function<std::string(std::uint64_t offset, std::uint64_t size)>;
  /// Takes what is complete and not taken yet.
  void read(const Read& bytes, GeneratedNames& names);

 private:
  bool read_header(const Read& bytes);
  void apply(std::uint32_t kind, std::uint64_t time, std::string_view body, GeneratedNames& names);

  std::uint64_t position_ = 0, last_time_ = 0;
  bool is_damaged_ = false, has_times_ = true;
  std::unordered_map<std::uint64_t, std::string> by_index_;   ///< for records that say "moved"
};

/// The generated code of one process, from the files that were found.
class GeneratedCode {
 public:
  void add_jit_dump(Fd file);
  /// Looks for the perf map of a process, in its own root too, under the number that it has in its own namespace. The file must belong to
  /// root, to us or to the user of the process: in /tmp anybody can write. Nothing if there is one already. Code ran at `time`
  /// (CLOCK_MONOTONIC, 0 if none is known to): if nobody has looked since, it is looked for at once, otherwise so seldom that the looks
  /// take a twentieth of the time. Of a process that is gone too, if it was looked for while it lived: a /tmp that is not ours is kept
  /// open for that.
  void look_for_perf_map(std::uint32_t pid, std::uint64_t time);

  struct Match { const GeneratedNames::Range* range = nullptr; const std::string* file = nullptr; };
  /// range: nullptr if nothing is known of the address at that time. Reads on in the files.
  Match find(std::uint64_t address, std::uint64_t time);

 private:
  struct Source {
    Fd file;
    std::string path;               ///< as the process would call it
    bool is_jit_dump = false;
    std::uint64_t position = 0, read_at = 0;
    JitDump dump{};
    GeneratedNames names{};
  };
  void open_perf_map(std::uint32_t pid);
  void meet(std::uint32_t pid);
  void read_on(Source& source);

  std::optional<Source> perf_map_, jit_dump_;
  std::optional<std::uint32_t> owner_;       ///< user of the process
  std::uint32_t own_number_ = 0;             ///< its number in its own namespace
  std::int64_t started_ = 0;                 ///< seconds since 1970; 0: not known
  Fd own_tmp_;                               ///< /tmp as it sees it, if that is another one than ours
  std::uint64_t looked_at_ = 0, look_again_at_ = 0;
};

}  // namespace trc::symbols
