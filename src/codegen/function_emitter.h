// Emits one BPF function: a program or a loop body of it (a callback). The operations of the typed program are spread over emit_*.cc.
//
// Scalars (integers, bools, pointers, probe names) are i64 values, extended according to their type. Everything else is in memory and
// handled through Places. prepare() evaluates a value's operands and side effects and returns what remains: writing it somewhere.
// So a string is read straight into the record, map value or variable where it belongs.
//
// Memory. Variables lie in one frame on the stack, which loop callbacks get as their context; LLVM splits the frame up and keeps variables
// in registers where no loop uses it. Values above on_stack_limit, and what would overflow the stack, lie in a scratch slot (see
// stdlib/scratch.bpf.c), claimed on the way to the first statement that needs it and released at the end of the program.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include <llvm/IR/IRBuilder.h>

#include "codegen/module_emitter.h"

namespace trc::codegen {

struct Place {
  llvm::Value* pointer = nullptr;
  llvm::Align align{1};
};

/// Writes a prepared value.
using Store = std::function<void(Place)>;

/// What the bytes of a string after its NUL are: zero wherever a value may be compared or used as a key, anything in an event.
enum class Tail : std::uint8_t { Zero, Any };

bool is_scalar(const lang::Type& type);

/// Where a variable lies.
struct SlotPlace {
  bool in_scratch = false;
  std::uint32_t offset = 0;
};

/// What a program's main function, or a function of the script, and its loop callbacks share.
struct ProgramState {
  ModuleEmitter& module;
  const typed::Program& program;
  const typed::Function* function = nullptr;   // null in a program
  std::uint32_t index = 0;           // of the program
  std::vector<SlotPlace> slots;
  std::uint32_t frame_bytes = 0;     // on the stack, so far
  std::uint32_t scratch_bytes = 0;   // in use by variables and live temporaries
  std::uint32_t scratch_peak = 0;
  bool returns_from_loop = false;    // some callback contains a return
  unsigned callbacks = 0;            // made so far
};

class FunctionEmitter {
 public:
  /// Emits the whole program.
  static void emit_program(ModuleEmitter& module, std::uint32_t index);
  /// Declares the functions of the script, so that they may be called in any order, then emits them.
  static void declare_functions(ModuleEmitter& module);
  static void emit_function(ModuleEmitter& module, std::uint32_t index);

 private:
  friend class LocationScope;
  friend class TemporaryScope;
  struct Loop { llvm::BasicBlock* next; llvm::BasicBlock* out; };   // of a native loop: where continue and break go
  struct Temporary { llvm::AllocaInst* memory; std::uint32_t bytes; bool in_use; };

  FunctionEmitter(ProgramState& state, llvm::Function* function, FunctionEmitter* parent);

  // ---- frame and control (emit_control.cc) ----
  void lay_out_slots();
  void open_program();
  void skip_end_of_iterator();
  void write_step_of_iterator();
  void with_iterator_file(const std::function<void(llvm::Value*)>& use);
  void close_program();
  void take_parameters();
  void give_result();
  llvm::Value* call_function(const typed::CallFunction& op, llvm::Value* result_place);
  std::uint32_t add_to_frame(std::uint32_t bytes);
  Place frame_at(std::uint32_t offset);
  void emit_body(const typed::Statements& statements, bool spine);
  void emit_part(std::span<const typed::Statement> statements);
  void emit_statement(const typed::Statement& statement, bool last_on_spine);
  void emit(const typed::Evaluate&);
  void emit(const typed::StoreSlot&);
  void emit(const typed::ZeroSlot&);
  void emit(const typed::MapSet&);
  void emit(const typed::MapAdd&);
  void emit(const typed::MapAggregate&);
  void emit(const typed::Emit&);
  void emit(const typed::EmitJoin&);
  void emit(const typed::PrintToFile&);
  void emit(const typed::If&);
  void emit(const typed::While&);
  void emit(const typed::ForRange&);
  void emit(const typed::ForMap&);
  void emit(const typed::Break&);
  void emit(const typed::Continue&);
  void emit(const typed::Return&);
  void return_from_program(llvm::Value* value);
  void leave_after_loop_call();
  /// Is this function called from so many others that a loop in it cannot be calls of its body too?
  bool is_deep(const typed::Statements& body) const;
  /// `condition` is emitted where each round begins, `next` where it ends.
  void native_loop(const std::function<llvm::Value*()>& condition, const std::function<void()>& next, const typed::Statements& statements);
  /// `value`, of which the verifier then knows nothing. `unknown`: any number that it does not know.
  llvm::Value* forget(llvm::Value* value, llvm::Value* unknown);
  /// At the start of a loop's round: hides from the verifier what it knows of the variables that a round changes. Otherwise it follows each round with
  /// the values that it has then, as soon as one of them is compared.
  void forget_changed(const std::set<typed::SlotId>& changed, llvm::Value* unknown);
  /// Calls `callback` up to `rounds` times and returns how often, or an error. Ends the run when its loops have made too many rounds.
  llvm::Value* bpf_loop(llvm::Value* rounds, llvm::Function* callback);
  llvm::Value* default_return();
  llvm::Function* make_callback(const char* what, llvm::ArrayRef<llvm::Type*> parameters, Span span);
  /// Emits `body` in a callback; the callback's first context pointer parameter is number `context_argument`.
  void emit_callback(llvm::Function* callback, unsigned context_argument, const std::function<void(FunctionEmitter&)>& body);

  // ---- scratch (emit_memory.cc) ----
  llvm::Value* scratch_base();
  Place scratch_at(std::uint32_t offset);
  void claim_scratch();
  std::uint32_t allocate_scratch(std::uint32_t bytes);

  // ---- memory (emit_memory.cc) ----
  Place temporary(std::uint32_t bytes);
  Place slot(typed::SlotId id);
  Place offset(Place place, std::uint64_t bytes);
  void copy(Place to, Place from, std::uint32_t bytes);
  void zero(Place place, std::uint32_t bytes);
  void write_text(Place place, const std::string& bytes, std::uint32_t capacity);
  llvm::Value* load_scalar(Place place, const lang::Type& type);
  void store_scalar(llvm::Value* value, const lang::Type& type, Place place);
  void zero_padding(const lang::Type& type, Place place);
  /// Copies a value in memory to a wider type of the same shape.
  void convert_in_memory(Place from, const lang::Type& from_type, Place to, const lang::Type& to_type);
  llvm::Value* load_field(Place base, const lang::Field& field);

  // ---- values (emit_values.cc) ----
  llvm::Value* scalar(const typed::Value& value);
  llvm::Value* scalar(const typed::ValuePtr& value) { return scalar(*value); }
  /// Where the value lies; valid until the statement ends. Not to be written to.
  Place address(const typed::Value& value);
  Store prepare(const typed::Value& value, Tail tail = Tail::Zero);
  Store prepare_here(const typed::Value& value, Tail tail);
  void store(const typed::Value& value, Place place, Tail tail = Tail::Zero) { prepare(value, tail)(place); }
  /// As prepare(), but what is read now stays read now although `later` values may change it.
  Store prepare_before(const typed::Value& value, Tail tail, bool later_writes);
  llvm::Value* condition(const typed::Value& value);   // i1
  llvm::Value* normalise(llvm::Value* value, const lang::Type& type);
  llvm::Value* emit_unary(const typed::Unary&, const lang::Type& type);
  llvm::Value* emit_binary(const typed::Binary&, const typed::Value& value);
  llvm::Value* emit_division(const typed::Binary&, Span span, llvm::Value* left, llvm::Value* right);
  llvm::Value* emit_logical(const typed::Logical&);
  llvm::Value* emit_select(const typed::Select&);
  llvm::Value* emit_convert(const typed::Convert&, const lang::Type& type);
  llvm::Value* emit_call(const typed::CallHelper&, const lang::Type& type);
  llvm::Value* emit_call(const typed::CallStdlib&, const lang::Type& type);
  llvm::Function* library(const std::string& symbol);
  llvm::SmallVector<llvm::Value*, 6> library_arguments(llvm::Function* function, unsigned first, const std::vector<typed::ValuePtr>& given);
  Place text_of(const typed::TextTable&, std::uint32_t capacity);
  Store make_inet(const typed::MakeInet&, const lang::Type& type);
  llvm::Value* emit_increment(const typed::IncrementSlot&);
  Place element(const typed::Element&, Span span);  // null pointer on the path where the index is out of range is replaced by zeros
  Place select_in_memory(const typed::Select&, const lang::Type& type);

  // ---- context, strings, reads (emit_reads.cc) ----
  llvm::Value* context();
  llvm::Value* runtime_constant(typed::RuntimeConstant which);
  llvm::Value* traced_function_value(std::uint32_t at);
  void with_object(const typed::KernelObject& object, const std::function<void(llvm::Value*)>& use);
  llvm::Value* ask_object(const typed::AskObject& op);
  llvm::Value* send_packet(const typed::SendPacket& op);
  Store read_path(const typed::ReadPath& op, std::uint32_t capacity, Tail tail);
  llvm::Value* read_context(const lang::ContextValue& value);
  Store prepare_context(const lang::ContextValue& value);
  llvm::Value* load_context(std::uint32_t at, std::uint32_t bytes);  // 1, 2, 4 or 8 bytes, zero-extended
  llvm::Value* load_register(std::uint32_t at);
  llvm::Value* as_number(llvm::Value* pointer);
  llvm::Value* read_scalar(llvm::Value* address, lang::AddressSpace space, const lang::Type& type);
  void read_memory(Place to, llvm::Value* bytes, llvm::Value* address, lang::AddressSpace space);
  /// `length` (i64, counts the NUL) may be null: the whole capacity, without a NUL when the text fills it.
  void read_string(Place to, std::uint32_t capacity, llvm::Value* length, llvm::Value* address, lang::AddressSpace space, Tail tail);
  void read_buffer(Place to, std::uint32_t capacity, llvm::Value* length, llvm::Value* address, lang::AddressSpace space);
  llvm::Value* compare_strings(const typed::CompareStrings&);
  llvm::Value* equals_text(Place place, std::uint32_t capacity, const std::string& text, std::uint32_t limit);
  llvm::Value* compare_memory(Place left, Place right, const lang::Type& type);

  // ---- maps (emit_maps.cc) ----
  llvm::Value* key_pointer(typed::MapId map, const typed::ValuePtr& key);
  llvm::Value* lookup(llvm::Value* map, llvm::Value* key);
  /// Updates an element, made when it is missing: `initial_state` is what a new one starts as (with `change_new`, is then changed);
  /// `change` updates one that exists.
  void update_element(typed::MapId map, llvm::Value* key, Span span, const std::function<llvm::Value*()>& initial_state,
                      bool change_new, const std::function<void(llvm::Value*)>& change);
  void set_presence(typed::MapId map, llvm::Value* element);
  llvm::Value* map_get(const typed::MapGet&, const lang::Type& type);
  Place map_get_address(const typed::MapGet&, const lang::Type& type);
  llvm::Value* map_has(const typed::MapHas&);
  llvm::Value* map_delete(const typed::MapDelete&, Span span);
  llvm::Value* map_length(const typed::MapLength&, Span span);
  llvm::Value* increment_map(const typed::IncrementMap&, Span span);
  llvm::Value* add_to_map(typed::MapId map, llvm::Value* key, llvm::Value* delta, bool want_old, Span span);
  /// Runs `body` for each CPU's copy of an element, or for the element when there is one for all.
  void for_each_copy(typed::MapId map, llvm::Value* key, const std::function<void(llvm::Value* copy)>& body);
  llvm::Value* aggregate_value(typed::MapId map, llvm::Value* key);
  llvm::Value* bucket_index(const lang::Type& type, llvm::Value* argument);
  llvm::Value* rank(const lang::Type& type, llvm::Value* value);
  void change_aggregate(const lang::Type& type, llvm::Value* element, llvm::Value* argument);

  // ---- events (emit_events.cc) ----
  void send(std::uint32_t event, const std::function<void(Place record)>& fill);
  void report_error(std::string text, Span span);
  void report_failure(const char* helper_name, llvm::Value* code, Span span);
  void count_loss(std::size_t counter_offset);
  /// A read that failed gives zeros, which is often meant: it is counted, and reported only if that was asked for.
  void check_read(const char* helper_name, llvm::Value* result);
  /// The same for an element of a map that is not there.
  void check_found(llvm::Value* element);
  void check_deleted(llvm::Value* result);

  // ---- stacks (emit_stacks.cc) ----
  Store capture_stack(const typed::CaptureStack&, const lang::Type& type);
  llvm::Value* stack_length(const typed::StackLength&);
  llvm::Value* walk_stack(Place name, bool user, std::uint32_t limit, bool limit_given, bool stored, typed::Unwinding unwinding, typed::StackFrames frames);

  // ---- small things ----
  llvm::Value* helper(int id, llvm::ArrayRef<llvm::Value*> arguments, llvm::Type* result = nullptr);
  llvm::ConstantInt* i64(std::uint64_t value) { return builder_.getInt64(value); }
  llvm::BasicBlock* block(const char* name) { return llvm::BasicBlock::Create(builder_.getContext(), name, function_); }
  /// Ends the current block with a jump to `next`, unless it already ended, and goes on there.
  void fall_into(llvm::BasicBlock* next);
  /// For a branch whose first target is rarely taken.
  llvm::MDNode* rarely();
  void if_then(llvm::Value* condition, const std::function<void()>& then, bool unlikely = false);
  bool terminated() const { return builder_.GetInsertBlock()->getTerminator() != nullptr; }
  /// A 64-bit local that LLVM keeps in a register.
  llvm::AllocaInst* local(const char* name);
  /// Statements of a block expression; when they leave the program, what follows is emitted where nobody comes.
  void emit_before(const typed::Statements& statements);
  /// A value that LLVM must not reason about, so that the verifier sees the check that follows.
  llvm::Value* opaque(llvm::Value* value);
  llvm::Value* compared(llvm::Value* value);
  llvm::Value* process_ids();
  llvm::Type* pointer_type() { return builder_.getPtrTy(); }

  ProgramState& state_;
  ModuleEmitter& module_;
  llvm::Function* function_;
  FunctionEmitter* parent_;          // null for the main function
  llvm::IRBuilder<> builder_;
  llvm::BasicBlock* entry_ = nullptr;
  llvm::BasicBlock* exit_ = nullptr;           // main: releases scratch and returns
  llvm::Value* frame_ = nullptr;
  llvm::AllocaInst* frame_memory_ = nullptr;   // main
  llvm::AllocaInst* scratch_ = nullptr;        // main: the claimed slot, null before
  llvm::AllocaInst* result_ = nullptr;         // main: the return value
  llvm::BranchInst* claim_point_ = nullptr;    // main: the jump before the current statement on the spine
  bool claimed_ = false;
  bool is_part_ = false;                       // of a long list of statements
  std::vector<Loop> loops_;                    // native loops open in this function
  std::vector<Temporary> temporaries_;
  std::uint32_t temporary_bytes_ = 0;
  Span span_;
};

/// Sets the place in the script of what is emitted until it dies.
class LocationScope {
 public:
  LocationScope(FunctionEmitter& emitter, Span span);
  ~LocationScope();
  LocationScope(const LocationScope&) = delete;
  LocationScope& operator=(const LocationScope&) = delete;

 private:
  FunctionEmitter& emitter_;
  Span previous_span_;
  llvm::DebugLoc previous_;
};

/// Gives back the temporaries taken while it lived.
class TemporaryScope {
 public:
  explicit TemporaryScope(FunctionEmitter& emitter);
  ~TemporaryScope();
  TemporaryScope(const TemporaryScope&) = delete;
  TemporaryScope& operator=(const TemporaryScope&) = delete;

 private:
  FunctionEmitter& emitter_;
  std::vector<bool> in_use_;
  std::uint32_t scratch_bytes_;
};

}  // namespace trc::codegen
