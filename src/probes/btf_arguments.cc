#include "probes/btf_arguments.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "kernel/btf.h"
#include "types/btf_types.h"

namespace trc::probes {
namespace {

using kernel::BtfKind;
using types::BtfSource;

struct Found { BtfSource source; std::uint32_t id = 0; };

/// A type by name, in the BTF of one module or of all.
std::optional<Found> find(const kernel::Facts& facts, std::string_view module, BtfKind kind, std::string_view name) {
  const std::vector<std::string> modules = facts.btf_names();
  for (std::uint32_t number = 0; number < modules.size(); ++number) {
    if (!module.empty() && module != "*" && module != modules[number]) continue;
    const auto btf = facts.btf(number);
    if (!btf) continue;
    if (const auto id = (*btf)->find(kind, name)) return Found{{*btf, number, 0}, *id};
  }
  return std::nullopt;
}

/// The parameters of a prototype, `skip` of them left out.
FunctionTypes types_of(const BtfSource& source, std::uint32_t prototype, std::size_t skip) {
  FunctionTypes types;
  const std::vector<kernel::BtfParameter> parameters = source.btf->parameters(prototype);
  for (std::size_t i = skip; i < parameters.size(); ++i) {
    const auto index = static_cast<std::uint32_t>(i - skip);
    lang::ContextValue value{std::string(parameters[i].name), types::btf_type(source, parameters[i].type), lang::ContextSource{8 * index}, ""};
    if (value.name.empty()) value.name = fmt::format("arg{}", index);
    const bool is_word = value.type.is_integer() || value.type.is(lang::TypeKind::Bool) || value.type.is(lang::TypeKind::Pointer);
    if (!is_word) value.why_unreadable = fmt::format("{} is passed as a '{}', which programs cannot read", value.name, lang::type_name(value.type));
    if (value.type.is(lang::TypeKind::Pointer) && value.type.space == lang::AddressSpace::None) value.type.space = lang::AddressSpace::Kernel;
    types.arguments.push_back(std::move(value));
  }
  types.result = types::btf_type(source, source.btf->type(prototype).target);
  if (types.result.is(lang::TypeKind::Pointer) && types.result.space == lang::AddressSpace::None) types.result.space = lang::AddressSpace::Kernel;
  return types;
}

/// Arguments that the trampolines of every kernel pass on: those in registers (x86-64).
constexpr std::size_t kRegisterArguments = 6;

bool is_structure(const kernel::Btf& btf, std::uint32_t id) {
  kernel::BtfType type = btf.type(id);
  for (unsigned depth = 0; depth < 32 && (type.kind == BtfKind::Typedef || type.kind == BtfKind::Qualifier || type.kind == BtfKind::TypeTag); ++depth) {
    type = btf.type(type.target);
  }
  return type.kind == BtfKind::Struct || type.kind == BtfKind::Union;
}

}  // namespace

std::optional<TypedFunction> find_typed_function(const kernel::Facts& facts, std::string_view module, std::string_view function) {
  const auto found = find(facts, module, BtfKind::Function, function);
  return found ? std::optional(TypedFunction{found->source.source, found->id}) : std::nullopt;
}

FunctionTypes function_types(const kernel::Facts& facts, const TypedFunction& function) {
  const auto btf = facts.btf(function.btf);
  return btf ? types_of({*btf, function.btf, 0}, (*btf)->type(function.id).target, 0) : FunctionTypes{};
}

Result<FunctionTypes> kernel_function_types(const kernel::Facts& facts, std::string_view module, std::string_view function) {
  TRC_CHECK(facts.btf(0));
  const auto found = find_typed_function(facts, module, function);
  if (!found) return Error(fmt::format("the kernel's type information (BTF) has no function {}", function));
  return function_types(facts, *found);
}

std::string why_no_trampoline(const kernel::Facts& facts, const TypedFunction& function) {
  const auto found = facts.btf(function.btf);
  if (!found) return found.error().message();
  const kernel::Btf& btf = **found;
  const std::uint32_t prototype = btf.type(function.id).target;
  const std::vector<kernel::BtfParameter> parameters = btf.parameters(prototype);
  if (parameters.size() > kRegisterArguments) {
    return fmt::format("it takes {} arguments, and only the {} in registers are passed on by every kernel", parameters.size(), kRegisterArguments);
  }
  for (const kernel::BtfParameter& parameter : parameters) {
    if (parameter.type == 0) return "it takes a variable number of arguments";
    if (is_structure(btf, parameter.type)) return fmt::format("its argument {} is a structure passed by value", parameter.name);
  }
  if (is_structure(btf, btf.type(prototype).target)) return "it returns a structure by value";
  return "";
}

Result<std::vector<lang::ContextValue>> raw_tracepoint_types(const kernel::Facts& facts, std::string_view module, std::string_view event) {
  TRC_CHECK(facts.btf(0));
  // Functions that the kernel's macros make for each event have the parameters with their names; the type of the probe has none.
  for (const char* prefix : {"__bpf_trace_", "__probestub_", "__traceiter_"}) {
    const auto found = find(facts, module, BtfKind::Function, prefix + std::string(event));
    if (found) return types_of(found->source, found->source.btf->type(found->id).target, 1).arguments;
  }
  const auto found = find(facts, module, BtfKind::Typedef, "btf_trace_" + std::string(event));
  if (!found) return Error(fmt::format("the kernel's type information (BTF) has no raw tracepoint {}", event));
  const kernel::Btf& btf = *found->source.btf;
  return types_of(found->source, btf.type(btf.type(found->id).target).target, 1).arguments;
}

}  // namespace trc::probes
