// What executes the programs of an image: load, attach, read maps, poll events. Nothing above this seam knows libbpf.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "image/program_image.h"
#include "probes/provider.h"
#include "stdlib/unwind_abi.h"

namespace trc::runtime {

/// Something attached; destroying it detaches.
class Attachment {
 public:
  virtual ~Attachment() = default;
  /// How many attach points it covers.
  virtual std::size_t sites() const { return 1; }
  /// Sites of the request (by index) that the kernel would not probe. One of them never fails the rest.
  virtual std::vector<std::size_t> refused() const { return {}; }
  /// An iterator's program goes through a part of what there is, so that its records can be taken meanwhile. False: it has gone through everything.
  virtual Result<bool> run_part() { return false; }
};

/// An attach point that the runner numbered: the program sees `first_id + i` for site i.
struct AttachRequest {
  std::uint32_t program = 0;        ///< index into ProgramImage::programs
  std::uint64_t first_id = 0;       ///< cookie of the first site
  probes::AttachSpec spec;
};

/// One element of a map: key bytes and one value copy per possible CPU (one copy when the map is not per-CPU).
struct MapElement {
  std::vector<std::byte> key;
  std::vector<std::byte> values;    ///< copies one after another, each value_size rounded up to 8
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// Before load(): the image's map of that name, of role Given, is this one. The descriptor is borrowed until load() returns.
  virtual void provide_map(const std::string& name, int fd) { (void)name, (void)fd; }
  /// Creates the maps and loads the programs. The image must outlive the engine. `constants[i]` fills ProgramImage::constants[i].
  /// A verifier refusal names the script's source line and the reason; the log itself is in `verifier_log()`.
  virtual Result<> load(const image::ProgramImage& image, const std::vector<std::uint64_t>& constants) = 0;
  virtual std::string verifier_log() const = 0;
  /// libbpf's debug messages of load(), with EngineOptions::libbpf_log; the verifier's logs are among them with EngineOptions::verifier_logs.
  virtual std::string debug_log() const { return {}; }
  /// Runs a TestRun program now; returns when it is done, with what it returned.
  virtual Result<std::uint32_t> run(std::uint32_t program) = 0;
  /// Runs a TestRun program so many times; ns spent in it, by the kernel's own measure.
  virtual Result<std::uint64_t> measure(std::uint32_t program, std::uint64_t times) {
    (void)program, (void)times;
    return Error("this engine does not measure");
  }
  virtual Result<std::unique_ptr<Attachment>> attach(const AttachRequest& request) = 0;
  /// From now on no program runs its body but those of begin and end (see ProgramImage::frozen_offset); what runs at this moment is
  /// finished when it returns. False if the object cannot do that: then only detaching stops the programs.
  virtual bool freeze() = 0;
  /// Takes attachments away without making the caller wait for kinds that the kernel is slow to detach: those are gone a little later,
  /// at the latest some time after trc itself. True if all are gone now.
  virtual bool detach(std::vector<std::unique_ptr<Attachment>> attachments) = 0;
  /// Readable when records wait.
  virtual int event_fd() const = 0;
  /// Hands over what waits, in order; returns how many records. `handle` returns false to stop early.
  virtual Result<std::size_t> drain(const std::function<bool(std::span<const std::byte>)>& handle) = 0;
  virtual Result<std::vector<MapElement>> read_map(std::uint32_t map) = 0;
  /// One element; nullopt-like empty `values` if it is missing.
  virtual Result<MapElement> read_element(std::uint32_t map, std::span<const std::byte> key) = 0;
  virtual Result<> clear_map(std::uint32_t map) = 0;
  virtual Result<> zero_map(std::uint32_t map) = 0;
  /// Sums over CPUs, one per program.
  virtual std::vector<image::LossCounters> losses() = 0;
  /// How the stacks of each program ended: one counter for each of enum trc_stack_end (stdlib/unwind_abi.h). Empty: the image takes none.
  virtual std::vector<std::array<std::uint64_t, TRC_STACK_ENDS>> stack_ends() { return {}; }
  /// How often the kernel passed a program over because one was running already, one per program.
  virtual std::vector<std::uint64_t> missed_runs() { return {}; }
  /// Bytes a value copy takes in MapElement::values.
  static std::size_t stride(std::uint32_t value_size) { return (value_size + 7) / 8 * 8; }
};

struct EngineOptions {
  bool verbose = false;
  bool libbpf_log = false, verifier_logs = false;   ///< kept for debug_log()
  std::uint32_t ring_bytes = 0;              ///< 0: as the image has it
  bool no_uprobe_multi = false, no_kprobe_multi = false;   ///< as if the kernel did not have it
  std::vector<std::uint32_t> online_cpus;    ///< where PerfEventAttach for every CPU goes
  std::function<bool()> interrupted;         ///< asked between the steps of a long attach; true: stop there
};
std::unique_ptr<Engine> make_kernel_engine(const EngineOptions& options);

}  // namespace trc::runtime
