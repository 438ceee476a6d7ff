// The type of a value: what the checker infers, what code generation lays out, what the runner decodes and prints.
// Plain data, copied freely, serialised into the program image.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trc::lang {

enum class TypeKind : std::uint8_t {
#define TRC_TYPE(kind, name) kind,
#include "lang/types.def"
#undef TRC_TYPE
};

/// Which memory a pointer points into; decides the helper that reads through it.
enum class AddressSpace : std::uint8_t { None, Kernel, User, Bpf };

struct Field;

/// The names of an enumeration's values, in the order of its definition.
struct Enumerator {
  std::string name;
  std::int64_t value = 0;    ///< of an unsigned one of 64 bits: its bits
};

struct Type {
  TypeKind kind = TypeKind::None;
  bool is_signed = false;                       ///< Integer; Sum/Min/Max/Avg/Stats/TimeSeries: of the argument
  AddressSpace space = AddressSpace::None;      ///< Pointer: of what it points to. Struct reached by pointer: where it lies.
                                                ///< Integer that is an address (kaddr): of what lies there
  std::uint32_t size = 0;                       ///< bytes as stored in maps and events, padding included
  std::uint32_t align = 1;                      ///< bytes
  std::uint32_t count = 0;                      ///< Array: elements; stacks: frame limit; Histogram: sub-bucket bits; TimeSeries: buckets
  std::int64_t low = 0, high = 0, step = 0;     ///< LinearHistogram bounds; TimeSeries: low a SeriesValue, step the width of a bucket in ns.
                                                ///< Stacks: low is kShownAsUnwound or 0
  std::string name;                             ///< Struct, enumeration: as C spells it ("struct sock", "atomic_t"); Timestamp: strftime format;
                                                ///< stacks: mode ("" = default); CgroupPath: filter
  std::vector<Field> fields;                    ///< Tuple, Record, Struct: members; Array: one, the element; Pointer: one, the pointee
  /// Integer: an enumeration, whose values have names. Null: a plain integer.
  std::shared_ptr<const std::vector<Enumerator>> enumerators;
  /// Struct: which definition this is, as types/library.h numbers them; 0: not looked up. What a pointer points to and what has only been
  /// named has its definition and no members; a value has them all. Means nothing outside the compiler.
  std::uint64_t definition = 0;

  bool is(TypeKind k) const { return kind == k; }
  bool is_integer() const { return kind == TypeKind::Integer; }
  bool is_enumeration() const { return enumerators != nullptr; }
  bool is_string() const { return kind == TypeKind::String; }
  bool is_stack() const { return kind == TypeKind::KernelStack || kind == TypeKind::UserStack; }
  bool is_aggregate() const { return kind >= TypeKind::Count && kind <= TypeKind::TimeSeries; }
  const Type& element() const;                  ///< Array element or Pointer pointee
};

struct Field {
  std::string name;          ///< empty for tuple elements
  Type type;
  std::uint32_t offset = 0;  ///< bytes from the start of the whole
  std::uint8_t bit_offset = 0, bit_size = 0;  ///< bit fields: inside the storage unit at `offset`; bit_size 0: no bit field
};

inline const Type& Type::element() const { return fields.front().type; }

/// Structures are the same when their definitions are; whether the members are there does not matter.
bool operator==(const Type& a, const Type& b);
inline bool operator!=(const Type& a, const Type& b) { return !(a == b); }

// ---- makers; they fill in size and alignment ----
Type make_void();
Type make_bool();
Type make_integer(unsigned bits, bool is_signed);
inline Type make_int64() { return make_integer(64, true); }
inline Type make_uint64() { return make_integer(64, false); }
Type make_string(std::uint32_t capacity);               ///< capacity in bytes, NUL included
Type make_buffer(std::uint32_t capacity);               ///< size = capacity + 4
Type make_pointer(Type pointee, AddressSpace space);
Type make_array(Type element, std::uint32_t count);
Type make_tuple(std::vector<Type> elements);            ///< C layout with padding
Type make_record(std::vector<Field> named);             ///< offsets are computed here
Type make_struct(std::string name);                     ///< as C spells it; its definition is looked up when it is needed
Type make_enumeration(std::string name, Type integer, std::vector<Enumerator> enumerators);
Type make_timestamp(std::string format);                ///< 16 bytes: u64 ns, u32 clock (TimestampClock), u32 zero
Type make_stack(bool user, std::uint32_t frame_limit, std::string mode);
Type make_symbol(bool user);                            ///< ksym: u64 address; usym: u64 address, u32 pid, u32 zero
Type make_probe_name();                                 ///< u64 id
Type make_username();                                   ///< u64 user id
Type make_mac_address();
Type make_inet();
Type make_cgroup_path(std::string filter);
/// Count, Sum, Min, Max, Avg, Stats. Sizes: see lang/aggregates.h.
Type make_aggregate(TypeKind kind, bool is_signed);
Type make_histogram(std::uint32_t bits);
Type make_linear_histogram(std::int64_t low, std::int64_t high, std::int64_t step);
/// What a bucket of a time series keeps of its values.
enum class SeriesValue : std::uint8_t { Last, Average, Smallest, Largest, Sum };
Type make_time_series(bool is_signed, SeriesValue value, std::int64_t interval_ns, std::uint32_t buckets);

/// The type that a plain name stands for: "uint64", "bool", "u32", "size_t", "void" …; nothing for names that need more ("string[16]").
std::optional<Type> find_named_type(std::string_view name);
/// Those names, for "did you mean".
std::vector<std::string> named_types();

/// The name of an enumeration's value; null if it has none. `value` as in Enumerator.
const std::string* enumerator_name(const Type& type, std::int64_t value);

/// The name of a kind of types, without what makes it one type: "int", "string", "pointer".
const char* kind_name(TypeKind kind);
/// As diagnostics and typeof print it: "int64", "string[16]", "(int64,string[4])", "count_t".
std::string type_name(const Type& type);

// Stack values. The frames of a stack are sent once to the runner (ActionKind::StackFrames); the value names it by content:
//   u64 hash_low, u64 hash_high, u32 pid (kstack_t: zero), u32 number of frames  (24 bytes)
// A hash of 0,0 is the empty stack.
inline constexpr std::uint32_t kStackFramesOffset = 20;
inline constexpr std::uint32_t kDefaultStackLimit = 1024;
inline constexpr std::uint32_t kMaxKernelStackLimit = 1024;
inline constexpr std::uint32_t kMaxUserStackLimit = 16384;
inline constexpr std::int64_t kShownAsUnwound = 1;   ///< Type::low: callers are shown one byte back, as dw_ustack does

template <class Archive>
void serialize(Archive& ar, Field& f);
template <class Archive>
void serialize(Archive& ar, Enumerator& e) {
  ar(e.name, e.value);
}
template <class Archive>
void serialize(Archive& ar, Type& t) {
  std::vector<Enumerator> enumerators;
  if (t.enumerators) enumerators = *t.enumerators;
  ar(t.kind, t.is_signed, t.space, t.size, t.align, t.count, t.low, t.high, t.step, t.name, t.fields, enumerators);
  if (!enumerators.empty()) t.enumerators = std::make_shared<const std::vector<Enumerator>>(std::move(enumerators));
}
template <class Archive>
void serialize(Archive& ar, Field& f) {
  ar(f.name, f.type, f.offset, f.bit_offset, f.bit_size);
}

}  // namespace trc::lang
