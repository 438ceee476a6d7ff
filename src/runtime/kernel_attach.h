// Carries out an AttachSpec with the kernel's links and perf events. Part of the kernel engine.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/owned.h"
#include "base/result.h"
#include "probes/provider.h"
#include "runtime/engine.h"

namespace trc::runtime {

/// Descriptors that hold attach points in place.
class KernelAttachment : public Attachment {
 public:
  KernelAttachment() = default;
  ~KernelAttachment() override;
  std::size_t sites() const override { return sites_; }
  std::vector<std::size_t> refused() const override { return refused_; }
  Result<bool> run_part() override;
  /// About how long closing makes one wait, by what was measured: each perf event and each multi link waits for a grace period.
  std::uint32_t closing_ms() const { return closing_ms_; }

  void hold(Fd fd, std::uint32_t closing_ms) {
    fds_.push_back(std::move(fd));
    closing_ms_ += closing_ms;
  }
  void hold_iterator(Fd iterator) { iterator_ = std::move(iterator); }
  void count(std::size_t sites) { sites_ += sites; }
  void refuse(std::size_t site) { refused_.push_back(site); }
  const std::vector<Fd>& descriptors() const { return fds_; }
  /// Somebody else sees to the slow closing.
  void closing_is_cared_for() { closing_ms_ = 0; }

 private:
  std::vector<Fd> fds_;
  Fd iterator_;
  std::vector<std::size_t> refused_;
  std::size_t sites_ = 0;
  std::uint32_t closing_ms_ = 0;
};

struct AttachTarget {
  int program = -1;              ///< descriptor
  bool multi = false;            ///< the program was loaded for a multi link
  bool uses_cookie = false;
  std::uint64_t first_id = 0;
  std::span<const std::uint32_t> online_cpus;
  const std::function<bool()>* interrupted = nullptr;
};

/// When interrupted, what was attached until then.
Result<std::unique_ptr<KernelAttachment>> attach_in_kernel(const AttachTarget& target, const probes::AttachSpec& spec);

}  // namespace trc::runtime
