// What a program says to user space: print, printf, time, join, exit.
#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "builtins/families.h"
#include "lang/format_string.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::ActionKind;
using lang::BuiltinSpec;
using lang::Conversion;
using lang::Param;
using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

// ---- printf ----

bool is_number(const Type& type) { return type.is_integer() || type.is(TypeKind::Bool); }

/// Aggregates that no single number stands for.
bool is_many_numbers(const Type& type) {
  return type.is(TypeKind::Stats) || type.is(TypeKind::Histogram) || type.is(TypeKind::LinearHistogram) || type.is(TypeKind::TimeSeries);
}

bool accepts(Conversion conversion, const Type& type) {
  switch (conversion) {
    case Conversion::Signed:
    case Conversion::Unsigned:
    case Conversion::Char: return is_number(type);
    case Conversion::Hex:
    case Conversion::HexUpper:
    case Conversion::Octal:
    case Conversion::Pointer: return is_number(type) || type.is(TypeKind::Pointer);
    case Conversion::String: return !is_many_numbers(type);
    case Conversion::BufferEscaped:
    case Conversion::BufferEscapedAll:
    case Conversion::BufferHex:
    case Conversion::BufferRaw: return type.is(TypeKind::Buffer);
  }
  return false;
}

/// The conversions that consume arguments, stars as integers, in order.
std::vector<const lang::FormatPiece*> consumers(const lang::FormatString& format) {
  std::vector<const lang::FormatPiece*> list;
  for (const auto& piece : format.pieces) {
    if (!piece.has_conversion) continue;
    if (piece.width == -2) list.push_back(nullptr);
    if (piece.precision == -2) list.push_back(nullptr);
    list.push_back(&piece);
  }
  return list;
}

/// How many letters say the width: 2 for "%lld".
std::uint32_t length_letters(std::string_view text, const lang::FormatPiece& piece) {
  return static_cast<std::uint32_t>(std::ranges::count(text.substr(piece.begin, piece.end - piece.begin), 'l'));
}

ValuePtr format_argument(CallLowering& call, std::size_t i, const lang::FormatPiece* piece) {
  ValuePtr value = call.raw_argument(i);
  if (!value) return nullptr;
  const bool fits = piece ? accepts(piece->conversion, value->type) : value->type.is_integer();
  if (fits) return value->type.is_aggregate() ? call.as_integer(std::move(value)) : std::move(value);
  const std::string letter = piece ? std::string(1, piece->letter) : "*";
  auto& report = call.report(Diag::InvalidFormat, call.argument_span(i),
                             fmt::format("unsupported format specifier for type '{}': {}", lang::type_name(value->type), letter));
  if (value->type.is_aggregate()) report.with_hint("cast it to the number it stands for now: (int64)…");
  return nullptr;
}

// ---- formatted by the kernel ----

/// What the kernel's own formatting takes (Documentation/core-api/printk-formats.rst, bpf_bprintf_prepare): letters, and at most so many values.
struct KernelFormat {
  std::string_view function, letters;
  bool has_width = false;
  std::size_t most = 0;
  std::string_view hint;
};

/// The values of a call of printf's form, each as the kernel wants it; nothing after a report.
std::optional<std::vector<ValuePtr>> kernel_formatted(CallLowering& call, const std::string& text, const KernelFormat& kernel) {
  const lang::FormatString format = lang::parse_format(text);
  const auto refuse = [&](const std::string& why) {
    call.report(Diag::InvalidFormat, call.argument_span(0), fmt::format("{} {}", kernel.function, why)).with_hint(std::string(kernel.hint));
    return std::nullopt;
  };
  if (!format.unsupported.empty()) return refuse("does not have the conversion " + format.unsupported);
  const std::size_t given = call.argument_count() - 1;
  if (given > kernel.most) return refuse(fmt::format("takes up to {} values, {} given", kernel.most, given));
  std::size_t wanted = 0;
  for (const lang::FormatPiece& piece : format.pieces) {
    if (!piece.has_conversion) continue;
    ++wanted;
    const std::string_view written = std::string_view(text).substr(piece.begin, piece.end - piece.begin);
    std::string_view rest = written.substr(1);
    if (kernel.has_width) rest.remove_prefix(std::min(rest.find_first_not_of("0123456789 +-"), rest.size()));
    const std::size_t lengths = piece.bits == 64 && piece.letter != 'p' ? length_letters(text, piece) : 0;
    if (kernel.letters.find(piece.letter) == std::string_view::npos || piece.bits < 32 || rest.size() != 1 + lengths) {
      std::string all;
      for (const char letter : kernel.letters) all += fmt::format("%{} ", letter);
      return refuse(fmt::format("has {}and their forms with l and ll only, found {}", all, written));
    }
  }
  if (given != wanted) return refuse(fmt::format("has {} values for {} conversions", given, wanted));
  std::vector<ValuePtr> values;
  const auto pieces = consumers(format);
  for (std::size_t i = 0; i < given; ++i) {
    ValuePtr value = format_argument(call, i + 1, pieces[i]);
    if (!value) return std::nullopt;
    if (pieces[i]->conversion == Conversion::String && !value->type.is_string()) return refuse("prints strings by %s, found " + lang::type_name(value->type));
    values.push_back(std::move(value));
  }
  return values;
}

void lower_debugf(CallLowering& call) {
  constexpr std::size_t kMostValues = 3;
  const auto text = call.literal_string(0);
  if (!text) return;
  auto values = kernel_formatted(call, *text, {.function = "debugf()", .letters = "duxps", .most = kMostValues, .hint = "printf() formats in user space and takes more"});
  if (!values) return;
  while (values->size() < kMostValues) values->push_back(typed::make_constant(lang::make_uint64(), call.span(), 0));
  const auto size = static_cast<std::uint32_t>(text->size()) + 1;
  values->insert(values->begin(), typed::make_constant(lang::make_uint64(), call.span(), size));
  values->insert(values->begin(), typed::make(lang::make_string(size), call.argument_span(0), typed::StringConstant{*text}));
  ValuePtr done = typed::make(lang::make_int64(), call.span(), typed::CallStdlib{"trc_do_debug_print", std::move(*values)});
  call.statement(typed::make_statement(call.span(), typed::Evaluate{std::move(done)}));
}

/// printf in an iterator that is pinned: nobody but the kernel is there when it is read.
void lower_file_printf(CallLowering& call, const std::string& text) {
  constexpr std::size_t kMostValues = 12;   // MAX_BPRINTF_VARARGS
  auto values = kernel_formatted(call, text, {.function = "printf() of a pinned iterator", .letters = "diuxXcps", .has_width = true, .most = kMostValues,
                                              .hint = "the kernel formats it whenever the file is read; without a file name trc prints, and takes more"});
  if (values) call.statement(typed::make_statement(call.span(), typed::PrintToFile{text, std::move(*values)}));
}

/// printf, errorf, …: what the format says of the values.
template <ActionKind action>
void lower_formatted(CallLowering& call) {
  const auto text = call.literal_string(0);
  if (!text) return;
  const lang::Context* context = call.surroundings().context;
  if (action == ActionKind::Printf && context != nullptr && context->prints_to_file) return lower_file_printf(call, *text);
  const lang::FormatString format = lang::parse_format(*text);
  if (!format.unsupported.empty()) {
    call.report(Diag::InvalidFormat, call.argument_span(0), "unsupported format specifier: " + format.unsupported);
    return;
  }
  const auto wanted = consumers(format);
  const std::size_t given = call.argument_count() - 1;
  if (given != wanted.size()) {
    call.report(Diag::InvalidFormat, call.span(),
                fmt::format("{} arguments for format string ({} supplied, {} expected)", given < wanted.size() ? "not enough" : "too many", given,
                            wanted.size()));
    return;
  }
  std::vector<ValuePtr> fields;
  bool ok = true;
  for (std::size_t i = 0; i < given; ++i) {
    fields.push_back(format_argument(call, i + 1, wanted[i]));
    ok = ok && fields.back() != nullptr;
  }
  if (ok) call.emit(action, *text, std::move(fields));
}

// ---- print ----

ValuePtr limit_argument(CallLowering& call, std::size_t i) {
  const Type wide = lang::make_uint64();
  if (i >= call.argument_count()) return typed::make_constant(wide, call.span(), 0);
  ValuePtr value = call.argument(i);
  if (!value) return nullptr;
  if (!value->type.is_integer()) {
    call.report(Diag::ArgumentType, call.argument_span(i),
                fmt::format("print() expects an integer here, found {}", lang::type_name(value->type)));
    return nullptr;
  }
  return call.convert(std::move(value), wide);
}

void print_map(CallLowering& call, const CallLowering::Map& map) {
  if (call.argument_count() > 1 && map.value.is(TypeKind::Stats)) {
    call.report(Diag::Deprecated, call.span(), "print()'s top and div arguments are ignored when used on stats() maps.");
  }
  std::vector<ValuePtr> fields;
  fields.push_back(limit_argument(call, 1));
  fields.push_back(limit_argument(call, 2));
  if (fields[0] && fields[1]) call.emit(ActionKind::PrintMap, "", std::move(fields), map.id);
}

/// What no single number stands for is read when the record arrives, as a whole map is.
void print_entry(CallLowering& call, const CallLowering::Map& map, ValuePtr key) {
  std::vector<ValuePtr> fields;
  for (int i = 0; i < 2; ++i) fields.push_back(typed::make_constant(lang::make_uint64(), call.span(), 0));
  fields.push_back(std::move(key));
  call.emit(ActionKind::PrintMap, "", std::move(fields), map.id);
}

void lower_print(CallLowering& call) {
  if (const auto map = call.whole_map(0)) return print_map(call, *map);
  ValuePtr key;
  if (const auto entry = call.map_element(0, key); entry && call.argument_count() == 1 && is_many_numbers(entry->value)) {
    if (key) print_entry(call, *entry, std::move(key));
    return;
  }
  if (call.argument_count() > 1) {
    call.report(Diag::ArgumentType, call.argument_span(0), "print() takes top and div only with a whole map")
        .with_hint("several values: print((a, b)), or printf(\"%d %d\\n\", a, b)");
    return;
  }
  ValuePtr value = call.raw_argument(0);
  if (!value) return;
  if (value->type.is_aggregate()) value = call.as_integer(std::move(value));
  std::vector<ValuePtr> fields;
  fields.push_back(std::move(value));
  call.emit(ActionKind::PrintValue, "", std::move(fields));
}

// ---- the others ----

typed::Statement record(CallLowering& call, ActionKind action, std::string text, std::vector<ValuePtr> fields) {
  lang::EventSchema schema;
  schema.action = action;
  schema.text = std::move(text);
  schema.span = call.span();
  for (const ValuePtr& field : fields) schema.fields.push_back({field->type});
  return typed::make_statement(call.span(), typed::Emit{call.event(std::move(schema)), std::move(fields)});
}

/// The run ends with this status, and the probe does at once.
typed::Statements leave(CallLowering& call, ValuePtr status) {
  std::vector<ValuePtr> fields;
  fields.push_back(std::move(status));
  typed::Statements out;
  out.push_back(record(call, ActionKind::Exit, "", std::move(fields)));
  out.push_back(typed::make_statement(call.span(), typed::Return{.leaves_program = true}));
  return out;
}

void lower_exit(CallLowering& call) {
  const Type wide = lang::make_uint64();
  ValuePtr code = typed::make_constant(wide, call.span(), 0);
  if (call.argument_count() == 1) {
    code = call.argument(0);
    if (!code) return;
    code = typed::make_binary(typed::BinaryOp::And, wide, call.argument_span(0), call.convert(std::move(code), wide),
                              typed::make_constant(wide, call.span(), 0xff));
  }
  for (typed::Statement& statement : leave(call, std::move(code))) call.statement(std::move(statement));
}

/// A condition of any type that may be one, as a bool.
ValuePtr condition_argument(CallLowering& call, std::size_t i) {
  ValuePtr value = call.argument(i);
  if (!value || value->type.is(TypeKind::Bool)) return value;
  if (value->type.is(TypeKind::Pointer)) value = call.convert(std::move(value), lang::make_uint64());
  if (value->type.is_integer()) return call.convert(std::move(value), lang::make_bool());
  call.report(Diag::ArgumentType, call.argument_span(i), fmt::format("{}() expects a condition here, found {}", call.name(), lang::type_name(value->type)));
  return nullptr;
}

/// assert(condition, message): an error, then the end of the run.
void lower_assert(CallLowering& call) {
  ValuePtr holds = condition_argument(call, 0);
  const auto message = call.literal_string(1);
  if (!holds || !message) return;
  std::string format = "assert failed: ";
  for (const char c : *message) format += c == '%' ? "%%" : std::string(1, c);
  typed::Statements failure;
  failure.push_back(record(call, ActionKind::Errorf, std::move(format), {}));
  for (typed::Statement& statement : leave(call, typed::make_constant(lang::make_uint64(), call.span(), 1))) failure.push_back(std::move(statement));
  call.statement(typed::make_statement(call.span(), typed::If{std::move(holds), {}, std::move(failure)}));
}

void lower_time(CallLowering& call) {
  std::string format = "%H:%M:%S\n";
  if (call.argument_count() == 1) {
    const auto given = call.literal_string(0);
    if (!given) return;
    format = *given;
  }
  call.emit(ActionKind::Time, format, {});
}

void lower_join(CallLowering& call) {
  std::string separator = " ";
  if (call.argument_count() == 2) {
    const auto given = call.literal_string(1);
    if (!given) return;
    separator = *given;
  }
  ValuePtr array = call.argument(0);
  if (!array) return;
  lang::EventSchema schema;
  schema.action = ActionKind::Join;
  schema.text = separator;
  schema.span = call.span();
  schema.fields = {{lang::make_integer(32, false)}, {lang::make_array(lang::make_string(lang::kJoinStringSize), lang::kJoinStrings)}};
  if (!call.may_emit()) return;
  const typed::EventId event = call.event(std::move(schema));
  call.statement(typed::make_statement(call.span(), typed::EmitJoin{event, std::move(array)}));
}

constexpr Param kPrintf[] = {{.name = "format", .type = "literal string"}, {.name = "values", .type = "any", .optional = true, .repeated = true}};
constexpr Param kPrint[] = {{.name = "value", .type = "printable"},
                            {.name = "top", .type = "int", .optional = true},
                            {.name = "div", .type = "int", .optional = true}};
constexpr Param kExit[] = {{.name = "code", .type = "int", .optional = true}};
constexpr Param kAssert[] = {{.name = "condition", .type = "any"}, {.name = "message", .type = "literal string"}};
constexpr Param kTime[] = {{.name = "format", .type = "literal string", .optional = true}};
constexpr Param kJoin[] = {{.name = "strings", .type = "pointer"}, {.name = "separator", .type = "literal string", .optional = true}};

constexpr BuiltinSpec kRows[] = {
    {.name = "printf", .params = kPrintf, .result = "void", .lower = lang::Custom{lower_formatted<ActionKind::Printf>},
     .doc = "Prints values by a C format.", .example = "begin { printf(\"%d %s\\n\", 7, \"up\"); }", .prints = "7 up"},
    {.name = "errorf", .params = kPrintf, .result = "void", .lower = lang::Custom{lower_formatted<ActionKind::Errorf>},
     .doc = "Reports an error by a C format, with the place in the script; a test fails.", .example = "begin { errorf(\"bad %d\", 5); }"},
    {.name = "warnf", .params = kPrintf, .result = "void", .lower = lang::Custom{lower_formatted<ActionKind::Warnf>},
     .doc = "Reports a warning by a C format, with the place in the script.", .example = "begin { warnf(\"odd %d\", 5); }"},
    {.name = "debugf", .params = kPrintf, .result = "void", .lower = lang::Custom{lower_debugf},
     .doc = "Writes a line to the kernel's trace_pipe at once, by a format with at most 3 of %d %u %x %p %s.",
     .example = "begin { debugf(\"here %d\", 5); }"},
    {.name = "cat", .params = kPrintf, .result = "void", .lower = lang::Custom{lower_formatted<ActionKind::Cat>},
     .doc = "Prints a file, at most max_cat_bytes of it; its name by a C format.", .example = "begin { cat(\"/proc/%d/comm\", 1); }"},
    {.name = "system", .params = kPrintf, .result = "void", .lower = lang::Custom{lower_formatted<ActionKind::System>},
     .doc = "Runs a command of the shell, given by a C format, and prints what it writes.", .example = "begin { system(\"echo %d\", 5); }", .prints = "5",
     .unsafe = "runs a command"},
    {.name = "print", .params = kPrint, .result = "void", .lower = lang::Custom{lower_print},
     .doc = "Prints a value on a line of its own, or a map; of a map only the last top entries, numbers divided by div.",
     .example = "begin { print((1, \"two\")); }", .prints = "(1, two)"},
    {.name = "exit", .params = kExit, .result = "void", .lower = lang::Custom{lower_exit},
     .doc = "Ends the run with an exit status; end probes still run.", .example = "begin { exit(3); }"},
    {.name = "assert", .params = kAssert, .result = "void", .lower = lang::Custom{lower_assert},
     .doc = "Unless the condition holds, reports the message as an error and ends the run with status 1.",
     .example = "begin { assert(1 + 1 == 2, \"odd\"); print(\"fine\"); }", .prints = "fine"},
    {.name = "time", .params = kTime, .result = "void", .lower = lang::Custom{lower_time},
     .doc = "Prints the wall-clock time by a strftime format, \"%H:%M:%S\\n\" unless given.", .example = "begin { time(\"%Y\\n\"); }"},
    {.name = "join", .params = kJoin, .result = "void", .lower = lang::Custom{lower_join},
     .doc = "Prints the strings of a char ** with a separator between them.",
     .example = "tracepoint:syscalls:sys_enter_execve { join(args.argv); }"},
};

}  // namespace

std::span<const BuiltinSpec> output_builtins() { return kRows; }

}  // namespace trc::builtins
