// Attach points by number. The program knows which one fired as a number (the cookie); the text is looked up when it is printed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image/program_image.h"

namespace trc::runtime {

class ProbeNames {
 public:
  /// The first ids are the image's attach points.
  explicit ProbeNames(const image::ProgramImage& image) {
    for (const image::ProbeEntry& probe : image.probes) names_.push_back(probe.text);
  }
  /// The next id. Ids given out one after another are consecutive.
  std::uint64_t add(std::string name) {
    names_.push_back(std::move(name));
    return names_.size() - 1;
  }
  void rename(std::uint64_t id, std::string name) { names_.at(id) = std::move(name); }
  std::string name(std::uint64_t id) const { return id < names_.size() ? names_[id] : "unknown probe " + std::to_string(id); }

 private:
  std::vector<std::string> names_;
};

}  // namespace trc::runtime
