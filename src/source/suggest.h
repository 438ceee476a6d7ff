// "Did you mean …?", with the edit when only one name can be meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/diagnostics.h"

namespace trc {

/// Adds the nearest of `candidates` to a report of the unknown `word` at `at`, as its hint; and as an edit, if it is nearer than all others. False if
/// none is near.
bool suggest(Diagnostic& report, Span at, std::string_view word, const std::vector<std::string>& candidates);

}  // namespace trc
