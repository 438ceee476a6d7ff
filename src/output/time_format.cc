#include "output/time_format.h"

#include <ctime>

#include <fmt/format.h>

namespace trc::output {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
/// Longer texts than this are a format made to be silly; strftime cannot tell "too long" from "empty".
constexpr std::size_t kMaxText = 64 * 1024;

/// Puts our own conversions in; what is left is strftime's.
std::string expand_fractions(std::string_view format, std::int64_t fraction_ns) {
  std::string out;
  for (std::size_t i = 0; i < format.size(); i++) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    switch (const char letter = format[++i]) {
      case 'f': out += fmt::format("{:06}", fraction_ns / 1000); break;
      case 'k': out += fmt::format("{:09}", fraction_ns); break;
      case 'l': out += fmt::format("{:03}", fraction_ns / 1'000'000); break;
      default:
        out += '%';
        out += letter;
    }
  }
  return out;
}

}  // namespace

std::string format_time(std::string_view format, std::int64_t ns) {
  std::int64_t seconds = ns / kNsPerSecond, fraction = ns % kNsPerSecond;
  if (fraction < 0) {
    fraction += kNsPerSecond;
    seconds -= 1;
  }
  const auto clock = static_cast<std::time_t>(seconds);
  std::tm local{};
  if (::localtime_r(&clock, &local) == nullptr) return "(?)";

  const std::string expanded = expand_fractions(format, fraction);
  std::string text(expanded.size() + 128, '\0');
  while (true) {
    const std::size_t length = std::strftime(text.data(), text.size(), expanded.c_str(), &local);
    if (length > 0) {
      text.resize(length);
      return text;
    }
    if (expanded.empty() || text.size() >= kMaxText) return "(?)";
    text.resize(text.size() * 4);
  }
}

}  // namespace trc::output
