// x86-64 (arch.h).
#include <asm/ptrace.h>
#include <elf.h>

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "probes/arch.h"
#include "probes/x86_instruction.h"

#if !defined(__x86_64__)
#error "add src/probes/arch_<name>.cc for this architecture"
#endif

namespace trc::probes {
namespace {

#define TRC_REG(name) static_cast<std::uint16_t>(offsetof(struct pt_regs, name))

/// System V calling convention.
constexpr std::uint16_t kArguments[] = {TRC_REG(rdi), TRC_REG(rsi), TRC_REG(rdx), TRC_REG(rcx), TRC_REG(r8), TRC_REG(r9)};

struct RegisterNames { std::uint16_t offset; std::string_view bytes8, bytes4, bytes2, bytes1; };
constexpr RegisterNames kRegisters[] = {
    {TRC_REG(rax), "rax", "eax", "ax", "al"},       {TRC_REG(rbx), "rbx", "ebx", "bx", "bl"},
    {TRC_REG(rcx), "rcx", "ecx", "cx", "cl"},       {TRC_REG(rdx), "rdx", "edx", "dx", "dl"},
    {TRC_REG(rsi), "rsi", "esi", "si", "sil"},      {TRC_REG(rdi), "rdi", "edi", "di", "dil"},
    {TRC_REG(rbp), "rbp", "ebp", "bp", "bpl"},      {TRC_REG(rsp), "rsp", "esp", "sp", "spl"},
    {TRC_REG(r8), "r8", "r8d", "r8w", "r8b"},       {TRC_REG(r9), "r9", "r9d", "r9w", "r9b"},
    {TRC_REG(r10), "r10", "r10d", "r10w", "r10b"},  {TRC_REG(r11), "r11", "r11d", "r11w", "r11b"},
    {TRC_REG(r12), "r12", "r12d", "r12w", "r12b"},  {TRC_REG(r13), "r13", "r13d", "r13w", "r13b"},
    {TRC_REG(r14), "r14", "r14d", "r14w", "r14b"},  {TRC_REG(r15), "r15", "r15d", "r15w", "r15b"},
    {TRC_REG(rip), "rip", "eip", "", ""},           {TRC_REG(eflags), "rflags", "eflags", "", ""},
};

std::optional<RegisterPlace> find_register(std::string_view name) {
  if (name.empty()) return std::nullopt;
  for (const RegisterNames& row : kRegisters) {
    if (row.bytes8 == name) return RegisterPlace{row.offset, 8};
    if (row.bytes4 == name) return RegisterPlace{row.offset, 4};
    if (row.bytes2 == name) return RegisterPlace{row.offset, 2};
    if (row.bytes1 == name) return RegisterPlace{row.offset, 1};
  }
  return std::nullopt;
}

// What the kernel's uprobes refuse in 64-bit code, found by trying every first byte on 6.18 (arch_test.cc tries it on the kernel at hand):
// the lock prefix and the segment prefixes that 64-bit mode ignores, and opcodes that are invalid, privileged or trap by themselves.
constexpr unsigned char kRefusedPrefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0xf0};
constexpr unsigned char kPassedPrefixes[] = {0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3};
constexpr unsigned char kRefusedOpcodes[] = {
    0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x6c, 0x6d, 0x6e, 0x6f, 0x82, 0x9a, 0xcc, 0xcd,
    0xce, 0xcf, 0xd4, 0xd5, 0xd6, 0xe4, 0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf4, 0xfa, 0xfb};

template <std::size_t N>
bool contains(const unsigned char (&list)[N], unsigned char byte) {
  return std::find(std::begin(list), std::end(list), byte) != std::end(list);
}

bool is_probeable(std::string_view code) {
  std::size_t at = 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(code[i]); };
  while (at < code.size() && contains(kPassedPrefixes, byte(at))) ++at;
  if (at < code.size() && contains(kRefusedPrefixes, byte(at))) return false;
  if (at < code.size() && byte(at) >= 0x40 && byte(at) <= 0x4f) ++at;  // REX
  if (at >= code.size()) return false;
  // Behind a VEX or EVEX prefix the kernel looks its opcode up in the same table.
  switch (byte(at)) {
    case 0xc5: at += 2; break;
    case 0xc4: at += 3; break;
    case 0x62: at += 4; break;
    default: break;
  }
  return at < code.size() && !contains(kRefusedOpcodes, byte(at));
}

constexpr Arch kArch = {"x86-64", EM_X86_64, kArguments, TRC_REG(rax), TRC_REG(rip), find_register, is_probeable, x86_instruction_length};

}  // namespace

const Arch& native_arch() { return kArch; }

}  // namespace trc::probes
