// Everything the runner needs of a compiled script: the one seam between compiling and running. Saved and loaded by
// image/save.cc and image/load.cc (cereal, versioned; a file is treated as hostile).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lang/context.h"
#include "lang/event.h"
#include "lang/runtime_constant.h"
#include "lang/type.h"

namespace trc::image {

inline constexpr std::uint32_t kFormatVersion = 6;

enum class MapRole : std::uint8_t {
  User,      ///< a map of the script
  Ring,      ///< BPF_MAP_TYPE_RINGBUF that carries the events
  Loss,      ///< per-CPU array of LossCounters, one element per program
  StackEnds, ///< per-CPU array of u64[TRC_STACK_ENDS] (stdlib/unwind_abi.h), one element per program: how its user and kernel stacks ended
  StackLimits, ///< hash of struct trc_stack_limit -> u64: how many kernel stacks ended TRC_STACK_KernelLimit, by program and last frame
  Slots,     ///< array of memory that runs claim; max_entries is for one CPU, the runner makes so many for each
  Given,     ///< the runner makes and fills it, and gives it to the programs: unwind tables (stdlib/unwind_abi.h), the command's processes
             ///< (stdlib/process_tree_abi.h) and the like
  Internal,  ///< anything else code generation needs; the runner only creates it
};

/// How many times something was lost, by cause; element of the Loss map, one copy per CPU.
struct LossCounters {
  std::uint64_t ring_full = 0;      ///< event records that found no room
  std::uint64_t map_full = 0;       ///< map updates refused with E2BIG or ENOMEM
  std::uint64_t scratch_busy = 0;   ///< runs given up because no scratch slot was free
  std::uint64_t stacks_full = 0;    ///< stacks whose frames found no room in the ring
  std::uint64_t helper_failed = 0;  ///< other helper failures (their first occurrence is sent as HelperError)
  std::uint64_t contended = 0;      ///< changes given up because others changed the same value at every try
};

/// Layout of a User map's value: [state or value][padding to 8][u64 presence if presence_offset != kNoPresence].
/// Scalar maps are arrays of one element; presence is non-zero once the script has stored something.
inline constexpr std::uint32_t kNoPresence = 0xffffffff;

struct MapEntry {
  std::string name;                 ///< of the map in the object (".maps" symbol); BPF names are cut by the loader, not here
  std::string script_name;          ///< "@x" for role User
  MapRole role = MapRole::Internal;
  std::uint32_t bpf_type = 0;       ///< enum bpf_map_type
  std::uint32_t key_size = 0;       ///< bytes
  std::uint32_t value_size = 0;     ///< bytes of one copy
  std::uint32_t max_entries = 0;    ///< Ring: bytes
  std::uint32_t flags = 0;          ///< BPF_F_…
  bool per_cpu = false;             ///< reads give one copy per possible CPU
  bool has_key = false;             ///< User: keyed by the script
  lang::Type key;                   ///< User
  lang::Type value;                 ///< User
  std::uint32_t presence_offset = kNoPresence;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(name, script_name, role, bpf_type, key_size, value_size, max_entries, flags, per_cpu, has_key, key, value, presence_offset);
  }
};

/// One BPF program of the object.
struct ProgramEntry {
  std::string name;                 ///< function symbol in the object
  lang::ProgramKind kind = lang::ProgramKind::TestRun;
  bool uses_cookie = false;         ///< asks bpf_get_attach_cookie which attach point fired
  bool is_return = false;           ///< uretprobe, kretprobe
  std::string bound_to;             ///< lang::Context::bound_to
  std::vector<std::string> compared;   ///< attach points that it asks about: bit kCookieMarks + N of a place's cookie says that it is number N
  Span span;
  template <class Archive>
  void serialize(Archive& ar) { ar(name, kind, uses_cookie, is_return, bound_to, compared, span); }
};
inline constexpr unsigned kCookieMarks = 32;

/// One attach point of the script; its index is its id. A wildcard, or a target found only when it runs, gets further ids from the
/// runner as it expands (the cookie carries the id).
struct ProbeEntry {
  std::string provider;
  std::string text;                 ///< canonical, as `probe` prints it when it stands for one place
  std::uint32_t program = 0;        ///< index into programs
  Span span;
  std::string note = {};            ///< for the user, when it is attached: what a wildcard passed over
  template <class Archive>
  void serialize(Archive& ar) { ar(provider, text, program, span, note); }
};

/// Where a program's instruction came from, for verifier refusals; and the sources themselves, for run-time messages.
struct SourceText {
  std::string name, text;
  template <class Archive>
  void serialize(Archive& ar) { ar(name, text); }
};

/// Settings of the script that the runner obeys.
struct Settings {
  std::uint32_t max_strlen = 1024;
  bool print_maps_on_exit = true;
  std::string str_trunc_trailer = "..";
  std::string stack_mode = "bpftrace";
  std::string missing_probes = "error";   ///< error, warn, ignore
  bool cpp_demangle = true;
  bool show_debug_info = false;           ///< source lines and inlined functions in user stacks
  std::uint32_t ring_pages = 0;           ///< 0: chosen by the runner
  std::uint32_t max_probes = 0;           ///< 0: no limit of ours
  bool compat = false;                    ///< behave as the reference where a script could depend on what we do better (--compat)
  std::uint32_t max_cat_bytes = 10240;    ///< of a file that cat() prints
  template <class Archive>
  void serialize(Archive& ar) {
    ar(max_strlen, print_maps_on_exit, str_trunc_trailer, stack_mode, missing_probes, cpp_demangle, show_debug_info, ring_pages, max_probes, compat,
       max_cat_bytes);
  }
};

/// Names of the read-only variables that the runner fills in before loading (lang::RuntimeConstant), all u64 in ".rodata".
struct RuntimeConstantEntry {
  std::uint8_t which = 0;           ///< lang::RuntimeConstant
  std::string symbol;               ///< variable in the object
  std::uint32_t offset = 0;         ///< bytes into the ".rodata" section
  template <class Archive>
  void serialize(Archive& ar) { ar(which, symbol, offset); }
};

/// A u64 in ".rodata" that says where a member of a kernel structure lies. The runner asks the kernel's BTF before loading; kNoMember if
/// this kernel has no such member. The list of those there are is stdlib/kernel_fields.def.
struct KernelFieldEntry {
  std::string symbol;               ///< variable in the object
  std::string member;               ///< "structure.member", "structure.member.inner"
  std::uint32_t offset = 0;         ///< bytes into the ".rodata" section
  template <class Archive>
  void serialize(Archive& ar) { ar(symbol, member, offset); }
};
inline constexpr std::uint64_t kNoMember = ~std::uint64_t{0};

/// A u64 in ".rodata" that is the address of a symbol of the kernel. The runner looks it up before loading and refuses what is not there.
struct KernelSymbolEntry {
  std::string symbol;               ///< variable in the object
  std::string name;                 ///< as /proc/kallsyms has it
  std::uint32_t offset = 0;         ///< bytes into the ".rodata" section
  Span span;                        ///< who asks
  template <class Archive>
  void serialize(Archive& ar) { ar(symbol, name, offset, span); }
};

inline constexpr std::uint32_t kNoOffset = 0xffffffff;

struct ProgramImage;
/// Do the bytes begin as save() writes them?
bool is_image(std::string_view bytes);
/// Everything but the object's bytes as text, for -d image.
std::string dump(const ProgramImage& image);

struct ProgramImage {
  std::string object;               ///< ELF bytes of the BPF object
  std::vector<MapEntry> maps;
  std::vector<ProgramEntry> programs;
  std::vector<ProbeEntry> probes;
  std::vector<lang::EventSchema> events;
  std::vector<RuntimeConstantEntry> constants;
  std::vector<KernelFieldEntry> kernel_fields;
  std::vector<KernelSymbolEntry> kernel_symbols;
  std::vector<SourceText> sources;
  std::vector<Span> expansions;         ///< calls of macros: Span::expansion - 1 is an index; one inside of another comes behind it
  std::vector<std::uint32_t> helpers;   ///< kernel helpers the programs call (enum bpf_func_id), sorted
  Settings settings;
  /// Where in ".bss" a u32 lies that makes every program but those of begin and end return at once while it is not 0. The runner sets it
  /// when the run ends, so that what is printed does not move while attachments are taken away. kNoOffset: the object has none.
  std::uint32_t frozen_offset = kNoOffset;
  template <class Archive>
  void serialize(Archive& ar) { ar(object, maps, programs, probes, events, constants, kernel_fields, kernel_symbols, sources, expansions, helpers, settings, frozen_offset); }
};

/// Header (magic, version, fingerprint of the type and action lists, architecture, size), then the archive.
std::string save(const ProgramImage& image);
/// Refuses other versions, architectures and damaged files with a message that says which; never trusts a count or an offset.
Result<ProgramImage> load(std::string_view bytes);

}  // namespace trc::image
