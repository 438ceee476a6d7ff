#include "runtime/verifier_log.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/strings.h"
#include "source/source_file.h"

namespace trc::runtime {
namespace {

constexpr std::string_view kBegin = "-- BEGIN PROG LOAD LOG --", kEnd = "-- END PROG LOAD LOG --";

/// "12: (85) call …", "R1=scalar() …", "; source": what the verifier prints on its way. The rest are its verdicts.
bool is_trace(std::string_view line) {
  if (line.starts_with(';') || line.starts_with("from ") || line.starts_with("caller:") || line.starts_with("callee:")) return true;
  if (line.starts_with("mark_precise") || line.starts_with("frame") || line.starts_with("propagating")) return true;
  if (line.starts_with('R') && line.size() > 1 && is_digit(line[1]) && line.find('=') < 6) return true;   // a register state
  const std::size_t digits = line.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && line[digits] == ':';
}

bool is_statistics(std::string_view line) {
  return line.starts_with("processed ") || line.starts_with("verification time ") || line.starts_with("stack depth ");
}

/// Verdicts that the verifier writes behind an unfinished line of its trace; empty if the line holds none.
std::string_view glued_verdict(std::string_view line) {
  for (const std::string_view verdict : {"BPF program is too large", "The sequence of"}) {
    const std::size_t at = line.find(verdict);
    if (at != std::string_view::npos) return line.substr(at);
  }
  return {};
}

struct Place { std::string_view text, file; std::uint32_t line = 0; };

/// "; text @ file:12"; kernels before 6.9 print the text only.
Place parse_annotation(std::string_view line) {
  line.remove_prefix(1);
  line = trim(line);
  Place place{line, {}, 0};
  const std::size_t at = line.rfind(" @ ");
  if (at == std::string_view::npos) return place;
  const std::size_t colon = line.rfind(':');
  if (colon == std::string_view::npos || colon < at) return place;
  const std::string_view number = line.substr(colon + 1);
  if (std::from_chars(number.data(), number.data() + number.size(), place.line).ec != std::errc{}) return place;
  place.text = trim(line.substr(0, at));
  place.file = line.substr(at + 3, colon - at - 3);
  return place;
}

/// Completes a place from the script's own text; false if it lies in no file of the script.
bool resolve(const Place& place, const image::ProgramImage& image, Refusal& refusal) {
  for (const image::SourceText& source : image.sources) {
    const SourceFile file(source.name, source.text);
    std::uint32_t line = 0;
    if (!place.file.empty()) {
      if (place.file == source.name || place.file.ends_with("/" + source.name)) line = place.line;
    } else if (!place.text.empty()) {
      const std::size_t found = source.text.find(place.text);
      if (found != std::string::npos) line = file.line_column(static_cast<std::uint32_t>(found)).line;
    }
    if (line == 0) continue;
    refusal.file = source.name;
    refusal.line = line;
    refusal.text = std::string(file.line(line));
    return true;
  }
  return false;
}

std::string program_named_before(std::string_view text) {
  constexpr std::string_view kMark = "prog '";
  const std::size_t start = text.rfind(kMark);
  if (start == std::string_view::npos) return {};
  const std::size_t name = start + kMark.size();
  return std::string(text.substr(name, text.find('\'', name) - name));
}

}  // namespace

std::vector<VerifierLog> verifier_logs(std::string_view messages) {
  std::vector<VerifierLog> logs;
  for (std::size_t begin = messages.find(kBegin); begin != std::string_view::npos; begin = messages.find(kBegin, begin)) {
    const std::string program = program_named_before(messages.substr(0, begin));
    begin += kBegin.size();
    const std::size_t end = std::min(messages.find(kEnd, begin), messages.size());
    std::string_view text = messages.substr(begin, end - begin);
    text.remove_prefix(std::min(text.size(), std::size_t{text.starts_with('\n')}));
    logs.push_back({program, std::string(text)});
    if (!text.empty() && !text.ends_with('\n')) logs.back().text += '\n';
  }
  return logs;
}

std::optional<Refusal> find_refusal(std::string_view log, const image::ProgramImage& image) {
  const std::size_t begin = log.find(kBegin);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t end = std::min(log.find(kEnd, begin), log.size());
  Refusal refusal;
  refusal.program = program_named_before(log.substr(0, begin));
  std::vector<std::string> lines = split(log.substr(begin + kBegin.size(), end - begin - kBegin.size()), '\n');

  // The log of paths that were fine is dropped by the kernel, so the last annotation belongs to the refused instruction, or to a
  // function of our library that a line of the script calls: then the last line of the script counts.
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const std::string_view text = trim(*line);
    if (text.empty()) continue;
    if (refusal.reason.empty()) refusal.reason = std::string(glued_verdict(text));
    if (refusal.reason.empty() && !is_trace(text) && !is_statistics(text) && !text.starts_with("libbpf:")) refusal.reason = std::string(text);
    if (text.starts_with(';') && resolve(parse_annotation(text), image, refusal)) break;
  }
  if (refusal.file.empty()) {   // no line of the script was passed: the probe's own place is the nearest there is
    for (const image::ProgramEntry& program : image.programs) {
      if (program.name != refusal.program || program.span.file >= image.sources.size()) continue;
      const image::SourceText& source = image.sources[program.span.file];
      const SourceFile file(source.name, source.text);
      refusal.file = source.name;
      refusal.line = file.line_column(program.span.begin).line;
      refusal.text = std::string(file.line(refusal.line));
    }
  }
  return refusal;
}

std::string describe(const Refusal& refusal) {
  std::string text = "the kernel's verifier refused the program";
  if (!refusal.file.empty()) text = refusal.file + ":" + std::to_string(refusal.line) + ": " + text;
  text += ": " + (refusal.reason.empty() ? std::string("it gave no reason") : refusal.reason);
  if (!refusal.text.empty()) text += "\n" + refusal.text;
  return text;
}

}  // namespace trc::runtime
