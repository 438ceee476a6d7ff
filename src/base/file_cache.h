// Files that spare the next run some work: what was computed, under a name made of all that it was computed from.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/owned.h"

namespace trc {

/// A folder of our user's, which nobody else can write. What is in it may go at any time, and nothing that fails here matters but for speed.
/// Readers and writers may be many at once: entries appear whole. It holds at most `kMostEntries`; the longest unused ones go first.
class FileCache {
 public:
  static constexpr std::size_t kMostEntries = 1000;

  /// Makes the folder if need be. Null when there can be none, or when others may write what we would believe.
  static std::unique_ptr<FileCache> open(const std::string& folder);

  /// What was stored under `key`, which is a file name. The caller checks that it is whole: power may have failed.
  std::optional<std::string> find(const std::string& key) const;
  void store(const std::string& key, std::string_view content) const;

 private:
  explicit FileCache(Fd folder) : folder_(std::move(folder)) {}
  void remove_oldest() const;

  Fd folder_;
};

}  // namespace trc
