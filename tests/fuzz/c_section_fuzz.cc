// Any text as the C definitions of a script: everything returns, and what came out can be laid out. No compiler is run: #include is cut out.
// Built with -DTRC_FUZZ=ON (clang); run as: c_section_fuzz CORPUS
#include <cstdint>
#include <string>

#include "types/c_section.h"
#include "types/library.h"
#include "unit/types/type_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  for (std::size_t at = 0; (at = text.find("include", at)) != std::string::npos;) text[at] = 'I';
  static const trc::types::TypeFacts kFacts(trc::types::task_btf().bytes());
  trc::types::Library library(kFacts);
  trc::Diagnostics diags;
  const trc::types::CText whole{text, trc::Span{0, 0, static_cast<std::uint32_t>(size)}};
  trc::types::read_c_section({&whole, 1}, {}, library, diags);
  for (const char* name : {"struct s", "union s", "struct task"}) {
    const auto type = library.resolved(trc::lang::make_struct(name));
    for (const std::string& member : library.member_names(type)) library.member(type, member);
    library.completed(type);
  }
  library.find_own_constant("N");
  return 0;
}
