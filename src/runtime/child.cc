// The -c child: forked at once, so that its pid is known while the script is compiled, and held before its exec until every probe is
// attached.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/owned.h"
#include "runtime/command_line.h"
#include "runtime/session.h"

namespace trc::runtime {
namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Pipe { Fd read, write; };

/// A pair of sockets is a pipe to which one can write without SIGPIPE when the other end is gone.
Result<Pipe> make_signal_line() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return Error::from_errno("make a pipe for the command");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("make a pipe for the command");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// Back to what a program expects: no signal blocked, none ignored. Handlers go with the exec.
void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// In the child, until the exec. Only async-signal-safe calls.
[[noreturn]] void wait_and_exec(pid_t tracer, int go, int failed, const char* path, char* const* words) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != tracer) ::_exit(1);   // it went before the line above
  reset_signals();
  char word = 0;
  // From here on it makes no call but those that belong to its exec: what is attached meanwhile sees the command alone.
  if (::write(failed, &word, 1) != 1) ::_exit(1);
  ssize_t size = 0;
  do {
    size = ::read(go, &word, 1);
  } while (size < 0 && errno == EINTR);
  if (size != 1) ::_exit(0);   // the tracer gave up
  ::execv(path, words);
  const int err = errno;
  if (::write(failed, &err, sizeof err) < 0) ::_exit(126);
  ::_exit(127);
}

class HeldChild : public Child {
 public:
  HeldChild(pid_t pid, Fd pidfd, std::string path, Fd go, Fd failed)
      : pid_(pid), pidfd_(std::move(pidfd)), path_(std::move(path)), go_(std::move(go)), failed_(std::move(failed)) {}
  ~HeldChild() override;
  std::int32_t pid() const override { return pid_; }
  const std::string& program_path() const override { return path_; }
  /// Until the child has nothing left to do but its exec; false: it is gone.
  bool wait_until_held();
  Result<> release() override;
  int pidfd() const override { return pidfd_.get(); }
  int status() override;

 private:
  pid_t pid_;
  Fd pidfd_;
  std::string path_;
  Fd go_, failed_;
  int status_ = -1;
};

HeldChild::~HeldChild() {
  if (status() >= 0) return;
  const bool never_ran = static_cast<bool>(go_);
  ::kill(pid_, never_ran ? SIGKILL : SIGTERM);
  ::kill(pid_, SIGCONT);   // it may be stopped, and would not notice
  // A command that ends at once is reaped; one that takes its time must not hold trc up.
  pollfd gone{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  ::poll(&gone, 1, never_ran ? 1000 : 50);
  status();
}

bool HeldChild::wait_until_held() {
  char word = 0;
  ssize_t size = 0;
  do {
    size = ::read(failed_.get(), &word, 1);
  } while (size < 0 && errno == EINTR);
  return size == 1;
}

Result<> HeldChild::release() {
  if (!go_) return {};
  const char word = 1;
  const ssize_t written = ::send(go_.get(), &word, 1, MSG_NOSIGNAL);
  go_.reset();
  if (written != 1) return Error("the command was killed before it could start");
  int err = 0;
  ssize_t size = 0;
  do {   // ends when the exec has closed the other end, or brings the reason why there was none
    size = ::read(failed_.get(), &err, sizeof err);
  } while (size < 0 && errno == EINTR);
  failed_.reset();
  if (size != sizeof err) return {};
  Error error = Error::from_errno("cannot run '" + path_ + "'", err);
  if (err == ENOEXEC) return std::move(error).hint("a script needs a first line such as #!/bin/sh");
  if (err == ENOENT) return std::move(error).hint("the file is there, but not the interpreter that its first line or its ELF header names");
  return error;
}

int HeldChild::status() {
  if (status_ >= 0) return status_;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_;
}

}  // namespace

Result<std::unique_ptr<Child>> Child::start(const std::string& command) {
  TRC_TRY(words, split_command(command));
  const char* path_variable = std::getenv("PATH");
  TRC_TRY(path, find_executable(words.front(), path_variable != nullptr ? path_variable : kDefaultPath));
  TRC_TRY(go, make_signal_line());
  TRC_TRY(failed, make_pipe());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const pid_t tracer = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Error::from_errno("start the command");
  if (pid == 0) {
    go.write.reset();   // or the end of trc would not be seen
    wait_and_exec(tracer, go.read.get(), failed.write.get(), path.c_str(), argv.data());
  }
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    Error error = Error::from_errno("watch the command (pidfd_open)");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  failed.write.reset();   // so that the end of the child is seen
  auto child = std::unique_ptr<HeldChild>(new HeldChild(pid, std::move(pidfd), std::move(path), std::move(go.write), std::move(failed.read)));
  if (!child->wait_until_held()) return Error("the command was killed before it could start");
  return std::unique_ptr<Child>(std::move(child));
}

}  // namespace trc::runtime
