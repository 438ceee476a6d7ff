#include "lang/type.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "lang/aggregates.h"

namespace trc::lang {
namespace {

std::uint32_t round_up(std::uint32_t value, std::uint32_t align) { return (value + align - 1) / align * align; }

Type simple(TypeKind kind, std::uint32_t size, std::uint32_t align) {
  Type type;
  type.kind = kind;
  type.size = size;
  type.align = align;
  return type;
}

/// C layout: each member at its natural alignment, the whole padded to the largest one.
void lay_out_members(Type& type) {
  std::uint32_t offset = 0;
  for (Field& field : type.fields) {
    type.align = std::max(type.align, field.type.align);
    field.offset = round_up(offset, field.type.align);
    offset = field.offset + field.type.size;
  }
  type.size = round_up(offset, type.align);
}

std::string member_list(const std::vector<Field>& fields, bool named) {
  std::string text;
  for (const Field& field : fields) {
    if (!text.empty()) text += ',';
    if (named) text += field.name + "=";
    text += type_name(field.type);
  }
  return "(" + text + ")";
}

/// Aggregates over unsigned values have names of their own: "usum_t".
std::string signed_name(const Type& type, const char* name) { return (type.is_signed ? "" : "u") + std::string(name); }

struct NamedInteger {
  std::string_view name;
  unsigned bits;
  bool is_signed;
};
// The language's own names, then the C and kernel typedefs that scripts use without a declaration. LP64, as every target we have.
constexpr NamedInteger kNamedIntegers[] = {
    {"int8", 8, true},        {"int16", 16, true},     {"int32", 32, true},      {"int64", 64, true},
    {"uint8", 8, false},      {"uint16", 16, false},   {"uint32", 32, false},    {"uint64", 64, false},
    {"int8_t", 8, true},      {"int16_t", 16, true},   {"int32_t", 32, true},    {"int64_t", 64, true},
    {"uint8_t", 8, false},    {"uint16_t", 16, false}, {"uint32_t", 32, false},  {"uint64_t", 64, false},
    {"s8", 8, true},          {"s16", 16, true},       {"s32", 32, true},        {"s64", 64, true},
    {"u8", 8, false},         {"u16", 16, false},      {"u32", 32, false},       {"u64", 64, false},
    {"__s8", 8, true},        {"__s16", 16, true},     {"__s32", 32, true},      {"__s64", 64, true},
    {"__u8", 8, false},       {"__u16", 16, false},    {"__u32", 32, false},     {"__u64", 64, false},
    {"__be16", 16, false},    {"__be32", 32, false},   {"__be64", 64, false},    {"char", 8, true},
    {"short", 16, true},      {"int", 32, true},       {"long", 64, true},       {"size_t", 64, false},
    {"ssize_t", 64, true},    {"uintptr_t", 64, false}, {"intptr_t", 64, true},  {"pid_t", 32, true},
    {"uid_t", 32, false},     {"gid_t", 32, false},    {"mode_t", 32, false},    {"umode_t", 16, false},
    {"dev_t", 32, false},     {"off_t", 64, true},     {"loff_t", 64, true},     {"sector_t", 64, false},
    {"time_t", 64, true},     {"ktime_t", 64, true},   {"gfp_t", 32, false},
};

}  // namespace

std::optional<Type> find_named_type(std::string_view name) {
  if (name == "bool") return make_bool();
  if (name == "void") return make_void();
  for (const NamedInteger& row : kNamedIntegers) {
    if (row.name == name) return make_integer(row.bits, row.is_signed);
  }
  return std::nullopt;
}

std::vector<std::string> named_types() {
  std::vector<std::string> names{"bool", "void", "string", "buffer"};
  for (const NamedInteger& row : kNamedIntegers) names.emplace_back(row.name);
  return names;
}

namespace {

bool same_enumerators(const Type& a, const Type& b) {
  if (a.enumerators == b.enumerators) return true;
  if (!a.enumerators || !b.enumerators) return false;
  return std::equal(a.enumerators->begin(), a.enumerators->end(), b.enumerators->begin(), b.enumerators->end(),
                    [](const Enumerator& x, const Enumerator& y) { return x.name == y.name && x.value == y.value; });
}

}  // namespace

bool operator==(const Type& a, const Type& b) {
  if (a.is(TypeKind::Struct) && b.is(TypeKind::Struct) && (a.definition != 0 || b.definition != 0)) {
    return a.name == b.name && (a.definition == b.definition || a.definition == 0 || b.definition == 0);
  }
  auto same_field = [](const Field& x, const Field& y) {
    return x.name == y.name && x.offset == y.offset && x.bit_offset == y.bit_offset && x.bit_size == y.bit_size && x.type == y.type;
  };
  return a.kind == b.kind && a.is_signed == b.is_signed && a.space == b.space && a.size == b.size && a.align == b.align &&
         a.count == b.count && a.low == b.low && a.high == b.high && a.step == b.step && a.name == b.name &&
         same_enumerators(a, b) && std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(), same_field);
}

Type make_void() { return simple(TypeKind::Void, 0, 1); }
Type make_bool() { return simple(TypeKind::Bool, 1, 1); }

Type make_integer(unsigned bits, bool is_signed) {
  TRC_ASSERT(bits == 8 || bits == 16 || bits == 32 || bits == 64);
  Type type = simple(TypeKind::Integer, bits / 8, bits / 8);
  type.is_signed = is_signed;
  return type;
}

Type make_string(std::uint32_t capacity) { return simple(TypeKind::String, capacity, 1); }
Type make_buffer(std::uint32_t capacity) { return simple(TypeKind::Buffer, capacity + 4, 4); }

Type make_pointer(Type pointee, AddressSpace space) {
  Type type = simple(TypeKind::Pointer, 8, 8);
  type.space = space;
  type.fields.push_back({.type = std::move(pointee)});
  return type;
}

Type make_array(Type element, std::uint32_t count) {
  Type type = simple(TypeKind::Array, element.size * count, element.align);
  type.count = count;
  type.fields.push_back({.type = std::move(element)});
  return type;
}

Type make_tuple(std::vector<Type> elements) {
  Type type = simple(TypeKind::Tuple, 0, 1);
  for (Type& element : elements) type.fields.push_back({.type = std::move(element)});
  lay_out_members(type);
  return type;
}

Type make_record(std::vector<Field> named) {
  Type type = simple(TypeKind::Record, 0, 1);
  type.fields = std::move(named);
  lay_out_members(type);
  return type;
}

Type make_struct(std::string name) {
  Type type = simple(TypeKind::Struct, 0, 1);
  type.name = std::move(name);
  return type;
}

Type make_enumeration(std::string name, Type integer, std::vector<Enumerator> enumerators) {
  integer.name = std::move(name);
  integer.enumerators = std::make_shared<const std::vector<Enumerator>>(std::move(enumerators));
  return integer;
}

const std::string* enumerator_name(const Type& type, std::int64_t value) {
  if (!type.enumerators) return nullptr;
  for (const Enumerator& one : *type.enumerators) {
    if (one.value == value) return &one.name;
  }
  return nullptr;
}

Type make_timestamp(std::string format) {
  Type type = simple(TypeKind::Timestamp, 16, 8);
  type.name = std::move(format);
  return type;
}

Type make_stack(bool user, std::uint32_t frame_limit, std::string mode) {
  Type type = simple(user ? TypeKind::UserStack : TypeKind::KernelStack, 24, 8);
  type.count = frame_limit;
  type.name = std::move(mode);
  return type;
}

Type make_symbol(bool user) { return user ? simple(TypeKind::UserSymbol, 16, 8) : simple(TypeKind::KernelSymbol, 8, 8); }
Type make_username() { return simple(TypeKind::Username, 8, 8); }
Type make_mac_address() { return simple(TypeKind::MacAddress, 6, 1); }
Type make_inet() { return simple(TypeKind::Inet, 20, 4); }

Type make_cgroup_path(std::string filter) {
  Type type = simple(TypeKind::CgroupPath, 8, 8);
  type.name = std::move(filter);
  return type;
}

Type make_probe_name() { return simple(TypeKind::ProbeName, 8, 8); }

Type make_aggregate(TypeKind kind, bool is_signed) {
  Type type = simple(kind, 0, 8);
  type.is_signed = is_signed;
  type.size = aggregate_size(type);
  return type;
}

Type make_histogram(std::uint32_t bits) {
  Type type = simple(TypeKind::Histogram, 0, 8);
  type.count = bits;
  type.size = aggregate_size(type);
  return type;
}

Type make_linear_histogram(std::int64_t low, std::int64_t high, std::int64_t step) {
  Type type = simple(TypeKind::LinearHistogram, 0, 8);
  type.low = low;
  type.high = high;
  type.step = step;
  type.size = aggregate_size(type);
  return type;
}

const char* kind_name(TypeKind kind) {
  static constexpr const char* kNames[] = {
#define TRC_TYPE(kind, name) name,
#include "lang/types.def"
#undef TRC_TYPE
  };
  return kNames[static_cast<std::size_t>(kind)];
}

Type make_time_series(bool is_signed, SeriesValue value, std::int64_t interval_ns, std::uint32_t buckets) {
  Type type = simple(TypeKind::TimeSeries, 0, 8);
  type.is_signed = is_signed;
  type.low = static_cast<std::int64_t>(value);
  type.step = interval_ns;
  type.count = buckets;
  type.size = aggregate_size(type);
  return type;
}

std::string type_name(const Type& type) {
  switch (type.kind) {
    case TypeKind::None: return "none";
    case TypeKind::Void: return type.size == 0 ? "void" : "a type that programs cannot read";
    case TypeKind::Bool: return "bool";
    case TypeKind::Integer: return type.is_enumeration() ? type.name : fmt::format("{}int{}", type.is_signed ? "" : "u", type.size * 8);
    case TypeKind::Pointer: return type_name(type.element()) + " *";
    case TypeKind::String: return fmt::format("string[{}]", type.size);
    case TypeKind::Buffer: return fmt::format("buffer[{}]", type.size - 4);
    case TypeKind::Array: return fmt::format("{}[{}]", type_name(type.element()), type.count);
    case TypeKind::Struct: return type.name;
    case TypeKind::Tuple: return member_list(type.fields, false);
    case TypeKind::Record: return member_list(type.fields, true);
    case TypeKind::Timestamp: return "timestamp";
    case TypeKind::KernelStack: return "kstack_t";
    case TypeKind::UserStack: return "ustack_t";
    case TypeKind::KernelSymbol: return "ksym_t";
    case TypeKind::UserSymbol: return "usym_t";
    case TypeKind::ProbeName: return "probe_name";
    case TypeKind::Username: return "username_t";
    case TypeKind::MacAddress: return "macaddr_t";
    case TypeKind::Inet: return "inet_t";
    case TypeKind::CgroupPath: return "cgroup_path_t";
    case TypeKind::Count: return "count_t";
    case TypeKind::Sum: return signed_name(type, "sum_t");
    case TypeKind::Min: return signed_name(type, "min_t");
    case TypeKind::Max: return signed_name(type, "max_t");
    case TypeKind::Avg: return signed_name(type, "avg_t");
    case TypeKind::Stats: return signed_name(type, "stats_t");
    case TypeKind::Histogram: return "hist_t";
    case TypeKind::LinearHistogram: return "lhist_t";
    case TypeKind::TimeSeries: return "tseries_t";
  }
  TRC_UNREACHABLE("type kind");
}

}  // namespace trc::lang
