// From the attach points of an image to attachments: asks the providers what each comes to, numbers the places, attaches in the order of
// language.md §5.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "image/program_image.h"
#include "kernel/facts.h"
#include "probes/provider.h"
#include "runtime/engine.h"
#include "runtime/messages.h"
#include "runtime/probe_names.h"

namespace trc::runtime {

class Attacher {
 public:
  Attacher(const image::ProgramImage& image, Engine& engine, const kernel::Facts& facts, const probes::Scope& scope, ProbeNames& names,
           Messages& messages);

  /// Understands the attach points again; they were checked when the script was compiled.
  Result<> prepare();
  /// Programs that the runner runs itself at such a time, in the order of the script; the name of a test or benchmark.
  struct OwnRun { std::uint32_t program = 0; std::string name; };
  std::vector<OwnRun> run_by_us(probes::RunWhen when) const;
  /// Once all is attached: --probe-filter has left nothing that could fire.
  bool all_filtered_out() const;
  /// Every program is run by the runner, and none waits for a signal.
  bool nothing_to_wait_for() const;
  /// Does some attach point concern user programs, so that what a command executes matters?
  bool has_user_targets() const;

  /// From now on attach points of the command go to all processes (see probes::Scope::tree_known).
  void tree_is_known() { scope_.tree_known = true; }
  /// Only places whose name `wanted` accepts are attached from now on; begin and end are not asked about.
  void set_filter(std::function<bool(const std::string&)> wanted) { wanted_ = std::move(wanted); }

  /// Attaches everything that can be now. `stop` is asked between attach points; true ends the work early, without an error.
  Result<> attach_all(const std::function<bool()>& stop);
  /// A process of the command has executed `exe`: attaches what waits for it there. Errors are told, not returned: the run goes on.
  void attach_executed(std::int32_t pid, const std::string& exe, const std::vector<std::string>& names);
  /// Gives up waiting for processes: looks for deferred targets as if there were no command.
  Result<> attach_deferred_anywhere();

  /// Attach points in place, begin and end included.
  std::size_t count() const { return count_; }
  /// Is there a target that is to be found when the command executes it?
  bool waits_for_exec() const;
  /// Texts and bare names of targets that were to be found when they are executed, and never were.
  struct Waiting { std::string text, bare_name; };
  std::vector<Waiting> never_attached() const;
  /// A user attach point that names a file by its path: the file's base name, and where it was attached. (A bare name is attached to
  /// whatever runs under it.)
  struct FileTarget { std::string text, name; std::vector<std::string> files; };
  std::vector<FileTarget> file_targets() const;
  /// Files that iterators were put into.
  const std::vector<std::string>& pinned() const { return pinned_; }
  /// Those that are in place now, in the order in which they were attached.
  std::span<const std::unique_ptr<Attachment>> attachments() const { return attachments_; }
  std::vector<std::unique_ptr<Attachment>> take() { return std::move(attachments_); }

 private:
  struct Point {
    std::uint32_t index = 0;              ///< into ProgramImage::probes
    const probes::Provider* provider = nullptr;
    probes::Target target;
    bool is_user = false;
    bool attached = false;
    bool failed = false;                  ///< where it was executed it could not be attached, which was told then
    std::string deferred;                 ///< bare name that it waits for
    std::vector<std::string> files;       ///< of a user probe, where it was attached
  };
  Result<> attach_point(Point& point, const probes::Scope& scope);
  Result<> attach_specs(Point& point, std::vector<probes::AttachSpec> specs, bool alone);
  Result<> attach_spec(Point& point, probes::AttachSpec spec, bool alone, std::uint64_t marks);
  std::uint64_t marks_of(const Point& point, const std::string& site) const;
  std::map<std::uint64_t, probes::AttachSpec> by_marks(const Point& point, probes::AttachSpec spec) const;
  void drop_unwanted(std::vector<probes::AttachSpec>& specs) const;
  Result<> missing(Error error);
  std::uint64_t number_sites(const Point& point, const probes::AttachSpec& spec, bool alone);
  bool drop_known_sites(const Point& point, probes::UserProbes& probes);
  std::vector<Point*> in_attach_order();

  const image::ProgramImage& image_;
  Engine& engine_;
  const kernel::Facts& facts_;
  probes::Scope scope_;
  ProbeNames& names_;
  Messages& messages_;
  std::vector<Point> points_;
  std::function<bool(const std::string&)> wanted_;   ///< empty: all
  std::vector<std::unique_ptr<Attachment>> attachments_;
  /// Attach point, process, file, offset: a process that executes a file again, or is met twice, is attached once.
  std::set<std::tuple<std::uint32_t, std::int32_t, std::string, std::uint64_t>> known_sites_;
  std::set<std::int32_t> processes_;      ///< of the command, that were attached to one by one
  std::vector<std::string> pinned_;
  std::set<std::string> told_;            ///< notes already given
  std::size_t count_ = 0;
};

}  // namespace trc::runtime
