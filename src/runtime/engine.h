// What executes the programs of an image: load, attach, read maps, poll events. Nothing above this seam knows libbpf.
#pragma once

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

namespace trc::runtime {

/// Something attached; destroying it detaches.
class Attachment {
 public:
  virtual ~Attachment() = default;
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
  /// Creates the maps and loads the programs. `constants[i]` fills ProgramImage::constants[i].
  /// A verifier refusal names the script's source line and the reason; the log itself is in `verifier_log()`.
  virtual Result<> load(const image::ProgramImage& image, const std::vector<std::uint64_t>& constants) = 0;
  virtual std::string verifier_log() const = 0;
  /// Runs a TestRun program now; returns when it is done.
  virtual Result<> run(std::uint32_t program) = 0;
  virtual Result<std::unique_ptr<Attachment>> attach(const AttachRequest& request) = 0;
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
  /// Bytes a value copy takes in MapElement::values.
  static std::size_t stride(std::uint32_t value_size) { return (value_size + 7) / 8 * 8; }
};

struct EngineOptions { bool verbose = false; std::uint32_t ring_bytes = 0; };
std::unique_ptr<Engine> make_kernel_engine(const EngineOptions& options);

}  // namespace trc::runtime
