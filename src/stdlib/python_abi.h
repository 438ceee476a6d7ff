// What the walker of Python frames (python.bpf.c), code generation and the runner have to agree on. Plain C, so that all of them include
// this one file. How CPython lays out its frames, and why this is read as it is: docs/python-stacks.md.
#pragma once

#include "unwind_abi.h"

// ---- where an interpreter keeps its frames --------------------------------------------------------------------------------------------
//   trc_py_files     HASH      struct trc_uw_file_key -> struct trc_py_file: which files hold an interpreter
//   trc_py_late      HASH      struct trc_py_late_key -> u64: stacks that were taken while a file was not looked at yet
//   trc_py_runtimes  ARRAY     u32 -> struct trc_py_runtime: for each of them, where things are
//   trc_py_processes LRU_HASH  u32 tgid -> struct trc_py_process: where those files are mapped; programs fill it in themselves
//   trc_py_codes     LRU_HASH  struct trc_py_code_key -> u64: code objects whose record was sent
#define TRC_PY_MAX_FILES 16384
#define TRC_PY_MAX_RUNTIMES 64
#define TRC_PY_MAX_PROCESSES 4096
#define TRC_PY_MAX_CODES 65536
#define TRC_PY_MODULES 2   // files with an interpreter that one process may map: a program of its own and an unused library

#define TRC_PY_ABSENT 0xffff   // this version has no such member

/// Byte offsets of members. Names are CPython's, shortened.
struct trc_py_layout {
  unsigned short runtime_interpreters;   // _PyRuntimeState.interpreters.head
  unsigned short runtime_key;            // .autoTSSkey: int _is_initialized, then the pthread key
  unsigned short runtime_current;        // .gilstate.tstate_current; 3.11 only
  unsigned short interpreter_next, interpreter_threads;
  unsigned short thread_next, thread_id;
  unsigned short thread_frame;           // the current frame, or the current _PyCFrame where there is such a thing (3.11, 3.12)
  unsigned short cframe_frame, cframe_previous;
  unsigned short frame_code, frame_previous, frame_instruction, frame_owner;
  unsigned short frame_entry;            // is_entry, u8; 3.11 only
  unsigned short frame_shim;             // a value of `owner`: frames with this one or above belong to C
  unsigned short code_first_line, code_file, code_qualname, code_lines, code_first_traceable, code_instructions;
  unsigned short code_version;           // co_version
  unsigned short object_type;
  unsigned short bytes_size, bytes_data;
  unsigned short string_length, string_state, string_ascii, string_data;   // data: of ASCII strings, of compact others
  unsigned short string_shift;           // the state's bits: so far right, then interned 0-1, kind 2-4, compact 5, ascii 6
};

/// How the state of the running thread is found in thread-local storage: the variable that PyThreadState_Get() reads.
enum trc_py_tls {
  TRC_PY_TLS_NONE = 0,
  TRC_PY_TLS_FIXED = 1,     // at fs + tls_offset: in the program itself
  TRC_PY_TLS_INITIAL = 2,   // at fs + *(u64 at tls_got)
  TRC_PY_TLS_DYNAMIC = 3    // {module, offset} at tls_got: at the module's block + offset + tls_offset
};

/// A file that holds an interpreter. Addresses are the file's own.
struct trc_py_runtime {
  unsigned long long runtime;                // _PyRuntime
  unsigned long long code_type;              // PyCode_Type; 0: not known
  unsigned long long code_offset, code_end;  // file offsets of the executable segment, whole pages
  unsigned long long code_address;           // of code_offset
  unsigned long long tls_got;
  int tls_offset;
  unsigned tls_kind;                         // enum trc_py_tls
  unsigned version;                          // PY_VERSION_HEX
  unsigned specific;                         // offset of `specific` in the C library's struct pthread
  struct trc_py_layout layout;
};

enum trc_py_file_state {
  TRC_PY_FILE_ASKED = 0,     // a program met it; the runner has not looked at it yet
  TRC_PY_FILE_NONE = 1,      // no interpreter
  TRC_PY_FILE_READY = 2,
  TRC_PY_FILE_UNKNOWN = 3    // an interpreter, but of a version that trc does not know
};

struct trc_py_file {
  unsigned state;            // enum trc_py_file_state
  unsigned runtime;          // index into trc_py_runtimes
};

/// For the stacks of one program that met this file too early. Whether they lack anything is known when the file has been looked at.
struct trc_py_late_key {
  struct trc_uw_file_key file;
  unsigned program, reserved;
};

struct trc_py_module {
  unsigned long long bias;   // address in the process minus address in the file
  unsigned runtime, reserved;
};

struct trc_py_process {
  unsigned long long mm, stack;      // they tell an exec: the kernel's mm_struct, and where its stack starts
  unsigned long long look_again_ns;  // a process without an interpreter is looked through again when its mappings have changed,
  unsigned mappings;                 // but not before this
  unsigned modules;                  // how many of:
  struct trc_py_module module[TRC_PY_MODULES];
  unsigned unknown, reserved;        // an interpreter of an unknown version was seen
};

// ---- frames ----------------------------------------------------------------------------------------------------------------------------
// A Python frame in a stack is a word like any other frame, with bit 63 set: no address of user space has it. Bits 20-62 name the code
// object, bits 0-19 say where in it: the instruction's offset in code units of 2 bytes, plus 1 (a frame that has not begun stands at -1).
// The name is taken from the code object's content, so a stack has the same words, and thereby the same name, whenever it is taken.
#define TRC_PY_FRAME (1ull << 63)
#define TRC_PY_PLACE_BITS 20
#define TRC_PY_NAME_BITS (63 - TRC_PY_PLACE_BITS)
#define TRC_PY_PLACE_MAX ((1u << TRC_PY_PLACE_BITS) - 1)   // this place, or one further on
#define TRC_PY_UNPLACED (~0ull)   // not a frame: those that follow could not be put among the native ones
#define TRC_PY_FRAME_CODE(word) (((word) & ~TRC_PY_FRAME) >> TRC_PY_PLACE_BITS)
#define TRC_PY_FRAME_PLACE(word) ((int)((word) & TRC_PY_PLACE_MAX) - 1)

/// `tag` tells code objects apart that lie at one address one after another: co_version, or a hash of pointers in 3.11.
struct trc_py_code_key {
  unsigned long long code, tag;
  unsigned tgid, reserved;
};

// A code object is sent once, in a record of lang::ActionKind::InterpreterCode, before the first stack that it is in. Nothing of it has to be read
// from the process afterwards, which may be gone, or have freed it.
#define TRC_PY_MAX_NAME 1024       // bytes of a string that are sent
#define TRC_PY_MAX_LINES 2048      // bytes of the line table in one record; further ones follow in records of their own
#define TRC_PY_MAX_TABLE (1 << 20) // longer tables are not sent

/// The fixed part; then `name_bytes` of the qualified name, `file_bytes` of the file's name, `line_bytes` of the line table.
struct trc_py_code_record {
  unsigned event, program;               // as in every record
  struct trc_py_code_key key;
  unsigned long long id;                 // TRC_PY_FRAME_CODE of its frames
  unsigned name_state, file_state;       // of the strings, as CPython 3.11 has it (see string_shift)
  unsigned name_length, file_length;     // characters they really have
  unsigned short name_bytes, file_bytes, line_bytes, reserved;
  int first_line;                        // co_firstlineno
  unsigned line_offset, line_total;      // where this part of the line table begins; how long the whole is
  unsigned reserved2;
};

/// A record of lang::ActionKind::InterpreterFile: a program met a file that the runner has not looked at.
struct trc_py_file_record {
  unsigned event, program;
  struct trc_uw_file_key key;
  unsigned long long start, end;         // of the mapping: /proc/TGID/map_files/START-END is the file
  unsigned tgid, reserved;
};
