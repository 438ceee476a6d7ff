#include <algorithm>
#include <cstring>
#include <set>
#include <span>

#include <elf.h>
#include <fmt/format.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include "base/assert.h"
#include "codegen/backend.h"
#include "codegen/codegen.h"
#include "codegen/function_emitter.h"
#include "codegen/object_cache.h"
#include "source/diagnostics.h"

namespace trc::codegen {
namespace {

std::string print(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

/// Keeps the first error that the back end reports.
struct BackendErrors {
  std::string first;
  bool stack_is_full = false;   // BPFRegisterInfo.cpp of LLVM: the only error that has a mend
  static void handle(const llvm::DiagnosticInfo* info, void* self) {
    if (info->getSeverity() != llvm::DS_Error) return;
    auto& errors = *static_cast<BackendErrors*>(self);
    std::string text;
    llvm::raw_string_ostream stream(text);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info->print(printer);
    if (text.find("BPF stack limit") != std::string::npos) errors.stack_is_full = true;
    if (errors.first.empty()) errors.first = std::move(text);
  }
};

/// The kernel helpers that are left after optimising: calls to small constant addresses.
std::vector<std::uint32_t> helpers_of(const llvm::Module& module) {
  std::set<std::uint32_t> found;
  for (const llvm::Function& function : module) {
    for (const llvm::BasicBlock& block : function) {
      for (const llvm::Instruction& instruction : block) {
        const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
        const auto* address = call ? llvm::dyn_cast<llvm::ConstantExpr>(call->getCalledOperand()) : nullptr;
        if (!address || address->getOpcode() != llvm::Instruction::IntToPtr) continue;
        found.insert(static_cast<std::uint32_t>(llvm::cast<llvm::ConstantInt>(address->getOperand(0))->getZExtValue()));
      }
    }
  }
  return {found.begin(), found.end()};
}

/// Where the symbols of the runtime constants lie in ".rodata", and the runner's switch in ".bss". The object is ours, just written.
void find_constants(image::ProgramImage& image) {
  const char* base = image.object.data();
  auto* header = reinterpret_cast<const Elf64_Ehdr*>(base);
  auto* sections = reinterpret_cast<const Elf64_Shdr*>(base + header->e_shoff);
  for (unsigned s = 0; s < header->e_shnum; ++s) {
    if (sections[s].sh_type != SHT_SYMTAB) continue;
    auto* symbols = reinterpret_cast<const Elf64_Sym*>(base + sections[s].sh_offset);
    const char* names = base + sections[sections[s].sh_link].sh_offset;
    for (std::size_t i = 0; i < sections[s].sh_size / sizeof(Elf64_Sym); ++i) {
      for (image::RuntimeConstantEntry& constant : image.constants) {
        if (constant.symbol == names + symbols[i].st_name) constant.offset = static_cast<std::uint32_t>(symbols[i].st_value);
      }
      for (image::KernelSymbolEntry& entry : image.kernel_symbols) {
        if (entry.symbol == names + symbols[i].st_name) entry.offset = static_cast<std::uint32_t>(symbols[i].st_value);
      }
      if (std::string_view(names + symbols[i].st_name) == kFrozenSymbol) image.frozen_offset = static_cast<std::uint32_t>(symbols[i].st_value);
      for (image::KernelFieldEntry& field : image.kernel_fields) {
        if (field.symbol == names + symbols[i].st_name) field.offset = static_cast<std::uint32_t>(symbols[i].st_value);
      }
    }
  }
}

constexpr std::size_t kMostMaps = 64;   // MAX_USED_MAPS in include/linux/bpf_verifier.h: of one program

void find_maps(const llvm::Function& function, std::set<const llvm::Function*>& visited, std::set<const llvm::GlobalVariable*>& maps) {
  if (!visited.insert(&function).second) return;
  for (const llvm::BasicBlock& block : function) {
    for (const llvm::Instruction& instruction : block) {
      for (const llvm::Use& operand : instruction.operands()) {
        const llvm::Value* value = operand->stripInBoundsOffsets();
        if (const auto* called = llvm::dyn_cast<llvm::Function>(value)) find_maps(*called, visited, maps);
        if (const auto* data = llvm::dyn_cast<llvm::GlobalVariable>(value)) maps.insert(data);
      }
    }
  }
}

/// The kernel's own message would not say which block, nor what to do.
Result<> check_map_counts(const typed::TypedProgram& program, const llvm::Module& module) {
  for (const typed::Program& p : program.programs) {
    const llvm::Function* function = module.getFunction(p.name);
    if (function == nullptr) continue;
    std::set<const llvm::Function*> visited;
    std::set<const llvm::GlobalVariable*> found;
    find_maps(*function, visited, found);
    std::set<std::string> maps;   // data sections are maps too, one each
    for (const llvm::GlobalVariable* variable : found) {
      maps.insert(variable->getSection() == ".maps" ? variable->getName().str() : variable->isConstant() ? ".rodata" : ".bss");
    }
    if (maps.size() <= kMostMaps) continue;
    const Span span = program.probes[p.probe].span;
    const std::string place = span.file < program.files.size() ? render_position(span, *program.files[span.file]) + ": " : "";
    return Error(fmt::format("{}this block uses {} maps, those of trc included, and the kernel allows {} for one program", place, maps.size(), kMostMaps))
        .hint("divide the block into several blocks of the same probe");
  }
  return {};
}

void describe_programs(const typed::TypedProgram& program, image::ProgramImage& image) {
  for (const typed::Program& p : program.programs) {
    const typed::ProbeSpec& probe = program.probes[p.probe];
    const bool is_return = (p.context.kind == lang::ProgramKind::UserProbe || p.context.kind == lang::ProgramKind::KernelFunction) &&
                           p.context.return_value.has_value();
    image.programs.push_back({p.name, p.context.kind, probe.needs_cookie, is_return, p.context.bound_to, p.compared, probe.span});
  }
  for (const typed::ProbeSpec& probe : program.probes) image.probes.push_back({probe.provider, probe.text, probe.program, probe.span, probe.note});
}

// From fast code to code that always fits: how much LLVM puts on the stack besides, to free registers, is known only when it has.
constexpr StackBudget kBudgets[] = {{.frame = 224, .temporaries = 160, .loop_temporaries = 64},
                                    {.frame = 160, .temporaries = 64, .loop_temporaries = 32},
                                    {.frame = 96, .temporaries = 0, .loop_temporaries = 0}};
/// Where functions of the script call one another, up to four deep below a program.
constexpr StackBudget kBudgetsWithFunctions[] = {{.frame = 64, .temporaries = 32, .loop_temporaries = 32}, {.frame = 64, .temporaries = 0, .loop_temporaries = 0}};

/// Nothing without an error: the stack was not enough.
Result<std::optional<CodegenResult>> generate_within(const StackBudget& budget, const typed::TypedProgram& program, const CodegenOptions& options) {
  CodegenResult result;
  llvm::LLVMContext context;
  BackendErrors errors;
  context.setDiagnosticHandlerCallBack(BackendErrors::handle, &errors);
  context.setDiscardValueNames(!options.keep_ir);
  TRC_TRY(target, make_bpf_target());

  ModuleEmitter emitter(program, context, target->createDataLayout(), budget, options.report_reads);
  emitter.module.setTargetTriple(target->getTargetTriple().str());
  FunctionEmitter::declare_functions(emitter);
  for (std::uint32_t i = 0; i < program.functions.size(); ++i) FunctionEmitter::emit_function(emitter, i);
  for (std::uint32_t i = 0; i < program.programs.size(); ++i) FunctionEmitter::emit_program(emitter, i);
  emitter.finish();
  if (emitter.error()) return *emitter.error();
  if (options.keep_ir) result.ir = print(emitter.module);
  std::string broken;
  llvm::raw_string_ostream why(broken);
  if (llvm::verifyModule(emitter.module, &why)) {
    std::fprintf(stderr, "%s\n", why.str().c_str());
    TRC_UNREACHABLE("generated code is not well formed");
  }
  const ObjectCache cache(options.keep_ir || options.keep_assembly ? nullptr : options.cache, emitter.module);
  result.from_cache = cache.find(emitter.image);
  if (result.from_cache) {
    if (emitter.image.object.empty()) return std::nullopt;
    result.image = std::move(emitter.image);
    describe_programs(program, result.image);
    return std::optional(std::move(result));
  }
  TRC_CHECK(emitter.link_library());
  optimise(emitter.module, *target);
  if (options.keep_ir) result.optimized_ir = print(emitter.module);
  emitter.image.helpers = helpers_of(emitter.module);
  TRC_CHECK(check_map_counts(program, emitter.module));
  if (options.keep_assembly) {
    auto copy = llvm::CloneModule(emitter.module);
    TRC_TRY(assembly, compile(*copy, *target, Output::Assembly));
    result.assembly = std::move(assembly);
  }
  TRC_TRY(object, compile(emitter.module, *target, Output::Object));
  if (errors.stack_is_full) {
    cache.store({});
    return std::nullopt;
  }
  if (!errors.first.empty()) return Error("cannot compile for BPF: " + errors.first);
  result.image = std::move(emitter.image);
  result.image.object = std::move(object);
  find_constants(result.image);
  cache.store(result.image);
  describe_programs(program, result.image);
  return std::optional(std::move(result));
}

}  // namespace

const char* llvm_version() { return LLVM_VERSION_STRING; }

Result<CodegenResult> generate(const typed::TypedProgram& program, const CodegenOptions& options) {
  const std::span<const StackBudget> budgets = program.functions.empty() ? std::span<const StackBudget>(kBudgets) : kBudgetsWithFunctions;
  for (const StackBudget& budget : budgets) {
    TRC_TRY(result, generate_within(budget, program, options));
    if (result) return std::move(*result);
  }
  return Error("a block needs more than the 512 bytes of stack that the kernel gives a program").hint("divide it into several blocks of the same probe");
}

}  // namespace trc::codegen
