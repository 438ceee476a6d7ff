// What code generation consumes: names are gone, every value has its final type, maps and events are numbered. Built by
// ast/passes, printed by dump() for -d typed.
//
// Conventions
// - Integers, bools and pointers are computed as 64-bit values; Value::type gives the width they are stored with.
//   Arithmetic operands are already converted to 64 bits by explicit Convert nodes where they were narrower.
// - Strings, tuples, arrays, structs, stacks, symbols and timestamps are "in memory": code generation passes their address.
// - Evaluation is left to right. Values have no side effects except through Sequence, Increment and MapDelete.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lang/context.h"
#include "lang/event.h"
#include "lang/runtime_constant.h"
#include "lang/type.h"
#include "source/source_file.h"

namespace trc::typed {

using SlotId = std::uint32_t;   // index into Program::slots
using MapId = std::uint32_t;    // index into TypedProgram::maps
using EventId = std::uint32_t;  // index into TypedProgram::events

struct Value;
using ValuePtr = std::unique_ptr<Value>;
struct Statement;
using Statements = std::vector<Statement>;

enum class UnaryOp : std::uint8_t { Not, BitNot, Negate, ByteSwap };
enum class BinaryOp : std::uint8_t { Add, Subtract, Multiply, DivideUnsigned, DivideSigned, ModuloUnsigned, ModuloSigned, And, Or, Xor,
                                     ShiftLeft, ShiftRightLogical, ShiftRightArithmetic, Equal, NotEqual, LessUnsigned, LessSigned,
                                     LessEqualUnsigned, LessEqualSigned };  // greater: swapped by the pass, which keeps evaluation order

using lang::RuntimeConstant;

// ---- values ----
struct Constant { std::uint64_t bits = 0; };
struct StringConstant { std::string bytes; };                      // type String: padded with NUL up to the capacity; Array of bytes: all of them
struct LoadSlot { SlotId slot = 0; };
struct ReadContext { lang::ContextValue value; };                  // a value that the context offers
struct Runtime { RuntimeConstant which; };
// A kernel helper (enum bpf_func_id) with scalar arguments and result; with_context: the program's context comes before the arguments.
struct CallHelper { int helper = 0; std::vector<ValuePtr> args; bool with_context = false; };
// Function of src/stdlib/*.bpf.c. A result in memory is filled with zeros, then written by the function, whose first parameter is its address.
struct CallStdlib { std::string symbol; std::vector<ValuePtr> args; };
// Where a variable lies, as a pointer of the space Bpf; where a map's kernel object lies. Numbers: a program cannot write through them.
struct SlotAddress { SlotId slot = 0; };
struct MapAddress { MapId map = 0; };
struct KernelAddress { std::string symbol; };                      // of a symbol of the running kernel, known when the script starts; 64 bits
struct TextTable { ValuePtr index; std::vector<std::string> texts; };   // type String: texts[index], the last one when there is none
struct MakeInet { ValuePtr address; bool is_v6 = false; };         // from a number (IPv4, network order), through a pointer, from an array of bytes
struct Comm {};                                                    // type string[16]
struct ProbeId {};                                                 // type ProbeName: which attach point fired
struct ProbeIs { std::uint32_t text = 0; };                        // type Bool: it is the one of Program::compared with this number
struct Unary { UnaryOp op; ValuePtr operand; };
struct Binary { BinaryOp op; ValuePtr left, right; };              // division by zero: result 1 and a RuntimeError event
struct Logical { bool is_and = true; ValuePtr left, right; };      // short-circuit, type Bool
struct Select { ValuePtr condition, then, otherwise; };            // lazy; then == nullptr: condition's own value when non-zero
struct Convert { ValuePtr operand; };                              // to Value::type: width and sign, int<->bool, int<->pointer, string to larger string,
                                                                   // tuple to tuple of wider elements
struct CompareStrings { ValuePtr left, right; bool negate = false; std::uint32_t limit = 0; };  // up to NUL; limit != 0: strncmp of so many bytes
struct CompareMemory { ValuePtr left, right; bool negate = false; };    // tuples, arrays: same type, bytewise over their fields
struct Dereference { ValuePtr address; };                          // reads Value::type from address->type.space
struct ReadString { ValuePtr address; ValuePtr length; };          // type String; length may be null; counts the NUL
struct ReadBuffer { ValuePtr address; ValuePtr length; };          // type Buffer; length may be null
/// An object of the kernel that helpers take for what it is, because the way to it is known: a pointer that the context offers, then each offset but the
/// last is that of a pointer to follow, the last that of the object.
struct KernelObject { lang::ContextValue base; std::vector<std::uint32_t> offsets; };
struct ReadPath { KernelObject object; };                          // type String: of a struct path; empty when there is none
struct AskObject { int helper = 0; KernelObject object; };         // what a helper says of it; 0 when there is none
struct SendPacket { EventId event = 0; KernelObject skb; ValuePtr length, offset; };   // of a struct sk_buff; int64: 0 or what the kernel says
struct StringLength { ValuePtr string; };
struct MakeTuple { std::vector<ValuePtr> elements; };              // Tuple or Record; padding bytes are zero
struct Member { ValuePtr base; std::uint32_t field = 0; };         // of an in-memory tuple, record or struct value
struct Element { ValuePtr base, index; };                          // of an in-memory array; out of range: 0 and a RuntimeError event
struct MapGet { MapId map = 0; ValuePtr key; };                    // key null for scalar maps; missing: zero value
struct MapGetAggregate { MapId map = 0; ValuePtr key; };           // count, sum, min, max, avg over all CPUs as integer
struct MapHas { MapId map = 0; ValuePtr key; };
struct MapDelete { MapId map = 0; ValuePtr key; };                 // Bool: it existed
struct MapLength { MapId map = 0; };
struct IncrementSlot { SlotId slot = 0; std::int64_t delta = 1; bool want_old = false; };
struct IncrementMap { MapId map = 0; ValuePtr key; std::int64_t delta = 1; bool want_old = false; };  // atomic add
// How user stacks are walked: by unwind tables and, where there are none, by frame pointers; by one of the two; as the program's setting says.
enum class Unwinding : std::uint8_t { Setting, Auto, FramePointers, Tables };
// Which frames a user stack has: those of machine code, of Python functions, or both.
enum class StackFrames : std::uint8_t { Native, Python, Mixed };
struct CaptureStack {   // Value::type is KernelStack/UserStack with limit in count
  bool limit_given = false;
  Unwinding unwinding = Unwinding::Setting;
  StackFrames frames = StackFrames::Native;
};
// Counts frames, stores nothing. Without a given limit code generation chooses one.
struct StackLength {
  bool user = false;
  std::uint32_t limit = 0;
  bool limit_given = false;
  Unwinding unwinding = Unwinding::Setting;
  StackFrames frames = StackFrames::Native;
};
struct FrameCount { ValuePtr stack; };                             // of a stack that was captured before
struct MakeSymbol { ValuePtr address; };                           // KernelSymbol / UserSymbol (current pid)
struct MakeTimestamp { ValuePtr ns; std::uint32_t clock = 0; };    // lang Timestamp; clock: 0 boot, 1 monotonic, 2 tai
struct CallFunction { std::uint32_t function = 0; std::vector<ValuePtr> args; };  // args already of the parameters' types; uint64 0 when it has no result
struct Sequence { Statements before; ValuePtr value; };            // block expression

struct Value {
  lang::Type type;
  Span span;
  std::variant<Constant, StringConstant, LoadSlot, ReadContext, Runtime, CallHelper, CallStdlib, Comm, ProbeId, ProbeIs, Unary, Binary, Logical,
               Select, Convert, CompareStrings, CompareMemory, Dereference, ReadString, ReadBuffer, ReadPath, AskObject, SendPacket, StringLength, MakeTuple, Member,
               Element, MapGet, MapGetAggregate, MapHas, MapDelete, MapLength, IncrementSlot, IncrementMap, CaptureStack, StackLength, FrameCount,
                MakeSymbol, MakeTimestamp, KernelAddress, SlotAddress, MapAddress, TextTable, MakeInet, CallFunction, Sequence>
      op;
};

// ---- statements ----
struct Evaluate { ValuePtr value; };
struct StoreSlot { SlotId slot = 0; ValuePtr value; };             // value already has the slot's type
struct ZeroSlot { SlotId slot = 0; };                              // let without initialiser
struct MapSet { MapId map = 0; ValuePtr key, value; };             // value already has the map's value type
struct MapAdd { MapId map = 0; ValuePtr key, delta; };             // @m += e on 8-byte integers: atomic
struct MapAggregate { MapId map = 0; ValuePtr key, argument; };    // count: argument null. Kind and bounds: the map's value type
struct Emit { EventId event = 0; std::vector<ValuePtr> fields; };  // fields in the order of the schema, already of its types
struct EmitJoin { EventId event = 0; ValuePtr array; };            // array: address of char*[] in address->type.space
struct PrintToFile { std::string format; std::vector<ValuePtr> values; };    // into the file of an iterator, formatted by the kernel
struct If { ValuePtr condition; Statements then, otherwise; };
struct While { ValuePtr condition; Statements body; };
struct ForRange { SlotId variable = 0; ValuePtr from, to; Statements body; };   // int64, to exclusive
struct ForMap { SlotId variable = 0; MapId map = 0; Statements body; };         // variable: tuple (key, value); aggregates as integers
struct Break {};
struct Continue {};
// No value: the default of the program kind; in a function with a result in memory it has been stored to that function's result slot.
// leaves_program: in a function, the probes that called it return too (exit).
struct Return { ValuePtr value = nullptr; bool leaves_program = false; };

struct Statement {
  Span span;
  std::variant<Evaluate, StoreSlot, ZeroSlot, MapSet, MapAdd, MapAggregate, Emit, EmitJoin, PrintToFile, If, While, ForRange, ForMap, Break, Continue, Return> op;
};

// ---- the program ----
struct Map {
  std::string name;              // with '@': "@", "@x"
  std::optional<lang::Type> key; // none: scalar
  lang::Type value;
  std::uint32_t max_entries = 0; // keyed maps
  bool lru = false;
  bool per_cpu = false;          // as declared or as the value asks for
  Span span;                     // first use
};

/// One BPF program: one block compiled for one context. A block whose attach points offer different contexts becomes several.
struct Program {
  std::string name;              // symbol in the object: "probe_3"
  std::uint32_t probe = 0;       // index into TypedProgram::probes
  lang::Context context;
  std::vector<lang::Type> slots; // scratch variables
  Statements body;               // predicate and pid filter included as If
  std::vector<std::string> compared;   // attach points that the body asks about by name; at most kMostCompared
};
inline constexpr std::size_t kMostCompared = 32;

/// A function of the script: a BPF subprogram that programs and other functions call.
struct Function {
  Program code;                  // without probe and context; the first slots are the parameters
  std::uint32_t parameters = 0;
  lang::Type result;             // Void: none
  SlotId result_slot = 0;        // of results in memory
  Span span;
};

/// One attach point of one program as the script has it, before wildcards meet a running system.
struct ProbeSpec {
  std::string provider;          // "uprobe"
  std::string text;              // canonical: "uprobe:python3:*"
  std::uint32_t program = 0;     // index into TypedProgram::programs
  bool needs_cookie = false;     // the body asks which attach point fired
  Span span;
  std::string note = {};         // probes::ContextGroup::note
};

struct TypedProgram {
  std::vector<Map> maps;
  std::vector<lang::EventSchema> events;
  std::vector<Program> programs;
  std::vector<Function> functions;
  std::vector<ProbeSpec> probes;           // in order of the script
  std::vector<const SourceFile*> files;    // for line info
  std::string license = "GPL";
  std::uint32_t max_strlen = 1024;
  std::uint32_t on_stack_limit = 64;       // larger values live in claimed scratch memory
  std::uint32_t ring_bytes = 0;            // 0: the runner chooses
  Unwinding unwinding = Unwinding::Auto;   // of user stacks that do not say it themselves
};

std::string dump(const TypedProgram& program);

}  // namespace trc::typed
