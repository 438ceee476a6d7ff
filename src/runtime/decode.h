// From the bytes of an event field or a map entry to output::Value. Bytes come from the kernel and types from an image that may have been
// read from a file: nothing is read out of bounds, what is missing counts as zero.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/program_image.h"
#include "interpreters/interpreter.h"
#include "lang/event.h"
#include "lang/type.h"
#include "output/value.h"

namespace trc::symbols { class Symbolizer; }

namespace trc::runtime {

/// The name of a stack: a hash of its frames, of the files they lie in and of how it ends.
struct StackId {
  std::uint64_t low = 0, high = 0;
  bool operator==(const StackId&) const = default;
};

struct Stack {
  std::vector<std::uint64_t> frames;   ///< innermost first; words as in the record (stdlib/unwind_abi.h, python_abi.h)
  std::uint16_t end = 0;               ///< enum trc_stack_end (stdlib/unwind_abi.h); the bytes may say anything
  std::uint32_t tgid = 0;              ///< of the process; 0: a kernel stack
  std::uint64_t time_ns = 0;           ///< CLOCK_MONOTONIC, when it was first met
};

/// What has to be added to a clock's reading to get nanoseconds since 1970. Index: the `clock` word of a timestamp (0 boot, 1 monotonic, 2 tai).
struct ClockOffsets {
  static constexpr std::size_t kTai = 2;
  std::array<std::int64_t, 3> to_realtime{};
  /// Measured now.
  static ClockOffsets measure();
};

/// What decoding has to ask. Callbacks may be empty, the symbolizer null: then names are empty and addresses stay numbers.
struct DecodeContext {
  symbols::Symbolizer* symbolizer = nullptr;
  std::function<std::string(std::uint64_t id)> probe_name;
  /// Where the cgroup lies: "hierarchy:path", between several commas; `filter` is a glob over hierarchies, "" takes all.
  std::function<std::string(std::uint64_t id, const std::string& filter)> cgroup_path;
  /// Nullopt: its record was lost.
  std::function<std::optional<Stack>(const StackId&)> stack;
  /// The frame behind a word of a stack for which interpreters::is_interpreted(); nullopt: its code's record was lost.
  std::function<std::optional<interpreters::NamedFrame>(std::uint32_t pid, std::uint64_t word)> interpreted;
  image::Settings settings;
  ClockOffsets clocks;
};

output::Value decode(std::span<const std::byte> bytes, const lang::Type& type, const DecodeContext& context);

/// Every field of a record, in the schema's order. `record` starts with the event header.
std::vector<output::Value> decode_fields(std::span<const std::byte> record, const lang::EventSchema& schema, const DecodeContext& context);

/// The value of an aggregate from its merged state (lang/aggregates.h); `divisor` as of print(@m, top, div), 0 counts as 1.
/// `clocks` are for time series.
output::Value aggregate_value(const lang::Type& type, std::span<const std::uint64_t> words, std::uint64_t divisor = 1,
                              const ClockOffsets& clocks = {});

/// A number of up to 8 bytes at `offset`, extended by its sign if asked; bytes that are missing count as zero.
std::uint64_t load_integer(std::span<const std::byte> bytes, std::size_t offset, std::size_t size, bool is_signed);

}  // namespace trc::runtime
