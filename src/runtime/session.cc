// The course of a run (cli.md §1, language.md §16.2):
//   load, begin programs, attach, release the command, events … then: stop the programs, what is still in the ring, end programs,
//   losses, maps.
// From the first begin program on, whatever goes wrong ends the run in this order too, so that what was counted is shown.
#include "runtime/session.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <regex>

#include "base/strings.h"
#include "kernel/pid_namespace.h"
#include "runtime/actions.h"
#include "runtime/attacher.h"
#include "runtime/decode.h"
#include "runtime/executed_files.h"
#include "runtime/follow.h"
#include "runtime/hints.h"
#include "runtime/interpreter_files.h"
#include "runtime/losses.h"
#include "runtime/map_reader.h"
#include "runtime/messages.h"
#include "runtime/packets.h"
#include "runtime/proc.h"
#include "runtime/process_tree.h"
#include "runtime/process_watch.h"
#include "runtime/cgroups.h"
#include "runtime/probe_names.h"
#include "runtime/self_tests.h"
#include "runtime/session_run.h"
#include "runtime/stack_reader.h"
#include "runtime/unwind/program_files.h"
#include "runtime/unwind/unwind_tables.h"
#include "runtime/verifier_log.h"
#include "stdlib/packet_abi.h"
#include "symbols/debug_info.h"
#include "symbols/elf_file.h"
#include "symbols/symbolizer.h"

namespace trc::runtime {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// After a look at the ring that found something, so long passes until the next one. The kernel wakes a reader only if it has caught up, so
// a busy run is woken 500 times a second at most instead of once for each event.
constexpr milliseconds kLinger{2};
// A command is held back so long at most for tables that are not made yet; they take milliseconds.
constexpr milliseconds kTableTime{5000};
// Ctrl-C means now: after so long, records that still wait are counted instead of printed.
constexpr milliseconds kDrainTime{600};

probes::Scope make_scope(const RunOptions& options, const Child* child) {
  if (child != nullptr) return {.pid = child->pid(), .is_child = true, .command_path = child->program_path(), .unsafe = options.unsafe};
  return {.pid = options.pid, .unsafe = options.unsafe};
}

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::vector<std::string> own_environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return environment;
}

class Session {
 public:
  Session(Engine& engine, EndSignals& signals, const image::ProgramImage& image, const RunOptions& options, const kernel::Facts& facts,
          std::unique_ptr<Child> child, output::Sink& sink)
      : engine_(engine),
        signals_(signals),
        image_(image),
        options_(options),
        facts_(facts),
        child_(std::move(child)),
        sink_(sink),
        messages_({.quiet = options.quiet, .verbose = options.verbose, .no_warnings = options.no_warnings}),
        names_(image),
        symbolizer_(image.settings.cpp_demangle, image.settings.show_debug_info),
        decode_(make_decode_context()),
        actions_(image, engine, sink, decode_, messages_, action_options()),
        losses_(image, engine, sink, messages_, options.all_warnings),
        scope_(make_scope(options, child_.get())),
        attacher_(image, engine, facts, scope_, names_, messages_) {}

  Result<int> run();

 private:
  DecodeContext make_decode_context();
  ActionOptions action_options();
  std::vector<std::uint64_t> constants() const;
  Result<> open_target();
  Result<> load();
  void print_load_logs() const;
  Result<> make_process_tree();
  Result<> start_unwind_tables();
  Result<> hold_new_code();
  void watch_linker(std::int32_t pid, const std::string& program);
  void ask_for_table(std::span<const std::byte> record);
  void wait_for_tables();
  void tell_about_tables();
  Result<> prepare_interpreters();
  void tell_about_interpreters();
  Result<> run_begin();
  Result<> start();
  bool programs_ask_tree() const;
  Result<> start_following();
  void announce(bool attached);
  void announce_count();
  void notify();
  void loop();
  bool wait(int timeout_ms, bool with_ring);
  bool target_ended() const;
  void handle_execs();
  void follow_exec(std::int32_t pid);
  Result<> run_iterators();
  void write_packets();
  bool drain(const std::function<bool(std::span<const std::byte>)>& handle);
  void drain_all();
  Result<> finish();
  void stop_programs();
  Result<> run_end();
  void print_maps();
  void tell_what_never_was();
  void tell_about_command();
  int exit_status();
  Result<int> run_own();
  void tell_about_own();
  void handle_user_signal();

  Engine& engine_;
  EndSignals& signals_;
  const image::ProgramImage& image_;
  const RunOptions& options_;
  const kernel::Facts& facts_;
  std::unique_ptr<Child> child_;
  output::Sink& sink_;
  Messages messages_;
  ProbeNames names_;
  Cgroups cgroups_;
  symbols::Symbolizer symbolizer_;
  StackReader stacks_;
  DecodeContext decode_;
  std::unique_ptr<InterpreterFiles> interpreters_;
  Actions actions_;
  LossReport losses_;
  probes::Scope scope_;
  Attacher attacher_;
  std::unique_ptr<ProcessWatch> watch_;
  std::unique_ptr<UnwindTables> tables_;            ///< only for scripts that take stacks of programs; its thread uses watch_
  std::unique_ptr<ProcessTree> tree_;
  std::unique_ptr<Follow> follow_;
  std::unique_ptr<Packets> packets_;                ///< only for scripts with skboutput()
  ExecutedFiles executed_;
  std::unique_ptr<UserSignal> user_signal_;         ///< only for scripts with probes on it
  Fd target_;                                       ///< pidfd of -p
  std::vector<std::vector<std::byte>> early_;       ///< records of begin, until everything is attached
  std::vector<std::unique_ptr<Attachment>> attachments_;
  std::uint64_t handled_before_ = 0;                ///< records that begin has sent
  bool stopped_ = true;          ///< no program runs any more but those of begin and end
  bool stopped_by_us_ = false;
  bool announced_ = false;
};

ActionOptions Session::action_options() {
  return {.all_warnings = options_.all_warnings,
          .no_warnings = options_.no_warnings,
          .stack_frames = [this](std::span<const std::byte> record) { stacks_.add(record); },
          .unwind_file = [this](std::span<const std::byte> record) { ask_for_table(record); },
          .interpreter_file = [this](std::span<const std::byte> record) { if (interpreters_) interpreters_->asked(record); },
          .interpreter_code = [this](std::span<const std::byte> record) { if (interpreters_) interpreters_->add_code(record); }};
}

DecodeContext Session::make_decode_context() {
  DecodeContext context;
  context.symbolizer = &symbolizer_;
  context.probe_name = [this](std::uint64_t id) { return names_.name(id); };
  context.cgroup_path = [this](std::uint64_t id, const std::string& filter) { return cgroups_.path(id, filter); };
  context.stack = [this](const StackId& id) { return stacks_.find(id); };
  context.interpreted = [this](std::uint32_t pid, std::uint64_t word) {
    return interpreters_ ? interpreters_->frame(pid, word) : std::nullopt;
  };
  context.settings = image_.settings;
  context.clocks = ClockOffsets::measure();
  return context;
}

std::vector<std::uint64_t> Session::constants() const {
  std::vector<std::uint64_t> values;
  for (const image::RuntimeConstantEntry& entry : image_.constants) {
    switch (static_cast<lang::RuntimeConstant>(entry.which)) {
      case lang::RuntimeConstant::TargetPid: values.push_back(options_.pid > 0 ? static_cast<std::uint64_t>(options_.pid) : 0); break;
      case lang::RuntimeConstant::ChildPid: values.push_back(child_ ? static_cast<std::uint64_t>(child_->pid()) : 0); break;
      case lang::RuntimeConstant::CpuCount: values.push_back(facts_.possible_cpus()); break;
      case lang::RuntimeConstant::StartNs: values.push_back(clock_ns(CLOCK_BOOTTIME)); break;
      case lang::RuntimeConstant::TaiDelta: values.push_back(clock_ns(CLOCK_TAI) - clock_ns(CLOCK_BOOTTIME)); break;
      case lang::RuntimeConstant::MaxStack: values.push_back(facts_.max_kernel_stack()); break;
      case lang::RuntimeConstant::PidNamespaceDevice: values.push_back(kernel::own_pid_namespace().device); break;
      case lang::RuntimeConstant::PidNamespaceInode: values.push_back(kernel::own_pid_namespace().inode); break;
      default: values.push_back(0);   // an image may hold any number here
    }
  }
  return values;
}

Result<> Session::open_target() {
  if (options_.pid <= 0) return {};
  target_.reset(static_cast<int>(::syscall(SYS_pidfd_open, options_.pid, 0)));
  if (target_) return {};
  const int err = errno;
  if (err == EINVAL) return Error(fmt::format("{} is a thread, not a process", options_.pid)).hint("-p wants the id of the process: see Tgid in /proc/PID/status");
  return Error::from_errno(fmt::format("watch process {}", options_.pid), err);
}

Result<> Session::load() {
  if (image_.settings.show_debug_info) TRC_CHECK(symbols::DebugInfo::check());
  TRC_CHECK(open_target());
  TRC_CHECK(attacher_.prepare());
  TRC_CHECK(make_process_tree());
  if (!options_.probe_filter.empty()) {
    attacher_.set_filter([filter = std::regex(options_.probe_filter)](const std::string& name) { return std::regex_search(name, filter); });
  }
  TRC_CHECK(start_unwind_tables());
  TRC_CHECK(prepare_interpreters());
  TRC_CHECK(start_following());
  TRC_TRY(packets, Packets::start(image_, facts_.online_cpus()));
  packets_ = std::move(packets);
  if (packets_) engine_.provide_map(TRC_PACKET_MAP, packets_->map());
  auto loaded = engine_.load(image_, constants());
  if (const std::string log = engine_.verifier_log(); !log.empty()) messages_.detail(log);
  print_load_logs();
  return loaded;
}

/// -d libbpf, -d verifier
void Session::print_load_logs() const {
  if (options_.show_libbpf) std::fputs(engine_.debug_log().c_str(), stdout);
  if (options_.show_verifier) {
    for (const VerifierLog& log : verifier_logs(engine_.debug_log() + engine_.verifier_log())) {
      fmt::print("BPF verifier log for {}:\n{}", log.program, log.text);
    }
  }
  std::fflush(stdout);
}

/// Tables are made while the kernel checks the programs.
Result<> Session::start_unwind_tables() {
  const bool wanted = std::any_of(image_.maps.begin(), image_.maps.end(), [](const image::MapEntry& map) { return map.name == "trc_uw_files"; });
  if (!wanted && options_.stop_on_map) messages_.note("--stop-on-map changes nothing: the script takes no stacks of programs");
  if (!wanted) return {};
  TRC_TRY(tables, UnwindTables::start());
  tables_ = std::move(tables);
  for (const UnwindMaps::Named& map : tables_->maps()) engine_.provide_map(map.name, map.fd);
  if (attacher_.nothing_to_wait_for()) return {};
  if (!tables_->watch(scope_, facts_.online_cpus())) messages_.detail("the kernel does not tell which files processes map; tables are made when they are needed");
  TRC_CHECK(hold_new_code());
  if (child_) {
    for (const std::string& file : files_of_program(child_->program_path(), own_environment())) tables_->want_file(file, Urgency::Now);
  } else if (options_.pid > 0) {
    tables_->want_process(static_cast<std::uint32_t>(options_.pid), Urgency::Now);
  } else {
    for (const std::int32_t pid : all_processes()) tables_->want_process(static_cast<std::uint32_t>(pid), Urgency::Background);
  }
  return {};
}

/// Libraries that the traced processes open are ready when their code runs; with --stop-on-map, so is all that anybody in scope maps.
Result<> Session::hold_new_code() {
  if (options_.dry_run || (!options_.stop_on_map && scope_.pid <= 0)) return {};
  auto holds = tables_->hold_at(options_.stop_on_map ? MapStop::At::EveryMapping : MapStop::At::LinkersOnly, scope_, tree_.get());
  if (!holds && options_.stop_on_map) return std::move(holds).error().context("--stop-on-map");
  if (!holds) messages_.detail("libraries that are opened late are not waited for: " + holds.error().message());
  if (scope_.pid > 0) watch_linker(scope_.pid, child_ ? child_->program_path() : fmt::format("/proc/{}/exe", scope_.pid));
  return {};
}

void Session::watch_linker(std::int32_t pid, const std::string& program) {
  if (const auto elf = symbols::open_cached(program)) tables_->watch_linker_of(pid, (*elf)->interpreter());
}

void Session::ask_for_table(std::span<const std::byte> record) {
  trc_uw_file_record fields;
  if (!tables_ || record.size() < sizeof fields) return;
  std::memcpy(&fields, record.data(), sizeof fields);
  tables_->asked(fields);
}

/// So that the first event of what is about to run finds them.
void Session::wait_for_tables() {
  if (!tables_) return;
  const auto before = Clock::now();
  if (!tables_->wait(kTableTime)) messages_.warn("unwind tables are still being made; the first stacks may be cut off");
  const auto waited = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - before);
  messages_.detail(fmt::format("waited {:.1f} ms for unwind tables", static_cast<double>(waited.count()) / 1000));
}

void Session::tell_about_tables() {
  if (!tables_) return;
  for (const std::string& complaint : tables_->take_complaints()) messages_.warn(complaint);
}

/// Interpreters that stacks wanted frames of, and that cannot be read.
void Session::tell_about_interpreters() {
  if (!interpreters_) return;
  const auto ends = engine_.stack_ends();
  const bool met = std::any_of(ends.begin(), ends.end(), [](const auto& of_program) { return of_program[TRC_STACK_PythonUnknown] != 0; });
  if (!met) return;
  for (const std::string& refused : interpreters_->refused()) messages_.warn(refused);
}

/// Which files hold an interpreter is looked up before programs ask.
Result<> Session::prepare_interpreters() {
  TRC_TRY(files, InterpreterFiles::create(image_));
  interpreters_ = std::move(files);
  if (!interpreters_) return {};
  interpreters_->provide(engine_);
  losses_.set_late_stacks([this](std::uint32_t program) { return interpreters_->late_stacks(program); });
  if (child_) interpreters_->look_at_files(files_of_program(child_->program_path(), own_environment()));
  else if (options_.pid > 0) interpreters_->look_at_process(options_.pid);
  else for (const std::int32_t pid : all_processes()) interpreters_->look_at_process(pid);
  return {};
}

/// Runs the begin programs and keeps what they send: it is handled when everything is attached, after the "Attached" line.
Result<> Session::run_begin() {
  bool exited = false;
  for (const auto& [program, name] : attacher_.run_by_us(probes::RunWhen::Begin)) {
    if (exited || signals_.received()) break;
    messages_.detail("Attaching '" + name + "' probe");
    TRC_CHECK(engine_.run(program));
    auto drained = engine_.drain([&](std::span<const std::byte> record) {
      early_.emplace_back(record.begin(), record.end());
      exited |= actions_.is_exit(record);
      return true;
    });
    if (!drained) return std::move(drained).error();
    exited |= engine_.exit_asked().has_value();
  }
  return {};
}

/// The processes of the command are known to the programs, which leave others alone; and what they execute is looked at, which is how a
/// name comes to stand for the file that really runs.
Result<> Session::start_following() {
  const bool wanted = child_ && !options_.dry_run && (programs_ask_tree() || attacher_.has_user_targets() || tables_ || interpreters_);
  if (wanted) {
    auto follow = Follow::start(child_->pid(), *tree_);
    if (follow) {
      follow_ = std::move(*follow);
      if (programs_ask_tree()) attacher_.tree_is_known();
      return {};
    }
    messages_.detail("cannot see what the command executes: " + follow.error().message());
  }
  return tree_ ? tree_->open_to_all() : Result<>();   // the kernel keeps to the command's first process
}

bool Session::programs_ask_tree() const {
  return std::any_of(image_.maps.begin(), image_.maps.end(), [](const image::MapEntry& map) { return map.name == "trc_tree"; });
}

Result<> Session::make_process_tree() {
  if (!child_ && !programs_ask_tree()) return {};
  TRC_TRY(tree, ProcessTree::create());
  tree_ = std::move(tree);
  if (!programs_ask_tree()) return {};
  for (const ProcessTree::Named& map : tree_->maps()) engine_.provide_map(map.name, map.fd);
  return {};
}

/// "Attached N probes", once N is known: with targets that wait for an exec, when the first of them is there.
void Session::announce_count() {
  if (announced_) return;
  announced_ = true;
  sink_.attached(attacher_.count());
}

void Session::announce(bool attached) {
  if (attached && !(follow_ && attacher_.waits_for_exec())) announce_count();
  const bool waits = !announced_;
  for (const auto& record : early_) actions_.handle(record);
  early_.clear();
  if (const auto code = engine_.exit_asked()) actions_.exit(*code);
  handled_before_ = actions_.handled();
  sink_.flush();
  if (attached && !waits) notify();
}

/// The word for whoever waits until the probes are in place. It comes after what begin has printed.
void Session::notify() {
  if (options_.notify_attached.empty() || actions_.exited()) return;
  const std::string line = options_.notify_attached + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) messages_.detail("standard output is closed");
}

/// From loaded to running. Nothing is attached when a begin program has called exit().
Result<> Session::start() {
  TRC_CHECK(run_begin());
  const bool exits =
      engine_.exit_asked() || std::any_of(early_.begin(), early_.end(), [&](const auto& record) { return actions_.is_exit(record); });
  if (exits || signals_.received()) return {};
  if (needs_user_symbols(image_) && !attacher_.nothing_to_wait_for()) watch_ = ProcessWatch::start(symbolizer_, scope_, facts_.online_cpus());
  if (tables_ && watch_) tables_->set_before_resume([this] { watch_->drain(); });
  if (!child_ && options_.pid > 0) wait_for_tables();
  TRC_CHECK(attacher_.attach_all([this] { return signals_.received(); }));
  if (child_ && !follow_ && attacher_.waits_for_exec() && !options_.dry_run) {
    messages_.warn("this kernel does not tell what the command executes; its programs are taken from PATH instead");
    TRC_CHECK(attacher_.attach_deferred_anywhere());
  }
  return {};
}

bool Session::target_ended() const {
  const int fd = child_ ? child_->pidfd() : target_.get();
  if (fd < 0) return false;
  pollfd gone{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&gone, 1, 0) == 1;
}

/// Waits for a reason to look around; false if the run is to end.
bool Session::wait(int timeout_ms, bool with_ring) {
  std::vector<pollfd> fds;
  const auto add = [&](int fd) {
    if (fd >= 0) fds.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  };
  add(signals_.fd());
  add(child_ ? child_->pidfd() : target_.get());
  if (with_ring) add(engine_.event_fd());
  if (follow_) {
    add(follow_->event_fd());
    const int soon = follow_->pending_ms();
    if (soon >= 0 && (timeout_ms < 0 || soon < timeout_ms)) timeout_ms = soon;
  }
  if (user_signal_) add(user_signal_->fd());
  if (packets_) {
    for (const int fd : packets_->event_fds()) add(fd);
  }
  ::poll(fds.data(), fds.size(), timeout_ms);
  handle_user_signal();
  write_packets();
  handle_execs();
  return !signals_.received() && !target_ended();
}

void Session::loop() {
  bool more = true;
  while (more) {
    if (actions_.exited()) break;
    std::size_t records = 0;
    (void)drain([&](std::span<const std::byte> record) {
      actions_.handle(record);
      ++records;
      return !actions_.exited() && (records % 256 != 0 || !signals_.received());
    });
    if (actions_.exited()) break;
    if (records != 0) {
      sink_.flush();
      if (sink_.failed()) break;   // said by finish(); a trace that nobody can read need not go on
      losses_.look();
      tell_about_tables();
    }
    // The ring was full then, so it is found out here, when all that waited in it has been handled.
    if (const auto code = records == 0 ? engine_.exit_asked() : std::nullopt) {
      actions_.exit(*code);
      break;
    }
    more = records != 0 ? wait(static_cast<int>(kLinger.count()), false) : wait(-1, true);
  }
}

void Session::handle_execs() {
  if (!follow_) return;
  follow_->drain([this](std::int32_t pid) { follow_exec(pid); });
  follow_->resume_ancestors();
}

void Session::follow_exec(std::int32_t pid) {
  if (const auto file = executed_.note(pid)) {
    messages_.detail(fmt::format("process {} executes {}", pid, file->exe));
    const std::size_t before = attacher_.count();
    attacher_.attach_executed(pid, file->exe, file->names);
    if (!announced_ && (attacher_.count() != before || !attacher_.waits_for_exec())) {
      announce_count();
      sink_.flush();
      notify();
    }
    if (tables_ || interpreters_) {
      const auto files = files_of_program(file->exe, environment_of(pid));
      if (interpreters_) interpreters_->look_at_files(files);
      if (tables_) {
        for (const std::string& path : files) tables_->want_file(path, Urgency::Now);
        watch_linker(pid, file->exe);
      }
      wait_for_tables();
    }
  }
  follow_->resume(pid);
}

void Session::write_packets() {
  if (!packets_) return;
  for (const Error& error : packets_->drain()) messages_.warn(error.message());
}

/// One after another, from start to end; what they send is handled meanwhile, for the ring would not hold it all.
Result<> Session::run_iterators() {
  for (const std::string& path : attacher_.pinned()) sink_.text(fmt::format("Program pinned to {}\n", path));
  for (const auto& attachment : attacher_.attachments()) {
    for (bool more = true; more && !actions_.exited() && !signals_.received();) {
      TRC_TRY(left, attachment->run_part());
      more = left;
      (void)drain([&](std::span<const std::byte> record) {
        actions_.handle(record);
        return !actions_.exited();
      });
      if (sink_.failed()) return {};   // said by finish()
    }
  }
  sink_.flush();
  return {};
}

bool Session::drain(const std::function<bool(std::span<const std::byte>)>& handle) {
  auto drained = engine_.drain(handle);
  if (!drained) messages_.warn(drained.error().message());
  return drained && *drained != 0;
}

/// Everything that waits in the ring, in bounded time.
void Session::drain_all() {
  const auto deadline = Clock::now() + kDrainTime;
  std::uint64_t records = 0, unread = 0;
  bool late = false;
  // Without a hurry all is printed, however long that takes, for nothing is added any more.
  const auto is_late = [&] { return (!stopped_ || signals_.received()) && Clock::now() > deadline; };
  const auto handle = [&](std::span<const std::byte> record) {
    if (++records % 256 == 0) late = is_late();
    if (!late) actions_.handle(record);
    else if (!actions_.handle_own(record)) ++unread;   // a map that is printed may still need its stacks
    return true;
  };
  while (drain(handle) && !(late && !stopped_)) {
  }
  losses_.add_unread(unread);
}

void Session::stop_programs() {
  if (follow_) {
    // No more processes are stopped, and those that were go on.
    follow_->finish();
    if (const std::uint64_t missed = follow_->not_followed()) messages_.warn(fmt::format("{} processes of the command were not traced: too many at a time", missed));
    follow_.reset();
  }
  std::vector<std::unique_ptr<Attachment>> taken = attacher_.take();
  for (auto& attachment : taken) attachments_.push_back(std::move(attachment));
  stopped_ = attachments_.empty() || engine_.freeze() || engine_.detach(std::move(attachments_));
}

Result<> Session::run_end() {
  actions_.reopen();
  for (const auto& [program, name] : attacher_.run_by_us(probes::RunWhen::End)) {
    messages_.detail("Attaching '" + name + "' probe");
    TRC_CHECK(engine_.run(program));
    drain_all();
  }
  return {};
}

void Session::print_maps() {
  sink_.end_of_run();
  if (!image_.settings.print_maps_on_exit) return;
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < image_.maps.size(); ++i) {
    if (image_.maps[i].role == image::MapRole::User) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return image_.maps[a].script_name < image_.maps[b].script_name; });
  for (const std::uint32_t map : order) actions_.print_map(map, {.at_exit = true});
}

void Session::tell_what_never_was() {
  for (const Attacher::Waiting& waiting : attacher_.never_attached()) {
    const std::string other = executed_.other_file_named(waiting.bare_name);
    messages_.warn(fmt::format("{} was never attached: no process of the command executed a program named {}{}", waiting.text, waiting.bare_name,
                               other.empty() ? "" : "; " + other + " ran"));
  }
  for (const Attacher::FileTarget& target : attacher_.file_targets()) {
    const bool ran = std::any_of(target.files.begin(), target.files.end(), [&](const std::string& path) { return executed_.has_run(path); });
    const std::string other = ran ? "" : executed_.other_file_named(target.name);
    if (other.empty()) continue;
    messages_.warn(fmt::format("{} never fired: the command ran {}, not {}", target.text, other, target.files.front()),
                   fmt::format("the bare name '{}' stands for whichever file of that name the command runs", target.name));
  }
  if (actions_.handled() != handled_before_ || losses_.any()) return;
  const std::vector<std::string> hints = silent_tracepoint_hints(image_);
  if (hints.empty()) return;
  for (std::uint32_t i = 0; i < image_.maps.size(); ++i) {   // a map with something in it: the script has seen events
    if (image_.maps[i].role != image::MapRole::User) continue;
    auto elements = engine_.read_map(i);
    if (!elements) return;
    const output::MapDump dump = read_map(image_.maps[i], std::move(*elements), decode_, {.at_exit = true});
    if (!dump.entries.empty()) return;
  }
  for (const std::string& hint : hints) messages_.warn(hint);
}

/// How the command ended, if it did so by itself.
void Session::tell_about_command() {
  if (!child_ || stopped_by_us_) return;
  const int status = child_->status();
  if (status < 0) return;
  const std::string how = WIFSIGNALED(status) ? fmt::format("was killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                                              : fmt::format("exited with status {}", WEXITSTATUS(status));
  const bool is_news = status != 0 && !options_.exit_with_child;   // there our own exit status says it
  if (is_news) messages_.note("the command " + how);
  else messages_.detail("the command " + how);
}

Result<> Session::finish() {
  const bool interrupted = signals_.received();
  stopped_by_us_ = interrupted || actions_.exited();
  stop_programs();
  drain_all();
  write_packets();
  if (packets_ && packets_->lost() != 0) messages_.warn(fmt::format("{} packets found no room in their buffers", with_thousands(packets_->lost())));
  Result<> ended = run_end();
  if (watch_) {
    watch_->drain();
    if (watch_->lost() != 0) messages_.detail(fmt::format("{} reports of what processes map were lost; their maps were read again", watch_->lost()));
  }
  sink_.flush();
  losses_.summarize();
  tell_about_interpreters();
  tell_about_tables();
  if (tables_) {
    if (const std::uint64_t missed = tables_->not_stopped()) messages_.warn(fmt::format("{} processes were not held at a new mapping: too many at a time", missed));
    const UnwindTables::Counts counts = tables_->counts();
    messages_.detail(fmt::format("unwind tables: {} files, {} without, {} failed, {} asked for by programs; {} pages, {} rows, {} rules, {} MiB", counts.tables, counts.bare,
                                 counts.failed, counts.asked, counts.usage.pages, counts.usage.rows, counts.usage.rules, counts.usage.chunks));
  }
  actions_.report_repetitions();
  tell_what_never_was();
  tell_about_command();
  print_maps();
  sink_.flush();
  engine_.detach(std::move(attachments_));
  return ended;
}

int Session::exit_status() {
  if (actions_.exited()) return actions_.exit_code();
  const int status = child_ && options_.exit_with_child ? child_->status() : -1;
  if (status < 0) return 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// --test and --bench: begin, what was asked for, end; nothing is attached and no map printed.
Result<int> Session::run_own() {
  TRC_CHECK(run_begin());
  for (const auto& record : early_) actions_.handle(record);
  early_.clear();
  bool passed = true;
  if (!actions_.exited()) {
    const SelfTestWorld world{image_, engine_, sink_, decode_, messages_, action_options()};
    if (options_.mode == RunOptions::Mode::Test) {
      TRC_TRY(all, run_tests(attacher_.run_by_us(probes::RunWhen::Test), world));
      passed = all;
    } else {
      TRC_CHECK(run_benchmarks(attacher_.run_by_us(probes::RunWhen::Bench), world));
    }
  }
  TRC_CHECK(run_end());
  sink_.end_of_run();
  TRC_CHECK(sink_.finish());
  return passed ? actions_.exit_code() : 1;
}

/// The script has nothing but tests and benchmarks, which nobody has asked for.
void Session::tell_about_own() {
  const auto has = [this](probes::RunWhen when) { return !attacher_.run_by_us(when).empty(); };
  if (!attacher_.nothing_to_wait_for() || has(probes::RunWhen::Begin) || has(probes::RunWhen::End)) return;
  if (has(probes::RunWhen::Test)) messages_.always("No probes attached; use --test to run test probes.");
  else if (has(probes::RunWhen::Bench)) messages_.always("No probes attached; use --bench to run bench probes.");
}

/// self:signal:SIGUSR1
void Session::handle_user_signal() {
  if (!user_signal_ || !user_signal_->take()) return;
  for (const auto& [program, name] : attacher_.run_by_us(probes::RunWhen::Signal)) {
    if (auto done = engine_.run(program); !done) messages_.warn(done.error().message());
  }
}

Result<int> Session::run() {
  losses_.set_kernel_symbols([this](std::uint64_t address) { return symbolizer_.kernel(address).symbol; });
  TRC_CHECK(load());
  if (options_.mode != RunOptions::Mode::Trace) return run_own();
  tell_about_own();
  if (!attacher_.run_by_us(probes::RunWhen::Signal).empty()) user_signal_ = std::make_unique<UserSignal>();
  Result<> trouble = start();
  if (options_.dry_run) {
    if (!trouble) return std::move(trouble).error();
    engine_.detach(attacher_.take());
    return 0;
  }
  announce(trouble.has_value() && !signals_.received());
  if (trouble && !actions_.exited() && !signals_.received()) trouble = run_iterators();
  const bool nothing_to_wait_for = (attacher_.nothing_to_wait_for() || attacher_.all_filtered_out()) && !child_;
  if (trouble && !actions_.exited() && !signals_.received() && !nothing_to_wait_for) {
    if (child_) {
      wait_for_tables();
      trouble = child_->release();
    }
    if (trouble) {
      loop();
      if (attacher_.count() != 0) announce_count();
    }
  }
  Result<> ended = finish();
  if (!trouble) return std::move(trouble).error();
  if (!ended) return std::move(ended).error();
  TRC_CHECK(sink_.finish());
  return exit_status();
}

}  // namespace

Result<int> run_on(Engine& engine, EndSignals& signals, const image::ProgramImage& image, const RunOptions& options,
                   const kernel::Facts& facts, std::unique_ptr<Child> child, output::Sink& sink) {
  return Session(engine, signals, image, options, facts, std::move(child), sink).run();
}

Result<int> run(const image::ProgramImage& image, const RunOptions& options, const kernel::Facts& facts, EndSignals& signals,
                std::unique_ptr<Child> child, output::Sink& sink) {
  EngineOptions engine_options;
  engine_options.verbose = options.verbose;
  engine_options.libbpf_log = options.show_libbpf;
  engine_options.verifier_logs = options.show_verifier;
  const auto is_without = [&](const char* feature) {
    return std::find(options.no_features.begin(), options.no_features.end(), feature) != options.no_features.end();
  };
  engine_options.no_uprobe_multi = is_without("uprobe_multi");
  engine_options.no_kprobe_multi = is_without("kprobe_multi");
  engine_options.online_cpus = facts.online_cpus();
  engine_options.interrupted = [&signals] { return signals.received(); };
  const std::unique_ptr<Engine> engine = make_kernel_engine(engine_options);
  return run_on(*engine, signals, image, options, facts, std::move(child), sink);
}

}  // namespace trc::runtime
