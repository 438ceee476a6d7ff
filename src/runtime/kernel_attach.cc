#include "runtime/kernel_attach.h"

#include <fmt/format.h>

#include <linux/perf_event.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernel/bpf_abi.h"
#include "kernel/bpf_link.h"
#include "runtime/reaper.h"

namespace trc::runtime {
namespace {

using probes::FunctionAttach;
using probes::IteratorAttach;
using probes::KernelProbes;
using probes::KernelSite;
using probes::PerfEventAttach;
using probes::RawTracepointAttach;
using probes::RunByUs;
using probes::TracepointAttach;
using probes::UserProbes;
using probes::UserSite;

constexpr std::uint32_t kPerfClosingMs = 100, kMultiClosingMs = 35;
constexpr std::uint32_t kPatienceMs = 700;   // an attach that fails or is interrupted half-way must not take minutes to undo

bool stop_wanted(const AttachTarget& target) { return target.interrupted != nullptr && *target.interrupted && (*target.interrupted)(); }

/// Refusals that concern one site: an instruction that cannot be probed, a function that went with its module. Others (no such file, no such process) concern all.
bool concerns_one_site(const Error& error) {
  const int code = error.code();
  return code == kernel::abi::kErrNotSupported || code == EOPNOTSUPP || code == EINVAL || code == EILSEQ || code == EIO;
}

Error explain_open_files(Error error) {
  if (error.code() != EMFILE) return error;
  return std::move(error).hint("each attach point needs open files here; raise the limit: ulimit -n");
}

/// The places of a UserProbes request as the kernel wants them: parallel arrays.
struct Sites {
  std::vector<std::uint64_t> offsets, semaphores, cookies;
  bool any_semaphore = false;

  Sites(const AttachTarget& target, const UserProbes& probes) {
    for (const UserSite& site : probes.sites) {
      cookies.push_back(target.first_id + offsets.size());
      offsets.push_back(site.offset);
      semaphores.push_back(site.semaphore);
      any_semaphore |= site.semaphore != 0;
    }
  }
};

/// One multi link for the sites of a request; `attach(begin, end)` makes one for a part of them. When the kernel refuses because of a site,
/// halves are tried, so that the sites which cannot be probed are found and left out; the halves that were accepted stay.
class MultiAttach {
 public:
  using Part = std::function<Result<Fd>(std::size_t begin, std::size_t end)>;
  MultiAttach(const AttachTarget& target, Part part, KernelAttachment& result) : target_(target), part_(std::move(part)), result_(result) {}

  Result<> attach(std::size_t begin, std::size_t end) {
    if (begin == end) return {};
    if (stop_wanted(target_)) return {};
    auto link = part_(begin, end);
    if (link) {
      result_.hold(std::move(*link), kMultiClosingMs);
      result_.count(end - begin);
      return {};
    }
    if (!concerns_one_site(link.error())) return std::move(link).error();
    if (end - begin == 1) {
      result_.refuse(begin);
      return {};
    }
    const std::size_t middle = begin + (end - begin) / 2;
    TRC_CHECK(attach(begin, middle));
    return attach(middle, end);
  }

 private:
  const AttachTarget& target_;
  Part part_;
  KernelAttachment& result_;
};

Result<> attach_user_multi(const AttachTarget& target, const UserProbes& probes, KernelAttachment& result) {
  const Sites sites(target, probes);
  const auto attach = [&](std::size_t begin, std::size_t end) {
    const auto part = [&](const std::vector<std::uint64_t>& all) { return std::span(all).subspan(begin, end - begin); };
    kernel::UprobeMulti request{.path = probes.path, .offsets = part(sites.offsets), .is_return = probes.is_return, .pid = probes.pid};
    if (sites.any_semaphore) request.semaphores = part(sites.semaphores);
    if (target.uses_cookie) request.cookies = part(sites.cookies);
    return kernel::attach_uprobe_multi(target.program, request);
  };
  return MultiAttach(target, attach, result).attach(0, probes.sites.size());
}

Result<> attach_kernel_multi(const AttachTarget& target, const KernelProbes& probes, KernelAttachment& result) {
  std::vector<std::uint64_t> addresses, cookies;
  std::vector<const char*> names;
  for (const KernelSite& site : probes.sites) {
    cookies.push_back(target.first_id + names.size());
    names.push_back(site.function.c_str());
    if (site.address != 0) addresses.push_back(site.address);
  }
  const bool by_address = addresses.size() == names.size();
  const auto attach = [&](std::size_t begin, std::size_t end) {
    kernel::KprobeMulti request{.is_return = probes.is_return};
    if (by_address) request.addresses = std::span<const std::uint64_t>(addresses).subspan(begin, end - begin);
    else request.names = std::span<const char* const>(names).subspan(begin, end - begin);
    if (target.uses_cookie) request.cookies = std::span<const std::uint64_t>(cookies).subspan(begin, end - begin);
    return kernel::attach_kprobe_multi(target.program, request);
  };
  return MultiAttach(target, attach, result).attach(0, names.size());
}

/// The event of site number `site`, or why there is none: what concerns that site alone is no error.
Result<> keep_event(Result<kernel::PerfLink> link, std::size_t site, KernelAttachment& result) {
  if (!link && !concerns_one_site(link.error())) return explain_open_files(std::move(link).error());
  if (!link) {
    result.refuse(site);
    return {};
  }
  result.hold(std::move(link->link), 0);
  result.hold(std::move(link->event), kPerfClosingMs);
  result.count(1);
  return {};
}

Result<> attach_kernel_events(const AttachTarget& target, const KernelProbes& probes, KernelAttachment& result) {
  for (std::size_t i = 0; i < probes.sites.size(); ++i) {
    if (stop_wanted(target)) break;
    const KernelSite& site = probes.sites[i];
    kernel::KprobeEvent request{.offset = site.offset, .is_return = probes.is_return};
    if (site.address != 0) request.offset += site.address;
    else request.function = site.function;
    const auto cookie = target.uses_cookie ? std::optional(target.first_id + i) : std::nullopt;
    auto link = kernel::attach_kprobe_event(target.program, request, cookie);
    TRC_CHECK(keep_event(std::move(link), i, result));
  }
  return {};
}

Result<> attach_kernel(const AttachTarget& target, const KernelProbes& probes, KernelAttachment& result) {
  if (target.multi) {
    TRC_CHECK(attach_kernel_multi(target, probes, result));
  } else {
    kernel::raise_file_limit();
    TRC_CHECK(attach_kernel_events(target, probes, result));
  }
  if (result.sites() != 0 || result.refused().size() != probes.sites.size() || probes.sites.empty()) return {};
  const KernelSite& first = probes.sites.front();
  if (probes.sites.size() > 1) return Error("the kernel can probe none of the functions");
  if (first.offset != 0) {
    return Error(fmt::format("Could not add kprobe into middle of instruction: {}+{}", first.function, first.offset))
        .hint("the offset must be that of an instruction, and not of one that the kernel itself changes");
  }
  return Error(fmt::format("the kernel cannot probe {}", first.function.empty() ? fmt::format("{:#x}", first.address) : "'" + first.function + "'"))
      .hint(first.function.empty() ? "no instruction begins there, or it is one that the kernel puts no probes on" : "it is notrace, or kept from being probed");
}

Result<> attach_single_events(const AttachTarget& target, const UserProbes& probes, KernelAttachment& result) {
  for (std::size_t i = 0; i < probes.sites.size(); ++i) {
    if (stop_wanted(target)) break;
    const UserSite& site = probes.sites[i];
    const auto cookie = target.uses_cookie ? std::optional(target.first_id + i) : std::nullopt;
    auto link = kernel::attach_uprobe_event(
        target.program,
        {.path = probes.path, .offset = site.offset, .semaphore = site.semaphore, .is_return = probes.is_return, .pid = probes.pid}, cookie);
    TRC_CHECK(keep_event(std::move(link), i, result));
  }
  return {};
}

Result<> attach_user(const AttachTarget& target, const UserProbes& probes, KernelAttachment& result) {
  if (target.multi) {
    TRC_CHECK(attach_user_multi(target, probes, result));
  } else {
    kernel::raise_file_limit();
    TRC_CHECK(attach_single_events(target, probes, result));
  }
  if (result.sites() == 0 && result.refused().size() == probes.sites.size() && !probes.sites.empty()) {
    const std::string what = probes.sites.size() == 1 ? "'" + probes.sites.front().function + "'" : "any of the functions";
    return Error(fmt::format("the kernel cannot probe {} in {}", what, probes.path))
        .hint("the instruction there is one that the kernel does not put probes on, or the file is on a file system without uprobes");
  }
  return {};
}

Result<> attach_tracepoint(const AttachTarget& target, const TracepointAttach& point, KernelAttachment& result) {
  auto link = kernel::attach_tracepoint(target.program, point.id, target.uses_cookie ? std::optional(target.first_id) : std::nullopt);
  if (!link) return explain_open_files(std::move(link).error());
  result.hold(std::move(link->link), 0);
  result.hold(std::move(link->event), kPerfClosingMs);
  result.count(1);
  return {};
}

Result<> attach_raw_tracepoint(const AttachTarget& target, const RawTracepointAttach& point, KernelAttachment& result) {
  TRC_TRY(link, kernel::attach_raw_tracepoint(target.program, point.event, target.uses_cookie ? std::optional(target.first_id) : std::nullopt));
  result.hold(std::move(link), 0);
  result.count(1);
  return {};
}

Result<> attach_function(const AttachTarget& target, KernelAttachment& result) {
  TRC_TRY(link, kernel::attach_function(target.program, target.uses_cookie ? std::optional(target.first_id) : std::nullopt));
  result.hold(std::move(link), kMultiClosingMs);
  result.count(1);
  return {};
}

constexpr std::size_t kPart = 512;   // elements of an iterator between two looks at the ring

Result<> attach_iterator(const AttachTarget& target, const IteratorAttach& how, KernelAttachment& result) {
  TRC_TRY(link, kernel::attach_iterator(target.program, {.kind = how.kind, .pid = how.pid}));
  if (how.pin.empty()) {
    TRC_TRY(iterator, kernel::open_iterator(link.get()));
    result.hold_iterator(std::move(iterator));
  } else {
    auto pinned = kernel::pin_link(link.get(), how.pin);
    if (!pinned) {
      const bool exists = pinned.error().code() == EEXIST;
      return std::move(pinned).error().hint(exists ? "remove that file first" : "the file must lie in a bpf file system; this makes one: mount -t bpf bpf /sys/fs/bpf");
    }
  }
  result.hold(std::move(link), 0);
  result.count(1);
  return {};
}

std::vector<std::int32_t> threads_of(std::int32_t pid) {
  std::vector<std::int32_t> threads;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    threads.push_back(static_cast<std::int32_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10)));
  }
  return threads;
}

Result<> attach_sampling(const AttachTarget& target, const PerfEventAttach& how, KernelAttachment& result) {
  const kernel::Sampling sampling{.type = how.type, .config = how.config, .period = how.period, .frequency = how.frequency,
                                  .address = how.address, .length = how.length, .access = how.access};
  const auto cookie = target.uses_cookie ? std::optional(target.first_id) : std::nullopt;
  struct Place { std::int32_t task; int cpu; };
  std::vector<Place> places;
  // What a task inherits has no cookie. So where one is needed every CPU is sampled, and the programs pass over other processes.
  if (how.pid > 0 && !(how.with_children && cookie)) {
    for (const std::int32_t thread : threads_of(how.pid)) places.push_back({thread, -1});
    if (places.empty()) return Error::from_errno(fmt::format("process {}", how.pid), ESRCH);
  } else {
    for (const std::uint32_t cpu : target.online_cpus) places.push_back({-1, static_cast<int>(cpu)});
    if (!how.every_cpu && places.size() > 1) places.erase(places.begin() + 1, places.end());
  }
  std::size_t attached = 0;
  for (const Place& place : places) {
    if (stop_wanted(target)) break;
    auto link = kernel::attach_sampling(target.program, sampling, place.task, place.cpu, how.with_children ? kernel::Inherit::Processes : kernel::Inherit::Threads, cookie);
    if (!link && place.task > 0 && link.error().code() == ESRCH) continue;   // a thread that ended meanwhile
    if (!link && place.task < 0 && link.error().code() == ENODEV) continue;  // a CPU that went offline meanwhile
    if (!link && how.type == PERF_TYPE_BREAKPOINT && link.error().code() == ENOSPC) {
      return Error("the processor has no debug register left").hint("x86 watches 4 places at a time, those of debuggers included");
    }
    if (!link) return explain_open_files(std::move(link).error());
    result.hold(std::move(link->link), 0);
    result.hold(std::move(link->event), 5);
    ++attached;
  }
  if (attached == 0 && !stop_wanted(target)) return Error("nothing is left to attach to");
  result.count(attached == 0 ? 0 : 1);
  return {};
}

}  // namespace

Result<bool> KernelAttachment::run_part() {
  if (!iterator_) return false;
  return kernel::read_iterator(iterator_.get(), kPart);
}

KernelAttachment::~KernelAttachment() {
  if (closing_ms_ <= kPatienceMs) return;
  std::vector<int> descriptors;
  for (const Fd& fd : fds_) {
    if (fd) descriptors.push_back(fd.get());
  }
  leave_to_reaper(descriptors);
}

Result<std::unique_ptr<KernelAttachment>> attach_in_kernel(const AttachTarget& target, const probes::AttachSpec& spec) {
  auto result = std::make_unique<KernelAttachment>();
  struct Carry {
    const AttachTarget& target;
    KernelAttachment& result;
    Result<> operator()(const RunByUs&) { return Error("it is run, not attached"); }
    Result<> operator()(const UserProbes& how) { return attach_user(target, how, result); }
    Result<> operator()(const KernelProbes& how) { return attach_kernel(target, how, result); }
    Result<> operator()(const TracepointAttach& how) { return attach_tracepoint(target, how, result); }
    Result<> operator()(const RawTracepointAttach& how) { return attach_raw_tracepoint(target, how, result); }
    Result<> operator()(const FunctionAttach&) { return attach_function(target, result); }
    Result<> operator()(const IteratorAttach& how) { return attach_iterator(target, how, result); }
    Result<> operator()(const PerfEventAttach& how) { return attach_sampling(target, how, result); }
  };
  auto done = std::visit(Carry{target, *result}, spec.how);
  if (!done) return std::move(done).error().context("attach " + spec.name);
  return result;
}

}  // namespace trc::runtime
