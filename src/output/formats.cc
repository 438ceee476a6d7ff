#include <algorithm>

#include "output/sink.h"
#include "output/sinks.h"

namespace trc::output {
namespace {

constexpr Format kFormats[] = {
    {"text", "for people (the default)", make_text_sink},
    {"json", "one JSON object per line, as other tools expect it", make_json_sink},
    {"jsonl", "the same with unambiguous map keys and unsigned bytes", make_jsonl_sink},
};

}  // namespace

std::span<const Format> formats() { return kFormats; }

const Format* find_format(std::string_view name) {
  const auto* row = std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& format) { return format.name == name; });
  return row == std::end(kFormats) ? nullptr : row;
}

}  // namespace trc::output
