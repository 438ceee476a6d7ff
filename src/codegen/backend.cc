#include "codegen/backend.h"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

#include <llvm/ADT/PostOrderIterator.h>
#include <llvm/Analysis/AliasAnalysis.h>
#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/BasicAliasAnalysis.h>
#include <llvm/Analysis/BlockFrequencyInfo.h>
#include <llvm/Analysis/BranchProbabilityInfo.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/MemorySSA.h>
#include <llvm/Analysis/OptimizationRemarkEmitter.h>
#include <llvm/Analysis/PostDominators.h>
#include <llvm/Analysis/ProfileSummaryInfo.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/PassInstrumentation.h>
#include <llvm/IR/PassManager.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Transforms/IPO/AlwaysInliner.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/ADCE.h>
#include <llvm/Transforms/Scalar/DeadStoreElimination.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>

#include "base/assert.h"

extern "C" {
void LLVMInitializeBPFTargetInfo();
void LLVMInitializeBPFTarget();
void LLVMInitializeBPFTargetMC();
void LLVMInitializeBPFAsmPrinter();
void LLVMInitializeBPFAsmParser();  // for instructions that are written out (emit_reads.cc)
}

namespace trc::codegen {
namespace {

constexpr const char* kTriple = std::endian::native == std::endian::little ? "bpfel" : "bpfeb";
// Jumps with 32-bit operands and 32-bit arithmetic; in every kernel since 5.12. v4 needs 6.6.
constexpr const char* kCpu = "v3";

/// LLVM reports what it cannot encode (a jump of more than 32,767 instructions) by ending the process. Then at least it is said in our words.
[[noreturn]] void cannot_compile(void*, const char* reason, bool) {
  std::fprintf(stderr, "ERROR: cannot compile this script for BPF: %s\nHINT: a block is too large; divide it into several blocks of the same probe\n", reason);
  std::_Exit(1);
}

/// A library function into which nothing is inlined any more is as clang has left it.
bool is_finished(const llvm::Function& function) {
  if (!function.hasFnAttribute(kFromLibrary)) return false;
  return llvm::none_of(llvm::instructions(function), [](const llvm::Instruction& instruction) {
    const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
    const llvm::Function* called = call ? call->getCalledFunction() : nullptr;
    return called && called->hasFnAttribute(llvm::Attribute::AlwaysInline);
  });
}

void set_llvm_option(llvm::StringRef name, bool value) {
  const auto found = llvm::cl::getRegisteredOptions().find(name);
  TRC_ASSERT(found != llvm::cl::getRegisteredOptions().end());
  static_cast<llvm::cl::opt<bool>*>(found->second)->setValue(value);
}

/// Instruction combining would move the last step of a computation to its only use, behind the call between, and so keep all its operands
/// alive over the call: the words of two texts that are compared, for instance, which the stack has no room for.
void keep_computations_in_place() { set_llvm_option("instcombine-code-sinking", false); }

/// A loop's beginning comes before all else of it, and no end of a loop right before its beginning: it would fall into it, a way back that
/// is no jump, which old verifiers (6.1) refuse. LLVM likes to put blocks so; it must leave them as they are.
void order_blocks(llvm::Function& function) {
  llvm::BasicBlock* last = nullptr;
  const llvm::ReversePostOrderTraversal<llvm::Function*> order(&function);
  for (llvm::BasicBlock* block : order) {
    if (last) block->moveAfter(last);
    last = block;
  }
}
void keep_blocks_in_order() { set_llvm_option("disable-block-placement", true); }

/// A constant distance from a pointer is computed again in each block that uses it: LLVM selects instructions block by block, so one that is
/// computed elsewhere is kept in a register for all the way, and soon on the stack, of which there is little.
void compute_offsets_where_used(llvm::Function& function) {
  llvm::SmallVector<llvm::GetElementPtrInst*, 32> all;
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    auto* offset = llvm::dyn_cast<llvm::GetElementPtrInst>(&instruction);
    if (offset && offset->hasAllConstantIndices()) all.push_back(offset);
  }
  for (llvm::GetElementPtrInst* offset : llvm::reverse(all)) {   // one of another's is met before that
    llvm::SmallDenseMap<llvm::BasicBlock*, llvm::Instruction*, 8> copies;
    for (llvm::Use& use : llvm::make_early_inc_range(offset->uses())) {
      auto* user = llvm::cast<llvm::Instruction>(use.getUser());
      auto* phi = llvm::dyn_cast<llvm::PHINode>(user);
      llvm::BasicBlock* block = phi ? phi->getIncomingBlock(use) : user->getParent();
      if (block == offset->getParent()) continue;
      llvm::Instruction*& copy = copies[block];
      if (copy == nullptr) {
        copy = offset->clone();
        copy->insertBefore(block->getFirstInsertionPt());
      }
      use.set(copy);
    }
    if (offset->use_empty()) offset->eraseFromParent();
  }
}

}  // namespace

Result<std::unique_ptr<llvm::TargetMachine>> make_bpf_target() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::install_fatal_error_handler(cannot_compile);
    LLVMInitializeBPFTargetInfo();
    LLVMInitializeBPFTarget();
    LLVMInitializeBPFTargetMC();
    LLVMInitializeBPFAsmPrinter();
    LLVMInitializeBPFAsmParser();
    keep_computations_in_place();
    keep_blocks_in_order();
  });
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(kTriple, error);
  if (!target) return Error("LLVM has no BPF back end: " + error);
  llvm::TargetOptions options;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(kTriple, kCpu, "", options, std::nullopt));
  if (!machine) return Error("LLVM cannot make code for BPF");
  return machine;
}

// What pays for BPF: variables into registers, arithmetic folded, dead code gone. No pass here moves memory accesses or merges pointers
// in ways that hide checks from the verifier, and none works on loops.
void optimise(llvm::Module& module, llvm::TargetMachine& target) {
  using namespace llvm;
  FunctionAnalysisManager functions;
  ModuleAnalysisManager modules;
  functions.registerPass([&] { return PassInstrumentationAnalysis(); });
  functions.registerPass([&] { return target.getTargetIRAnalysis(); });
  functions.registerPass([&] { return TargetLibraryAnalysis(); });
  functions.registerPass([&] { return AssumptionAnalysis(); });
  functions.registerPass([&] { return DominatorTreeAnalysis(); });
  functions.registerPass([&] { return PostDominatorTreeAnalysis(); });
  functions.registerPass([&] { return LoopAnalysis(); });
  functions.registerPass([&] { return BranchProbabilityAnalysis(); });
  functions.registerPass([&] { return BlockFrequencyAnalysis(); });
  functions.registerPass([&] { return OptimizationRemarkEmitterAnalysis(); });
  functions.registerPass([&] { return MemorySSAAnalysis(); });
  functions.registerPass([&] { return BasicAA(); });
  functions.registerPass([&] {
    AAManager manager;
    manager.registerFunctionAnalysis<BasicAA>();
    return manager;
  });
  functions.registerPass([&] { return ModuleAnalysisManagerFunctionProxy(modules); });
  modules.registerPass([&] { return PassInstrumentationAnalysis(); });
  modules.registerPass([&] { return ProfileSummaryAnalysis(); });
  modules.registerPass([&] { return FunctionAnalysisManagerModuleProxy(functions); });

  FunctionPassManager passes;
  passes.addPass(SROAPass(SROAOptions::ModifyCFG));
  passes.addPass(EarlyCSEPass(true));
  passes.addPass(SimplifyCFGPass());
  passes.addPass(InstCombinePass());
  passes.addPass(SimplifyCFGPass());
  passes.addPass(SROAPass(SROAOptions::ModifyCFG));
  passes.addPass(EarlyCSEPass(true));
  passes.addPass(DSEPass());
  passes.addPass(ADCEPass());
  passes.addPass(SimplifyCFGPass());

  std::vector<Function*> unfinished;
  for (Function& function : module) {
    if (!function.isDeclaration() && !function.hasFnAttribute(Attribute::AlwaysInline) && !is_finished(function)) unfinished.push_back(&function);
  }
  ModulePassManager inlining;
  inlining.addPass(AlwaysInlinerPass(false));
  inlining.run(module, modules);
  for (Function* function : unfinished) {
    const PreservedAnalyses preserved = passes.run(*function, functions);
    functions.invalidate(*function, preserved);
    compute_offsets_where_used(*function);
    order_blocks(*function);
  }
}

Result<std::string> compile(llvm::Module& module, llvm::TargetMachine& target, Output output) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  const auto kind = output == Output::Object ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile;
  if (target.addPassesToEmitFile(passes, stream, nullptr, kind)) return Error("LLVM cannot write this kind of file for BPF");
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace trc::codegen
