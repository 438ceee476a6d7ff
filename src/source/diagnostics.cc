#include "source/diagnostics.h"

#include <algorithm>

#include "base/assert.h"

namespace trc {

namespace {

struct DiagRow { Severity severity; const char* slug; };

constexpr DiagRow kDiagRows[] = {
#define TRC_DIAG(code, severity, slug) {Severity::severity, slug},
#include "source/diagnostics.def"
#undef TRC_DIAG
};

}  // namespace

Severity severity_of(Diag code) { return kDiagRows[static_cast<std::size_t>(code)].severity; }
const char* slug_of(Diag code) { return kDiagRows[static_cast<std::size_t>(code)].slug; }

std::uint32_t Diagnostics::expanded_at(Span call) {
  expansions_.push_back(call);
  return static_cast<std::uint32_t>(expansions_.size());
}

const Explanation& explanation_of(Diag code) {
  // By code rather than by place, so that the compiler says which one lacks its text.
  switch (code) {
#define TRC_EXPLAIN(code, text, fails, mended)              \
  case Diag::code: {                                        \
    static constexpr Explanation kRow{text, fails, mended}; \
    return kRow;                                            \
  }
#include "source/explanations.def"
#undef TRC_EXPLAIN
  }
  TRC_UNREACHABLE("diagnostic");
}

std::vector<Diag> all_diagnostics() {
  return {
#define TRC_DIAG(code, severity, slug) Diag::code,
#include "source/diagnostics.def"
#undef TRC_DIAG
  };
}

Diagnostic& Diagnostics::report(Diag code, Span span, std::string message) {
  const bool known = std::any_of(all_.begin(), all_.end(), [&](const Diagnostic& d) {
    return d.code == code && d.span.file == span.file && d.span.begin == span.begin && d.span.end == span.end && d.message == message;
  });
  if (known) {
    duplicate_ = Diagnostic{code, span, std::move(message), {}, {}, {}};
    return duplicate_;
  }
  if (severity_of(code) == Severity::Error) errors_++;
  Diagnostic& added = all_.emplace_back(Diagnostic{code, span, std::move(message), {}, {}, {}});
  for (std::uint32_t from = span.expansion; from != 0 && from <= expansions_.size(); from = expansions_[from - 1].expansion) {
    added.with_note(expansions_[from - 1], "expanded from");
  }
  return added;
}

}  // namespace trc
