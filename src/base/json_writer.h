// Writes JSON as it goes, into a string. One line, separators as the JSON output of trc wants them (output.md §9): `"key": value`, `, `
// between the members of an object, `,` between the elements of an array. What comes out is always valid JSON: bytes that are not
// UTF-8 become U+FFFD, numbers that JSON cannot hold become null, and a misuse (a value without its key) is a bug of ours.
//   JsonWriter json(out);
//   json.begin_object().key("type").string("value").key("data").number(7).end_object();
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/assert.h"
#include "base/strings.h"

namespace trc {

class JsonWriter {
 public:
  enum class Blanks : unsigned char { Between, None };   ///< behind ':' and ',' of objects
  /// Appends to `out`, which must outlive the writer.
  explicit JsonWriter(std::string& out, Blanks blanks = Blanks::Between) : out_(out), blank_(blanks == Blanks::Between ? " " : "") {}

  JsonWriter& begin_object() { return open('{', Frame::Object); }
  JsonWriter& end_object() { return close('}', Frame::Object); }
  JsonWriter& begin_array() { return open('[', Frame::Array); }
  JsonWriter& end_array() { return close(']', Frame::Array); }

  JsonWriter& key(std::string_view name) {
    TRC_ASSERT(!frames_.empty() && frames_.back().kind == Frame::Object && !has_key_);
    if (!frames_.back().empty) out_.append(",").append(blank_);
    frames_.back().empty = false;
    append_quoted(name);
    out_.append(":").append(blank_);
    has_key_ = true;
    return *this;
  }

  JsonWriter& string(std::string_view text) {
    before_value();
    append_quoted(text);
    return *this;
  }
  template <class Number>
    requires(std::is_integral_v<Number> && !std::is_same_v<Number, bool>)
  JsonWriter& number(Number value) {
    before_value();
    out_ += std::to_string(value);
    return *this;
  }
  JsonWriter& number(double value) {
    before_value();
    if (!std::isfinite(value)) {
      out_ += "null";
      return *this;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", value);
    out_ += text;
    return *this;
  }
  JsonWriter& boolean(bool value) {
    before_value();
    out_ += value ? "true" : "false";
    return *this;
  }
  JsonWriter& null() {
    before_value();
    out_ += "null";
    return *this;
  }
  /// A value that is JSON already.
  JsonWriter& raw(std::string_view json) {
    before_value();
    out_ += json;
    return *this;
  }

  /// A whole value has been written and everything opened is closed.
  bool complete() const { return frames_.empty() && has_value_; }

 private:
  struct Frame {
    enum Kind : unsigned char { Object, Array } kind;
    bool empty = true;
  };

  void before_value() {
    if (frames_.empty()) {
      TRC_ASSERT(!has_value_);
      has_value_ = true;
    } else if (frames_.back().kind == Frame::Object) {
      TRC_ASSERT(has_key_);
      has_key_ = false;
    } else {
      if (!frames_.back().empty) out_ += ',';
      frames_.back().empty = false;
    }
  }
  JsonWriter& open(char bracket, Frame::Kind kind) {
    before_value();
    out_ += bracket;
    frames_.push_back({kind});
    return *this;
  }
  JsonWriter& close(char bracket, Frame::Kind kind) {
    TRC_ASSERT(!frames_.empty() && frames_.back().kind == kind && !has_key_);
    frames_.pop_back();
    out_ += bracket;
    return *this;
  }

  void append_quoted(std::string_view text) {
    out_ += '"';
    while (!text.empty()) {
      const std::size_t length = utf8_sequence_length(text);
      if (length == 0) out_ += "\xEF\xBF\xBD";
      else if (length == 1) append_escaped(text.front());
      else out_ += text.substr(0, length);
      text.remove_prefix(length == 0 ? 1 : length);
    }
    out_ += '"';
  }
  void append_escaped(char c) {
    static constexpr char kHex[] = "0123456789abcdef";
    switch (c) {
      case '"': out_ += "\\\""; break;
      case '\\': out_ += "\\\\"; break;
      case '\n': out_ += "\\n"; break;
      case '\r': out_ += "\\r"; break;
      case '\t': out_ += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out_ += "\\u00";
          out_ += kHex[(c >> 4) & 15];
          out_ += kHex[c & 15];
        } else {
          out_ += c;
        }
    }
  }

  std::string& out_;
  const char* blank_;
  std::vector<Frame> frames_;
  bool has_key_ = false;
  bool has_value_ = false;
};

}  // namespace trc
