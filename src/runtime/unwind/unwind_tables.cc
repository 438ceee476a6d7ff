#include "runtime/unwind/unwind_tables.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/read_file.h"
#include "runtime/perf_records.h"
#include "symbols/debug_file.h"
#include "symbols/elf_reader.h"
#include "symbols/process_maps.h"

namespace trc::runtime {
namespace {

constexpr std::size_t kWatchPages = 32;        // of each CPU; a record takes about 100 bytes
constexpr std::size_t kMostComplaints = 100;   // each file makes one at most; a fork bomb of broken files should not fill the memory

constexpr int kBackgroundNice = 10;            // what is traced should not wait for it
constexpr int kPromptNice = -15;               // but on a busy machine programs would run on for long without the tables that they need now

constexpr trc_uw_file_key kVdso{0, 0};

Fd open_file(const std::string& path) { return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)); }

}  // namespace

Result<std::unique_ptr<UnwindTables>> UnwindTables::start() {
  TRC_TRY(maps, UnwindMaps::create());
  auto tables = std::unique_ptr<UnwindTables>(new UnwindTables(std::move(maps)));
  tables->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!tables->wake_) return Error::from_errno("create an eventfd");
  tables->urgent_ = 1;   // the vDSO
  tables->urgent_thread_ = std::thread([raw = tables.get()] { raw->work(); });
  tables->background_thread_ = std::thread([raw = tables.get()] { raw->work_on(Urgency::Background); });
  tables->soon_thread_ = std::thread([raw = tables.get()] { raw->work_on(Urgency::Soon); });
  return tables;
}

UnwindTables::~UnwindTables() {
  if (!urgent_thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake();
  wanted_.notify_all();
  urgent_thread_.join();
  soon_thread_.join();
  background_thread_.join();
}

void UnwindTables::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);   // full means that the thread is woken already
}

void UnwindTables::enqueue(Request request, Urgency urgency) {
  {
    const std::lock_guard lock(mutex_);
    requests_[static_cast<std::size_t>(urgency)].push_back(std::move(request));
    if (urgency == Urgency::Now) ++urgent_;
  }
  if (urgency == Urgency::Now) wake();
  else wanted_.notify_all();
}

void UnwindTables::want_file(const std::string& path, Urgency urgency) { enqueue({.path = path}, urgency); }
void UnwindTables::want_process(std::uint32_t pid, Urgency urgency) { enqueue({.pid = pid}, urgency); }

void UnwindTables::asked(const trc_uw_file_record& record) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.asked;
  }
  enqueue({.path = {}, .pid = record.tgid, .start = record.start, .end = record.end, .file = record.key}, Urgency::Now);
}

bool UnwindTables::watch(const probes::Scope& scope, const std::vector<std::uint32_t>& cpus) {
  std::vector<std::unique_ptr<kernel::PerfBuffer>> buffers;
  for (const std::uint32_t cpu : cpus) {
    perf_event_attr attr{};
    attr.type = PERF_TYPE_SOFTWARE;
    attr.config = PERF_COUNT_SW_DUMMY;
    attr.mmap = attr.mmap2 = 1;
    attr.inherit = scope.is_child ? 1 : 0;
    attr.watermark = 1;
    attr.wakeup_watermark = 1;   // every record
    auto buffer = kernel::PerfBuffer::open(attr, scope.is_child ? scope.pid : -1, static_cast<int>(cpu), kWatchPages);
    if (!buffer) return false;
    buffers.push_back(std::move(buffer));
  }
  {
    const std::lock_guard lock(mutex_);
    watch_ = std::move(buffers);
    only_pid_ = scope.pid > 0 && !scope.is_child ? static_cast<std::uint32_t>(scope.pid) : 0;
  }
  wake();
  return true;
}

Result<> UnwindTables::hold_at(MapStop::At at, const probes::Scope& scope, const ProcessTree* tree) {
  const auto maps = maps_->maps();
  const auto files = std::find_if(maps.begin(), maps.end(), [](const UnwindMaps::Named& map) { return std::string_view(map.name) == "trc_uw_files"; });
  TRC_TRY(map_stop, MapStop::start(scope, files->fd, tree, at));
  {
    const std::lock_guard lock(mutex_);
    map_stop_ = std::move(map_stop);
  }
  wake();
  return {};
}

void UnwindTables::watch_linker_of(std::int32_t pid, const std::string& interpreter) {
  {
    const std::lock_guard lock(mutex_);
    if (!map_stop_ || interpreter.empty()) return;
  }
  // A failure means no more than that stacks in what it loads may be cut off, and those are counted.
  (void)map_stop_->watch_linker(pid, fmt::format("/proc/{}/root{}", pid, interpreter));
}

bool UnwindTables::wait(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  return urgent_done_.wait_for(lock, most, [this] { return urgent_ == 0; });
}

std::vector<std::string> UnwindTables::take_complaints() {
  const std::lock_guard lock(mutex_);
  return std::exchange(complaints_, {});
}

std::uint64_t UnwindTables::not_stopped() {
  const std::lock_guard lock(mutex_);
  return map_stop_ ? map_stop_->not_stopped() : 0;
}

UnwindTables::Counts UnwindTables::counts() {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.usage = maps_->usage();
  return counts;
}

void UnwindTables::complain(std::string text) {
  const std::lock_guard lock(mutex_);
  if (complaints_.size() < kMostComplaints) complaints_.push_back(std::move(text));
}

// ---- the threads ----

void UnwindTables::work() {
  ::prctl(PR_SET_NAME, "trc-unwind");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kPromptNice);   // where that is allowed
  FileKeys keys;
  load_vdso();
  done();
  while (true) {
    std::vector<pollfd> fds{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    int timeout_ms = -1;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      for (const auto& buffer : watch_) fds.push_back({.fd = buffer->fd(), .events = POLLIN, .revents = 0});
      if (map_stop_) fds.push_back({.fd = map_stop_->event_fd(), .events = POLLIN, .revents = 0});
      if (map_stop_) timeout_ms = map_stop_->pending_ms();
    }
    ::poll(fds.data(), fds.size(), timeout_ms);
    std::uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof count);
    Request request;
    for (look_around(); take_urgent(request); look_around()) {
      handle(request, Urgency::Now, keys);
      done();
      if (request.held == 0) continue;
      look_at_held();
      map_stop_->done(request.held, [this](const trc_map_stop_record& record) { want_held(record); });
    }
  }
}

void UnwindTables::work_on(Urgency urgency) {
  const bool in_background = urgency == Urgency::Background;
  ::prctl(PR_SET_NAME, in_background ? "trc-unwind-bg" : "trc-unwind-soon");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), in_background ? kBackgroundNice : kPromptNice);
  FileKeys keys;
  std::deque<Request>& requests = requests_[static_cast<std::size_t>(urgency)];
  while (true) {
    std::optional<Request> request;
    bool room_wanted = false;
    {
      std::unique_lock lock(mutex_);
      wanted_.wait(lock, [&] { return stop_ || (in_background && room_wanted_) || !requests.empty(); });
      if (stop_) return;
      if (in_background) room_wanted = std::exchange(room_wanted_, false);
      if (!requests.empty()) {
        request = std::move(requests.front());
        requests.pop_front();
      }
    }
    if (room_wanted) {
      if (auto room = maps_->make_room(); !room) complain(room.error().message());
    }
    if (request) handle(*request, urgency, keys);
  }
}

bool UnwindTables::take_urgent(Request& request) {
  const std::lock_guard lock(mutex_);
  std::deque<Request>& requests = requests_[static_cast<std::size_t>(Urgency::Now)];
  if (stop_ || requests.empty()) return false;
  request = std::move(requests.front());
  requests.pop_front();
  return true;
}

void UnwindTables::done() {
  const std::lock_guard lock(mutex_);
  if (--urgent_ == 0) urgent_done_.notify_all();
}

void UnwindTables::look_around() {
  drain_stops();
  drain_watch();
}

void UnwindTables::drain_stops() {
  {
    const std::lock_guard lock(mutex_);
    if (!map_stop_) return;
  }
  map_stop_->drain([this](const trc_map_stop_record& record) { want_held(record); });
  map_stop_->resume_ancestors();
}

void UnwindTables::look_at_held() {
  std::function<void()> look;
  {
    const std::lock_guard lock(mutex_);
    look = before_resume_;
  }
  if (look) look();
}

void UnwindTables::set_before_resume(std::function<void()> look) {
  const std::lock_guard lock(mutex_);
  before_resume_ = std::move(look);
}

void UnwindTables::want_held(const trc_map_stop_record& record) {
  Request request{.path = {}, .pid = static_cast<std::uint32_t>(record.pid), .start = record.start, .end = record.end, .file = {}, .held = record.pid};
  if (record.end != 0) request.file = record.key;
  enqueue(std::move(request), Urgency::Now);
}

void UnwindTables::drain_watch() {
  const std::lock_guard lock(mutex_);
  bytes_.clear();
  for (const auto& buffer : watch_) {
    buffer->take(bytes_, [&](std::size_t offset, std::size_t size) {
      const std::span<const std::byte> record(bytes_.data() + offset, size);
      MmapRecord fields;
      if (!read_record(record, fields) || fields.header.type != PERF_RECORD_MMAP2 || fields.inode == 0) return;
      if (only_pid_ != 0 && fields.pid != only_pid_) return;
      std::size_t length = 0;
      const char* name = name_behind<MmapRecord>(record, length);
      requests_[static_cast<std::size_t>(Urgency::Soon)].push_back(
          {.path = std::string(name, length), .pid = fields.pid, .start = fields.address, .end = fields.address + fields.length, .file = {}});
    });
  }
  if (!requests_[static_cast<std::size_t>(Urgency::Soon)].empty()) wanted_.notify_all();
}

void UnwindTables::handle(const Request& request, Urgency urgency, FileKeys& keys) {
  if (request.path.empty() && request.end == 0) return want_mappings(request, urgency, keys);
  const auto opened = open(request, keys);
  if (opened) return build(*opened, request);
  // Gone before it could be looked at. Whoever meets the file again asks again.
  if (request.file && state_of(*request.file) == TRC_UW_FILE_ASKED) {
    if (auto forgotten = maps_->forget(*request.file); !forgotten) complain(forgotten.error().message());
  }
}

/// ASKED also if it is not there.
trc_uw_file_state UnwindTables::state_of(const trc_uw_file_key& file) const {
  const auto found = maps_->find(file);
  return found ? static_cast<trc_uw_file_state>(found->state) : TRC_UW_FILE_ASKED;
}

/// With that identity, if one is given.
bool UnwindTables::is_known(const trc_uw_file_key& file, const std::optional<Identity>& identity) {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find({file.device, file.inode});
  return known != known_.end() && (!identity || known->second == *identity);
}

void UnwindTables::want_mappings(const Request& process, Urgency urgency, FileKeys& keys) {
  const auto text = read_file(fmt::format("/proc/{}/maps", process.pid));
  if (!text) return;
  for (const symbols::MapsLine& line : symbols::parse_maps(*text)) {
    const symbols::Mapping& mapping = line.mapping;
    if (stop_) return;
    if (mapping.inode == 0) continue;
    // Files that processes share would be looked at again for each of them.
    if (urgency == Urgency::Background && is_known({kernel_device(mapping.device), mapping.inode}, std::nullopt)) continue;
    const Request request{.path = line.deleted ? std::string() : mapping.path, .pid = process.pid, .start = mapping.start, .end = mapping.end, .file = {}};
    if (process.held == 0) enqueue(request, urgency);
    else if (const auto opened = open(request, keys)) build(*opened, request);
  }
}

void UnwindTables::load_vdso() {
  const auto table = symbols::build_vdso_unwind_table();
  if (!table) return;   // nothing is mapped that could be met
  if (auto inserted = maps_->insert(kVdso, *table); !inserted) complain(inserted.error().message());
}

/// Finds the file of a request. The mapping leads to it whatever has become of its path, but only while the process has it; the path
/// outlives the process.
std::optional<UnwindTables::Opened> UnwindTables::open(const Request& request, FileKeys& keys) {
  const auto look = [&](Fd fd) -> std::optional<Opened> {
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    const FileKeys::Answer answer = keys.of(fd.get(), info);
    const bool is_another = request.file && (answer.key.device != request.file->device || answer.key.inode != request.file->inode);
    if (is_another && answer.is_certain) return std::nullopt;   // the process number was given to another
    return Opened{.fd = std::move(fd),
                  .file = request.file.value_or(answer.key),
                  .identity = {.size = info.st_size, .seconds = info.st_mtim.tv_sec, .nanoseconds = info.st_mtim.tv_nsec}};
  };
  std::optional<Opened> opened;
  if (request.end != 0) opened = look(open_file(fmt::format("/proc/{}/map_files/{:x}-{:x}", request.pid, request.start, request.end)));
  if (!opened && !request.path.empty()) opened = look(open_file(request.path));
  return opened;
}

/// Where the file's debug file is looked for: no path if that is not known.
symbols::FilePlace UnwindTables::place_of(const Opened& opened, const Request& request) {
  const auto leads_to_it = [&](const std::string& path) {
    struct stat info {}, wanted {};
    return ::stat(path.c_str(), &info) == 0 && ::fstat(opened.fd.get(), &wanted) == 0 && info.st_dev == wanted.st_dev && info.st_ino == wanted.st_ino;
  };
  std::string path = request.path;
  if (path.empty()) {
    std::error_code failure;
    path = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", opened.fd.get()), failure).string();
  }
  if (path.empty() || leads_to_it(path)) return {.path = path};
  const std::string root = fmt::format("/proc/{}/root", request.pid);
  return leads_to_it(root + path) ? symbols::FilePlace{.path = path, .root = root} : symbols::FilePlace{.path = path};
}

void UnwindTables::build(const Opened& opened, const Request& request) {
  const auto is_done = [&] { return is_known(opened.file, opened.identity) && state_of(opened.file) != TRC_UW_FILE_ASKED; };
  if (is_done()) return;
  const auto file = symbols::ElfReader::open(fmt::format("/proc/self/fd/{}", opened.fd.get()));
  const symbols::FilePlace place = place_of(opened, request);
  const auto table = file ? symbols::build_unwind_table(*file, place.path.empty() ? nullptr : &place, &stop_) : Result<symbols::UnwindTable>(file.error());
  if (stop_ || is_done()) return;   // or by another thread
  // What is not a program for this machine, or has no tables, may still have frame pointers.
  const symbols::UnwindTable none;
  const bool is_bare = !table || table->rows.empty();
  auto inserted = maps_->insert(opened.file, is_bare ? none : *table);
  if (!inserted) complain(fmt::format("no unwind table for {}: {}", request.path.empty() ? fmt::format("inode {}", opened.file.inode) : request.path, inserted.error().message()));
  const std::lock_guard lock(mutex_);
  known_[{opened.file.device, opened.file.inode}] = opened.identity;
  ++(!inserted ? counts_.failed : is_bare ? counts_.bare : counts_.tables);
  room_wanted_ = true;
  wanted_.notify_all();
}

}  // namespace trc::runtime
