#include "runtime/actions.h"

#include <sys/wait.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/read_file.h"
#include "output/printf.h"
#include "output/time_format.h"
#include "runtime/map_reader.h"
#include "runtime/shell.h"
#include "source/diagnostics.h"

namespace trc::runtime {
namespace {

/// The text of a kernel helper's failure (output.md §8).
std::string helper_message(const std::string& helper, std::int64_t code) {
  if (helper == "map_update_elem" && (code == -E2BIG || code == -ENOMEM)) {
    return "Map full; can't update element. Try increasing max_map_keys config or manually setting the max entries in a map declaration "
           "e.g. `let @a = hash(5000)`";
  }
  if (helper == "map_lookup_elem" && code == 0) return "Can't lookup map element because it does not exist.";
  if (helper == "map_delete_elem" && code == -ENOENT) return "Can't delete map element because it does not exist.";
  return std::strerror(static_cast<int>(-code));
}

/// Failures that are a normal part of tracing, shown only when asked for (-k).
bool is_usual(const std::string& helper) {
  return helper.starts_with("probe_read") || helper.starts_with("map_lookup") || helper.starts_with("map_delete");
}

/// Text is a format, fields are its arguments.
bool is_formatted(lang::ActionKind action) {
  using enum lang::ActionKind;
  return action == Printf || action == Errorf || action == Warnf || action == Cat || action == System;
}

std::int64_t realtime_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Actions::Actions(const image::ProgramImage& image, Engine& engine, output::Sink& sink, const DecodeContext& decode, Messages& messages,
                 const ActionOptions& options)
    : image_(image), engine_(engine), sink_(sink), decode_(decode), messages_(messages), options_(options) {
  formats_.resize(image.events.size());
  for (std::size_t i = 0; i < image.events.size(); ++i) {
    if (is_formatted(image.events[i].action)) formats_[i] = lang::parse_format(image.events[i].text);
  }
}

const Actions::Schema* Actions::schema_of(Record record, std::uint32_t& event) const {
  if (record.size() < lang::kEventHeaderSize) return nullptr;
  std::memcpy(&event, record.data(), sizeof event);
  return event < image_.events.size() ? &image_.events[event] : nullptr;
}

bool Actions::is_exit(Record record) const {
  std::uint32_t event = 0;
  const Schema* schema = schema_of(record, event);
  return schema != nullptr && schema->action == lang::ActionKind::Exit;
}

void Actions::handle(Record record) {
  using Action = void (Actions::*)(Record, const Schema&, std::uint32_t);
  static constexpr std::array kActions = {
#define TRC_ACTION(kind) static_cast<Action>(&Actions::do_##kind),
#include "lang/actions.def"
#undef TRC_ACTION
  };
  if (handle_own(record) || !open_) return;
  std::uint32_t event = 0;
  const Schema* schema = schema_of(record, event);
  if (schema == nullptr || static_cast<std::size_t>(schema->action) >= kActions.size()) {
    messages_.warn("a record that this trc does not know was dropped");
    return;
  }
  ++handled_;
  (this->*kActions[static_cast<std::size_t>(schema->action)])(record, *schema, event);
}

bool Actions::handle_own(Record record) {
  std::uint32_t event = 0;
  const Schema* schema = schema_of(record, event);
  if (schema == nullptr) return false;
  switch (schema->action) {
    case lang::ActionKind::StackFrames: do_StackFrames(record, *schema, event); return true;
    case lang::ActionKind::UnwindFile: do_UnwindFile(record, *schema, event); return true;
    case lang::ActionKind::InterpreterFile: do_InterpreterFile(record, *schema, event); return true;
    case lang::ActionKind::InterpreterCode: do_InterpreterCode(record, *schema, event); return true;
    default: return false;
  }
}

std::uint64_t Actions::number(Record record, const Schema& schema, std::size_t field) const {
  if (field >= schema.fields.size()) return 0;
  const lang::EventField& f = schema.fields[field];
  return load_integer(record, f.offset, f.type.size, f.type.is_signed);
}

void Actions::check(const Result<>& result) {
  if (!result) messages_.warn(result.error().message());
}

const std::string& Actions::formatted(Record record, const Schema& schema, std::uint32_t event) {
  buffer_.clear();
  output::append_printf(buffer_, formats_[event], decode_fields(record, schema, decode_),
                        {.trailer = image_.settings.str_trunc_trailer, .compat = image_.settings.compat, .harmless = sink_.is_terminal()});
  return buffer_;
}

void Actions::do_Printf(Record record, const Schema& schema, std::uint32_t event) { sink_.text(formatted(record, schema, event)); }

void Actions::do_Errorf(Record record, const Schema& schema, std::uint32_t event) {
  ++errors_;
  sink_.said(origin(schema.span), Severity::Error, formatted(record, schema, event));
}

void Actions::do_Warnf(Record record, const Schema& schema, std::uint32_t event) {
  if (!options_.no_warnings) sink_.said(origin(schema.span), Severity::Warning, formatted(record, schema, event));
}

void Actions::do_Cat(Record record, const Schema& schema, std::uint32_t event) {
  const std::string& path = formatted(record, schema, event);
  const Result<std::string> content = read_file_start(path, image_.settings.max_cat_bytes);
  if (content) return sink_.cat(*content);
  sink_.flush();
  messages_.always(fmt::format("ERROR: failed to open file '{}' ({})", path, std::strerror(content.error().code())));
}

void Actions::do_System(Record record, const Schema& schema, std::uint32_t event) {
  sink_.flush();   // what the command writes itself, to a file or a terminal, comes after what the script printed
  const Result<ShellResult> done = run_shell(formatted(record, schema, event));
  if (!done) return messages_.always("ERROR: " + done.error().message());
  if (image_.settings.compat) sink_.system(done->output + "\n");
  else if (!done->output.empty()) sink_.system(done->output);
  if (done->status == 0) return;
  sink_.flush();
  messages_.always(WIFSIGNALED(done->status) ? fmt::format("ERROR: command was killed by signal {} ({})", WTERMSIG(done->status), ::strsignal(WTERMSIG(done->status)))
                                             : fmt::format("ERROR: command exited with status {}", WEXITSTATUS(done->status)));
}

void Actions::do_PrintValue(Record record, const Schema& schema, std::uint32_t) {
  const auto fields = decode_fields(record, schema, decode_);
  if (!fields.empty()) sink_.value(fields.front());
}

void Actions::print_map(std::uint32_t map, const MapPrint& print) {
  if (map >= image_.maps.size()) return;
  const auto elements = engine_.read_map(map);
  if (!elements) return messages_.warn(elements.error().message());
  sink_.map(read_map(image_.maps[map], *elements, decode_, print));
}

void Actions::do_PrintMap(Record record, const Schema& schema, std::uint32_t) {
  MapPrint print{.top = number(record, schema, 0), .divisor = number(record, schema, 1)};
  if (schema.fields.size() > 2 && schema.fields[2].offset < record.size()) {
    const lang::EventField& key = schema.fields[2];
    print.only_key = record.subspan(key.offset, std::min<std::size_t>(key.type.size, record.size() - key.offset));
  }
  print_map(schema.map, print);
}

void Actions::do_PrintMapValue(Record record, const Schema& schema, std::uint32_t) {
  const auto fields = decode_fields(record, schema, decode_);
  if (!fields.empty() && schema.map < image_.maps.size()) sink_.map_value(image_.maps[schema.map].script_name, fields.front());
}

void Actions::do_ClearMap(Record, const Schema& schema, std::uint32_t) { check(engine_.clear_map(schema.map)); }

void Actions::do_ZeroMap(Record, const Schema& schema, std::uint32_t) { check(engine_.zero_map(schema.map)); }

void Actions::do_Exit(Record record, const Schema& schema, std::uint32_t) {
  if (!exited_) exit_code_ = static_cast<int>(number(record, schema, 0) & 0xff);
  exited_ = true;
  open_ = false;
}

void Actions::do_Time(Record, const Schema& schema, std::uint32_t) { sink_.time(output::format_time(schema.text, realtime_ns())); }

void Actions::do_Join(Record record, const Schema& schema, std::uint32_t) {
  if (schema.fields.empty()) return;
  const std::uint64_t count = std::min<std::uint64_t>(number(record, schema, 0), lang::kJoinStrings);
  const std::size_t strings = schema.fields.size() > 1 ? schema.fields[1].offset : schema.fields[0].offset + schema.fields[0].type.size;
  std::string text;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t begin = strings + i * lang::kJoinStringSize;
    if (begin >= record.size()) break;
    const auto bytes = record.subspan(begin, std::min<std::size_t>(lang::kJoinStringSize, record.size() - begin));
    if (i != 0) text += schema.text;
    text.append(reinterpret_cast<const char*>(bytes.data()), ::strnlen(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  sink_.join(text);
}

void Actions::do_HelperError(Record record, const Schema& schema, std::uint32_t event) {
  if (is_usual(schema.text) && !options_.all_warnings) return;
  const auto code = static_cast<std::int64_t>(number(record, schema, 0));
  report(event, schema, helper_message(schema.text, code), schema.text, code);
}

void Actions::do_RuntimeError(Record, const Schema& schema, std::uint32_t event) { report(event, schema, schema.text, {}, 0); }

void Actions::do_StackFrames(Record record, const Schema&, std::uint32_t) {
  if (options_.stack_frames) options_.stack_frames(record);
}

void Actions::do_UnwindFile(Record record, const Schema&, std::uint32_t) {
  if (options_.unwind_file) options_.unwind_file(record);
}

void Actions::do_InterpreterFile(Record record, const Schema&, std::uint32_t) {
  if (options_.interpreter_file) options_.interpreter_file(record);
}

void Actions::do_Packet(Record, const Schema&, std::uint32_t) { messages_.warn("a packet that came through the ring was dropped"); }

void Actions::do_InterpreterCode(Record record, const Schema&, std::uint32_t) {
  if (options_.interpreter_code) options_.interpreter_code(record);
}

/// The first failure of a place is shown at once; the others are counted.
void Actions::report(std::uint32_t event, const Schema& schema, const std::string& message, const std::string& helper, std::int64_t code) {
  ++errors_;
  if (options_.no_warnings) return;
  Failure& failure = failures_[event];
  if (failure.times++ > 0) return;
  failure.message = message;
  sink_.error(origin(schema.span), message, helper, code);
}

void Actions::report_repetitions() {
  for (const auto& [event, failure] : failures_) {
    if (failure.times < 2) continue;
    output::Origin at = origin(image_.events[event].span);
    messages_.warn((at.position.empty() ? "" : at.position + ": ") + failure.message + " (repeated " + std::to_string(failure.times) + " times)");
  }
}

output::Origin Actions::origin(Span span) const {
  output::Origin at = place(span);
  // An image may hold any numbers: one call inside of another has the larger one.
  for (std::uint32_t from = span.expansion; from != 0 && from <= image_.expansions.size();) {
    const Span& call = image_.expansions[from - 1];
    at.expanded_from.push_back(place(call));
    if (call.expansion >= from) break;
    from = call.expansion;
  }
  return at;
}

output::Origin Actions::place(Span span) const {
  if (span.file >= image_.sources.size()) return {};
  const image::SourceText& source = image_.sources[span.file];
  const SourceFile file(source.name, source.text);
  output::Origin result;
  result.position = render_position(span, file);
  const std::string text = render_source(span, file);
  const std::size_t end = text.find('\n');
  result.source_line = text.substr(0, end);
  if (end != std::string::npos) result.underline = text.substr(end + 1, text.find('\n', end + 1) - end - 1);
  return result;
}

}  // namespace trc::runtime
