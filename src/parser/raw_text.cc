#include "parser/raw_text.h"

#include <algorithm>
#include <array>

#include "base/glob.h"
#include "base/strings.h"
#include "parser/lookahead.h"

namespace trc::parser {

namespace {

/// Providers whose targets are symbols of C++ programs, where a glued '<' is part of a template's name.
bool has_symbol_names(std::string_view attach_text) {
  static constexpr std::array<std::string_view, 5> kNames = {"uprobe", "u", "uretprobe", "ur", "usdt"};
  std::string provider = to_lower(attach_text.substr(0, attach_text.find(':')));
  std::erase(provider, '"');
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view name) { return glob_match(provider, name); });
}

class AttachReader {
 public:
  AttachReader(std::string_view text, std::size_t at, const std::vector<std::string>& positionals)
      : text_(text), at_(at), positionals_(positionals) {}

  AttachText read() {
    while (at_ < text_.size() && !ends_here()) {
      const char c = text_[at_];
      if (c == '"') read_quoted();
      else if (c == '$' && next_is_digit()) read_positional();
      else take();
      if (c == ':') seen_colon_ = true;
    }
    result_.end = at_;
    return std::move(result_);
  }

 private:
  bool ends_here() const {
    const char c = text_[at_];
    if (is_space(c) || c == ',' || c == '{' || c == '}') return true;
    if (c == '/') return !seen_colon_;
    if (c == '<') return !(seen_colon_ && has_symbol_names(result_.text));
    return false;
  }
  bool next_is_digit() const { return at_ + 1 < text_.size() && is_digit(text_[at_ + 1]); }
  void take() { result_.text += text_[at_++]; }

  void read_quoted() {
    take();
    while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) take();
      if (text_[at_] == '$' && next_is_digit()) read_positional();
      else take();
    }
    if (at_ < text_.size() && text_[at_] == '"') take();
    else result_.unterminated_quote = true;
  }

  void read_positional() {
    const std::size_t begin = at_++;
    std::size_t end = at_;
    while (end < text_.size() && is_digit(text_[end])) end++;
    const std::uint64_t number = parse_decimal(text_.substr(at_, end - at_));
    at_ = end;
    if (number == 0 || number > positionals_.size()) {
      result_.missing.push_back({begin, end, number});
      return;
    }
    const std::string& value = positionals_[number - 1];
    result_.text += value;
    seen_colon_ = seen_colon_ || value.find(':') != std::string::npos;
  }

  static std::uint64_t parse_decimal(std::string_view digits) {
    std::uint64_t number = 0;
    for (char c : digits) number = std::min<std::uint64_t>(number * 10 + static_cast<std::uint64_t>(c - '0'), 1'000'000);
    return number;
  }

  std::string_view text_;
  std::size_t at_;
  const std::vector<std::string>& positionals_;
  bool seen_colon_ = false;
  AttachText result_;
};

/// Behind the quoted text at `at`.
std::size_t skip_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote && text[at] != '\n') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

/// Behind the bracket that closes the one at `at`, or npos.
std::size_t skip_balanced(std::string_view text, std::size_t at, char open, char close) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const std::size_t behind_layout = skip_layout(text, at);
    if (behind_layout != at) {
      at = behind_layout;
      continue;
    }
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = skip_quoted(text, at);
      continue;
    }
    at++;
    if (c == open) depth++;
    if (c == close && --depth == 0) return at;
  }
  return std::string_view::npos;
}

}  // namespace

AttachText read_attach_point(std::string_view text, std::size_t at, const std::vector<std::string>& positionals) {
  return AttachReader(text, at, positionals).read();
}

std::size_t skip_c_directive(std::string_view text, std::size_t at) {
  while (at < text.size() && text[at] != '\n') {
    if (text[at] == '\\' && text.substr(at).starts_with("\\\r\n")) at += 3;
    else at += text[at] == '\\' ? 2 : 1;
  }
  return std::min(at, text.size());
}

std::size_t skip_c_declaration(std::string_view text, std::size_t at) {
  while (at < text.size() && text[at] != ';') {
    const std::size_t behind_layout = skip_layout(text, at);
    if (behind_layout != at) at = behind_layout;
    else if (text[at] == '{') at = skip_balanced(text, at, '{', '}');
    else ++at;
  }
  return at < text.size() ? at + 1 : std::string_view::npos;
}

std::size_t skip_c_aggregate(std::string_view text, std::size_t at) {
  std::size_t open = at;
  while (open < text.size() && text[open] != '{' && text[open] != ';') {
    const std::size_t behind_layout = skip_layout(text, open);
    open = behind_layout != open ? behind_layout : open + 1;
  }
  if (open >= text.size()) return std::string_view::npos;
  if (text[open] == ';') return open + 1;  // a declaration only

  std::size_t end = skip_balanced(text, open, '{', '}');
  if (end == std::string_view::npos) return end;
  for (std::size_t next = skip_layout(text, end); text.substr(next).starts_with("__attribute__"); next = skip_layout(text, end)) {
    const std::size_t paren = skip_layout(text, skip_word(text, next));
    if (paren >= text.size() || text[paren] != '(') return std::string_view::npos;
    end = skip_balanced(text, paren, '(', ')');
    if (end == std::string_view::npos) return end;
  }
  const std::size_t semicolon = skip_layout(text, end);
  return semicolon < text.size() && text[semicolon] == ';' ? semicolon + 1 : end;
}

}  // namespace trc::parser
