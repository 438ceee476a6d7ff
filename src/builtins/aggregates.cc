// Map-value functions: only as the whole right-hand side of an assignment to a map.
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::BuiltinForm;
using lang::BuiltinSpec;
using lang::Param;
using lang::TypeKind;
using typed::ValuePtr;

constexpr std::int64_t kMaxHistogramBits = 5;
constexpr std::int64_t kMaxLinearBuckets = 1000;

void lower_count(CallLowering& call) { call.aggregate(lang::make_aggregate(TypeKind::Count, false), nullptr); }

/// sum, avg, min, max, stats: the sign is that of the argument.
template <TypeKind kind>
void lower_number(CallLowering& call) {
  ValuePtr value = call.argument(0);
  if (!value) return;
  const bool is_signed = value->type.is_signed;
  call.aggregate(lang::make_aggregate(kind, is_signed), call.convert(std::move(value), lang::make_integer(64, is_signed)));
}

void lower_hist(CallLowering& call) {
  ValuePtr value = call.argument(0);
  std::int64_t bits = 0;
  if (call.argument_count() == 2) {
    const auto given = call.literal_int(1);
    if (!given) return;
    bits = *given;
  }
  if (bits < 0 || bits > kMaxHistogramBits) {
    call.report(Diag::LimitExceeded, call.argument_span(1), fmt::format("hist: bits {} must be 0..{}", bits, kMaxHistogramBits));
    return;
  }
  if (!value) return;
  call.aggregate(lang::make_histogram(static_cast<std::uint32_t>(bits)), call.convert(std::move(value), lang::make_int64()));
}

std::optional<std::int64_t> bound(CallLowering& call, std::size_t i, const char* what) {
  const auto value = call.literal_int(i);
  if (!value || *value >= 0) return value;
  call.report(Diag::ArgumentType, call.argument_span(i), fmt::format("lhist: invalid {} value (must be non-negative literal)", what));
  return std::nullopt;
}

void lower_lhist(CallLowering& call) {
  ValuePtr value = call.argument(0);
  const auto low = bound(call, 1, "min"), high = bound(call, 2, "max"), step = bound(call, 3, "step");
  if (!low || !high || !step) return;
  std::string problem;
  Diag code = Diag::ArgumentType;
  if (*step < 1) {
    problem = fmt::format("lhist() step must be >= 1 ({} provided)", *step);
  } else if (*low >= *high) {
    problem = fmt::format("lhist() min must be less than max (provided min {} and max {})", *low, *high);
  } else if (*step > *high - *low) {
    problem = fmt::format("lhist() step must not exceed max - min ({} provided)", *step);
  } else if ((*high - *low) / *step > kMaxLinearBuckets) {
    problem = fmt::format("lhist() too many buckets, must be <= {} (would need {})", kMaxLinearBuckets, (*high - *low) / *step);
    code = Diag::LimitExceeded;
  }
  if (!problem.empty()) {
    call.report(code, call.span(), problem);
    return;
  }
  if (!value) return;
  call.aggregate(lang::make_linear_histogram(*low, *high, *step), call.convert(std::move(value), lang::make_int64()));
}

constexpr std::int64_t kMostSeriesBuckets = 1'000'000;

/// tseries(n, interval, buckets[, what is kept])
void lower_tseries(CallLowering& call) {
  static constexpr std::pair<std::string_view, lang::SeriesValue> kKept[] = {{"avg", lang::SeriesValue::Average},
                                                                             {"min", lang::SeriesValue::Smallest},
                                                                             {"max", lang::SeriesValue::Largest},
                                                                             {"sum", lang::SeriesValue::Sum}};
  ValuePtr value = call.argument(0);
  const auto interval = call.literal_int(1), buckets = call.literal_int(2);
  if (!interval || !buckets) return;
  if (*interval < 1) {
    call.report(Diag::ArgumentType, call.argument_span(1), fmt::format("tseries() interval_ns must be >= 1 ({} provided)", *interval));
    return;
  }
  if (*buckets < 1 || *buckets > kMostSeriesBuckets) {
    call.report(Diag::LimitExceeded, call.argument_span(2), fmt::format("tseries() num_intervals must be 1..{} ({} provided)", kMostSeriesBuckets, *buckets));
    return;
  }
  auto kept = lang::SeriesValue::Last;
  if (call.argument_count() == 4) {
    const auto word = call.literal_string(3);
    if (!word) return;
    const auto* row = std::find_if(std::begin(kKept), std::end(kKept), [&](const auto& r) { return r.first == *word; });
    if (row == std::end(kKept)) {
      call.report(Diag::ArgumentType, call.argument_span(3), fmt::format("tseries() expects one of the following aggregation functions: avg, max, min, sum (\"{}\" provided)", *word));
      return;
    }
    kept = row->second;
  }
  if (!value) return;
  const bool is_signed = value->type.is_signed;
  call.aggregate(lang::make_time_series(is_signed, kept, *interval, static_cast<std::uint32_t>(*buckets)),
                 call.convert(std::move(value), lang::make_integer(64, is_signed)));
}

constexpr Param kNumber[] = {{.name = "n", .type = "int"}};
constexpr Param kHist[] = {{.name = "n", .type = "int"}, {.name = "bits", .type = "literal int", .optional = true}};
constexpr Param kLhist[] = {{.name = "n", .type = "int"},
                            {.name = "min", .type = "literal int"},
                            {.name = "max", .type = "literal int"},
                            {.name = "step", .type = "literal int"}};

constexpr Param kTseries[] = {{.name = "n", .type = "int"},
                              {.name = "interval", .type = "literal int"},
                              {.name = "buckets", .type = "literal int"},
                              {.name = "what", .type = "literal string", .optional = true}};

constexpr BuiltinSpec row(std::string_view name, std::span<const Param> params, void (*lower)(CallLowering&), std::string_view doc,
                          std::string_view example, std::string_view prints) {
  return {.name = name, .form = BuiltinForm::Aggregate, .params = params, .lower = lang::Custom{lower}, .doc = doc, .example = example, .prints = prints};
}

constexpr BuiltinSpec kRows[] = {
    row("count", {}, lower_count, "How often.", "begin { @n = count(); }", "@n: 1"),
    row("sum", kNumber, lower_number<TypeKind::Sum>, "Sum of the values.", "begin { @n = sum(2); @n = sum(3); }", "@n: 5"),
    row("avg", kNumber, lower_number<TypeKind::Avg>, "Mean of the values, rounded towards zero.", "begin { @n = avg(3); @n = avg(6); }", "@n: 4"),
    row("min", kNumber, lower_number<TypeKind::Min>, "Smallest value.", "begin { @n = min(3); @n = min(6); }", "@n: 3"),
    row("max", kNumber, lower_number<TypeKind::Max>, "Largest value.", "begin { @n = max(3); @n = max(6); }", "@n: 6"),
    row("stats", kNumber, lower_number<TypeKind::Stats>, "Count, mean and sum.", "begin { @n = stats(6); }",
        "@n: { .count = 1, .average = 6, .total = 6 }"),
    row("hist", kHist, lower_hist, "Histogram with 2^bits buckets for each power of two.", "begin { @n = hist(7); }", ""),
    row("lhist", kLhist, lower_lhist, "Histogram with buckets of one size.", "begin { @n = lhist(7, 0, 20, 5); }", ""),
    row("tseries", kTseries, lower_tseries, "Time series: the last value of each of the latest intervals, or their avg, min, max or sum.",
        "interval:ms:100 { @n = tseries(rand, 1s, 10, \"max\"); }", ""),
};

}  // namespace

std::span<const BuiltinSpec> aggregate_builtins() { return kRows; }

}  // namespace trc::builtins
