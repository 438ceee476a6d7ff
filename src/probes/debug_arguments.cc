#include "probes/debug_arguments.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "base/strings.h"
#include "probes/arch.h"
#include "symbols/debug_types.h"
#include "symbols/find_symbols.h"
#include "types/btf_types.h"
#include "types/foreign_types.h"

namespace trc::probes {
namespace {

using lang::AddressSpace;
using lang::ContextValue;
using lang::Type;
using symbols::DebugType;
using symbols::DebugTypeId;
using symbols::DebugTypes;
using Kind = DebugType::Kind;

constexpr unsigned kMaxDepth = 32;                 // of pointers and arrays; of structures in structures
constexpr std::uint32_t kMaxTypeSize = 1 << 20;
constexpr std::size_t kMaxFunctions = 256;         // whose arguments are compared

bool is_word(std::uint64_t bytes) { return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8; }

Type unreadable(std::uint64_t size) {
  Type type = lang::make_void();
  type.size = static_cast<std::uint32_t>(std::min<std::uint64_t>(size, kMaxTypeSize));
  return type;
}

/// The debug information of one file, as types of the language.
class FileTypes final : public types::ForeignTypes {
 public:
  explicit FileTypes(std::string path) : path_(std::move(path)) {}

  /// Null: `why_not()`.
  DebugTypes* debug() {
    if (!is_open_) {
      is_open_ = true;
      auto opened = DebugTypes::open(path_);
      if (opened) debug_ = std::move(*opened);
      else why_not_ = opened.error().message() + (opened.error().hint().empty() ? "" : "; " + opened.error().hint());
    }
    return debug_.get();
  }
  const std::string& why_not() const { return why_not_; }

  Type convert(DebugTypeId id, unsigned depth = 0) {
    if (debug() == nullptr || id == 0 || depth > kMaxDepth) return lang::make_void();
    const DebugType type = debug_->type(id);
    switch (type.kind) {
      case Kind::Void: return lang::make_void();
      case Kind::Integer:
        if (type.size == 16) return lang::make_array(lang::make_uint64(), 2);
        return is_word(type.size) ? lang::make_integer(static_cast<unsigned>(type.size) * 8, type.is_signed) : unreadable(type.size);
      case Kind::Bool: return type.size == 1 ? lang::make_bool() : is_word(type.size) ? lang::make_integer(static_cast<unsigned>(type.size) * 8, false) : unreadable(type.size);
      case Kind::Pointer: return lang::make_pointer(convert(type.inner, depth + 1), AddressSpace::None);
      case Kind::Array: return array(type, depth);
      case Kind::Structure: return structure(type, "struct");
      case Kind::Union: return structure(type, "union");
      case Kind::Enumeration: return enumeration(type);
      case Kind::Float:
      case Kind::Other: break;
    }
    return unreadable(type.size);
  }

  std::vector<lang::Field> members(std::uint32_t id) override {
    std::vector<lang::Field> fields;
    if (debug() == nullptr || id == 0 || id > definitions_.size()) return fields;
    DebugType whole = debug_->type(definitions_[id - 1]);
    if (whole.is_declaration) {
      const auto defined = debug_->find(whole.kind, whole.name);
      if (!defined) return fields;
      whole = debug_->type(*defined);
    }
    for (const symbols::DebugMember& member : debug_->members(whole.id)) {
      lang::Field field{.name = member.name, .type = convert(member.type), .offset = static_cast<std::uint32_t>(std::min<std::uint64_t>(member.bit_offset / 8, kMaxTypeSize))};
      const bool is_number = field.type.is_integer() || field.type.is(lang::TypeKind::Bool);
      if (member.bit_size != 0 && (!is_number || !types::place_bit_field(field, member.bit_offset, member.bit_size, whole.size))) continue;
      if (std::uint64_t{field.offset} + field.type.size > whole.size) continue;
      fields.push_back(std::move(field));
    }
    return fields;
  }

  std::optional<Type> find(types::Tag tag, std::string_view name) override {
    if (debug() == nullptr) return std::nullopt;
    const auto id = debug_->find(tag == types::Tag::Struct ? Kind::Structure : tag == types::Tag::Union ? Kind::Union : Kind::Enumeration, name);
    return id ? std::optional(convert(*id)) : std::nullopt;
  }

 private:
  /// char[] is a text; unsigned char[] is bytes.
  Type array(const DebugType& type, unsigned depth) {
    const DebugType element = debug_->type(type.inner);
    Type result = convert(type.inner, depth + 1);
    const bool is_text = element.kind == Kind::Integer && element.size == 1 && element.name == "char";
    for (std::size_t i = type.counts.size(); i-- > 0;) {
      const std::uint64_t count = type.counts[i];
      if (result.size != 0 && count > kMaxTypeSize / result.size) return lang::make_void();
      if (is_text && i + 1 == type.counts.size() && count != 0) result = lang::make_string(static_cast<std::uint32_t>(count));
      else result = lang::make_array(std::move(result), static_cast<std::uint32_t>(count));
    }
    return result;
  }

  Type structure(const DebugType& type, std::string_view tag) {
    const std::string& name = type.name.empty() ? type.alias : type.name;
    Type result = lang::make_struct(name.empty() ? std::string(tag) + " (anonymous)" : type.name.empty() ? name : std::string(tag) + " " + name);
    result.size = static_cast<std::uint32_t>(std::min<std::uint64_t>(type.size, kMaxTypeSize));
    result.align = 8;
    while (result.align > 1 && result.size % result.align != 0) result.align /= 2;
    result.definition = types::pack({source(), number_of(type)});
    return result;
  }

  /// One number for what every unit that includes a header has a definition of.
  std::uint32_t number_of(const DebugType& type) {
    const std::string key = type.name.empty() ? fmt::format("#{}", type.id) : fmt::format("{} {} {} {}", static_cast<int>(type.kind), type.name, type.size, type.line);
    const auto [place, is_new] = numbers_.try_emplace(key, 0);
    if (is_new) {
      definitions_.push_back(type.id);
      place->second = static_cast<std::uint32_t>(definitions_.size());
    }
    return place->second;
  }

  Type enumeration(const DebugType& type) {
    if (!is_word(type.size)) return unreadable(type.size);
    std::vector<lang::Enumerator> names;
    for (symbols::DebugEnumerator& one : debug_->enumerators(type.id)) names.push_back({std::move(one.name), one.value});
    Type integer = lang::make_integer(static_cast<unsigned>(type.size) * 8, type.is_signed);
    if (names.empty()) return integer;
    const std::string name = !type.name.empty() ? "enum " + type.name : !type.alias.empty() ? type.alias : "enum (anonymous)";
    return lang::make_enumeration(name, std::move(integer), std::move(names));
  }

  std::string path_;
  bool is_open_ = false;
  std::unique_ptr<DebugTypes> debug_;
  std::string why_not_;
  std::vector<DebugTypeId> definitions_;   // by number - 1
  std::map<std::string, std::uint32_t> numbers_;
};

/// One for each file, so that the types of two functions in it are the same ones.
std::shared_ptr<FileTypes> file_types(const std::string& path) {
  static std::map<std::string, std::weak_ptr<FileTypes>> files;
  auto types = files[path].lock();
  if (!types) {
    types = std::make_shared<FileTypes>(path);
    files[path] = types;
  }
  return types;
}

// ---- where arguments are (System V ABI for x86-64, 3.2.3) ----

enum class Class : std::uint8_t { None, Integer, Vector, Memory, Unknown };

/// Places for the parameters of one function, handed out in order.
class Places {
 public:
  explicit Places(FileTypes& types) : types_(types), debug_(*types.debug()) {}

  ContextValue next(const symbols::DebugFunction::Parameter& parameter) {
    ContextValue value{.name = parameter.name, .type = types_.convert(parameter.type), .source = lang::RegisterSource{0}};
    if (value.type.is(lang::TypeKind::Pointer)) value.type.space = AddressSpace::User;
    const DebugType type = debug_.type(parameter.type);
    if (lost_) return unreadable(std::move(value), "where it is passed depends on an argument before it that is passed in a way unknown to trc");
    switch (type.kind) {
      case Kind::Integer:
      case Kind::Bool:
      case Kind::Enumeration:
      case Kind::Pointer:
        if (type.size <= 8) return in_word(std::move(value));
        return whole(std::move(value), type.size, {Class::Integer, Class::Integer}, 16);
      case Kind::Float:
        if (type.size == 4 || type.size == 8) return floating(std::move(value));
        break;
      case Kind::Structure:
      case Kind::Union: return structure(std::move(value), type, type.passed != DebugType::Passed::Unknown ? type.passed : parameter.passed);
      case Kind::Void:
      case Kind::Array:
      case Kind::Other: break;
    }
    lost_ = true;
    return unreadable(std::move(value), "it is passed in a way unknown to trc");
  }

 private:
  static constexpr std::size_t kVectors = 8;     // registers for floating-point arguments
  static constexpr std::uint64_t kReturnAddress = 8;

  static ContextValue unreadable(ContextValue value, const std::string& why) {
    value.why_unreadable = fmt::format("{} cannot be read: {}", value.name.empty() ? "the argument" : value.name, why);
    return value;
  }

  lang::UsdtSource on_stack(std::uint64_t size, std::uint64_t align, lang::UsdtSource::Mode mode) {
    stack_ = (stack_ + align - 1) / align * align;
    const lang::UsdtSource source{mode, static_cast<std::int64_t>(kReturnAddress + stack_), native_arch().find_register("rsp")->offset};
    stack_ += (size + 7) / 8 * 8;
    return source;
  }

  ContextValue in_word(ContextValue value) {
    const auto registers = native_arch().argument_registers;
    if (integers_ < registers.size()) value.source = lang::RegisterSource{registers[integers_++]};
    else value.source = on_stack(8, 8, lang::UsdtSource::Mode::Memory);
    return value;
  }

  ContextValue floating(ContextValue value) {
    if (vectors_ < kVectors) ++vectors_;
    else on_stack(8, 8, lang::UsdtSource::Mode::Memory);
    return unreadable(std::move(value), "it is a floating-point number");
  }

  ContextValue structure(ContextValue value, const DebugType& type, DebugType::Passed passed) {
    if (passed == DebugType::Passed::ByReference) {
      value.by_address = true;
      return in_word(std::move(value));
    }
    if (passed == DebugType::Passed::Unknown || type.is_declaration) {
      lost_ = true;
      return unreadable(std::move(value), "the debug information does not say how this class is passed");
    }
    std::array<Class, 2> classes{Class::None, Class::None};
    if (type.size > 16) classes[0] = Class::Memory;
    else classify(type, 0, classes, 0);
    return whole(std::move(value), type.size, classes, 8);
  }

  /// What takes two registers, or lies on the stack as a whole.
  ContextValue whole(ContextValue value, std::uint64_t size, std::array<Class, 2> classes, std::uint64_t align) {
    const auto of = [&](Class wanted) { return static_cast<std::size_t>(std::ranges::count(classes, wanted)); };
    if (of(Class::Unknown) != 0) {
      lost_ = true;
      return unreadable(std::move(value), "it is passed in a way unknown to trc");
    }
    const std::size_t integers = of(Class::Integer), vectors = of(Class::Vector);
    const bool fits = integers_ + integers <= native_arch().argument_registers.size() && vectors_ + vectors <= kVectors;
    if (of(Class::Memory) == 0 && integers + vectors == 0) return unreadable(std::move(value), "it is empty");
    if (of(Class::Memory) == 0 && fits) {
      const std::string first = integers != 0 ? fmt::format("; it begins in arg{}", integers_) : "";
      integers_ += integers;
      vectors_ += vectors;
      return unreadable(std::move(value), "it is passed in registers" + (classes[0] == Class::Integer ? first : ""));
    }
    value.source = on_stack(size, align, lang::UsdtSource::Mode::Address);
    value.by_address = true;
    return value;
  }

  /// The classes of the two words that a structure of at most 16 bytes has.
  void classify(const DebugType& type, std::uint64_t offset, std::array<Class, 2>& classes, unsigned depth) {
    if (depth > kMaxDepth) {
      classes[0] = Class::Unknown;
      return;
    }
    switch (type.kind) {
      case Kind::Structure:
      case Kind::Union:
        for (const symbols::DebugMember& member : debug_.members(type.id)) {
          if (member.bit_size != 0) merge(classes, (offset * 8 + member.bit_offset) / 8, 1, Class::Integer);
          else classify(debug_.type(member.type), offset + member.bit_offset / 8, classes, depth + 1);
        }
        return;
      case Kind::Array: {
        const DebugType element = debug_.type(type.inner);
        std::uint64_t count = 1;
        for (const std::uint64_t dimension : type.counts) count = std::min<std::uint64_t>(count * std::min<std::uint64_t>(dimension, 16), 16);
        for (std::uint64_t i = 0; i < count && element.size != 0 && offset < 16; ++i, offset += element.size) classify(element, offset, classes, depth + 1);
        return;
      }
      case Kind::Integer:
      case Kind::Bool:
      case Kind::Enumeration:
      case Kind::Pointer: return merge(classes, offset, type.size, Class::Integer);
      case Kind::Float: return merge(classes, offset, type.size, type.size <= 8 ? Class::Vector : Class::Unknown);
      case Kind::Void:
      case Kind::Other: classes[0] = Class::Unknown; return;
    }
  }

  static void merge(std::array<Class, 2>& classes, std::uint64_t offset, std::uint64_t size, Class with) {
    if (size == 0 || offset + size > 16) return;
    if (size <= 8 && offset % size != 0) {   // packed
      classes[0] = Class::Memory;
      return;
    }
    for (std::uint64_t word = offset / 8; word <= (offset + size - 1) / 8; ++word) {
      Class& now = classes[word];
      if (now == Class::Memory || now == Class::Unknown) continue;
      now = now == Class::Integer && with == Class::Vector ? Class::Integer : with;
    }
  }

  FileTypes& types_;
  DebugTypes& debug_;
  std::size_t integers_ = 0, vectors_ = 0;
  std::uint64_t stack_ = 0;
  bool lost_ = false;
};

bool same_place(const ContextValue& a, const ContextValue& b) {
  if (a.by_address != b.by_address || a.source.index() != b.source.index()) return false;
  if (const auto* left = std::get_if<lang::RegisterSource>(&a.source)) return left->offset == std::get<lang::RegisterSource>(b.source).offset;
  const auto &left = std::get<lang::UsdtSource>(a.source), &right = std::get<lang::UsdtSource>(b.source);
  return left.mode == right.mode && left.constant_or_displacement == right.constant_or_displacement;
}

class Facts final : public lang::FunctionFacts {
 public:
  explicit Facts(std::vector<FunctionPlace> functions) : functions_(std::move(functions)) {
    for (const FunctionPlace& function : functions_) files_.push_back(file_types(function.first));
  }

  const std::vector<ContextValue>& arguments() override {
    read();
    return arguments_;
  }
  std::string why_no_arguments() override {
    read();
    return why_;
  }
  std::optional<Type> result() override {
    read();
    return result_;
  }
  types::ForeignTypes& types() override { return *files_.front(); }

  std::optional<Symbol> symbol(const std::string& name, std::string& why) override {
    const auto& [path, address] = functions_.front();
    if (functions_.size() > 1) {
      why = "several functions match, and where a symbol lies is counted from one";
      return std::nullopt;
    }
    const auto file = symbols::ElfReader::open(path);
    const symbols::SymbolPlace place = file ? symbols::find_symbol(*file, path, name) : symbols::SymbolPlace{};
    if (place.address == 0) {
      why = fmt::format("could not resolve symbol \"{}\" in {}", name, path);
      return std::nullopt;
    }
    return Symbol{static_cast<std::int64_t>(place.address - address), place.size};
  }

 private:
  void read() {
    if (is_read_) return;
    is_read_ = true;
    if (functions_.size() > kMaxFunctions) {
      why_ = fmt::format("the pattern matches {} functions; name one, or use arg0, arg1, …", with_thousands(functions_.size()));
      return;
    }
    for (std::size_t i = 0; i < functions_.size(); ++i) {
      if (!add(i)) return;
    }
    if (arguments_.empty() && why_.empty()) {
      why_ = functions_.size() == 1 ? "the debug information names no arguments of this function" : "the functions that match have no argument of the same name, type and place";
    }
  }

  /// Leaves what this function has too.
  bool add(std::size_t i) {
    const auto& [path, address] = functions_[i];
    FileTypes& types = *files_[i];
    const auto forget = [&](std::string why) {
      arguments_.clear();
      result_.reset();
      why_ = std::move(why);
      return false;
    };
    if (types.debug() == nullptr) return forget(types.why_not());
    const auto function = types.debug()->function(address);
    if (!function) return forget(fmt::format("the debug information of {} does not have this function; use arg0, arg1, …", path));
    if (function->is_changed) return forget("the compiler passes the arguments of this function in a way of its own; use arg0, arg1, …");
    Places places(types);
    std::vector<ContextValue> arguments;
    for (const auto& parameter : function->parameters) {
      ContextValue value = places.next(parameter);
      if (!value.name.empty()) arguments.push_back(std::move(value));
    }
    Type result = types.convert(function->result);
    if (i == 0) {
      arguments_ = std::move(arguments);
      result_ = std::move(result);
      return true;
    }
    std::erase_if(arguments_, [&](const ContextValue& value) {
      return std::none_of(arguments.begin(), arguments.end(), [&](const ContextValue& other) {
        return other.name == value.name && other.type == value.type && same_place(value, other) && other.why_unreadable == value.why_unreadable;
      });
    });
    if (result_ && *result_ != result) result_.reset();
    return true;
  }

  std::vector<FunctionPlace> functions_;
  std::vector<std::shared_ptr<FileTypes>> files_;   // of each function
  bool is_read_ = false;
  std::vector<ContextValue> arguments_;
  std::optional<Type> result_;
  std::string why_;
};

class NoTypes final : public types::ForeignTypes {
 public:
  std::vector<lang::Field> members(std::uint32_t) override { return {}; }
  std::optional<Type> find(types::Tag, std::string_view) override { return std::nullopt; }
};

class NoFacts final : public lang::FunctionFacts {
 public:
  explicit NoFacts(std::string why) : why_(std::move(why)) {}
  const std::vector<ContextValue>& arguments() override { return none_; }
  std::string why_no_arguments() override { return why_; }
  std::optional<Type> result() override { return std::nullopt; }
  types::ForeignTypes& types() override { return types_; }
  std::optional<Symbol> symbol(const std::string&, std::string& why) override {
    why = why_;
    return std::nullopt;
  }

 private:
  std::string why_;
  std::vector<ContextValue> none_;
  NoTypes types_;
};

}  // namespace

std::shared_ptr<lang::FunctionFacts> make_function_facts(std::vector<FunctionPlace> functions) {
  if (functions.empty()) return no_function_facts("the function is not known here");
  return std::make_shared<Facts>(std::move(functions));
}

std::shared_ptr<lang::FunctionFacts> no_function_facts(std::string why) { return std::make_shared<NoFacts>(std::move(why)); }

}  // namespace trc::probes
