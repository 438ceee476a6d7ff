// Records that programs send through the ring buffer, described once for both halves.
//   bytes 0..3  u32 event: index into ProgramImage::events
//   bytes 4..7  u32 program: index into ProgramImage::programs (for counting by program)
//   then the fields at their offsets (from the start of the record)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lang/type.h"
#include "source/source_file.h"

namespace trc::lang {

enum class ActionKind : std::uint8_t {
#define TRC_ACTION(kind) kind,
#include "lang/actions.def"
#undef TRC_ACTION
};

inline constexpr std::uint32_t kEventHeaderSize = 8;
inline constexpr std::uint32_t kNoMap = 0xffffffff;
inline constexpr std::uint32_t kJoinStrings = 16;         ///< at most so many strings of a join() …
inline constexpr std::uint32_t kJoinStringSize = 1024;    ///< … of so many bytes each, NUL included

struct EventField {
  Type type;
  std::uint32_t offset = 0;
  template <class Archive>
  void serialize(Archive& ar) { ar(type, offset); }
};

struct EventSchema {
  ActionKind action = ActionKind::Printf;
  std::vector<EventField> fields;
  std::string text;
  std::uint32_t map = kNoMap;   ///< index into ProgramImage::maps
  Span span;                    ///< the call or operation in the script
  std::uint32_t size = 0;       ///< bytes of a record, header included, a multiple of 8
  template <class Archive>
  void serialize(Archive& ar) { ar(action, fields, text, map, span, size); }
};

/// Places the fields after the header with natural alignment and sets size.
void lay_out(EventSchema& schema);

}  // namespace trc::lang
