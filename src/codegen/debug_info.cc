#include "codegen/debug_info.h"

#include <algorithm>

#include <llvm/BinaryFormat/Dwarf.h>

namespace trc::codegen {
namespace {

// BTF keeps a column in 10 bits and a line in 22.
constexpr std::uint32_t kMaxColumn = (1u << 10) - 1;
constexpr std::uint32_t kMaxLine = (1u << 22) - 1;

}  // namespace

DebugInfo::DebugInfo(llvm::Module& module, const typed::TypedProgram& program) : program_(program), builder_(module) {
  module.addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
  // With this flag and no "Dwarf Version" the assembler printer writes BTF but no DWARF, which nobody would read.
  module.addModuleFlag(llvm::Module::Warning, "CodeView", 1);
  files_.resize(std::max<std::size_t>(program.files.size(), 1));
  unit_ = builder_.createCompileUnit(llvm::dwarf::DW_LANG_C99, file(0), "trc", true, "", 0);
  int_ = builder_.createBasicType("int", 32, llvm::dwarf::DW_ATE_signed);
  u32_ = builder_.createBasicType("unsigned int", 32, llvm::dwarf::DW_ATE_unsigned);
  u64_ = builder_.createBasicType("unsigned long long", 64, llvm::dwarf::DW_ATE_unsigned);
  pointer_ = builder_.createPointerType(nullptr, 64);
}

llvm::DIFile* DebugInfo::file(std::uint32_t index) {
  if (index >= files_.size()) index = 0;
  llvm::DIFile*& made = files_[index];
  if (made) return made;
  // The source goes along: otherwise the back end would look for a file of that name.
  if (index < program_.files.size()) {
    const SourceFile& source = *program_.files[index];
    made = builder_.createFile(source.name(), "", std::nullopt, llvm::StringRef(source.text().data(), source.text().size()));
  } else {
    made = builder_.createFile("script", "", std::nullopt, llvm::StringRef(""));
  }
  return made;
}

// libbpf's way of writing a number as a type: int (*member)[number].
llvm::DIType* DebugInfo::sized_pointer(std::uint32_t value) {
  llvm::Metadata* range = builder_.getOrCreateSubrange(0, static_cast<std::int64_t>(value));
  auto* array = builder_.createArrayType(std::uint64_t{value} * 32, 32, int_, builder_.getOrCreateArray({range}));
  return builder_.createPointerType(array, 64);
}

void DebugInfo::describe_variable(llvm::GlobalVariable& variable, llvm::DIType* type) {
  variable.addDebugInfo(builder_.createGlobalVariableExpression(unit_, variable.getName(), "", file(0), 1, type, false));
}

void DebugInfo::describe_map(llvm::GlobalVariable& map, const MapShape& shape) {
  const std::pair<const char*, std::uint32_t> numbers[] = {{"type", shape.type},
                                                           {"key_size", shape.key_size},
                                                           {"value_size", shape.value_size},
                                                           {"max_entries", shape.max_entries},
                                                           {"map_flags", shape.flags}};
  llvm::SmallVector<llvm::Metadata*, 5> members;
  for (auto [name, value] : numbers) {
    members.push_back(builder_.createMemberType(unit_, name, file(0), 1, 64, 64, members.size() * 64, llvm::DINode::FlagZero,
                                                sized_pointer(value)));
  }
  describe_variable(map, builder_.createStructType(unit_, "", file(0), 1, members.size() * 64, 64, llvm::DINode::FlagZero, nullptr,
                                                   builder_.getOrCreateArray(members)));
}

void DebugInfo::describe_constant(llvm::GlobalVariable& constant) { describe_variable(constant, builder_.createQualifiedType(llvm::dwarf::DW_TAG_const_type, u64_)); }

llvm::DIType* DebugInfo::library_type(const llvm::Type& type) {
  if (!type.isPointerTy()) return type.isIntegerTy(64) ? u64_ : u32_;
  if (!name_) {
    auto* low = builder_.createMemberType(unit_, "low", file(0), 1, 64, 64, 0, llvm::DINode::FlagZero, u64_);
    auto* high = builder_.createMemberType(unit_, "high", file(0), 1, 64, 64, 64, llvm::DINode::FlagZero, u64_);
    name_ = builder_.createPointerType(builder_.createStructType(unit_, "trc_stack_name", file(0), 1, 128, 64, llvm::DINode::FlagZero, nullptr,
                                                                 builder_.getOrCreateArray({low, high})), 64);
  }
  return name_;
}

void DebugInfo::complete_library_function(llvm::Function& function) {
  llvm::DISubprogram* subprogram = function.getSubprogram();
  if (!subprogram) return;
  llvm::SmallVector<llvm::Metadata*, 6> types{nullptr};
  // "void (void)" will do for static functions, hidden ones among them: nothing looks at their types, and parameters would need names.
  if (!function.hasLocalLinkage() && !function.hasHiddenVisibility()) {
    types.front() = library_type(*function.getReturnType());
    for (const llvm::Argument& argument : function.args()) {
      types.push_back(library_type(*argument.getType()));
      const unsigned number = argument.getArgNo() + 1;
      builder_.createParameterVariable(subprogram, "a" + std::to_string(number), number, subprogram->getFile(), subprogram->getLine(),
                                       llvm::cast<llvm::DIType>(types.back()), true);
    }
    builder_.finalizeSubprogram(subprogram);
  }
  subprogram->replaceType(builder_.createSubroutineType(builder_.getOrCreateTypeArray(types)));
}

void DebugInfo::describe_function(llvm::Function& function, Span span) {
  llvm::SmallVector<llvm::Metadata*, 6> types{int_};
  for (const llvm::Argument& argument : function.args()) types.push_back(argument.getType()->isPointerTy() ? pointer_ : u64_);
  llvm::DISubroutineType* type = builder_.createSubroutineType(builder_.getOrCreateTypeArray(types));
  auto flags = llvm::DISubprogram::SPFlagDefinition | llvm::DISubprogram::SPFlagOptimized;
  // Loop callbacks must be static in BTF, or the kernel refuses them.
  if (function.hasLocalLinkage()) flags |= llvm::DISubprogram::SPFlagLocalToUnit;
  const std::uint32_t line = span.file < program_.files.size() ? program_.files[span.file]->line_column(span.begin).line : 1;
  auto* subprogram = builder_.createFunction(file(span.file), function.getName(), "", file(span.file), line, type, line,
                                             llvm::DINode::FlagPrototyped, flags);
  unsigned number = 1;
  for (const llvm::Argument& argument : function.args()) {
    llvm::DIType* parameter = argument.getType()->isPointerTy() ? pointer_ : u64_;
    builder_.createParameterVariable(subprogram, "a" + std::to_string(number), number, file(span.file), line, parameter, true);
    ++number;
  }
  function.setSubprogram(subprogram);
}

llvm::DebugLoc DebugInfo::at(Span span, llvm::Function& function) {
  llvm::DISubprogram* subprogram = function.getSubprogram();
  if (span.file >= program_.files.size()) return llvm::DILocation::get(function.getContext(), subprogram->getLine(), 0, subprogram);
  const LineColumn place = program_.files[span.file]->line_column(span.begin);
  llvm::DIScope* scope = subprogram;
  if (file(span.file) != subprogram->getFile()) scope = builder_.createLexicalBlockFile(subprogram, file(span.file));
  return llvm::DILocation::get(function.getContext(), std::min(place.line, kMaxLine), std::min(place.column, kMaxColumn), scope);
}

}  // namespace trc::codegen
