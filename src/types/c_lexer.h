// Tokens of C, with macros replaced and conditional parts left out (#if …). For c_section.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "source/diagnostics.h"
#include "types/c_section.h"

namespace trc::types {

struct CToken {
  enum class Kind : std::uint8_t { End, Word, Number, Text, Punctuation } kind = Kind::End;
  std::string text;          ///< Text: the bytes that the literal stands for
  std::uint64_t value = 0;   ///< Number
  bool is_unsigned = false;  ///< Number
  Span span;
  bool is(std::string_view wanted) const { return (kind == Kind::Punctuation || kind == Kind::Word) && text == wanted; }
};

struct CMacro {
  std::vector<CToken> body;
  bool is_function = false;  ///< NAME(…): known, never replaced
  Span span;
};

struct CValue {
  std::uint64_t bits = 0;
  bool is_unsigned = false;
};

/// What a word or a sizeof in a constant expression stands for, beyond macros.
struct CWords {
  std::function<std::optional<CValue>(const std::string& name)> constant;
  /// sizeof at tokens[at] (behind the '('); moves `at` behind the type.
  std::function<std::optional<std::uint64_t>(std::span<const CToken> tokens, std::size_t& at)> size;
};

class CPreprocessor {
 public:
  /// `is_predefined`: macros that are 1 without a #define. `include`: called for each #include that counts, with its place.
  CPreprocessor(std::function<bool(std::string_view)> is_predefined, CWords words, std::function<void(Span)> include, Diagnostics& diags)
      : is_predefined_(std::move(is_predefined)), words_(std::move(words)), include_(std::move(include)), diags_(diags) {}

  /// The tokens of one text that are left when directives have been obeyed. `is_expanded`: a preprocessor has replaced its macros already.
  std::vector<CToken> read(const CText& text, bool is_expanded = false);
  /// Reports what is still open at the end.
  void finish();

  const std::map<std::string, CMacro, std::less<>>& macros() const { return macros_; }
  std::vector<CToken> expanded(std::span<const CToken> tokens) const;
  /// Evaluates an integer constant expression from `at` on and moves it behind. Nothing (and no report) when it is none.
  std::optional<CValue> evaluate(std::span<const CToken> tokens, std::size_t& at) const;

 private:
  struct Condition { bool active, was_taken, seen_else; Span span; };

  std::vector<CToken> tokenize(std::string_view text, Span whole, std::size_t begin, std::size_t end);
  void directive(std::string_view text, const CText& whole, std::size_t begin, std::size_t end);
  void define(std::vector<CToken> tokens, std::string_view line, Span span);
  bool holds(std::vector<CToken> tokens, Span span);
  bool is_defined(const std::string& name) const;
  bool is_active() const;
  void expand(std::span<const CToken> tokens, std::set<std::string>& open, std::vector<CToken>& out) const;

  std::function<bool(std::string_view)> is_predefined_;
  CWords words_;
  std::function<void(Span)> include_;
  Diagnostics& diags_;
  std::map<std::string, CMacro, std::less<>> macros_;
  std::vector<Condition> conditions_;
};

}  // namespace trc::types
