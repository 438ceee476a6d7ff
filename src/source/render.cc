// Diagnostics as text (cli.md §5).
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/json_writer.h"
#include "source/diagnostics.h"

namespace trc {

namespace {

struct Kind { const char* name; const char* color; };
constexpr Kind kError{"ERROR", "\033[31m"};
constexpr Kind kWarning{"WARNING", "\033[33m"};
constexpr Kind kNote{"NOTE", "\033[36m"};
constexpr Kind kHint{"HINT", "\033[36m"};
constexpr Kind kFix{"FIX", "\033[32m"};
constexpr const char* kReset = "\033[0m";
constexpr std::string_view kTab = "    ";
// A program on one line can be long (-e "$(cat …)"), and nobody needs megabytes of it repeated.
constexpr std::size_t kMaxShownLine = 2000;

std::string kind_text(const Kind& kind, bool color) {
  return color ? fmt::format("{}{}{}", kind.color, kind.name, kReset) : kind.name;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_continuation_byte(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// A source line as shown: tabs are four spaces, other control bytes dots, so that a script cannot drive the terminal.
std::string shown(std::string_view line) {
  std::string out;
  for (char c : line.substr(0, kMaxShownLine)) {
    if (c == '\t') out += kTab;
    else out += is_control(c) ? '.' : c;
  }
  return out;
}

/// How wide the bytes of shown() are; a character of several bytes counts once.
std::size_t shown_width(std::string_view part) {
  std::size_t width = 0;
  for (char c : part) {
    if (c == '\t') width += kTab.size();
    else if (!is_continuation_byte(c)) width++;
  }
  return width;
}

void append_source(std::string& out, Span span, const SourceFile& file) {
  const LineColumn from = file.line_column(span.begin), to = file.line_column(span.end);
  for (std::uint32_t line = from.line; line <= to.line; line++) {
    out += shown(file.line(line));
    out += '\n';
  }
  if (from.line != to.line) return;
  const std::string_view line = file.line(from.line).substr(0, kMaxShownLine);
  const std::size_t begin = std::min<std::size_t>(from.column - 1, line.size());
  const std::size_t end = std::min<std::size_t>(to.column - 1, line.size());
  const std::size_t marks = shown_width(line.substr(begin, end - begin));
  if (marks > 0) {
    out.append(shown_width(line.substr(0, begin)), ' ');
    out.append(marks, '~');
  }
  out += '\n';
}

/// A report on the newline itself, or just behind it, belongs to the line it ends.
Span without_final_newline(Span span, const SourceFile& file) {
  const std::string_view text = file.text();
  while (span.end > span.begin && span.end <= text.size() && text[span.end - 1] == '\n') span.end--;
  return span;
}

void append_one(std::string& out, const Kind& kind, Span span, const std::string& message,
                const std::vector<const SourceFile*>& files, bool color) {
  const SourceFile* file = span.file < files.size() ? files[span.file] : nullptr;
  if (file == nullptr) {
    out += fmt::format("{}: {}\n", kind_text(kind, color), message);
    return;
  }
  span = without_final_newline(span, *file);
  out += fmt::format("{}: {}: {}\n", render_position(span, *file), kind_text(kind, color), message);
  append_source(out, span, *file);
}

bool before(const Span& a, const Span& b) {
  return std::tie(a.file, a.begin, a.end) < std::tie(b.file, b.begin, b.end);
}

}  // namespace

std::string render_source(Span span, const SourceFile& file) {
  std::string out;
  append_source(out, without_final_newline(span, file), file);
  return out;
}

std::string render_position(Span span, const SourceFile& file) {
  const LineColumn from = file.line_column(span.begin), to = file.line_column(span.end);
  if (from.line != to.line) return fmt::format("{}:{}-{}", file.name(), from.line, to.line);
  return fmt::format("{}:{}:{}-{}", file.name(), from.line, from.column, to.column);
}

namespace {

std::vector<const Diagnostic*> in_order(const Diagnostics& diags) {
  std::vector<const Diagnostic*> order;
  for (const Diagnostic& d : diags.all()) order.push_back(&d);
  std::stable_sort(order.begin(), order.end(), [](const Diagnostic* a, const Diagnostic* b) {
    const Severity sa = severity_of(a->code), sb = severity_of(b->code);
    return sa != sb ? sa == Severity::Error : before(a->span, b->span);
  });
  return order;
}

void write_place(JsonWriter& json, Span span, const std::vector<const SourceFile*>& files) {
  if (span.file >= files.size()) return;
  const SourceFile& file = *files[span.file];
  span = without_final_newline(span, file);
  const LineColumn from = file.line_column(span.begin), to = file.line_column(span.end);
  json.key("file").string(file.name()).key("line").number(from.line).key("column").number(from.column);
  json.key("end_line").number(to.line).key("end_column").number(to.column);
}

}  // namespace

std::string render_json(const Diagnostics& diags, const std::vector<const SourceFile*>& files) {
  std::string out;
  for (const Diagnostic* d : in_order(diags)) {
    JsonWriter json(out);
    json.begin_object().key("code").string(slug_of(d->code)).key("severity").string(severity_of(d->code) == Severity::Error ? "error" : "warning");
    json.key("message").string(d->message);
    write_place(json, d->span, files);
    json.key("notes").begin_array();
    for (const Note& note : d->notes) {
      json.begin_object().key("message").string(note.text);
      write_place(json, note.span, files);
      json.end_object();
    }
    json.end_array().key("edits").begin_array();
    for (const Edit& edit : d->edits) {
      json.begin_object();
      write_place(json, edit.span, files);
      json.key("text").string(edit.text).end_object();
    }
    json.end_array();
    if (!d->hint.empty()) json.key("hint").string(d->hint);
    json.end_object();
    out += '\n';
  }
  return out;
}

namespace {

/// Those that can be made together, in the order of the text.
std::vector<Edit> compatible(std::vector<Edit> edits) {
  std::stable_sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return before(a.span, b.span); });
  std::vector<Edit> kept;
  for (Edit& edit : edits) {
    const bool same = !kept.empty() && kept.back().span.begin == edit.span.begin && kept.back().span.end == edit.span.end;
    if (same || (!kept.empty() && edit.span.begin < kept.back().span.end)) continue;
    kept.push_back(std::move(edit));
  }
  return kept;
}

std::string applied(std::string_view text, const std::vector<Edit>& edits) {
  std::string out;
  std::size_t at = 0;
  for (const Edit& edit : edits) {
    if (edit.span.end > text.size() || edit.span.begin < at) continue;
    out += text.substr(at, edit.span.begin - at);
    out += edit.text;
    at = edit.span.end;
  }
  out += text.substr(at);
  return out;
}

/// The line of a mistake as it should be, where the edits leave the other lines alone.
std::string mended_line(const Diagnostic& d, const std::vector<const SourceFile*>& files) {
  if (d.edits.empty() || d.span.file >= files.size()) return {};
  const SourceFile& file = *files[d.span.file];
  const std::uint32_t line = file.line_column(d.edits.front().span.begin).line;
  for (const Edit& edit : d.edits) {
    if (edit.span.file != d.span.file || edit.text.find('\n') != std::string::npos) return {};
    if (file.line_column(edit.span.begin).line != line || file.line_column(edit.span.end).line != line) return {};
  }
  const SourceFile after(file.name(), applied(file.text(), compatible(d.edits)));
  return shown(after.line(line));
}

}  // namespace

std::string mended(const Diagnostics& diags, const std::vector<const SourceFile*>& files, std::uint32_t file, std::size_t& count) {
  std::vector<Edit> edits;
  for (const Diagnostic& d : diags.all()) {
    for (const Edit& edit : d.edits) {
      if (edit.span.file == file && edit.span.expansion == 0) edits.push_back(edit);
    }
  }
  edits = compatible(std::move(edits));
  count = edits.size();
  return applied(files[file]->text(), edits);
}

std::string render_text(const Diagnostics& diags, const std::vector<const SourceFile*>& files, bool color) {
  std::string out;
  for (const Diagnostic* d : in_order(diags)) {
    const Kind& kind = severity_of(d->code) == Severity::Error ? kError : kWarning;
    append_one(out, kind, d->span, d->message, files, color);
    for (const Note& note : d->notes) append_one(out, kNote, note.span, note.text, files, color);
    if (!d->hint.empty()) out += fmt::format("{}: {}\n", kind_text(kHint, color), d->hint);
    if (const std::string line = mended_line(*d, files); !line.empty()) out += fmt::format("{}: {}\n", kind_text(kFix, color), line);
  }
  return out;
}

}  // namespace trc
