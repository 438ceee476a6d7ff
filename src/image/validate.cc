#include "image/validate.h"

#include <fmt/format.h>

namespace trc::image {
namespace {

constexpr std::uint32_t kMaxRecord = 16 << 20;   // bytes of one event
constexpr std::uint32_t kMaxValue = 64 << 20;    // bytes of one map key or value
constexpr std::uint32_t kMaxBuckets = 1 << 20;

constexpr unsigned kTypeKinds = 0
#define TRC_TYPE(kind, name) +1
#include "lang/types.def"
#undef TRC_TYPE
    ;
constexpr unsigned kActionKinds = 0
#define TRC_ACTION(kind) +1
#include "lang/actions.def"
#undef TRC_ACTION
    ;

Result<> wrong(std::string_view what) { return Error(std::string(what)); }

bool fits(std::uint64_t offset, std::uint64_t size, std::uint64_t whole) { return offset <= whole && size <= whole - offset; }

Result<> validate_size(const lang::Type& type) {
  using enum lang::TypeKind;
  switch (type.kind) {
    case Integer:
      if (type.size != 1 && type.size != 2 && type.size != 4 && type.size != 8) return wrong("an integer of an impossible size");
      return {};
    case Bool: return type.size == 1 ? Result<>{} : wrong("a bool of an impossible size");
    case Pointer:
    case ProbeName:
    case Username:
    case CgroupPath:
    case KernelSymbol: return type.size == 8 ? Result<>{} : wrong("a value of an impossible size");
    case Timestamp:
    case KernelStack:
    case UserSymbol: return type.size == 16 ? Result<>{} : wrong("a value of an impossible size");
    case UserStack: return type.size == 24 ? Result<>{} : wrong("a stack of an impossible size");
    case Buffer: return type.size >= 4 ? Result<>{} : wrong("a buffer of an impossible size");
    case Histogram: return type.count <= 5 ? Result<>{} : wrong("a histogram with too many buckets");
    case LinearHistogram:
      if (type.step <= 0 || type.high <= type.low) return wrong("a linear histogram with impossible bounds");
      if ((static_cast<std::uint64_t>(type.high) - static_cast<std::uint64_t>(type.low)) / static_cast<std::uint64_t>(type.step) > kMaxBuckets) {
        return wrong("a linear histogram with too many buckets");
      }
      return {};
    case MacAddress: return type.size == 6 ? Result<>{} : wrong("a MAC address of an impossible size");
    case Inet: return type.size == 20 ? Result<>{} : wrong("an internet address of an impossible size");
    case TimeSeries:
      if (type.step <= 0 || type.count == 0 || type.count > kMaxBuckets || type.low < 0 || type.low > static_cast<std::int64_t>(lang::SeriesValue::Sum)) {
        return wrong("an impossible time series");
      }
      return {};
    case None:
    case Void:
    case String:
    case Array:
    case Struct:
    case Tuple:
    case Record:
    case Count:
    case Sum:
    case Min:
    case Max:
    case Avg:
    case Stats: return {};
  }
  return wrong("an unknown kind of type");
}

Result<> validate(const lang::Type& type) {
  using enum lang::TypeKind;
  if (static_cast<unsigned>(type.kind) >= kTypeKinds) return wrong("an unknown kind of type");
  if (static_cast<unsigned>(type.space) > static_cast<unsigned>(lang::AddressSpace::Bpf)) return wrong("an unknown address space");
  if (type.size > kMaxValue) return wrong("a type that is too large");
  if (type.align == 0 || type.align > 64 || (type.align & (type.align - 1)) != 0) return wrong("an impossible alignment");
  TRC_CHECK(validate_size(type));
  if (type.is_stack() && type.count > lang::kMaxUserStackLimit) return wrong("a stack with too many frames");
  if ((type.is(Array) || type.is(Pointer)) && type.fields.size() != 1) return wrong("an array or pointer without an element");
  if (type.is(Array) && std::uint64_t{type.count} * type.element().size > type.size) return wrong("an array that is larger than its size");
  const bool has_layout = type.is(Struct) || type.is(Tuple) || type.is(Record);
  for (const lang::Field& field : type.fields) {
    TRC_CHECK(validate(field.type));
    if (has_layout && !fits(field.offset, field.type.size, type.size)) return wrong("a member outside its structure");
    if (field.bit_offset + field.bit_size > 64) return wrong("an impossible bit field");
  }
  return {};
}

Result<> validate(const Span& span, const ProgramImage& image) {
  if (image.sources.empty() || span.end == 0) return {};   // sources may be left out
  if (span.file >= image.sources.size() || span.begin > span.end || span.end > image.sources[span.file].text.size() + 1) {
    return wrong("a place outside the script");
  }
  return {};
}

Result<> validate(const MapEntry& map) {
  if (static_cast<unsigned>(map.role) > static_cast<unsigned>(MapRole::Internal)) return wrong("a map with an unknown role");
  if (map.key_size > kMaxValue || map.value_size > kMaxValue) return wrong("a map with keys or values that are too large");
  TRC_CHECK(validate(map.key));
  TRC_CHECK(validate(map.value));
  if (map.presence_offset != kNoPresence && !fits(map.presence_offset, 8, map.value_size)) return wrong("a map whose presence word is outside its value");
  if (map.role == MapRole::User) {
    if (map.has_key && map.key.size > map.key_size) return wrong("a map whose keys are smaller than their type");
    if (!map.value.is_aggregate() && map.value.size > map.value_size) return wrong("a map whose values are smaller than their type");
  }
  return {};
}

Result<> validate(const lang::EventSchema& event, const ProgramImage& image) {
  if (static_cast<unsigned>(event.action) >= kActionKinds) return wrong("an unknown action");
  if (event.size > kMaxRecord || event.size < lang::kEventHeaderSize) return wrong("an event record of an impossible size");
  if (event.map != lang::kNoMap && event.map >= image.maps.size()) return wrong("an event for a map that is not there");
  for (const lang::EventField& field : event.fields) {
    TRC_CHECK(validate(field.type));
    if (!fits(field.offset, field.type.size, event.size)) return wrong("a field outside its event record");
  }
  return validate(event.span, image);
}

}  // namespace

Result<> validate(const ProgramImage& image) {
  for (const MapEntry& map : image.maps) TRC_CHECK(validate(map));
  for (const ProgramEntry& program : image.programs) {
    if (static_cast<unsigned>(program.kind) > static_cast<unsigned>(lang::ProgramKind::Iterator)) return wrong("a program of an unknown kind");
    TRC_CHECK(validate(program.span, image));
  }
  for (const ProbeEntry& probe : image.probes) {
    if (probe.program >= image.programs.size()) return wrong("an attach point without a program");
    TRC_CHECK(validate(probe.span, image));
  }
  for (const lang::EventSchema& event : image.events) TRC_CHECK(validate(event, image));
  for (const RuntimeConstantEntry& constant : image.constants) {
    if (constant.which > static_cast<std::uint8_t>(lang::kLastRuntimeConstant)) return wrong("an unknown run-time constant");
    if (!fits(constant.offset, 8, image.object.size())) return wrong("a run-time constant outside the object");
  }
  for (const KernelSymbolEntry& entry : image.kernel_symbols) {
    if (!fits(entry.offset, 8, image.object.size())) return wrong("the address of a kernel symbol outside the object");
    TRC_CHECK(validate(entry.span, image));
  }
  for (const KernelFieldEntry& field : image.kernel_fields) {
    if (!fits(field.offset, 8, image.object.size())) return wrong("a kernel field outside the object");
  }
  return {};
}

}  // namespace trc::image
