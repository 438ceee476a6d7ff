#include "output/time_series.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include <fmt/format.h>

#include "base/assert.h"
#include "lang/aggregates.h"
#include "output/time_format.h"

namespace trc::output {
namespace {

constexpr std::size_t kWidth = 53;         // of the plot, both borders included
constexpr std::size_t kLeftLabel = 21;     // of these the label of the smallest value
constexpr long double kLastColumn = kWidth - 1;

/// How times are written, which depends on how close to each other they are.
struct Unit {
  std::int64_t from_ns;
  const char *heading, *format;
  std::size_t width;   // of a time
};
constexpr Unit kUnits[] = {{1'000'000'000, "hh:mm:ss", "%H:%M:%S", 8},
                           {1'000'000, "hh:mm:ss.ms", "%H:%M:%S.%l", 12},
                           {1'000, "hh:mm:ss.\u03bcs", "%H:%M:%S.%f", 15},
                           {0, "hh:mm:ss.ns", "%H:%M:%S.%k", 18}};

const Unit& unit_of(const TimeSeries& series) {
  const std::int64_t interval = series.rows.size() > 1 ? series.interval_ns : 0;   // one point alone has no distance
  return *std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& unit) { return interval >= unit.from_ns; });
}

/// The axis of values. Wide enough for both kinds of 64-bit numbers and one more at each end.
struct Axis {
  __int128 low = 0, high = 0;
  std::size_t column(__int128 value) const {
    return static_cast<std::size_t>(kLastColumn * static_cast<long double>(value - low) / static_cast<long double>(high - low));
  }
};

__int128 number(const TimeSeries& series, std::uint64_t bits) {
  return series.is_signed ? __int128{static_cast<std::int64_t>(bits)} : __int128{bits};
}

std::string digits(__int128 value) {
  if (value < std::numeric_limits<std::int64_t>::min()) return "-9223372036854775809";   // one below the smallest
  if (value > std::numeric_limits<std::uint64_t>::max()) return "18446744073709551616";  // one above the largest
  return value < 0 ? std::to_string(static_cast<std::int64_t>(value)) : std::to_string(static_cast<std::uint64_t>(value));
}

Axis axis_of(const TimeSeries& series) {
  Axis axis;
  bool any = false;
  for (const TimeSeries::Row& row : series.rows) {
    if (!row.bits) continue;
    const __int128 value = number(series, *row.bits);
    axis.low = any ? std::min(axis.low, value) : value;
    axis.high = any ? std::max(axis.high, value) : value;
    any = true;
  }
  if (axis.low == axis.high) {   // the points in the middle
    axis.low -= 1;
    axis.high += 1;
  }
  return axis;
}

}  // namespace

std::shared_ptr<TimeSeries> make_time_series(const lang::Type& type, std::span<const std::uint64_t> words, std::int64_t to_realtime) {
  TRC_ASSERT(type.is(lang::TypeKind::TimeSeries));
  auto series = std::make_shared<TimeSeries>();
  series->interval_ns = type.step;
  series->is_signed = type.is_signed;
  const auto start = [&](std::uint64_t epoch) {
    return static_cast<std::int64_t>(epoch * static_cast<std::uint64_t>(type.step) + static_cast<std::uint64_t>(to_realtime));
  };
  std::uint64_t next = 0;
  for (const lang::SeriesPoint& point : lang::series_points(type, words)) {
    for (; next != 0 && next < point.epoch; ++next) series->rows.push_back({start(next), std::nullopt});
    series->rows.push_back({start(point.epoch), point.bits});
    next = point.epoch + 1;
  }
  return series;
}

void append_plot(std::string& out, const TimeSeries& series) {
  if (series.rows.empty()) {
    out += "<no data>\n";
    return;
  }
  const Unit& unit = unit_of(series);
  const Axis axis = axis_of(series);
  const std::string indent(unit.width + 1, ' ');
  const std::string labels = fmt::format("{}{:<{}}{:>{}}\n", indent, digits(axis.low), kLeftLabel, digits(axis.high), kWidth - kLeftLabel);
  out += labels;
  fmt::format_to(std::back_inserter(out), "{:<{}} |{:_<{}}|\n", unit.heading, unit.width, "", kWidth - 2);
  for (const TimeSeries::Row& row : series.rows) {
    std::string plot(kWidth, ' ');
    plot.front() = plot.back() = '|';
    if (axis.low < 0 && axis.high > 0) plot[axis.column(0)] = '.';
    if (row.bits) plot[axis.column(number(series, *row.bits))] = '*';
    fmt::format_to(std::back_inserter(out), "{} {} {}\n", format_time(unit.format, row.start_ns), plot, row.bits ? digits(number(series, *row.bits)) : "-");
  }
  fmt::format_to(std::back_inserter(out), "{}v{:_<{}}v\n", indent, "", kWidth - 2);
  out += labels;
}

}  // namespace trc::output
