// What functions take and return and what their types are made of, from DWARF debug information. One unit is searched for the function that is asked
// for, and a type is read when it is asked for: nothing goes through the debug information of a large program as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "symbols/elf_reader.h"

namespace trc::symbols {

/// A type's number in one DebugTypes; 0 is void. The numbers of qualified types and typedefs differ from that of what they stand for.
using DebugTypeId = std::uint32_t;

struct DebugType {
  enum class Kind : std::uint8_t { Void, Integer, Bool, Float, Pointer, Array, Structure, Union, Enumeration, Other } kind = Kind::Void;
  std::string name;                      ///< Structure, Union, Enumeration: tag, without namespaces; Integer: as the compiler calls it ("char")
  std::string alias;                     ///< the last typedef on the way to it
  std::uint64_t size = 0;                ///< bytes; 0: not known
  bool is_signed = false;                ///< Integer, Enumeration
  bool is_declaration = false;           ///< Structure, Union: what it is made of stands elsewhere, or nowhere
  DebugTypeId inner = 0;                 ///< Pointer: what it points to; Array: its element
  std::vector<std::uint64_t> counts;     ///< Array: elements, a number for each dimension; 0: not known
  DebugTypeId id = 0;                    ///< without typedefs and qualifiers
  unsigned line = 0;                     ///< Structure, Union: of its declaration
  /// Structure, Union: how a function is given one. Unknown: that depends on what a C++ class has, and the compiler did not say.
  enum class Passed : std::uint8_t { Unknown, ByValue, ByReference } passed = Passed::ByValue;
};

struct DebugMember {
  std::string name;                      ///< empty: its members are the structure's own (base classes, anonymous members)
  DebugTypeId type = 0;
  std::uint64_t bit_offset = 0;          ///< from the start of the structure
  std::uint32_t bit_size = 0;            ///< 0: no bit field
};

struct DebugEnumerator { std::string name; std::int64_t value = 0; };

struct DebugFunction {
  /// `passed` is what the parameter's place says, for where the type does not.
  struct Parameter { std::string name; DebugTypeId type = 0; DebugType::Passed passed = DebugType::Passed::Unknown; };
  std::vector<Parameter> parameters;     ///< in order, `this` included
  DebugTypeId result = 0;
  bool is_changed = false;               ///< the compiler says that it is not called as the language's calling convention has it
};

class DebugTypes {
 public:
  /// Of the ELF file or of the debug file that belongs to it. Errors: no debug information (with what to do), no libdw.
  static Result<std::unique_ptr<DebugTypes>> open(const std::string& path);
  /// Null if there is none that can be read.
  static std::unique_ptr<DebugTypes> read(const ElfReader& file);
  virtual ~DebugTypes() = default;

  /// The function that begins at a virtual address.
  virtual std::optional<DebugFunction> function(std::uint64_t address) = 0;
  virtual DebugType type(DebugTypeId id) = 0;
  virtual std::vector<DebugMember> members(DebugTypeId id) = 0;
  virtual std::vector<DebugEnumerator> enumerators(DebugTypeId id) = 0;
  /// A structure, union or enumeration (as `kind` says) by its tag, one that is defined: in the units of the functions that were asked for, then in all.
  virtual std::optional<DebugTypeId> find(DebugType::Kind kind, std::string_view tag) = 0;
};

}  // namespace trc::symbols
