// What is wrong with the user's program: one Diagnostic is one report, with a code from diagnostics.def, a place,
// notes at other places and a hint. Passes report and carry on; the command line prints all of them at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/source_file.h"

namespace trc {

enum class Severity : unsigned char { Error, Warning };

/// One enumerator per row of source/diagnostics.def.
enum class Diag : unsigned short {
#define TRC_DIAG(code, severity, slug) code,
#include "source/diagnostics.def"
#undef TRC_DIAG
};

Severity severity_of(Diag code);
/// The stable short name of a code, e.g. "unknown-function"; also the folder of its test in tests/check.
const char* slug_of(Diag code);

/// Every code, in the order of diagnostics.def.
std::vector<Diag> all_diagnostics();

/// What `trc explain` says of a code.
struct Explanation {
  std::string_view text;
  std::string_view fails, mended;   ///< scripts
};
const Explanation& explanation_of(Diag code);

struct Note {
  Span span;
  std::string text;
};

/// A mend that is certain: this text instead of that of the span (empty: an insertion).
struct Edit {
  Span span;
  std::string text;
};

struct Diagnostic {
  Diag code;
  Span span;
  std::string message;  // one sentence, no full stop
  std::vector<Note> notes;
  std::string hint;     // what to do; empty if there is nothing to say
  std::vector<Edit> edits;  // all together mend it, without a change of what else the script means

  Diagnostic& with_note(Span at, std::string text) {
    notes.push_back({at, std::move(text)});
    return *this;
  }
  Diagnostic& with_hint(std::string text) {
    hint = std::move(text);
    return *this;
  }
  Diagnostic& with_edit(Span at, std::string text) {
    edits.push_back({at, std::move(text)});
    return *this;
  }
};

/// The collection of one run. Two reports of the same code at the same place with the same words are kept once.
class Diagnostics {
 public:
  /// Registers one expansion of a macro; reports at spans with the number it returns say from which call they come.
  std::uint32_t expanded_at(Span call);
  /// The calls that were registered, by number - 1.
  const std::vector<Span>& expansions() const { return expansions_; }
  /// The reference stays valid until the next report.
  Diagnostic& report(Diag code, Span span, std::string message);
  /// No errors (warnings allowed).
  bool ok() const { return errors_ == 0; }
  const std::vector<Diagnostic>& all() const { return all_; }

 private:
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
  std::vector<Span> expansions_;  // where they were called, by number - 1
  Diagnostic duplicate_;  // where a repeated report goes
};

/// The text form: "FILE:L:C-E: ERROR: message", the source line, an underline of '~', "HINT: …".
/// All errors first, then all warnings, each in source order. `color` adds ANSI colours.
std::string render_text(const Diagnostics& diags, const std::vector<const SourceFile*>& files, bool color);

/// The text of a file with the edits of all its diagnostics made; of edits that overlap the first one counts. `count`: how many were made.
std::string mended(const Diagnostics& diags, const std::vector<const SourceFile*>& files, std::uint32_t file, std::size_t& count);

/// One JSON object a diagnostic and line, in the same order: code, severity, message, file, positions, notes, edits, hint.
std::string render_json(const Diagnostics& diags, const std::vector<const SourceFile*>& files);

/// "FILE:L:C-E" (or "FILE:L1-L2" when the span crosses lines), as diagnostics and run-time messages show it.
std::string render_position(Span span, const SourceFile& file);

/// The source line and its underline, each with a newline; all lines and no underline when the span crosses lines.
std::string render_source(Span span, const SourceFile& file);

/// The closest of `candidates` to `word` by edit distance, or empty when none is near enough to be meant.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
/// Up to `limit` near candidates, best first.
std::vector<std::string> nearest_list(std::string_view word, const std::vector<std::string>& candidates, std::size_t limit);

}  // namespace trc
