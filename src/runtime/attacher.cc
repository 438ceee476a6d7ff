#include "runtime/attacher.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "runtime/status.h"

namespace trc::runtime {
namespace {

using probes::AttachSpec;
using probes::KernelProbes;
using probes::RunByUs;
using probes::RunWhen;
using probes::UserProbes;

constexpr std::size_t kMostProcesses = 64;   // of the command, that are attached to one by one

bool is_user_provider(std::string_view name) { return name == "uprobe" || name == "uretprobe" || name == "usdt"; }

/// What each place of a spec is called.
std::vector<std::string> site_names(const AttachSpec& spec) {
  std::vector<std::string> names;
  if (const auto* user = std::get_if<UserProbes>(&spec.how)) {
    for (const probes::UserSite& site : user->sites) names.push_back(site.name);
  } else if (const auto* kernel = std::get_if<KernelProbes>(&spec.how)) {
    for (const probes::KernelSite& site : kernel->sites) names.push_back(site.name);
  } else {
    names.push_back(spec.name);
  }
  return names;
}

std::size_t site_count(const AttachSpec& spec) {
  if (const auto* user = std::get_if<UserProbes>(&spec.how)) return user->sites.size();
  if (const auto* kernel = std::get_if<KernelProbes>(&spec.how)) return kernel->sites.size();
  return 1;
}

/// A place of a spec in words.
std::string site_text(const AttachSpec& spec, std::size_t site) {
  if (const auto* user = std::get_if<UserProbes>(&spec.how)) return fmt::format("'{}' in {}", user->sites[site].function, user->path);
  if (const auto* kernel = std::get_if<KernelProbes>(&spec.how)) return fmt::format("'{}'", kernel->sites[site].function);
  return spec.name;
}

}  // namespace

Attacher::Attacher(const image::ProgramImage& image, Engine& engine, const kernel::Facts& facts, const probes::Scope& scope,
                   ProbeNames& names, Messages& messages)
    : image_(image), engine_(engine), facts_(facts), scope_(scope), names_(names), messages_(messages) {}

Result<> Attacher::prepare() {
  for (std::uint32_t i = 0; i < image_.probes.size(); ++i) {
    auto parsed = probes::parse_attach_point(image_.probes[i].text, scope_);
    if (!parsed) return std::move(parsed).error().context(image_.probes[i].text);
    const image::ProbeEntry& entry = image_.probes[i];
    if (entry.program >= image_.programs.size()) return Error("the image is damaged: '" + entry.text + "' has no program");
    const auto when = parsed->provider->run_when();
    if (when && *when != RunWhen::Test && *when != RunWhen::Bench) ++count_;
    points_.push_back({.index = i, .provider = parsed->provider, .target = parsed->target, .is_user = is_user_provider(parsed->provider->name())});
  }
  return {};
}

std::vector<Attacher::OwnRun> Attacher::run_by_us(RunWhen when) const {
  std::vector<OwnRun> runs;
  for (const Point& point : points_) {
    if (point.provider->run_when() != when) continue;
    const image::ProbeEntry& entry = image_.probes[point.index];
    runs.push_back({entry.program, point.target.fields.empty() ? entry.text : point.target.fields.back()});
  }
  return runs;
}

bool Attacher::nothing_to_wait_for() const {
  return std::all_of(points_.begin(), points_.end(), [&](const Point& point) {
    const auto when = point.provider->run_when();
    if (when) return *when != RunWhen::Signal;
    return image_.programs[image_.probes[point.index].program].kind == lang::ProgramKind::Iterator;
  });
}

bool Attacher::all_filtered_out() const {
  const bool has_signal = std::any_of(points_.begin(), points_.end(), [](const Point& point) { return point.provider->run_when() == RunWhen::Signal; });
  return wanted_ && attachments_.empty() && !has_signal && !waits_for_exec();
}

bool Attacher::has_user_targets() const {
  return std::any_of(points_.begin(), points_.end(), [](const Point& point) { return point.is_user; });
}

/// Two blocks on one event run as they are written, whichever end of its list the kernel puts a new program to.
std::vector<Attacher::Point*> Attacher::in_attach_order() {
  std::vector<Point*> order;
  for (Point& point : points_) {
    if (!point.provider->newest_runs_first()) order.push_back(&point);
  }
  for (auto point = points_.rbegin(); point != points_.rend(); ++point) {
    if (point->provider->newest_runs_first()) order.push_back(&*point);
  }
  return order;
}

Result<> Attacher::attach_all(const std::function<bool()>& stop) {
  for (Point* point : in_attach_order()) {
    if (stop()) return {};
    if (auto done = attach_point(*point, scope_); !done) {
      TRC_CHECK(missing(std::move(done).error()));
    }
  }
  if (wanted_ && count_ == 0 && !waits_for_exec()) return Error("No probes to attach").hint("--probe-filter leaves none");
  return {};
}

/// What the script wants done about an attach point that cannot be attached (config missing_probes).
Result<> Attacher::missing(Error error) {
  const std::string& mode = image_.settings.missing_probes;
  if (mode == "ignore") return {};
  if (mode == "warn") {
    messages_.warn(error.message() + ". Skipping.", error.hint());
    return {};
  }
  return std::move(error).status(kLoadFailure);
}

Result<> Attacher::attach_point(Point& point, const probes::Scope& scope) {
  auto expansion = point.provider->expand(point.target, facts_, scope);
  if (!expansion) return std::move(expansion).error();
  if (expansion->deferred) point.deferred = expansion->deferred->bare_name;
  for (const std::string& note : expansion->notes) {
    if (told_.insert(note).second) messages_.note(note);
  }
  if (const std::string& note = image_.probes[point.index].note; !note.empty()) messages_.detail(note);
  if (expansion->skipped != 0) {
    messages_.detail(fmt::format("{}: {} functions cannot be probed and were passed over", point.target.text, with_thousands(expansion->skipped)));
  }
  const bool alone = expansion->specs.size() == 1;
  drop_unwanted(expansion->specs);
  return attach_specs(point, std::move(expansion->specs), alone);
}

/// What --probe-filter leaves.
void Attacher::drop_unwanted(std::vector<AttachSpec>& specs) const {
  if (!wanted_) return;
  std::erase_if(specs, [&](AttachSpec& spec) {
    if (std::holds_alternative<RunByUs>(spec.how)) return false;
    const auto keep = [&](auto& sites) {
      std::erase_if(sites, [&](const auto& site) { return !wanted_(site.name); });
      return sites.empty();
    };
    if (auto* user = std::get_if<UserProbes>(&spec.how)) return keep(user->sites);
    if (auto* kernel = std::get_if<KernelProbes>(&spec.how)) return keep(kernel->sites);
    return !wanted_(spec.name);
  });
}

Result<> Attacher::attach_specs(Point& point, std::vector<AttachSpec> specs, bool alone) {
  for (AttachSpec& spec : specs) {
    if (const auto* user = std::get_if<UserProbes>(&spec.how)) point.files.push_back(user->path);
    for (auto& [marks, part] : by_marks(point, std::move(spec))) TRC_CHECK(attach_spec(point, std::move(part), alone, marks));
  }
  return {};
}

/// Which of the names that the program asks about a place has.
std::uint64_t Attacher::marks_of(const Point& point, const std::string& site) const {
  const image::ProbeEntry& entry = image_.probes[point.index];
  const std::vector<std::string>& compared = image_.programs[entry.program].compared;
  std::uint64_t marks = 0;
  for (std::size_t i = 0; i < compared.size() && i < image::kCookieMarks; ++i) {
    if (compared[i] == site || compared[i] == entry.text) marks |= std::uint64_t{1} << (image::kCookieMarks + i);
  }
  return marks;
}

/// The places of a spec by their marks, for all places of one attachment have the same.
std::map<std::uint64_t, AttachSpec> Attacher::by_marks(const Point& point, AttachSpec spec) const {
  std::map<std::uint64_t, AttachSpec> parts;
  const auto divide = [&](const auto& sites, auto sites_of) {
    for (const auto& site : sites) {
      const std::uint64_t marks = marks_of(point, site.name);
      if (!parts.contains(marks)) {
        AttachSpec part = spec;
        sites_of(part).clear();
        parts.emplace(marks, std::move(part));
      }
      sites_of(parts.at(marks)).push_back(site);
    }
  };
  if (image_.programs[image_.probes[point.index].program].compared.empty()) {
    parts.emplace(0, std::move(spec));
  } else if (const auto* user = std::get_if<UserProbes>(&spec.how)) {
    divide(user->sites, [](AttachSpec& part) -> auto& { return std::get<UserProbes>(part.how).sites; });
  } else if (const auto* kernel = std::get_if<KernelProbes>(&spec.how)) {
    divide(kernel->sites, [](AttachSpec& part) -> auto& { return std::get<KernelProbes>(part.how).sites; });
  } else {
    const std::uint64_t marks = marks_of(point, spec.name);
    parts.emplace(marks, std::move(spec));
  }
  return parts;
}

/// Leaves only sites that are new for their process; false if none is left.
bool Attacher::drop_known_sites(const Point& point, UserProbes& probes) {
  if (!scope_.is_child) return true;
  std::erase_if(probes.sites, [&](const probes::UserSite& site) {
    return !known_sites_.emplace(point.index, probes.pid, probes.path, site.offset).second;
  });
  return !probes.sites.empty();
}

/// Ids for the places of a spec: the attach point's own where it stands for one place, new ones otherwise.
std::uint64_t Attacher::number_sites(const Point& point, const AttachSpec& spec, bool alone) {
  const std::vector<std::string> names = site_names(spec);
  if (names.size() == 1 && alone) {
    names_.rename(point.index, names.front());
    return point.index;
  }
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::uint64_t id = names_.add(names[i]);
    if (i == 0) first = id;
  }
  return first;
}

Result<> Attacher::attach_spec(Point& point, AttachSpec spec, bool alone, std::uint64_t marks) {
  if (std::holds_alternative<RunByUs>(spec.how)) return {};   // run, not attached; counted already
  if (auto* user = std::get_if<UserProbes>(&spec.how); user != nullptr && !drop_known_sites(point, *user)) return {};
  const std::size_t sites = site_count(spec);
  if (const std::uint32_t most = image_.settings.max_probes; most != 0 && count_ + sites > most) {
    return Error(fmt::format("{}: {} attach points are more than max_probes ({}) allows", spec.name, with_thousands(count_ + sites), most))
        .hint(fmt::format("set max_probes (or TRC_MAX_PROBES) to {} or more", count_ + sites));
  }
  const AttachRequest request{.program = image_.probes[point.index].program, .first_id = number_sites(point, spec, alone) | marks, .spec = std::move(spec)};
  messages_.detail("Trying to attach probe: " + request.spec.name);
  if (sites > 1) messages_.detail(fmt::format("Attaching to {} functions", sites));
  auto attachment = engine_.attach(request);
  if (!attachment) return std::move(attachment).error();
  const std::vector<std::size_t> refused = (*attachment)->refused();
  count_ += (*attachment)->sites();
  point.attached = true;
  messages_.detail(fmt::format("attached {}: {} place{}", request.spec.name, with_thousands((*attachment)->sites()), (*attachment)->sites() == 1 ? "" : "s"));
  for (const std::size_t site : refused) messages_.detail(fmt::format("the kernel cannot probe {}; left out", site_text(request.spec, site)));
  if (const auto* iterator = std::get_if<probes::IteratorAttach>(&request.spec.how); iterator && !iterator->pin.empty()) pinned_.push_back(iterator->pin);
  attachments_.push_back(std::move(*attachment));
  return {};
}

void Attacher::attach_executed(std::int32_t pid, const std::string& exe, const std::vector<std::string>& names) {
  const probes::Scope scope{.pid = pid, .is_child = true, .command_path = exe, .executed = true, .tree_known = scope_.tree_known};
  for (Point* point : in_attach_order()) {
    if (!point->is_user || !point->provider->wants_exec(point->target, exe, names)) continue;
    if (!scope.tree_known && !processes_.contains(pid) && processes_.size() == kMostProcesses) {
      messages_.warn(fmt::format("the command runs more than {} programs that match; the later ones are not traced", kMostProcesses));
      return;
    }
    if (!scope.tree_known) processes_.insert(pid);
    if (auto done = attach_point(*point, scope); !done) {
      point->failed = true;
      messages_.warn(done.error().message(), done.error().hint());
    }
  }
}

Result<> Attacher::attach_deferred_anywhere() {
  for (Point* point : in_attach_order()) {
    if (point->deferred.empty() || point->attached) continue;
    TRC_CHECK(attach_point(*point, probes::Scope{}));
  }
  return {};
}

bool Attacher::waits_for_exec() const {
  return std::any_of(points_.begin(), points_.end(), [](const Point& point) { return !point.deferred.empty() && !point.attached; });
}

std::vector<Attacher::FileTarget> Attacher::file_targets() const {
  std::vector<FileTarget> result;
  for (const Point& point : points_) {
    if (point.files.empty() || point.target.fields.size() < 2) continue;
    const std::string& file = point.target.fields.front();
    if (file.find('/') == std::string::npos) continue;
    result.push_back({image_.probes[point.index].text, file.substr(file.rfind('/') + 1), point.files});
  }
  return result;
}

std::vector<Attacher::Waiting> Attacher::never_attached() const {
  std::vector<Waiting> result;
  for (const Point& point : points_) {
    if (!point.deferred.empty() && !point.attached && !point.failed) result.push_back({image_.probes[point.index].text, point.deferred});
  }
  return result;
}

}  // namespace trc::runtime
