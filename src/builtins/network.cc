// Addresses of networks, byte order.
#include <arpa/inet.h>

#include <array>
#include <string>
#include <utility>

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
using lang::TypeKind;
using typed::ValuePtr;

constexpr std::uint32_t kV4 = 4, kV6 = 16, kMac = 6;   // bytes of an address

/// Array of bytes; also a string, which is how `char x[6]` comes.
bool is_bytes(const Type& type) { return type.is_string() || (type.is(TypeKind::Array) && type.element().size == 1); }

/// How many bytes lie at a pointer to an array; 0: it does not say.
std::uint32_t bytes_behind(const Type& pointer) { return is_bytes(pointer.element()) ? pointer.element().size : 0; }

void lower_macaddr(CallLowering& call) {
  ValuePtr value = call.raw_argument(0);
  if (!value) return;
  const Type mac = lang::make_mac_address();
  if (is_bytes(value->type) && value->type.size >= kMac) return call.result(call.convert(std::move(value), mac));
  if (!value->type.is(TypeKind::Pointer) && !value->type.is_integer()) {
    call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("macaddr() expects a pointer or an array of 6 bytes, found {}", lang::type_name(value->type)));
    return;
  }
  value = call.argument(0);   // as a pointer
  if (value) call.result(typed::make(mac, call.span(), typed::Dereference{std::move(value)}));
}

/// ntop(x), ntop(af, x)
void lower_ntop(CallLowering& call) {
  const bool has_family = call.argument_count() == 2;
  const std::size_t at = has_family ? 1 : 0;
  std::optional<std::int64_t> family;
  if (has_family) {
    family = call.literal_int(0);
    if (!family) return;
    if (*family != AF_INET && *family != AF_INET6) {
      call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("ntop() expects the family AF_INET ({}) or AF_INET6 ({}), found {}", AF_INET, AF_INET6, *family));
      return;
    }
  }
  ValuePtr value = call.raw_argument(at);
  if (!value) return;
  const Type type = value->type;
  std::uint32_t bytes = is_bytes(type) ? type.size : type.is(TypeKind::Pointer) ? bytes_behind(type) : kV4;
  if (family) bytes = *family == AF_INET6 ? kV6 : kV4;
  if (bytes == 0) {
    call.report(Diag::ArgumentType, call.argument_span(at), fmt::format("ntop() cannot tell how long the address behind '{}' is", lang::type_name(type)))
        .with_hint(fmt::format("give the family first: ntop({}, …) for IPv4, ntop({}, …) for IPv6", AF_INET, AF_INET6));
    return;
  }
  const bool fits = bytes == kV4 || (bytes == kV6 && !type.is_integer());
  const bool has_bytes = !is_bytes(type) || type.size >= bytes;
  if (!fits || !has_bytes || !(type.is_integer() || type.is(TypeKind::Pointer) || is_bytes(type))) {
    call.report(Diag::ArgumentType, call.argument_span(at), fmt::format("ntop() expects an integer (IPv4), or 4 or 16 bytes as an array or behind a pointer, found {}",
                                                                        lang::type_name(type)));
    return;
  }
  if (type.is(TypeKind::Pointer)) {
    value = call.argument(at);   // its address space is checked
    if (!value) return;
  }
  call.result(typed::make(lang::make_inet(), call.span(), typed::MakeInet{std::move(value), bytes == kV6}));
}

void lower_pton(CallLowering& call) {
  const auto text = call.literal_string(0);
  if (!text) return;
  std::array<char, kV6> address{};
  const bool is_v6 = text->find(':') != std::string::npos;
  if (::inet_pton(is_v6 ? AF_INET6 : AF_INET, text->c_str(), address.data()) != 1) {
    call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("pton() expects an IPv4 or IPv6 address, found \"{}\"", *text));
    return;
  }
  const std::uint32_t bytes = is_v6 ? kV6 : kV4;
  call.result(typed::make(lang::make_array(lang::make_integer(8, false), bytes), call.span(), typed::StringConstant{std::string(address.data(), bytes)}));
}

void lower_bswap(CallLowering& call) {
  ValuePtr value = call.argument(0);
  if (!value) return;
  Type type = value->type;
  type.space = lang::AddressSpace::None;
  value = call.convert(call.convert(std::move(value), lang::make_integer(type.size * 8, false)), lang::make_uint64());
  call.result(typed::make(type, call.span(), typed::Unary{typed::UnaryOp::ByteSwap, std::move(value)}));
}

constexpr Param kAddress[] = {{.name = "address", .type = "pointer"}};
constexpr Param kNtop[] = {{.name = "family or address", .type = "pointer"}, {.name = "address", .type = "pointer", .optional = true}};
constexpr Param kText[] = {{.name = "text", .type = "literal string"}};
constexpr Param kNumber[] = {{.name = "number", .type = "int"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "macaddr", .params = kAddress, .lower = lang::Custom{lower_macaddr}, .doc = "The MAC address of 6 bytes at an address or in an array.",
     .example = "tracepoint:net:net_dev_xmit { print(macaddr(kptr(args.skbaddr))); }"},
    {.name = "ntop", .params = kNtop, .lower = lang::Custom{lower_ntop},
     .doc = "An internet address as text: a number (IPv4, network order), or 4 or 16 bytes; AF_INET (2) or AF_INET6 (10) may be said first.",
     .example = "begin { print(ntop(0x0100007f)); }", .prints = "127.0.0.1"},
    {.name = "pton", .params = kText, .lower = lang::Custom{lower_pton}, .doc = "The bytes of an IPv4 or IPv6 address.",
     .example = "begin { print(pton(\"127.0.0.1\")); }", .prints = "[127,0,0,1]"},
    {.name = "bswap", .params = kNumber, .lower = lang::Custom{lower_bswap}, .doc = "The bytes of an integer in the other order.",
     .example = "begin { printf(\"%x\\n\", bswap((uint32)0x12345678)); }", .prints = "78563412"},
};

}  // namespace

std::span<const BuiltinSpec> network_builtins() { return kRows; }

}  // namespace trc::builtins
