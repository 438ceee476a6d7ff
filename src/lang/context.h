// What a probe offers its body, as data: where each argument lies. Filled in by a provider, read by the checker (names and
// types) and by code generation (one routine reads every kind of place).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lang/type.h"

namespace trc::types { class ForeignTypes; }  // types/foreign_types.h; facts only name it

namespace trc::lang {

/// The kind of BPF program a body becomes; decides what its first argument (the context) is.
enum class ProgramKind : std::uint8_t {
  TestRun,        ///< begin, end: raw_tracepoint program run once by BPF_PROG_TEST_RUN; context unused
  UserProbe,      ///< uprobe, uretprobe, usdt: struct pt_regs* (program type kprobe; multi link where the kernel has it)
  Tracepoint,     ///< pointer to the trace record
  RawTracepoint,  ///< u64 args[]
  PerfEvent,      ///< struct bpf_perf_event_data* (regs first)
  KernelFunction, ///< entry or return of kernel functions: struct pt_regs* (program type kprobe; multi link where the kernel has it)
  KernelAddress,  ///< an instruction of the kernel: struct pt_regs* (program type kprobe)
  FunctionEntry,  ///< fentry: the arguments are asked of a helper, see kReturnedValue; bound to one kernel function when it is loaded
  FunctionExit,   ///< fexit: the same
  Iterator,       ///< struct bpf_iter__KIND*; bound to a kind of iterator when it is loaded
};

/// A value in the saved user registers (struct pt_regs at the context's start), `offset` in bytes into pt_regs.
struct RegisterSource { std::uint16_t offset; };
/// A value in the memory the context points to (tracepoint record, raw tracepoint argument array).
struct ContextSource { std::uint32_t offset; };
/// ContextSource::offset of what a function returned, in a FunctionExit context; arguments lie 8 bytes apart from 0.
inline constexpr std::uint32_t kReturnedValue = 0xffffffff;
/// A string or array whose (u32: length<<16 | offset) locator lies at `offset` in the trace record (__data_loc).
struct DataLocSource { std::uint32_t offset; };
/// A USDT operand, or an argument on the stack: constant, register, or memory at base register + displacement (+ index register * scale), read from user
/// memory.
struct UsdtSource {
  enum class Mode : std::uint8_t { Constant, Register, Memory, Address } mode;   // Address: where Memory would read
  std::int64_t constant_or_displacement = 0;
  std::uint16_t base_register = 0;               ///< byte offset into pt_regs
  std::uint16_t index_register = 0xffff;         ///< byte offset into pt_regs; 0xffff: none
  std::uint8_t scale = 1;
};
using ValueSource = std::variant<RegisterSource, ContextSource, DataLocSource, UsdtSource>;

/// One readable value of the context. `type` says how many bytes and which sign; a String or Array type is read in place.
struct ContextValue {
  std::string name;  ///< "args" member name; empty for positional ones
  Type type;
  ValueSource source;
  std::string why_unreadable;  ///< not empty: the value cannot be read, and this says why when a script uses it
  bool by_address = false;     ///< what `source` gives is the address of the value
};

/// Names of `args` that are refused with a reason of their own: those that start with `prefix`.
struct RefusedNames { std::string prefix, why; };

/// What is known of the function of a user probe once a script asks for it: it takes reading the file's debug information or symbols.
class FunctionFacts {
 public:
  virtual ~FunctionFacts() = default;
  /// Members of `args`. Empty: there are none, or why_no_arguments() says why they are not known.
  virtual const std::vector<ContextValue>& arguments() = 0;
  virtual std::string why_no_arguments() = 0;
  /// Nothing: not known.
  virtual std::optional<Type> result() = 0;
  /// Where the structures are defined that these types name.
  virtual types::ForeignTypes& types() = 0;
  /// A function or variable of the same file: how far behind the probed function it lies, and its size (0: not known). Nothing after `why` is set.
  struct Symbol { std::int64_t distance = 0; std::uint64_t size = 0; };
  virtual std::optional<Symbol> symbol(const std::string& name, std::string& why) = 0;
};

struct Context {
  ProgramKind kind = ProgramKind::TestRun;
  std::vector<ContextValue> positional;          ///< arg0, arg1, …
  std::vector<ContextValue> named;               ///< members of `args`
  std::optional<ContextValue> return_value;      ///< retval
  AddressSpace space = AddressSpace::None;       ///< of pointers that come from this context
  bool has_registers = false;                    ///< reg(), user or kernel registers of the interrupted code at hand
  bool has_function = false;                     ///< func
  bool at_entry = false;                         ///< every place is the first instruction of a function
  std::string bound_to;                          ///< FunctionEntry, FunctionExit: "MODULE:FUNCTION", "bpf:ID:FUNCTION"; Iterator: its kind
  std::vector<ContextValue> ctx_members;         ///< members of `ctx`; of an Iterator, those that are numbers or pointers
  bool prints_to_file = false;                   ///< Iterator: what printf says goes into the file that is read, without trc
  std::string why_no_args;                       ///< said when `args` is asked for and named is empty
  std::shared_ptr<FunctionFacts> facts;          ///< of user functions, instead of `named`; null: nothing more is known
  std::vector<RefusedNames> refused_names;       ///< members of `args` that the event has but a program may not read
};

}  // namespace trc::lang
