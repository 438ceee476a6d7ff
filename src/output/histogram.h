// Histograms: from bucket counts (lang/aggregates.h) to labelled rows, and from rows to text (output.md §4.1).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "lang/type.h"
#include "output/value.h"

namespace trc::output {

/// `words` is the merged state of a Histogram or LinearHistogram `type`; missing words count as 0.
std::shared_ptr<Histogram> make_histogram(const lang::Type& type, std::span<const std::uint64_t> words);

/// One line a bucket, each with its newline; nothing for an empty histogram.
void append_rows(std::string& out, const Histogram& histogram);

}  // namespace trc::output
