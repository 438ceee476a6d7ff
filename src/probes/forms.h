// Helpers that several providers share for reading and writing attach points.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "probes/provider.h"

namespace trc::probes {

/// "uprobe probe type requires 2 or 3 arguments, found 1"; `example` becomes the hint.
Error wrong_field_count(const Provider& provider, std::string_view wanted, std::size_t found);

/// A field as it must be written to be read back: in quotes when it holds ':' or '"' (or is empty).
std::string quote_field(std::string_view field);

/// "provider:field:field".
std::string canonical_text(std::string_view provider, const std::vector<std::string>& fields);

/// A positive or zero count as scripts write integers: "99", "1_000", "0x10", "2e6". Empty when it is not one.
std::optional<std::uint64_t> parse_count(std::string_view text);

/// One group of one target: what most providers answer.
std::vector<ContextGroup> single_group(lang::Context context, const Target& target);

/// "did you mean a, b or c?" of the candidates near to `word`, each with `prefix` in front; empty if none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates, std::string_view prefix = "");

}  // namespace trc::probes
