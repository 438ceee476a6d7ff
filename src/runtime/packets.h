// Packets that programs send with skboutput(), and the pcap files that they go into.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "image/program_image.h"

namespace trc::runtime {

class Packets {
 public:
  /// The map and a buffer for each CPU; null when the image sends none. The image must outlive the object. Errors: the kernel gives no buffers.
  static Result<std::unique_ptr<Packets>> start(const image::ProgramImage& image, std::span<const std::uint32_t> online_cpus);
  virtual ~Packets() = default;

  /// Of the map TRC_PACKET_MAP (stdlib/packet_abi.h); borrowed.
  virtual int map() const = 0;
  /// Readable when packets wait.
  virtual std::vector<int> event_fds() const = 0;
  /// Writes what has come to the files, which are made with their first packet. Errors, each file's once: it cannot be written.
  virtual std::vector<Error> drain() = 0;
  /// Packets that found no room in the buffers.
  virtual std::uint64_t lost() const = 0;
};

}  // namespace trc::runtime
