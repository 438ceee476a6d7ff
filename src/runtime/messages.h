// What a run tells the user beside its results, on standard error.
#pragma once

#include <set>
#include <string>

namespace trc::runtime {

class Messages {
 public:
  struct Options { bool quiet = false, verbose = false, no_warnings = false; };
  explicit Messages(Options options) : options_(options) {}

  bool verbose() const { return options_.verbose; }
  void detail(const std::string& text);                             ///< only with -v
  void note(const std::string& text);                               ///< not with -q
  void warn(const std::string& text, const std::string& hint = {}); ///< not with --no-warnings; the same words once
  void always(const std::string& text);

 private:
  Options options_;
  std::set<std::string> warned_;
};

}  // namespace trc::runtime
