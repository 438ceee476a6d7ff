// A BPF object file in the kernel: maps created, programs loaded. Owns both. The only user of libbpf's object loader.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/owned.h"
#include "base/result.h"

struct bpf_object;

namespace trc::kernel {

enum class ProgramType : std::uint8_t { RawTracepoint, Kprobe, KprobeMulti, UprobeMulti, Tracepoint, PerfEvent, Fentry, Fexit, Iterator };

/// What is wanted of libbpf besides complaints: its debug messages, the verifier's logs among them.
struct LoadTalk { bool debug = false, verifier = false; };

class BpfObject {
 public:
  /// Reads an ELF object from memory (the bytes are copied where libbpf needs them). Nothing is created in the kernel yet.
  static Result<std::unique_ptr<BpfObject>> open(std::string_view elf, const std::string& name, LoadTalk talk = {});
  BpfObject(const BpfObject&) = delete;
  BpfObject& operator=(const BpfObject&) = delete;
  ~BpfObject();

  // Before load().
  Result<> set_type(const std::string& function, ProgramType type);
  /// What a program is for: a kernel function "MODULE:FUNCTION" or one of a loaded BPF program, "bpf:ID:FUNCTION" (Fentry, Fexit); a kind of
  /// iterator. Looked up in the BTF of the kernel or of that program.
  Result<> bind(const std::string& function, const std::string& target);
  Result<> set_max_entries(const std::string& map, std::uint32_t entries);
  /// Programs use this map instead of one of their own. It must be of the shape that they declare.
  Result<> use_map(const std::string& map, int fd);
  /// Writes into the initial contents of a data section (".rodata", ".bss").
  Result<> set_data(const std::string& section, std::size_t offset, std::string_view bytes);

  /// Creates the maps and loads the programs. What libbpf and the verifier said is in log().
  Result<> load();
  const std::string& log() const { return log_; }
  /// libbpf's debug messages; with LoadTalk::verifier the verifier's logs of programs that it accepted stand in it.
  const std::string& debug_log() const { return debug_log_; }

  // After load(): borrowed descriptors.
  Result<int> program(const std::string& function) const;
  Result<int> map(const std::string& name) const;
  /// Writes into a data section (".bss") of loaded programs; they see it at once.
  Result<> write_data(const std::string& section, std::size_t offset, std::string_view bytes);
  Result<std::string> read_data(const std::string& section, std::size_t offset, std::size_t size) const;

 private:
  explicit BpfObject(bpf_object* object) : object_(object) {}
  bpf_object* object_ = nullptr;
  std::vector<Fd> targets_;   // programs that others are bound to
  bool with_debug_ = false;
  std::string log_, debug_log_;
};

/// Runs a loaded raw tracepoint program once, now, without arguments; returns when it is done, with what it returned.
Result<std::uint32_t> run_raw_tracepoint(int program);
/// The kernel measures the run time of all programs as long as the descriptor is open.
Result<Fd> enable_run_times();
/// What a program has taken while that was so.
std::uint64_t run_time_ns(int program);
/// How often the kernel passed a program over because one was running on that CPU already.
std::uint64_t missed_runs(int program);

}  // namespace trc::kernel
