// Loads a generated object with libbpf and runs its TestRun programs, for the tests that need root.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codegen/codegen.h"

struct bpf_object;

namespace trc::test {

/// Why programs cannot be loaded here; empty when they can.
std::string why_no_bpf();

class Loaded {
 public:
  /// Compiles and loads; a refusal fails the test with the verifier's log.
  explicit Loaded(const typed::TypedProgram& program);
  ~Loaded();
  bool ok() const { return object_ != nullptr; }
  /// Runs a TestRun program once; its return value.
  std::uint32_t run(std::uint32_t program = 0);
  /// The records in the ring buffer, in order.
  std::vector<std::vector<std::byte>> records();
  /// One element, all copies; empty when it is missing.
  std::vector<std::byte> element(std::uint32_t map, std::span<const std::byte> key);
  /// The first 8 bytes of an element, summed over CPUs when it has copies.
  std::uint64_t word(std::uint32_t map, std::span<const std::byte> key, std::uint32_t offset = 0);
  std::uint64_t word(std::uint32_t map, std::uint32_t offset = 0);   // scalar map
  std::size_t count(std::uint32_t map);
  image::LossCounters losses(std::uint32_t program = 0);
  const image::ProgramImage& image() const { return result_.image; }
  int map_fd(std::uint32_t map) const;
  /// Instructions that the verifier went through.
  std::uint32_t verified(std::uint32_t program = 0) const;

 private:
  codegen::CodegenResult result_;
  void provide_maps(bpf_object* object);
  bpf_object* object_ = nullptr;
  std::vector<int> given_;   // maps
};

template <class T>
std::span<const std::byte> bytes_of(const T& value) { return std::as_bytes(std::span(&value, 1)); }

}  // namespace trc::test
