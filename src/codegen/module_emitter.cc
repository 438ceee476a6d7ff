#include "codegen/module_emitter.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include <fmt/format.h>
#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/Constants.h>
#include <llvm/Linker/Linker.h>

#include "base/assert.h"
#include "codegen/backend.h"
#include "codegen/effects.h"
#include "source/diagnostics.h"
#include "stdlib/stdlib.h"

namespace trc::codegen {
namespace {

struct KernelField { const char *symbol, *member; };
constexpr KernelField kKernelFields[] = {
#define TRC_KERNEL_FIELD(symbol, structure, member) {"trc_at_" #symbol, structure "." member},
#include "stdlib/kernel_fields.def"
#undef TRC_KERNEL_FIELD
};

// As typed::RuntimeConstant.
constexpr const char* kConstantNames[] = {"trc_target_pid", "trc_child_pid", "trc_cpu_count", "trc_start_ns", "trc_tai_delta", "trc_max_stack", "trc_pid_namespace_device", "trc_pid_namespace_inode"};
static_assert(std::size(kConstantNames) == static_cast<std::size_t>(lang::kLastRuntimeConstant) + 1);

void keep_operands(llvm::NamedMDNode& list, const std::function<bool(llvm::MDNode*)>& wanted) {
  llvm::SmallVector<llvm::MDNode*, 8> kept;
  for (llvm::MDNode* node : list.operands()) {
    if (wanted(node)) kept.push_back(node);
  }
  list.clearOperands();
  for (llvm::MDNode* node : kept) list.addOperand(node);
}

}  // namespace

ModuleEmitter::ModuleEmitter(const typed::TypedProgram& typed_program, llvm::LLVMContext& context, const llvm::DataLayout& layout,
                             const StackBudget& stack_budget, bool with_reads)
    : program(typed_program), budget(stack_budget), report_reads(with_reads), module("trc", context), debug(module, typed_program) {
  module.setDataLayout(layout);
  for (const typed::Map& map : program.maps) add_user_map(map);
  image.events = program.events;
  for (const typed::Function& function : program.functions) {
    functions_leave_ = functions_leave_ || std::any_of(function.code.body.begin(), function.code.body.end(), leaves_program);
  }
  auto* license = llvm::ConstantDataArray::getString(context, program.license);
  auto* symbol = new llvm::GlobalVariable(module, license->getType(), true, llvm::GlobalValue::ExternalLinkage, license, "trc_license");
  symbol->setSection("license");
}

llvm::GlobalVariable* ModuleEmitter::read_only(const std::string& name, llvm::Constant* value) {
  auto* symbol = new llvm::GlobalVariable(module, value->getType(), true, llvm::GlobalValue::InternalLinkage, value, name);
  symbol->setSection(".rodata");
  symbol->setAlignment(llvm::Align(8));
  return symbol;
}

llvm::GlobalVariable* ModuleEmitter::constant(typed::RuntimeConstant which) {
  llvm::GlobalVariable*& symbol = constants_[which];
  if (!symbol) {
    const auto index = static_cast<std::uint8_t>(which);
    symbol = module.getGlobalVariable(kConstantNames[index]);   // the library has asked for it
    if (!symbol) symbol = new llvm::GlobalVariable(module, llvm::Type::getInt64Ty(module.getContext()), true, llvm::GlobalValue::ExternalLinkage, nullptr, kConstantNames[index]);
    fill_in_later(*symbol);
    image.constants.push_back({index, kConstantNames[index], 0});  // the offset is read from the object
  }
  return symbol;
}

/// A number that library functions read by its name.
llvm::GlobalVariable* ModuleEmitter::add_number(const std::string& name, std::uint64_t value) {
  auto* symbol = read_only(name, llvm::ConstantInt::get(llvm::Type::getInt64Ty(module.getContext()), value));
  symbol->setLinkage(llvm::GlobalValue::ExternalLinkage);
  debug.describe_constant(*symbol);
  return symbol;
}

llvm::GlobalVariable* ModuleEmitter::zeros(std::uint32_t bytes) {
  zero_bytes_ = std::max(zero_bytes_, (bytes + 7) / 8 * 8);
  if (!zeros_) {
    auto* type = llvm::Type::getInt64Ty(module.getContext());
    zeros_ = new llvm::GlobalVariable(module, type, true, llvm::GlobalValue::ExternalLinkage, nullptr, "trc_zeros");
  }
  return zeros_;
}

llvm::GlobalVariable* ModuleEmitter::text(const std::string& bytes, std::uint32_t capacity) {
  std::string padded = bytes;
  padded.resize((std::max<std::size_t>(capacity, bytes.size()) + 7) / 8 * 8);
  llvm::GlobalVariable*& symbol = texts_[padded];
  if (!symbol) symbol = read_only("trc_text", llvm::ConstantDataArray::getString(module.getContext(), padded, false));
  return symbol;
}

llvm::GlobalVariable* ModuleEmitter::make_switch(const char* name) {
  auto* type = llvm::Type::getInt32Ty(module.getContext());
  auto* variable = new llvm::GlobalVariable(module, type, false, llvm::GlobalValue::ExternalLinkage, llvm::ConstantInt::get(type, 0), name);
  variable->setSection(".bss");
  debug.describe_switch(*variable);
  return variable;
}

llvm::GlobalVariable* ModuleEmitter::frozen() {
  if (!frozen_) frozen_ = make_switch(kFrozenSymbol);
  return frozen_;
}

llvm::GlobalVariable* ModuleEmitter::leaving() {
  if (!leaving_) leaving_ = make_switch("trc_leaving");
  return leaving_;
}

std::uint32_t ModuleEmitter::add_event(lang::EventSchema schema) {
  lang::lay_out(schema);
  image.events.push_back(std::move(schema));
  return static_cast<std::uint32_t>(image.events.size() - 1);
}

bool ModuleEmitter::library_has(const std::string& name) {
  if (!library_) {
    const std::string_view bitcode = stdlib::bitcode();
    auto read = llvm::getLazyBitcodeModule({llvm::StringRef(bitcode.data(), bitcode.size()), "stdlib"}, module.getContext());
    if (!read) TRC_UNREACHABLE("the embedded standard library cannot be read");
    library_ = std::move(*read);
  }
  return library_->getFunction(name) != nullptr;
}

llvm::Function* ModuleEmitter::library_function(const std::string& name) {
  TRC_ASSERT(library_has(name));
  if (llvm::Function* declared = module.getFunction(name)) return declared;
  llvm::Function* source = library_->getFunction(name);
  return llvm::Function::Create(source->getFunctionType(), llvm::GlobalValue::ExternalLinkage, name, module);
}

Result<> ModuleEmitter::link_library() {
  if (!library_) return {};
  std::set<const llvm::Function*> own;
  for (const llvm::Function& function : module) {
    if (!function.isDeclaration()) own.insert(&function);
  }
  if (llvm::Linker::linkModules(module, std::move(library_), llvm::Linker::LinkOnlyNeeded)) {
    return Error("internal error: the standard library does not link; please report this with the script");
  }
  // Only what is left of the library's debug information; and its "Dwarf Version" would bring DWARF back (see debug_info.cc).
  std::set<llvm::MDNode*> units;
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    if (own.count(&function) == 0) function.addFnAttr(kFromLibrary);
    if (function.hasFnAttribute(llvm::Attribute::AlwaysInline)) function.setLinkage(llvm::GlobalValue::InternalLinkage);
    if (!function.getSubprogram()) continue;
    units.insert(function.getSubprogram()->getUnit());
    if (function.getSubprogram()->getType()->getTypeArray().size() == 0) debug.complete_library_function(function);
  }
  keep_operands(*module.getNamedMetadata("llvm.dbg.cu"), [&](llvm::MDNode* unit) { return units.count(unit) != 0; });
  keep_operands(*module.getModuleFlagsMetadata(),
                [](llvm::MDNode* flag) { return llvm::cast<llvm::MDString>(flag->getOperand(1))->getString() != "Dwarf Version"; });
  define_library_constants();
  return {};
}

/// Makes it a number in read-only data that the runner fills in before loading.
void ModuleEmitter::fill_in_later(llvm::GlobalVariable& number) {
  number.setInitializer(llvm::ConstantInt::get(number.getValueType(), 0));
  number.setConstant(true);
  number.setSection(".rodata");
  number.setAlignment(llvm::Align(8));
  debug.describe_constant(number);
}

llvm::GlobalVariable* ModuleEmitter::kernel_address(const std::string& symbol, Span span) {
  llvm::GlobalVariable*& number = kernel_addresses_[symbol];
  if (!number) {
    const std::string name = fmt::format("trc_kernel_symbol_{}", kernel_addresses_.size());
    number = new llvm::GlobalVariable(module, llvm::Type::getInt64Ty(module.getContext()), true, llvm::GlobalValue::ExternalLinkage, nullptr, name);
    fill_in_later(*number);
    image.kernel_symbols.push_back({name, symbol, 0, span});  // the offset is read from the object
  }
  return number;
}

/// The numbers that the linked functions ask for.
void ModuleEmitter::define_library_constants() {
  for (std::size_t i = 0; i < std::size(kConstantNames); ++i) {
    const llvm::GlobalVariable* declared = module.getGlobalVariable(kConstantNames[i]);
    if (declared && declared->isDeclaration() && !declared->use_empty()) constant(static_cast<typed::RuntimeConstant>(i));
  }
  for (const KernelField& field : kKernelFields) {
    llvm::GlobalVariable* declared = module.getGlobalVariable(field.symbol, true);
    if (!declared || declared->use_empty()) continue;
    fill_in_later(*declared);
    image.kernel_fields.push_back({field.symbol, field.member, 0});  // the offset is read from the object
  }
  debug.finish();   // again, for these
}

void ModuleEmitter::fail(Span span, std::string message) {
  if (error_) return;
  if (span.end != 0 && span.file < program.files.size()) message = render_position(span, *program.files[span.file]) + ": " + message;
  error_ = Error(std::move(message));
}

}  // namespace trc::codegen
