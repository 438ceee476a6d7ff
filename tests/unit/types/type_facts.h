// A kernel for the tests of types: its BTF and nothing else.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/btf.h"
#include "kernel/facts.h"
#include "unit/btf_builder.h"

namespace trc::types {

/// A machine that has only types.
class TypeFacts final : public kernel::Facts {
 public:
  explicit TypeFacts(const std::string& vmlinux) : vmlinux_(std::make_unique<kernel::Btf>(*kernel::Btf::parse(vmlinux))) {}
  void add_module(const std::string& bytes) { module_ = std::make_unique<kernel::Btf>(*kernel::Btf::parse(bytes, vmlinux_.get())); }

  Result<const kernel::Btf*> btf(std::size_t number) const override {
    ++asked;
    return number == 0 ? vmlinux_.get() : module_.get();
  }
  std::vector<std::string> btf_names() const override { return module_ ? std::vector<std::string>{"vmlinux", "module"} : std::vector<std::string>{"vmlinux"}; }
  Result<std::string> tracefs() const override { return Error("none"); }
  Result<std::vector<std::string>> tracepoints() const override { return Error("none"); }
  Result<kernel::TracepointFormat> tracepoint(const std::string&, const std::string&) const override { return Error("none"); }
  Result<std::vector<std::string>> raw_tracepoints() const override { return Error("none"); }
  Result<std::uint32_t> raw_tracepoint_arguments(const std::string&) const override { return Error("none"); }
  bool has(kernel::Feature) const override { return true; }
  std::uint32_t possible_cpus() const override { return 1; }
  std::vector<std::uint32_t> online_cpus() const override { return {0}; }
  std::uint64_t max_sample_rate() const override { return 1; }
  std::uint64_t max_kernel_stack() const override { return 1; }
  bool in_initial_pid_namespace() const override { return true; }

  mutable int asked = 0;

 private:
  std::unique_ptr<kernel::Btf> vmlinux_, module_;
};

/// struct task { int pid; char comm[16]; unsigned char key[4]; struct task *parent; union { int a; struct { int b, c; }; };
///               int up:3; unsigned down:5; enum colour { RED, BLUE = 7 } paint; struct hidden *h; struct pair two[2]; float f; };
inline BtfBuilder task_btf() {
  BtfBuilder builder;
  builder.integer("int", 4, BTF_INT_SIGNED)                                                // 1
      .integer("char", 1)                                                                  // 2
      .array(2, 16)                                                                        // 3
      .integer("unsigned char", 1)                                                         // 4
      .array(4, 4)                                                                         // 5
      .type("", BTF_KIND_PTR, 0, 18, 0)                                                    // 6
      .structure("", BTF_KIND_STRUCT, {{"b", 1, 0}, {"c", 1, 32}}, false, 8)                         // 7
      .structure("", BTF_KIND_UNION, {{"a", 1, 0}, {"", 7, 0}}, false, 8)                            // 8
      .integer("unsigned int", 4)                                                          // 9
      .enumeration("colour", {{"RED", 0}, {"BLUE", 7}})                                    // 10
      .type("hidden", BTF_KIND_FWD, 0, 0, 0)                                               // 11
      .type("", BTF_KIND_PTR, 0, 11, 0)                                                    // 12
      .structure("pair", BTF_KIND_STRUCT, {{"x", 1, 0}, {"y", 1, 32}}, false, 8)                     // 13
      .array(13, 2)                                                                        // 14
      .type("float", BTF_KIND_FLOAT, 0, 4, 0)                                              // 15
      .type("user", BTF_KIND_TYPE_TAG, 0, 2, 0)                                            // 16
      .type("", BTF_KIND_PTR, 0, 16, 0)                                                    // 17
      .structure("task", BTF_KIND_STRUCT,
                 {{"pid", 1, 0}, {"comm", 3, 32}, {"key", 5, 160}, {"parent", 6, 192}, {"", 8, 256}, {"up", 1, 3u << 24 | 320},
                  {"down", 9, 5u << 24 | 323}, {"paint", 10, 352}, {"h", 12, 384}, {"two", 14, 448}, {"f", 15, 576}, {"name", 17, 640}},
                 true, 88)                                                                 // 18
      .type("task_t", BTF_KIND_TYPEDEF, 0, 18, 0);                                         // 19
  return builder;
}

}  // namespace trc::types
