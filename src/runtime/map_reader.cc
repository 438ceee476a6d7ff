#include "runtime/map_reader.h"

#include <algorithm>
#include <compare>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/assert.h"
#include "lang/aggregates.h"

namespace trc::runtime {
namespace {

using lang::Type;
using lang::TypeKind;
using output::Value;
using Bytes = std::span<const std::byte>;

Bytes slice(Bytes bytes, std::size_t offset, std::size_t size) {
  if (offset >= bytes.size()) return {};
  return bytes.subspan(offset, std::min(size, bytes.size() - offset));
}

/// One entry on its way to being printed; keys and plain values stay bytes until the entries that are not wanted are gone.
struct Row {
  Bytes key;
  Bytes value;                        ///< plain values: the copy that was set
  std::vector<std::uint64_t> words;   ///< aggregates: the merged state
  std::pair<std::uint64_t, std::uint64_t> rank;   ///< order by value, already so that unsigned comparison is right
  std::optional<Value> shown;         ///< the key as a value, where that had to be known early
};

// ---- order of keys ----

/// Compares two keys of one type. Integers sort by their type; as signed ones where the reference is to be matched. Inside tuples the established order looks at numbers and strings only; what it leaves undecided is settled
/// by the other elements and at last by the bytes, so that the output never depends on hashing.
class KeyOrder {
 public:
  explicit KeyOrder(const DecodeContext& context) : context_(context) {}

  std::strong_ordering compare(Bytes a, Bytes b, const Type& type) const {
    auto order = compare_values(a, b, type, Looks::AtNumbersAndStrings);
    if (order == 0) order = compare_values(a, b, type, Looks::AtEverything);
    return order != 0 ? order : compare_bytes(a, b);
  }

 private:
  enum class Looks { AtNumbersAndStrings, AtEverything };

  static std::strong_ordering compare_bytes(Bytes a, Bytes b) {
    const std::size_t common = std::min(a.size(), b.size());
    const int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
    return order != 0 ? order <=> 0 : a.size() <=> b.size();
  }

  static std::strong_ordering compare_integers(Bytes a, Bytes b, std::size_t size, bool is_signed) {
    const std::uint64_t x = load_integer(a, 0, size, is_signed), y = load_integer(b, 0, size, is_signed);
    return is_signed ? static_cast<std::int64_t>(x) <=> static_cast<std::int64_t>(y) : x <=> y;
  }

  static std::string_view string_in(Bytes bytes) {
    const std::string_view whole(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return whole.substr(0, whole.find('\0'));
  }

  const std::string& probe_name(Bytes bytes) const {
    const std::uint64_t id = load_integer(bytes, 0, 8, false);
    const auto [entry, fresh] = probe_names_.try_emplace(id);
    if (fresh && context_.probe_name) entry->second = context_.probe_name(id);
    return entry->second;
  }

  std::strong_ordering compare_members(Bytes a, Bytes b, const Type& type, Looks looks) const {
    for (const lang::Field& field : type.fields) {
      if (field.bit_size != 0) continue;  // left to the bytes
      const auto order = compare_values(slice(a, field.offset, field.type.size), slice(b, field.offset, field.type.size), field.type, looks);
      if (order != 0) return order;
    }
    return std::strong_ordering::equal;
  }

  std::strong_ordering compare_elements(Bytes a, Bytes b, const Type& type) const {
    const std::size_t size = type.fields.empty() ? 0 : type.element().size;
    for (std::size_t at = 0; size != 0 && at < std::min(a.size(), b.size()); at += size) {
      const auto order = compare_values(slice(a, at, size), slice(b, at, size), type.element(), Looks::AtEverything);
      if (order != 0) return order;
    }
    return std::strong_ordering::equal;
  }

  std::strong_ordering compare_values(Bytes a, Bytes b, const Type& type, Looks looks) const {
    constexpr auto kUndecided = std::strong_ordering::equal;
    switch (type.kind) {
      case TypeKind::Integer: return compare_integers(a, b, type.size, type.is_signed || context_.settings.compat);
      case TypeKind::String: return string_in(a) <=> string_in(b);
      case TypeKind::ProbeName: return probe_name(a) <=> probe_name(b);
      case TypeKind::Tuple:
      case TypeKind::Record:
      case TypeKind::Struct: return compare_members(a, b, type, looks);
      case TypeKind::Array: return looks == Looks::AtEverything ? compare_elements(a, b, type) : kUndecided;
      // These start with a number of up to 8 bytes; as bytes they would sort by their lowest one.
      case TypeKind::Bool:
      case TypeKind::Pointer:
      case TypeKind::Timestamp:
      case TypeKind::KernelSymbol:
      case TypeKind::UserSymbol:
      case TypeKind::Username:
      case TypeKind::CgroupPath: return looks == Looks::AtEverything ? compare_integers(a, b, type.size, false) : kUndecided;
      case TypeKind::None:
      case TypeKind::Void:
      case TypeKind::Buffer:
      case TypeKind::KernelStack:
      case TypeKind::UserStack:
      case TypeKind::Count:
      case TypeKind::Sum:
      case TypeKind::Min:
      case TypeKind::Max:
      case TypeKind::Avg:
      case TypeKind::Stats:
      case TypeKind::Histogram:
      case TypeKind::LinearHistogram:
      case TypeKind::TimeSeries:
      case TypeKind::MacAddress:   // the bytes are in order of their weight
      case TypeKind::Inet: return kUndecided;
    }
    TRC_UNREACHABLE("type kind");
  }

  const DecodeContext& context_;
  mutable std::unordered_map<std::uint64_t, std::string> probe_names_;
};

// ---- order of values ----

enum class Order { ByValue, ByKey };

Order order_of(const Type& value) {
  return value.is(TypeKind::Integer) || value.is_aggregate() ? Order::ByValue : Order::ByKey;
}

/// Maps signed numbers so that comparing them as unsigned gives their order.
std::uint64_t sortable(std::uint64_t bits, bool is_signed) { return is_signed ? bits ^ (std::uint64_t{1} << 63) : bits; }

std::uint64_t value_bits(const Value& value) {
  if (const auto* s = std::get_if<std::int64_t>(&value.data)) return static_cast<std::uint64_t>(*s);
  if (const auto* u = std::get_if<std::uint64_t>(&value.data)) return *u;
  if (const auto* stats = std::get_if<output::StatsValue>(&value.data)) return static_cast<std::uint64_t>(stats->average);
  return 0;
}

/// Time series go by their last point, later ones behind earlier ones.
std::pair<std::uint64_t, std::uint64_t> rank_of_series(const Row& row, const Type& type) {
  const auto points = lang::series_points(type, row.words);
  if (points.empty()) return {};
  return {points.back().epoch, sortable(points.back().bits, type.is_signed)};
}

std::uint64_t rank_of(const Row& row, const Type& type, bool compat) {
  if (type.is(TypeKind::Integer)) return sortable(load_integer(row.value, 0, type.size, type.is_signed), type.is_signed);
  if (type.is(TypeKind::Histogram) || type.is(TypeKind::LinearHistogram)) {
    return std::accumulate(row.words.begin(), row.words.end(), std::uint64_t{0});
  }
  const bool as_unsigned = type.is(TypeKind::Count) || (compat && (type.is(TypeKind::Min) || type.is(TypeKind::Max)));
  return sortable(value_bits(aggregate_value(type, row.words)), type.is_signed && !as_unsigned);
}

// ---- elements to rows ----

std::vector<Bytes> copies_of(const image::MapEntry& map, const MapElement& element) {
  const Bytes all(element.values);
  if (!map.per_cpu) return {slice(all, 0, map.value_size)};
  std::vector<Bytes> copies;
  const std::size_t stride = std::max<std::size_t>(Engine::stride(map.value_size), 8);
  for (std::size_t at = 0; at < all.size(); at += stride) copies.push_back(slice(all, at, map.value_size));
  return copies;
}

bool is_set(const image::MapEntry& map, Bytes copy) {
  return map.presence_offset == image::kNoPresence || load_integer(copy, map.presence_offset, 8, false) != 0;
}

/// The copies of an element in which the script has stored something.
std::vector<Bytes> set_copies(const image::MapEntry& map, const MapElement& element) {
  std::vector<Bytes> copies = copies_of(map, element);
  std::erase_if(copies, [&](Bytes copy) { return !is_set(map, copy); });
  return copies;
}

Row make_row(const image::MapEntry& map, Bytes key, const std::vector<Bytes>& copies) {
  Row row{.key = key};
  if (map.value.is_aggregate()) row.words = lang::merge(map.value, copies);
  else row.value = slice(copies.front(), 0, map.value.size);
  return row;
}

// ---- keys that look the same ----

/// What of a key is shown by a name that several values may have.
struct NamedParts {
  bool by_name = false;                      ///< symbols, and stacks of functions without offsets
  std::vector<std::uint32_t> user_stacks;    ///< where their process stands in the key: another one has the same code elsewhere

  void find(const Type& type, std::uint32_t offset, const std::string& usual_mode) {
    constexpr std::uint32_t kPidOfStack = 16;
    const std::string& mode = type.name.empty() ? usual_mode : type.name;
    if (type.is(TypeKind::KernelSymbol) || type.is(TypeKind::UserSymbol)) by_name = true;
    if (type.is_stack() && (mode == "folded" || mode == "python" || mode == "mixed")) by_name = true;
    if (type.is(TypeKind::UserStack)) user_stacks.push_back(offset + kPidOfStack);
    if (!type.is(TypeKind::Tuple) && !type.is(TypeKind::Record)) return;
    for (const lang::Field& field : type.fields) find(field.type, offset + field.offset, usual_mode);
  }

  /// Whether two of the keys may look the same.
  bool may_repeat(const std::vector<MapElement>& elements) const {
    if (by_name || user_stacks.empty()) return by_name;
    return std::any_of(elements.begin(), elements.end(), [&](const MapElement& element) {
      return std::any_of(user_stacks.begin(), user_stacks.end(), [&](std::uint32_t offset) {
        return load_integer(element.key, offset, 4, false) != load_integer(elements.front().key, offset, 4, false);
      });
    });
  }
};

/// Keys that print the same are one entry: the same line of Python at two places in its code, the same stack in two processes.
std::vector<Row> rows_by_text(const image::MapEntry& map, const std::vector<MapElement>& elements, const DecodeContext& context) {
  struct Group {
    Bytes key;
    Value shown;
    std::vector<Bytes> copies;
  };
  std::vector<Group> groups;
  std::unordered_multimap<std::size_t, std::size_t> by_hash;   // of the text, for texts of many long stacks are large
  for (const MapElement& element : elements) {
    std::vector<Bytes> copies = set_copies(map, element);
    if (copies.empty()) continue;
    Value shown = decode(element.key, map.key, context);
    const std::string text = output::key_to_text(shown);
    const std::size_t hash = std::hash<std::string>()(text);
    const auto [begin, end] = by_hash.equal_range(hash);
    const auto same = std::find_if(begin, end, [&](const auto& entry) { return output::key_to_text(groups[entry.second].shown) == text; });
    if (same == end) {
      by_hash.emplace(hash, groups.size());
      groups.push_back({element.key, std::move(shown), std::move(copies)});
    } else {
      Group& group = groups[same->second];
      group.copies.insert(group.copies.end(), copies.begin(), copies.end());
      // The least of the keys, so that the order of the output does not depend on that of the elements.
      if (std::lexicographical_compare(element.key.begin(), element.key.end(), group.key.begin(), group.key.end())) group.key = element.key;
    }
  }
  std::vector<Row> rows;
  for (Group& group : groups) {
    rows.push_back(make_row(map, group.key, group.copies));
    rows.back().shown = std::move(group.shown);
  }
  return rows;
}

std::vector<Row> rows_of(const image::MapEntry& map, const std::vector<MapElement>& elements, const DecodeContext& context) {
  NamedParts names;
  if (map.has_key && map.value.is_aggregate() && !context.settings.compat) names.find(map.key, 0, context.settings.stack_mode);
  if (names.may_repeat(elements)) return rows_by_text(map, elements, context);
  std::vector<Row> rows;
  rows.reserve(elements.size());
  for (const MapElement& element : elements) {
    const std::vector<Bytes> copies = set_copies(map, element);
    if (!copies.empty()) rows.push_back(make_row(map, element.key, copies));
  }
  return rows;
}

void sort_rows(std::vector<Row>& rows, const image::MapEntry& map, const DecodeContext& context) {
  const bool by_value = order_of(map.value) == Order::ByValue;
  if (by_value) {
    for (Row& row : rows) row.rank = map.value.is(TypeKind::TimeSeries) ? rank_of_series(row, map.value) : std::pair(std::uint64_t{0}, rank_of(row, map.value, context.settings.compat));
  }
  const KeyOrder keys(context);
  std::sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    if (by_value && a.rank != b.rank) return a.rank < b.rank;
    return keys.compare(a.key, b.key, map.key) < 0;
  });
}

// ---- rows to values ----

/// print(@m, top, div): numbers, also inside tuples and structs.
void divide(Value& value, std::uint64_t divisor) {
  if (auto* s = std::get_if<std::int64_t>(&value.data)) {
    *s = divisor > static_cast<std::uint64_t>(INT64_MAX) ? 0 : *s / static_cast<std::int64_t>(divisor);
  } else if (auto* u = std::get_if<std::uint64_t>(&value.data)) {
    *u /= divisor;
  } else if (auto* sequence = std::get_if<output::Sequence>(&value.data); sequence != nullptr && value.kind == TypeKind::Tuple) {
    for (Value& element : sequence->elements) divide(element, divisor);
  } else if (auto* fields = std::get_if<output::Fields>(&value.data)) {
    for (auto& [name, member] : fields->members) divide(member, divisor);
  }
}

Value value_of(const Row& row, const Type& type, const DecodeContext& context, std::uint64_t divisor) {
  if (type.is_aggregate()) return aggregate_value(type, row.words, divisor, context.clocks);
  Value value = decode(row.value, type, context);
  if (divisor > 1) divide(value, divisor);
  return value;
}

/// What an explicit print of a scalar map shows before anything was stored: zero, an empty string; nothing for histograms and time series.
void add_unset_scalar(output::MapDump& dump, const Type& type, const DecodeContext& context) {
  if (type.is(TypeKind::Histogram) || type.is(TypeKind::LinearHistogram) || type.is(TypeKind::TimeSeries)) return;
  const std::vector<std::byte> zeros(type.size);
  dump.entries.emplace_back(Value{}, type.is_aggregate() ? aggregate_value(type, {}) : decode(zeros, type, context));
}

}  // namespace

output::MapDump read_map(const image::MapEntry& map, const std::vector<MapElement>& elements, const DecodeContext& context,
                         const MapPrint& print) {
  output::MapDump dump{.name = map.script_name, .has_key = map.has_key, .value_kind = map.value.kind};
  std::vector<Row> rows = rows_of(map, elements, context);
  if (!map.has_key) {
    if (!rows.empty()) dump.entries.emplace_back(Value{}, value_of(rows.front(), map.value, context, print.divisor));
    else if (!print.at_exit) add_unset_scalar(dump, map.value, context);
    return dump;
  }
  sort_rows(rows, map, context);
  if (print.top != 0 && rows.size() > print.top) rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(print.top));
  dump.entries.reserve(rows.size());
  for (Row& row : rows) {
    dump.entries.emplace_back(row.shown ? std::move(*row.shown) : decode(row.key, map.key, context), value_of(row, map.value, context, print.divisor));
  }
  return dump;
}

}  // namespace trc::runtime
