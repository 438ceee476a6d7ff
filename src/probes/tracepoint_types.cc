#include "probes/tracepoint_types.h"

#include <algorithm>

#include "base/strings.h"

namespace trc::probes {
namespace {

using lang::AddressSpace;
using lang::Type;

struct CInteger { std::string_view name; unsigned bits; bool is_signed; };
/// Integer types of C and of the kernel, qualifiers removed, on a 64-bit machine.
constexpr CInteger kIntegers[] = {
    {"char", 8, true}, {"signed char", 8, true}, {"unsigned char", 8, false}, {"short", 16, true}, {"short int", 16, true},
    {"unsigned short", 16, false}, {"short unsigned int", 16, false}, {"int", 32, true}, {"signed int", 32, true}, {"unsigned", 32, false},
    {"unsigned int", 32, false}, {"long", 64, true}, {"long int", 64, true}, {"unsigned long", 64, false},
    {"long unsigned int", 64, false}, {"long long", 64, true}, {"unsigned long long", 64, false}, {"long long unsigned int", 64, false},
    {"u8", 8, false}, {"u16", 16, false}, {"u32", 32, false}, {"u64", 64, false}, {"s8", 8, true}, {"s16", 16, true}, {"s32", 32, true},
    {"s64", 64, true}, {"__u8", 8, false}, {"__u16", 16, false}, {"__u32", 32, false}, {"__u64", 64, false}, {"__s8", 8, true},
    {"__s16", 16, true}, {"__s32", 32, true}, {"__s64", 64, true}, {"uint8_t", 8, false}, {"uint16_t", 16, false}, {"uint32_t", 32, false},
    {"uint64_t", 64, false}, {"int8_t", 8, true}, {"int16_t", 16, true}, {"int32_t", 32, true}, {"int64_t", 64, true}, {"bool", 8, false},
    {"_Bool", 8, false}, {"size_t", 64, false}, {"ssize_t", 64, true}, {"loff_t", 64, true}, {"off_t", 64, true}, {"pid_t", 32, true},
    {"uid_t", 32, false}, {"gid_t", 32, false}, {"umode_t", 16, false}, {"dev_t", 32, false}, {"key_t", 32, true}, {"mqd_t", 32, true},
    {"qid_t", 32, false}, {"clockid_t", 32, true}, {"timer_t", 32, true}, {"key_serial_t", 32, true}, {"rwf_t", 32, true},
    {"aio_context_t", 64, false}, {"__kernel_pid_t", 32, true}, {"__kernel_ulong_t", 64, false},
};

const CInteger* find_integer(std::string_view name) {
  for (const CInteger& row : kIntegers)
    if (row.name == name) return &row;
  return nullptr;
}

/// A C type as the format file writes it: "const char *const *" is base "char" with two stars, "u64[6]" has the suffix "[6]".
struct CType {
  std::string base;
  unsigned stars = 0;
  bool has_suffix = false;
  bool is_dynamic = false;   // __data_loc
  bool is_relative = false;  // __rel_loc
};

CType parse_c_type(std::string_view text) {
  CType type;
  if (const std::size_t bracket = text.find('['); bracket != std::string_view::npos) {
    type.has_suffix = true;
    text = text.substr(0, bracket);
  }
  std::string spaced;
  for (char c : text) {
    if (c != '*') spaced += c;
    else ++type.stars, spaced += ' ';
  }
  std::vector<std::string> words;
  for (std::string& word : split_words(spaced)) {
    if (word == "__data_loc") type.is_dynamic = true;
    else if (word == "__rel_loc") type.is_dynamic = type.is_relative = true;
    else if (word != "const" && word != "volatile" && word != "__user" && word != "__restrict") words.push_back(std::move(word));
  }
  type.base = join(words, " ");
  return type;
}

Type base_type(const std::string& base) {
  if (const CInteger* integer = find_integer(base)) return lang::make_integer(integer->bits, integer->is_signed);
  if (base.starts_with("struct ") || base.starts_with("union ")) return lang::make_struct(base);   // looked up when something of it is read
  return lang::make_void();
}

Type pointer_type(const CType& c_type, unsigned stars, AddressSpace space) {
  Type type = base_type(c_type.base);
  for (unsigned i = 0; i < stars; ++i) type = lang::make_pointer(std::move(type), space);
  return type;
}

bool is_word_size(std::uint32_t bytes) { return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8; }

/// T[N]: text for char, else N elements; bytes when the element is not a plain integer or pointer.
Type array_type(const CType& c_type, std::uint32_t size, AddressSpace space) {
  if (c_type.stars == 0 && c_type.base == "char") return lang::make_string(std::max(size, 1u));
  Type element = c_type.stars != 0 ? pointer_type(c_type, c_type.stars, space) : base_type(c_type.base);
  if (element.size == 0 || size % element.size != 0) element = lang::make_integer(8, false);
  const std::uint32_t count = size / element.size;
  return lang::make_array(std::move(element), count);
}

Type scalar_type(const CType& c_type, const kernel::TracepointField& field) {
  // The record of a system call has 8 bytes for each argument, whatever its type: then the type's own width and sign count.
  if (const CInteger* integer = find_integer(c_type.base); integer && integer->bits / 8 <= field.size) {
    const bool is_narrower = integer->bits / 8 < field.size;
    return lang::make_integer(integer->bits, is_narrower ? integer->is_signed : field.is_signed);
  }
  if (is_word_size(field.size)) return lang::make_integer(field.size * 8, field.is_signed);
  return lang::make_array(lang::make_integer(8, false), field.size);
}

}  // namespace

lang::ContextValue tracepoint_member(const kernel::TracepointField& field, AddressSpace space) {
  const CType c_type = parse_c_type(field.type);
  lang::ContextValue member{field.name, {}, lang::ContextSource{field.offset}, ""};
  if (c_type.is_dynamic) {
    // A pointer into the record itself, which is kernel memory; it serves wherever a string or an array is wanted.
    member.type = pointer_type(c_type, c_type.stars + 1, AddressSpace::Kernel);
    member.source = lang::DataLocSource{field.offset};
    if (c_type.is_relative) member.why_unreadable = "fields with a relative location (__rel_loc) cannot be read yet";
  } else if (c_type.has_suffix) {
    member.type = array_type(c_type, field.size, space);
  } else if (c_type.stars != 0 && field.size == 8) {
    member.type = pointer_type(c_type, c_type.stars, space);
  } else {
    member.type = scalar_type(c_type, field);
  }
  if (member.type.size == 0) member.why_unreadable = "the field has no bytes";
  return member;
}

}  // namespace trc::probes
