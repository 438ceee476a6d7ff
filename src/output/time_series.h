// Time series: from buckets (lang/aggregates.h) to rows, and from rows to a plot (output.md §4.2).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "lang/type.h"
#include "output/value.h"

namespace trc::output {

/// `words` is the merged state of a TimeSeries `type`; `to_realtime` what CLOCK_TAI lacks to nanoseconds since 1970.
std::shared_ptr<TimeSeries> make_time_series(const lang::Type& type, std::span<const std::uint64_t> words, std::int64_t to_realtime);

/// The lines of the plot, each with its newline.
void append_plot(std::string& out, const TimeSeries& series);

}  // namespace trc::output
