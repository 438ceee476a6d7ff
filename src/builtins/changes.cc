// What changes the system or the traced process. All of it needs --unsafe.
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "base/strings.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::BuiltinSpec;
using lang::Param;
using lang::ProgramKind;
using typed::ValuePtr;

// enum bpf_func_id
constexpr int kSendSignal = 109, kSendSignalThread = 117, kOverrideReturn = 58, kGetSocketCookie = 46;

/// Helpers for other kinds of memory have no result that a script could use.
void do_call(CallLowering& call, int helper, std::vector<ValuePtr> arguments, bool with_context = false) {
  ValuePtr done = typed::make(lang::make_int64(), call.span(), typed::CallHelper{helper, std::move(arguments), with_context});
  call.statement(typed::make_statement(call.span(), typed::Evaluate{std::move(done)}));
}

/// "KILL" or "SIGKILL"; nothing if there is no such signal.
std::optional<int> signal_named(std::string_view name) {
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int i = 1; i < NSIG; ++i) {
    const char* known = ::sigabbrev_np(i);
    if (known != nullptr && name == known) return i;
  }
  return std::nullopt;
}

std::optional<ValuePtr> signal_number(CallLowering& call) {
  constexpr std::int64_t kLast = 64;
  ValuePtr given = call.raw_argument(0);
  if (!given) return std::nullopt;
  if (given->type.is_string()) {
    const auto name = call.literal_string(0);
    if (!name) return std::nullopt;
    if (const auto number = signal_named(*name)) return typed::make_constant(lang::make_uint64(), call.argument_span(0), static_cast<std::uint64_t>(*number));
    call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("{} is not a signal", *name)).with_hint("kill -l lists the names");
    return std::nullopt;
  }
  given = call.argument(0);
  if (!given) return std::nullopt;
  if (const auto* literal = std::get_if<typed::Constant>(&given->op); literal && (static_cast<std::int64_t>(literal->bits) < 1 || static_cast<std::int64_t>(literal->bits) > kLast)) {
    call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("{} is not a valid signal, allowed range: [1,{}]", static_cast<std::int64_t>(literal->bits), kLast));
    return std::nullopt;
  }
  return call.convert(std::move(given), lang::make_uint64());
}

/// The kernel signals the task that the program interrupted. In a program that no task caused there is none to signal.
template <int helper>
void lower_signal(CallLowering& call) {
  const std::string_view provider = call.surroundings().provider;
  if (call.surroundings().context->kind == ProgramKind::TestRun || provider == "interval") {
    call.report(Diag::NotAvailableHere, call.span(), fmt::format("{} can not be used with '{}' probes", call.name(), provider))
        .with_hint("it signals the task that the probe met: use it in uprobe, tracepoint, profile and the like");
    return;
  }
  auto number = signal_number(call);
  if (!number) return;
  std::vector<ValuePtr> arguments;
  arguments.push_back(std::move(*number));
  do_call(call, helper, std::move(arguments));
}

void lower_override(CallLowering& call) {
  ValuePtr value = call.argument(0);
  if (!value) return;
  if (call.surroundings().provider != "kprobe") {
    call.report(Diag::NotAvailableHere, call.span(), fmt::format("override can not be used with '{}' probes", call.surroundings().provider))
        .with_hint("only a kprobe on a function that allows error injection can return in its stead");
    return;
  }
  std::vector<ValuePtr> arguments;
  arguments.push_back(call.convert(std::move(value), lang::make_uint64()));
  do_call(call, kOverrideReturn, std::move(arguments), true);
}

/// write_user(dst, src, len): true when the bytes were written.
void lower_write_user(CallLowering& call) {
  ValuePtr to = call.raw_argument(0), from = call.raw_argument(1);
  const auto length = call.literal_int(2);
  if (!to || !from || !length) return;
  const auto refuse = [&](std::size_t i, const std::string& why, const std::string& hint = {}) {
    call.report(Diag::ArgumentType, call.argument_span(i), "write_user() " + why).with_hint(hint);
  };
  const bool has_address = to->type.is_integer() || to->type.is(lang::TypeKind::Pointer);
  if (!has_address || to->type.space == lang::AddressSpace::Kernel) return refuse(0, "expects an address of user memory as its first argument, found " + lang::type_name(to->type));
  if (from->type.is(lang::TypeKind::Pointer)) {   // &$x: what is in the variable
    if (from->type.space != lang::AddressSpace::Bpf || from->type.element().is(lang::TypeKind::Void)) {
      return refuse(1, "expects a value of the script as its second argument", "read it first: str(), buf(), *");
    }
    const lang::Type type = from->type.element();
    from = typed::make(type, call.argument_span(1), typed::Dereference{std::move(from)});
  }
  const std::uint32_t most = from->type.is(lang::TypeKind::Buffer) ? from->type.size - 4 : from->type.size;
  if (*length < 1 || *length > most) return refuse(2, fmt::format("cannot take {} bytes of '{}'", *length, lang::type_name(from->type)));
  if (from->type.is_integer() || from->type.is(lang::TypeKind::Bool)) {   // its bytes need a place
    const lang::Type type = lang::make_tuple({from->type});
    std::vector<ValuePtr> elements;
    elements.push_back(std::move(from));
    from = typed::make(type, call.argument_span(1), typed::MakeTuple{std::move(elements)});
  }
  const bool is_buffer = from->type.is(lang::TypeKind::Buffer);
  std::vector<ValuePtr> arguments;
  if (to->type.is_integer()) to = call.convert(std::move(to), lang::make_uint64());
  arguments.push_back(std::move(to));
  arguments.push_back(std::move(from));
  arguments.push_back(typed::make_constant(lang::make_uint64(), call.span(), is_buffer ? 4 : 0));   // the bytes lie behind their number
  arguments.push_back(typed::make_constant(lang::make_uint64(), call.span(), static_cast<std::uint64_t>(*length)));
  call.result(typed::make(lang::make_bool(), call.span(), typed::CallStdlib{"trc_do_write_user", std::move(arguments)}));
}

// ---- objects of the kernel ----

/// The way to an object, from what the context offers; nothing when it leads through anything but members and pointers.
std::optional<typed::KernelObject> find_object(const typed::Value& address) {
  if (const auto* read = std::get_if<typed::ReadContext>(&address.op)) {
    const bool is_pointer = read->value.type.is(lang::TypeKind::Pointer) && std::holds_alternative<lang::ContextSource>(read->value.source);
    return is_pointer ? std::optional(typed::KernelObject{read->value, {0}}) : std::nullopt;
  }
  if (const auto* converted = std::get_if<typed::Convert>(&address.op)) return find_object(*converted->operand);
  if (const auto* sum = std::get_if<typed::Binary>(&address.op); sum && sum->op == typed::BinaryOp::Add) {
    auto object = find_object(*sum->left);
    const auto* distance = std::get_if<typed::Constant>(&sum->right->op);
    if (!object || !distance || distance->bits > 0xffff) return std::nullopt;
    object->offsets.back() += static_cast<std::uint32_t>(distance->bits);
    return object;
  }
  if (const auto* followed = std::get_if<typed::Dereference>(&address.op); followed && address.type.is(lang::TypeKind::Pointer)) {
    auto object = find_object(*followed->address);
    if (object) object->offsets.push_back(0);
    return object;
  }
  return std::nullopt;
}

bool has_typed_context(const CallLowering& call) {
  const ProgramKind kind = call.surroundings().context->kind;
  return kind == ProgramKind::FunctionEntry || kind == ProgramKind::FunctionExit || kind == ProgramKind::Iterator;
}

void refuse_provider(CallLowering& call, std::string_view allowed = "fentry, fexit and iter only") {
  call.report(Diag::NotAvailableHere, call.span(), fmt::format("{} can not be used with '{}' probes", call.name(), call.surroundings().provider))
      .with_hint(fmt::format("the kernel allows it to programs of {}", allowed));
}

/// An argument that is a structure of such a name or a pointer to one.
std::optional<typed::KernelObject> object_argument(CallLowering& call, std::size_t index, std::span<const std::string_view> structures, std::string_view hint) {
  const ValuePtr given = call.raw_argument(index);
  if (!given) return std::nullopt;
  const bool is_pointer = given->type.is(lang::TypeKind::Pointer);
  const std::string name = lang::type_name(is_pointer ? given->type.element() : given->type);
  const bool fits = std::any_of(structures.begin(), structures.end(), [&](std::string_view one) { return name == fmt::format("struct {}", one); });
  if (!fits) {
    call.report(Diag::ArgumentType, call.argument_span(index), fmt::format("{}() expects a struct {}, or a pointer to one, found {}", call.name(), structures.front(),
                                                                       lang::type_name(given->type)))
        .with_hint(std::string(hint));
    return std::nullopt;
  }
  const auto* in_memory = std::get_if<typed::Dereference>(&given->op);
  auto object = is_pointer ? find_object(*given) : in_memory ? find_object(*in_memory->address) : std::nullopt;
  if (!object) {
    call.report(Diag::ArgumentType, call.argument_span(index), fmt::format("{}() cannot tell the kernel where this comes from", call.name()))
        .with_hint("write the whole way to it in the call, from args or ctx on; variables, maps and casts lose it");
  }
  return object;
}

/// The kernel's list (btf_allowlist_d_path in kernel/trace/bpf_trace.c): where the path's lock can be taken.
constexpr std::string_view kPathFunctions[] = {"security_file_permission", "security_inode_getattr", "security_file_open", "security_path_truncate",
                                               "vfs_truncate", "vfs_fallocate", "dentry_open", "vfs_getattr", "filp_close"};
constexpr std::string_view kPathStructures[] = {"path"};

void lower_path(CallLowering& call) {
  if (!has_typed_context(call)) return refuse_provider(call);
  const lang::Context& context = *call.surroundings().context;
  const std::string_view function = std::string_view(context.bound_to).substr(context.bound_to.rfind(':') + 1);
  const bool is_listed = std::find(std::begin(kPathFunctions), std::end(kPathFunctions), function) != std::end(kPathFunctions);
  if (context.kind != ProgramKind::Iterator && !is_listed) {
    std::string all;
    for (const std::string_view one : kPathFunctions) all += fmt::format("{}{}", all.empty() ? "" : ", ", one);
    call.report(Diag::NotAvailableHere, call.span(), fmt::format("the kernel does not allow path() in {}", function)).with_hint("it does in iter probes and in: " + all);
    return;
  }
  std::int64_t size = call.surroundings().max_strlen;
  if (call.argument_count() > 1) {
    const auto given = call.literal_int(1);
    if (!given) return;
    if (*given < 1 || *given > 4096) {
      call.report(Diag::ArgumentType, call.argument_span(1), fmt::format("path() takes a size from 1 to 4096 bytes, found {}", *given));
      return;
    }
    size = *given;
  }
  auto object = object_argument(call, 0, kPathStructures, "a file has one: path(args.file.f_path)");
  if (!object) return;
  const lang::Type type = lang::make_string(static_cast<std::uint32_t>(std::min<std::int64_t>(size, 4096)));
  call.result(typed::make(type, call.span(), typed::ReadPath{std::move(*object)}));
}

/// Those that begin with a struct sock_common.
constexpr std::string_view kSockets[] = {"sock", "sock_common", "inet_sock", "inet_connection_sock", "tcp_sock", "tcp6_sock", "udp_sock", "udp6_sock",
                                         "raw_sock", "raw6_sock", "unix_sock", "request_sock", "tcp_request_sock", "inet_timewait_sock"};

void lower_socket_cookie(CallLowering& call) {
  if (!has_typed_context(call)) return refuse_provider(call);
  auto object = object_argument(call, 0, kSockets, "a struct socket has one: .sk");
  if (object) call.result(typed::make(lang::make_uint64(), call.span(), typed::AskObject{kGetSocketCookie, std::move(*object)}));
}

constexpr std::string_view kPackets[] = {"sk_buff"};

void lower_skboutput(CallLowering& call) {
  if (call.surroundings().context->kind == ProgramKind::Iterator || !has_typed_context(call)) return refuse_provider(call, "fentry and fexit only");
  const auto file = call.literal_string(0);
  auto skb = object_argument(call, 1, kPackets, "");
  ValuePtr length = call.argument(2), offset = call.argument(3);
  if (!file || !skb || !length || !offset) return;
  lang::EventSchema schema;
  schema.action = lang::ActionKind::Packet;
  schema.text = *file;
  schema.span = call.span();
  const typed::EventId event = call.event(std::move(schema));
  typed::SendPacket send{event, std::move(*skb), call.convert(std::move(length), lang::make_uint64()), call.convert(std::move(offset), lang::make_uint64())};
  call.result(typed::make(lang::make_int64(), call.span(), std::move(send)));
}

constexpr Param kSignal[] = {{.name = "signal", .type = "int"}};
constexpr Param kValue[] = {{.name = "value", .type = "int"}};
constexpr Param kWriteUser[] = {{.name = "address", .type = "address"}, {.name = "value", .type = "any"}, {.name = "length", .type = "literal int"}};
constexpr Param kSkboutput[] = {{.name = "path", .type = "literal string"}, {.name = "skb", .type = "pointer"}, {.name = "length", .type = "int"}, {.name = "offset", .type = "int"}};
constexpr Param kSocket[] = {{.name = "socket", .type = "pointer"}};
constexpr Param kPath[] = {{.name = "path", .type = "pointer"}, {.name = "size", .type = "literal int", .optional = true}};

constexpr BuiltinSpec kRows[] = {
    {.name = "signal", .params = kSignal, .result = "void", .lower = lang::Custom{lower_signal<kSendSignal>},
     .doc = "Sends a signal, by number or name, to the current process.", .example = "uprobe:/bin/bash:readline { signal(\"SIGTERM\"); }",
     .unsafe = "signals the traced process"},
    {.name = "signal_thread", .params = kSignal, .result = "void", .lower = lang::Custom{lower_signal<kSendSignalThread>},
     .doc = "Sends a signal, by number or name, to the current thread.", .example = "uprobe:/bin/bash:readline { signal_thread(15); }",
     .unsafe = "signals the traced thread"},
    {.name = "override", .params = kValue, .result = "void", .lower = lang::Custom{lower_override},
     .doc = "Makes the probed kernel function return a value at once instead of running (kprobe, functions that allow error injection).",
     .example = "kprobe:should_failslab { override(-12); }", .unsafe = "changes what a kernel function returns"},
    {.name = "write_user", .params = kWriteUser, .result = "bool", .lower = lang::Custom{lower_write_user},
     .doc = "Writes the first bytes of a value to memory of the current process; whether that was possible.",
     .example = "uprobe:/bin/bash:readline { print(write_user(arg0, \"x\", 1)); }", .unsafe = "writes to memory of the traced process"},
    {.name = "skboutput", .params = kSkboutput, .result = "int64", .lower = lang::Custom{lower_skboutput},
     .doc = "Writes a packet to a file in pcap format (fentry, fexit).", .example = "fentry:tcp_v4_rcv { skboutput(\"a.pcap\", args.skb, 100, 0); }"},
    {.name = "socket_cookie", .params = kSocket, .result = "uint64", .lower = lang::Custom{lower_socket_cookie},
     .doc = "The number that the kernel gave a socket (fentry, fexit, iter).", .example = "fentry:tcp_rcv_established { print(socket_cookie(args.sk)); }"},
    {.name = "path", .params = kPath, .lower = lang::Custom{lower_path}, .doc = "The path of a struct path (iter, fentry and fexit of some functions).",
     .example = "fentry:filp_close { print(path(args.filp.f_path)); }"},
};

}  // namespace

std::span<const BuiltinSpec> change_builtins() { return kRows; }

}  // namespace trc::builtins
