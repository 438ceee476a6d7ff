// Symbols of the kernel, cgroups.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::BuiltinSpec;
using lang::Param;
using lang::Type;
using typed::ValuePtr;

constexpr int kGetSmpProcessorId = 8;   // enum bpf_func_id

ValuePtr kernel_address(std::string symbol, Span span) { return typed::make(lang::make_uint64(), span, typed::KernelAddress{std::move(symbol)}); }

/// An integer, as it always was, that knows that kernel memory lies there.
void lower_kaddr(CallLowering& call) {
  auto symbol = call.literal_string(0);
  if (!symbol) return;
  Type type = lang::make_uint64();
  type.space = lang::AddressSpace::Kernel;
  call.result(typed::make(type, call.span(), typed::KernelAddress{std::move(*symbol)}));
}

void lower_percpu_kaddr(CallLowering& call) {
  auto symbol = call.literal_string(0);
  if (!symbol) return;
  ValuePtr cpu = typed::make_helper_call(kGetSmpProcessorId, call.span());
  if (call.argument_count() == 2) {
    cpu = call.argument(1);
    if (!cpu) return;
    cpu = call.convert(std::move(cpu), lang::make_uint64());
  }
  std::vector<ValuePtr> arguments;
  arguments.push_back(kernel_address(std::move(*symbol), call.argument_span(0)));
  arguments.push_back(kernel_address("__per_cpu_offset", call.span()));
  arguments.push_back(std::move(cpu));
  arguments.push_back(typed::make(lang::make_uint64(), call.span(), typed::Runtime{typed::RuntimeConstant::CpuCount}));
  ValuePtr address = typed::make(lang::make_uint64(), call.span(), typed::CallStdlib{"trc_percpu_address", std::move(arguments)});
  call.result(call.convert(std::move(address), lang::make_pointer(lang::make_uint64(), lang::AddressSpace::Kernel)));
}

/// -4095 … -1, in which the kernel returns errors as pointers.
void lower_is_err(CallLowering& call) {
  constexpr std::uint64_t kFirstError = static_cast<std::uint64_t>(-4095);   // MAX_ERRNO
  ValuePtr address = call.argument(0);
  if (!address) return;
  ValuePtr first = typed::make_constant(lang::make_uint64(), call.span(), kFirstError);
  call.result(typed::make_binary(typed::BinaryOp::LessEqualUnsigned, lang::make_bool(), call.span(), std::move(first), std::move(address)));
}

/// The id of a cgroup is the inode of its folder.
void lower_cgroupid(CallLowering& call) {
  const auto path = call.literal_string(0);
  if (!path) return;
  struct stat status {};
  if (::stat(path->c_str(), &status) != 0) {
    call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("cgroupid() cannot find the cgroup \"{}\": {}", *path, std::strerror(errno)));
    return;
  }
  call.result(typed::make_constant(lang::make_uint64(), call.span(), status.st_ino));
}

void lower_cgroup_path(CallLowering& call) {
  ValuePtr id = call.argument(0);
  std::string filter;
  if (call.argument_count() == 2) {
    auto given = call.literal_string(1);
    if (!given) return;
    filter = std::move(*given);
  }
  if (!id) return;
  call.result(call.convert(call.convert(std::move(id), lang::make_uint64()), lang::make_cgroup_path(filter)));
}

constexpr Param kSymbol[] = {{.name = "symbol", .type = "literal string"}};
constexpr Param kSymbolAndCpu[] = {{.name = "symbol", .type = "literal string"}, {.name = "cpu", .type = "int", .optional = true}};
constexpr Param kAddress[] = {{.name = "pointer", .type = "address"}};
constexpr Param kPath[] = {{.name = "path", .type = "literal string"}};
constexpr Param kCgroup[] = {{.name = "id", .type = "int"}, {.name = "filter", .type = "literal string", .optional = true}};

constexpr BuiltinSpec kRows[] = {
    {.name = "kaddr", .params = kSymbol, .result = "uint64", .lower = lang::Custom{lower_kaddr}, .doc = "Address of a symbol of the kernel; * reads the word there.",
     .example = "begin { print(kaddr(\"schedule\") != 0); }", .prints = "true"},
    {.name = "percpu_kaddr", .params = kSymbolAndCpu, .lower = lang::Custom{lower_percpu_kaddr},
     .doc = "Address of a variable of the kernel that each CPU has a copy of, for this CPU or another; null if there is no such CPU.",
     .example = "begin { print(percpu_kaddr(\"cpu_number\", 1)); }"},
    {.name = "is_err", .params = kAddress, .result = "bool", .lower = lang::Custom{lower_is_err}, .doc = "Whether a pointer of the kernel stands for an error.",
     .example = "begin { print(is_err((uint64)-2)); }", .prints = "true"},
    {.name = "cgroupid", .params = kPath, .result = "uint64", .lower = lang::Custom{lower_cgroupid}, .doc = "Id of the cgroup at a path.",
     .example = "begin { print(cgroupid(\"/sys/fs/cgroup\") == cgroupid(\"/sys/fs/cgroup/.\")); }", .prints = "true"},
    {.name = "cgroup_path", .params = kCgroup, .lower = lang::Custom{lower_cgroup_path},
     .doc = "Paths of a cgroup in its hierarchies, those whose name matches a filter.", .example = "begin { print(cgroup_path(cgroup)); }"},
};

}  // namespace

std::span<const BuiltinSpec> kernel_builtins() { return kRows; }

}  // namespace trc::builtins
