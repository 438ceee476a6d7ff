#include "runtime/shell.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/owned.h"

namespace trc::runtime {
namespace {

/// File actions and attributes of one posix_spawn.
struct Spawn {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  Spawn() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~Spawn() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
};

Result<pid_t> start(const std::string& command, int output) {
  Spawn spawn;
  ::posix_spawn_file_actions_adddup2(&spawn.actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&spawn.actions, output, STDERR_FILENO);
  sigset_t none, all;   // trc itself blocks the signals that end a run
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&spawn.attributes, &none);
  ::posix_spawnattr_setsigdefault(&spawn.attributes, &all);
  ::posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const char* const words[] = {"sh", "-c", command.c_str(), nullptr};
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, "/bin/sh", &spawn.actions, &spawn.attributes, const_cast<char* const*>(words), environ);
  if (failed == 0) return pid;
  errno = failed;
  return Error::from_errno("cannot run /bin/sh");
}

/// Takes what waits in the pipe; false at its end.
bool take(int fd, std::string& output) {
  std::array<char, 16 * 1024> piece;
  while (true) {
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n > 0) output.append(piece.data(), static_cast<std::size_t>(n));
    else return n < 0 && (errno == EAGAIN || errno == EINTR);
  }
}

}  // namespace

Result<ShellResult> run_shell(const std::string& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("cannot make a pipe");
  const Fd from(ends[0]);
  Fd to(ends[1]);
  ::fcntl(from.get(), F_SETFL, O_NONBLOCK);   // of our end only
  TRC_TRY(pid, start(command, to.get()));
  to.reset();
  const Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));

  ShellResult result;
  // A process in the background may hold the pipe for as long as it likes, so the end of the shell counts, not that of the pipe.
  bool open = true;
  while (open) {
    pollfd fds[] = {{.fd = from.get(), .events = POLLIN, .revents = 0}, {.fd = ended.get(), .events = POLLIN, .revents = 0}};
    ::poll(fds, 2, -1);
    const bool gone = fds[1].revents != 0;
    open = take(from.get(), result.output) && !gone;
  }
  while (::waitpid(pid, &result.status, 0) < 0 && errno == EINTR) {
  }
  return result;
}

}  // namespace trc::runtime
