#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "base/read_file.h"
#include "runtime/session.h"

namespace trc::runtime {
namespace {

using testing::HasSubstr;

bool ends_within(Child& child, int ms) {
  pollfd gone{.fd = child.pidfd(), .events = POLLIN, .revents = 0};
  return ::poll(&gone, 1, ms) == 1;
}

std::string temporary() { return "/tmp/trc_child_test_" + std::to_string(::getpid()); }

TEST(Child, IsHeldUntilReleased) {
  const std::string mark = temporary();
  ::unlink(mark.c_str());
  auto child = Child::start("sh -c 'echo ran > " + mark + "; exit 7'");
  ASSERT_TRUE(child) << child.error().message();
  EXPECT_FALSE(ends_within(**child, 100));
  EXPECT_NE(::access(mark.c_str(), F_OK), 0);
  EXPECT_EQ((*child)->status(), -1);
  ASSERT_TRUE((*child)->release());
  ASSERT_TRUE(ends_within(**child, 5000));
  const int status = (*child)->status();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(read_file(mark).value(), "ran\n");
  ::unlink(mark.c_str());
}

TEST(Child, NamesTheProgramItWillRun) {
  auto child = Child::start("sh -c true");
  ASSERT_TRUE(child);
  EXPECT_THAT((*child)->program_path(), HasSubstr("/sh"));
}

TEST(Child, IsGoneWithItsOwner) {
  pid_t pid = 0;
  {
    auto child = Child::start("sleep 100");
    ASSERT_TRUE(child);
    pid = (*child)->pid();
  }
  EXPECT_NE(::kill(pid, 0), 0);   // held: never ran
  {
    auto child = Child::start("sleep 100");
    ASSERT_TRUE(child);
    ASSERT_TRUE((*child)->release());
    pid = (*child)->pid();
    ::kill(pid, SIGSTOP);          // a stopped one goes too
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(Child, ReportsAFailedExecWithItsReason) {
  const std::string script = temporary() + ".sh";
  std::ofstream(script) << "#!/nonexistent/interpreter\n";
  ::chmod(script.c_str(), 0755);
  auto child = Child::start(script);
  ASSERT_TRUE(child);
  const auto released = (*child)->release();
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code(), ENOENT);
  EXPECT_THAT(released.error().message(), HasSubstr(script));
  EXPECT_THAT(released.error().hint(), HasSubstr("interpreter"));
  ::unlink(script.c_str());
}

TEST(Child, AProgramThatIsNotThereIsAnErrorAtOnce) {
  const auto child = Child::start("no-such-program-anywhere --x");
  ASSERT_FALSE(child);
  EXPECT_THAT(child.error().message(), HasSubstr("no-such-program-anywhere"));
}

TEST(Child, StartsWithoutBlockedOrIgnoredSignals) {
  sigset_t some, before;
  sigemptyset(&some);
  sigaddset(&some, SIGINT);
  sigaddset(&some, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &some, &before);
  ::signal(SIGPIPE, SIG_IGN);
  const std::string mark = temporary();
  auto child = Child::start("sh -c 'grep -E \"SigBlk|SigIgn\" /proc/self/status > " + mark + "'");
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ASSERT_TRUE(child);
  ASSERT_TRUE((*child)->release());
  ASSERT_TRUE(ends_within(**child, 5000));
  EXPECT_EQ(read_file(mark).value(), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  ::unlink(mark.c_str());
}

}  // namespace
}  // namespace trc::runtime
