// Points in time as text: strftime of the C library with the language's own conversions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trc::output {

/// `ns` since 1970 in local time. Beside strftime's conversions: %f microseconds (6 digits), %k nanoseconds (9), %l milliseconds (3).
/// A format that gives no text at all (empty, or unknown to the C library) becomes "(?)".
std::string format_time(std::string_view format, std::int64_t ns);

}  // namespace trc::output
