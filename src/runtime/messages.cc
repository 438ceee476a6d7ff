#include "runtime/messages.h"

#include <cstdio>

namespace trc::runtime {
namespace {

void line(const std::string& text) {
  std::fputs((text + "\n").c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace

void Messages::detail(const std::string& text) {
  if (options_.verbose) line(text);
}

void Messages::note(const std::string& text) {
  if (!options_.quiet) line(text);
}

void Messages::warn(const std::string& text, const std::string& hint) {
  if (options_.no_warnings || !warned_.insert(text).second) return;
  line("WARNING: " + text);
  if (!hint.empty()) line("HINT: " + hint);
}

void Messages::always(const std::string& text) { line(text); }

}  // namespace trc::runtime
