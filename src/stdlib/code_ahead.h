// What code does from a place on until it returns, for code that no table describes: an instruction or so of a generated function is left
// after a call, and those say where the return address lies. As long as nothing but them can come, that is no guess. x86-64; plain C.
#pragma once

#include "unwind_abi.h"

#define TRC_CODE_BYTES 32          // that are looked at
#define TRC_CODE_INSTRUCTIONS 16   // as many at most

/// What is known after some of the instructions.
struct trc_code {
  unsigned long long at;                     // byte of the code that comes next
  unsigned long long stack;                  // the stack pointer, from what `from_fp` says
  unsigned long long fp_at;                  // where the caller's rbp was, from the same, if `fp_is_read`
  unsigned from_fp;                          // from the frame pointer that the code was met with, not from the stack pointer
  unsigned fp_is_read;
  unsigned knows_eax, eax;
  unsigned hands_on;                         // 1: the callee's result became an argument; 2: that was the one of a call, as in exit(main())
  unsigned long long rule;                   // of unwind_abi.h, TRC_UW_NONE as long as there is none
};

/// Goes on by one instruction; `bytes` are TRC_CODE_BYTES of code. Not 0: that was the last one, and `rule` says what came of it. What is
/// followed: what takes a frame down, what moves numbers between other registers, and the system calls that end a thread or the process.
static inline int trc_code_step(struct trc_code *code, const unsigned char *bytes) {
#define BYTE(n) bytes[(code->at + (n)) & (TRC_CODE_BYTES - 1)]
#define IMM32(n) ((int)((unsigned)BYTE(n) | (unsigned)BYTE((n) + 1) << 8 | (unsigned)BYTE((n) + 2) << 16 | (unsigned)BYTE((n) + 3) << 24))
  if (code->at > TRC_CODE_BYTES - 8) return 1;   // no instruction here is longer than that
  if (BYTE(0) == 0xf3 && BYTE(1) == 0xc3) code->at++;   // repz ret
  // Without a branch: the verifier would follow all that comes with a prefix, and all without one.
  unsigned rest = (BYTE(0) & 0xf0) ^ 0x40;
  __asm__ volatile("" : "+r"(rest));
  const unsigned has_rex = (rest - 1) >> 31, rex = BYTE(0) & -has_rex;
  code->at += has_rex;
  const unsigned op = BYTE(0), next = BYTE(1), third = BYTE(2);
  const unsigned wide = rex & 8, to = (next & 7) | (rex & 1) << 3;   // the register that is written in a mod/rm byte, or else in the opcode
  if (op == 0xe8 && code->hands_on == 1) {
    code->hands_on = 2;
    return 1;
  }
  if (op == 0xc3) {
    const unsigned fp = code->fp_is_read ? TRC_UW_FP_SAVED : TRC_UW_FP_SAME;
    const long long cfa = (long long)code->stack + 8, fp_offset = code->fp_is_read ? (long long)code->fp_at - cfa : 0;
    if (cfa != (int)cfa || fp_offset != (short)fp_offset) return 1;
    code->rule = TRC_UW_RULE(code->from_fp ? TRC_UW_FP : TRC_UW_SP, fp, 0, fp_offset, cfa);
    return 1;
  }
  if ((op & 0xf8) == 0x58) {                                        // pop
    const unsigned popped = (op & 7) | (rex & 1) << 3;
    if (popped == 4) return 1;
    if (popped == 0) code->knows_eax = 0;
    if (popped == 5) code->fp_is_read = 1, code->fp_at = code->stack;
    code->stack += 8;
    code->at += 1;
    return 0;
  }
  if (op == 0x83 && next == 0xc4 && rex == 0x48) {                  // add $…,%rsp
    code->stack += (unsigned long long)(long long)(signed char)third;
    code->at += 3;
    return 0;
  }
  if (op == 0x83 && next == 0xec && rex == 0x48) {                  // sub $…,%rsp: 128 is added as -128 is subtracted, in a byte
    code->stack -= (unsigned long long)(long long)(signed char)third;
    code->at += 3;
    return 0;
  }
  if (op == 0x81 && next == 0xc4 && rex == 0x48) {
    code->stack += (unsigned long long)(long long)IMM32(2);
    code->at += 6;
    return 0;
  }
  if (op == 0x8d && next == 0x64 && third == 0x24 && rex == 0x48) {   // lea …(%rsp),%rsp
    code->stack += (unsigned long long)(long long)(signed char)BYTE(3);
    code->at += 4;
    return 0;
  }
  const unsigned leaves = op == 0xc9, by_move = wide && ((op == 0x89 && next == 0xec) || (op == 0x8b && next == 0xe5));   // mov %rbp,%rsp
  if (leaves || (by_move && rex == 0x48) || (op == 0x8d && next == 0x65 && rex == 0x48)) {                               // lea …(%rbp),%rsp
    if (code->fp_is_read) return 1;   // that is the caller's rbp
    code->from_fp = 1;
    code->stack = op == 0x8d ? (unsigned long long)(long long)(signed char)third : 0;
    code->at += leaves ? 1 : op == 0x8d ? 3 : 2;
    if (leaves) code->fp_is_read = 1, code->fp_at = 0, code->stack = 8;
    return 0;
  }
  if (op == 0x90) {
    code->at += 1;
    return 0;
  }
  if (op == 0xc5 && next == 0xf8 && third == 0x77 && !rex) {        // vzeroupper
    code->at += 3;
    return 0;
  }
  if ((op == 0x89 || op == 0x8b || op == 0x31 || op == 0x33) && next >= 0xc0) {   // mov or xor between registers
    const unsigned written = op == 0x89 || op == 0x31 ? to : (next >> 3 & 7) | (rex & 4) << 1;
    if (written == 4 || written == 5) return 1;
    if (op == 0x89 && next == 0xc7 && !(rex & 5)) code->hands_on = 1;
    if (written == 0) code->knows_eax = (op == 0x31 || op == 0x33) && next == 0xc0 && !(rex & 5), code->eax = 0;
    code->at += 2;
    return 0;
  }
  const unsigned set = (op & 7) | (rex & 1) << 3;
  if ((op & 0xf8) == 0xb8 && !wide) {                               // mov $…,%e__
    if (set == 4 || set == 5) return 1;
    if (set == 0) code->knows_eax = 1, code->eax = (unsigned)IMM32(1);
    code->at += 5;
    return 0;
  }
  if (op == 0xb0 && !rex) {                                         // mov $…,%al
    code->eax = (code->eax & ~255u) | next;
    code->at += 2;
    return 0;
  }
  if (op == 0x0f && next == 0x05 && code->knows_eax && (code->eax == 60 || code->eax == 231)) {   // syscall: exit, exit_group
    code->rule = TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0);
    return 1;
  }
  return 1;
#undef BYTE
#undef IMM32
}
