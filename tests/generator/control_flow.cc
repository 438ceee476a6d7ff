#include "generator/control_flow.h"

#include <elf.h>
#include <linux/bpf.h>

#include <cstring>
#include <span>
#include <vector>

namespace trc::test {
namespace {

bool is_jump(const bpf_insn& instruction) {
  const unsigned kind = BPF_CLASS(instruction.code);
  return (kind == BPF_JMP || kind == BPF_JMP32) && BPF_OP(instruction.code) != BPF_CALL && BPF_OP(instruction.code) != BPF_EXIT;
}

class Walk {
 public:
  explicit Walk(std::span<const bpf_insn> code) : code_(code), state_(code.size(), Met::Never) {}

  /// The index of the instruction behind which the loop begins; -1 for none. Depth first, as the kernel goes.
  std::ptrdiff_t find() {
    std::vector<std::size_t> path{0};
    state_[0] = Met::OnPath;
    while (!path.empty()) {
      const std::size_t at = path.back();
      const auto next = unmet_successor(at);
      if (wrong_ >= 0) return wrong_;
      if (next == kNone) {
        state_[at] = Met::Done;
        path.pop_back();
      } else {
        state_[next] = Met::OnPath;
        path.push_back(next);
      }
    }
    return -1;
  }

 private:
  enum class Met : std::uint8_t { Never, OnPath, Done };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::size_t unmet_successor(std::size_t at) {
    const bpf_insn& instruction = code_[at];
    if (instruction.code == (BPF_JMP | BPF_EXIT)) return kNone;
    const auto target = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at) + 1 + instruction.off);
    if (is_jump(instruction)) {
      const bool always = BPF_OP(instruction.code) == BPF_JA;
      if (!always && is_unmet(at + 1)) return at + 1;
      return is_unmet(target) ? target : kNone;
    }
    const std::size_t next = at + (instruction.code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1);
    if (next < state_.size() && state_[next] == Met::OnPath) wrong_ = static_cast<std::ptrdiff_t>(at);
    return is_unmet(next) ? next : kNone;
  }
  bool is_unmet(std::size_t at) const { return at < state_.size() && state_[at] == Met::Never; }

  std::span<const bpf_insn> code_;
  std::vector<Met> state_;
  std::ptrdiff_t wrong_ = -1;
};

}  // namespace

// The object is code generation's own, so its headers are trusted.
std::string back_edge_without_jump(const std::string& object) {
  const char* base = object.data();
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(base);
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(base + header->e_shoff);
  for (unsigned s = 0; s < header->e_shnum; ++s) {
    if (sections[s].sh_type != SHT_SYMTAB) continue;
    const auto* symbols = reinterpret_cast<const Elf64_Sym*>(base + sections[s].sh_offset);
    const char* names = base + sections[sections[s].sh_link].sh_offset;
    for (std::size_t i = 0; i < sections[s].sh_size / sizeof(Elf64_Sym); ++i) {
      const Elf64_Sym& symbol = symbols[i];
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_size == 0) continue;
      std::vector<bpf_insn> code(symbol.st_size / sizeof(bpf_insn));
      std::memcpy(code.data(), base + sections[symbol.st_shndx].sh_offset + symbol.st_value, code.size() * sizeof(bpf_insn));
      if (const auto at = Walk(code).find(); at >= 0) {
        return std::string(names + symbol.st_name) + ": instruction " + std::to_string(at) + " falls into the loop that it is in";
      }
    }
  }
  return "";
}

}  // namespace trc::test
