// Short ways to write values in tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "output/value.h"

namespace trc::output {

inline Value integer(std::int64_t n) { return {lang::TypeKind::Integer, n}; }
inline Value unsigned_integer(std::uint64_t n) { return {lang::TypeKind::Integer, n}; }
inline Value boolean(bool b) { return {lang::TypeKind::Bool, b}; }
inline Value string(std::string s, bool truncated = false) { return {lang::TypeKind::String, Text{std::move(s), truncated}}; }
inline Value pointer(std::uint64_t address) { return {lang::TypeKind::Pointer, Pointer{address}}; }
inline Value buffer(std::string bytes) { return {lang::TypeKind::Buffer, Bytes{std::move(bytes)}}; }
inline Value tuple(std::vector<Value> elements) { return {lang::TypeKind::Tuple, Sequence{std::move(elements)}}; }
inline Value array(std::vector<Value> elements) { return {lang::TypeKind::Array, Sequence{std::move(elements)}}; }
inline Value record(std::vector<std::pair<std::string, Value>> members) { return {lang::TypeKind::Record, Fields{std::move(members)}}; }
inline Value kernel_stack(std::string text) { return {lang::TypeKind::KernelStack, Text{std::move(text)}}; }
inline Value stats(std::uint64_t count, std::int64_t average, std::int64_t total) {
  return {lang::TypeKind::Stats, StatsValue{count, average, total}};
}

inline MapDump scalar(std::string name, Value value) {
  const lang::TypeKind kind = value.kind;
  MapDump dump{.name = std::move(name), .has_key = false, .value_kind = kind};
  dump.entries = Entries({Value{}, std::move(value)});
  return dump;
}
inline MapDump keyed(std::string name, std::vector<std::pair<Value, Value>> entries) {
  MapDump dump{.name = std::move(name), .has_key = true, .entries = std::move(entries)};
  if (!dump.entries.empty()) dump.value_kind = dump.entries.front().second.kind;
  return dump;
}

}  // namespace trc::output
