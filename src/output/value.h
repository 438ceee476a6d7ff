// What is printed: decoded values, independent of BPF and of the output format.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lang/type.h"

namespace trc::output {

struct Value;

struct Histogram {
  struct Bucket { std::string label; std::uint64_t count = 0; std::optional<std::int64_t> min, max; };  // min/max: inclusive bounds, for JSON
  std::vector<Bucket> buckets;   // first non-empty to last non-empty
  std::uint64_t divisor = 1;     // of print(@h, top, div): divides the counts as they are printed, bars stay exact
};
struct TimeSeries {
  struct Row { std::int64_t start_ns = 0; std::optional<std::uint64_t> bits; };  // since 1970; no bits: no data in this interval
  std::vector<Row> rows;         // first interval with data to the last one
  std::int64_t interval_ns = 1;
  bool is_signed = true;
};
struct StatsValue { std::uint64_t count = 0; std::int64_t average = 0, total = 0; bool is_signed = true; };
struct Sequence { std::vector<Value> elements; };                                  // tuple or array
struct Fields { std::vector<std::pair<std::string, Value>> members; };             // record, struct
struct Bytes { std::string bytes; };                                               // buffer
struct Pointer { std::uint64_t address = 0; };
struct Named { std::string name; std::uint64_t bits = 0; };                        // value of an enumeration: its name, and the number it is
struct Text { std::string text; bool truncated = false; };                         // string, symbol, stack, timestamp, probe name …

struct Value {
  lang::TypeKind kind = lang::TypeKind::None;
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, Pointer, Named, Text, Bytes, Sequence, Fields, StatsValue, std::shared_ptr<Histogram>,
               std::shared_ptr<TimeSeries>> data;
};

/// The entries of a map, each made when it is asked for: naming all stacks of a large map at once would take as much memory as its output.
class Entries {
 public:
  using Entry = std::pair<Value, Value>;   // key (None for scalar), value

  Entries() = default;
  Entries(Entry only) : Entries(std::vector<Entry>{std::move(only)}) {}
  Entries(std::vector<Entry> made) : size_(made.size()), make_([all = std::move(made)](std::size_t i) { return all[i]; }) {} 
  Entries(std::size_t size, std::function<Entry(std::size_t)> make) : size_(size), make_(std::move(make)) {}

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  Entry operator[](std::size_t index) const { return make_(index); }
  Entry front() const { return make_(0); }

  class Iterator {
   public:
    Iterator(const Entries& of, std::size_t at) : of_(&of), at_(at) {}
    Entry operator*() const { return (*of_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const Entries* of_;
    std::size_t at_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size_}; }

 private:
  std::size_t size_ = 0;
  std::function<Entry(std::size_t)> make_;
};

/// One map as it is printed: entries already sorted and cut.
struct MapDump {
  std::string name;                                     // "@x"
  bool has_key = false;
  lang::TypeKind value_kind = lang::TypeKind::None;     // tells hist, stats … apart in JSON
  Entries entries;
};

/// Marks strings that filled their buffer (config str_trunc_trailer).
inline constexpr std::string_view kDefaultTrailer = "..";

/// Appends the value as text (output.md §2): what print, printf's %s and map dumps show. Histograms and time series come as their rows.
void append_text(std::string& out, const Value& value, std::string_view trailer = kDefaultTrailer);
std::string to_text(const Value& value, std::string_view trailer = kDefaultTrailer);
/// Appends text of a traced process so that it cannot drive a terminal: control characters (but newline and tab), also those of C1, and bytes that are
/// not UTF-8 as \xNN.
void append_harmless(std::string& out, std::string_view text);
/// As a map key: parentheses at both ends of the text removed.
std::string key_to_text(const Value& value, std::string_view trailer = kDefaultTrailer);

}  // namespace trc::output
