// The constructors behind the rows of formats.cc.
#pragma once

#include <memory>

#include "output/sink.h"

namespace trc::output {

std::unique_ptr<Sink> make_text_sink(const SinkOptions& options);
/// The established JSON lines, known defects of their format included.
std::unique_ptr<Sink> make_json_sink(const SinkOptions& options);
/// JSON lines without those defects, each marked "version": 2.
std::unique_ptr<Sink> make_jsonl_sink(const SinkOptions& options);

}  // namespace trc::output
