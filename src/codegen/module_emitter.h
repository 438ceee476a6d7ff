// What the functions of one object share: maps, read-only data, events, the standard library. Inside codegen only.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <llvm/IR/Module.h>

#include "codegen/debug_info.h"
#include "image/program_image.h"

namespace trc::codegen {

/// Bytes of stack for what programs keep in memory; what does not fit lies in claimed scratch memory.
struct StackBudget {
  std::uint32_t frame = 0;              ///< variables of a program
  std::uint32_t temporaries = 0;        ///< of a program's main function
  std::uint32_t loop_temporaries = 0;   ///< of each loop body
};

/// What the runner needs no name for, but code generation does: where things lie in the image.
class ModuleEmitter {
 public:
  ModuleEmitter(const typed::TypedProgram& typed_program, llvm::LLVMContext& context, const llvm::DataLayout& layout, const StackBudget& stack_budget,
                bool with_reads);

  const typed::TypedProgram& program;
  const StackBudget budget;
  const bool report_reads;   ///< CodegenOptions::report_reads
  llvm::Module module;
  image::ProgramImage image;
  DebugInfo debug;
  std::vector<llvm::Function*> functions;   ///< of the script, by number

  // ---- maps (maps.cc) ----
  llvm::GlobalVariable* map(typed::MapId id) { return map_symbols_[id]; }
  const image::MapEntry& map_entry(typed::MapId id) const { return maps_[id]; }
  llvm::GlobalVariable* ring();
  llvm::GlobalVariable* loss();
  /// What the library's stack functions need, for stacks of up to `frames` that are stored (0: only counted).
  void use_stacks(std::uint32_t frames);
  /// What kernel stacks need besides.
  void use_kernel_stacks();
  /// What walks by unwind tables need besides.
  void use_unwind_tables();
  /// What walks of Python frames need besides use_stacks(); `words`: so many are kept to be put among native frames.
  void use_python(std::uint32_t words);
  /// What trc_in_tree() reads.
  void use_process_tree();
  /// Where packets go (stdlib/packet_abi.h).
  llvm::GlobalVariable* packets();
  /// The map of scratch slots, each with room for `bytes` (besides the claim).
  llvm::GlobalVariable* scratch(std::uint32_t bytes);
  /// A new place whose first failure is reported; its number in the "trc_sites" map.
  std::uint32_t add_site();

  // ---- read-only data ----
  llvm::GlobalVariable* constant(typed::RuntimeConstant which);
  /// At least `bytes` zeros.
  llvm::GlobalVariable* zeros(std::uint32_t bytes);
  /// `bytes` followed by NULs up to `capacity`.
  llvm::GlobalVariable* text(const std::string& bytes, std::uint32_t capacity);

  /// The u32 of ProgramImage::frozen_offset.
  llvm::GlobalVariable* frozen();
  /// A u32 that a function of the script sets when it calls exit(), so that the programs that called it return as well. That others which run at the
  /// same time see it does no harm: the run ends. The programs that trc runs itself, end among them, begin by clearing it.
  llvm::GlobalVariable* leaving();
  bool functions_leave() const { return functions_leave_; }

  // ---- events ----
  std::uint32_t add_event(lang::EventSchema schema);

  // ---- standard library ----
  /// Declares a function of src/stdlib; asserts that it exists there. The caller makes sure of the maps that it uses.
  llvm::Function* library_function(const std::string& name);
  bool library_has(const std::string& name);
  /// A number that is the address of a symbol of the kernel; filled in before loading. `span`: who asks, for when there is none such.
  llvm::GlobalVariable* kernel_address(const std::string& symbol, Span span);
  /// Links what was asked for; after finish().
  Result<> link_library();

  // ---- errors: the first one is kept ----
  void fail(Span span, std::string message);
  const std::optional<Error>& error() const { return error_; }

  /// Ends emission: sizes that are known only now.
  void finish();

 private:
  void add_user_map(const typed::Map& map);
  llvm::GlobalVariable* declare_map(const std::string& name);
  llvm::GlobalVariable* add_internal_map(image::MapEntry entry);
  llvm::GlobalVariable* add_number(const std::string& name, std::uint64_t value);
  void define_library_constants();
  void fill_in_later(llvm::GlobalVariable& number);
  llvm::GlobalVariable* make_switch(const char* name);
  llvm::GlobalVariable* read_only(const std::string& name, llvm::Constant* value);

  std::deque<image::MapEntry> maps_;                 // becomes image.maps; what map_entry() gave stays valid
  std::vector<llvm::GlobalVariable*> map_symbols_;   // as maps_
  llvm::GlobalVariable *ring_ = nullptr, *loss_ = nullptr, *scratch_ = nullptr, *sites_ = nullptr, *walks_ = nullptr, *python_walks_ = nullptr, *packets_ = nullptr, *zeros_ = nullptr,
                       *frozen_ = nullptr, *leaving_ = nullptr;
  std::uint32_t scratch_bytes_ = 0, site_count_ = 0, zero_bytes_ = 0;
  std::uint32_t stack_capacity_ = 0, python_words_ = 0;
  std::map<typed::RuntimeConstant, llvm::GlobalVariable*> constants_;
  std::map<std::string, llvm::GlobalVariable*> texts_, kernel_addresses_;
  std::unique_ptr<llvm::Module> library_;
  std::optional<Error> error_;
  bool functions_leave_ = false;
};

/// The variable of ProgramImage::frozen_offset.
inline constexpr const char* kFrozenSymbol = "trc_frozen";

}  // namespace trc::codegen
