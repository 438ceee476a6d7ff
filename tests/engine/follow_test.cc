#include "runtime/follow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kernel/bpf_map.h"
#include "kernel/facts.h"
#include "runtime/executed_files.h"
#include "runtime/proc.h"
#include "runtime/session.h"
#include "stdlib/process_tree_abi.h"

namespace trc::runtime {
namespace {

using testing::Contains;
using testing::EndsWith;
using testing::Not;
using namespace std::chrono_literals;

class FollowTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
    char name[] = "/tmp/trc_follow_XXXXXX";
    folder_ = ::mkdtemp(name);
    auto tree = ProcessTree::create();
    ASSERT_TRUE(tree) << tree.error().message();
    tree_ = std::move(*tree);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  std::string script(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0755);
    return path;
  }
  /// A held command, followed from now on.
  std::unique_ptr<Child> start(const std::string& command) {
    auto child = Child::start(command);
    if (!child) return nullptr;
    auto follow = Follow::start((*child)->pid(), *tree_);
    if (!follow) {
      ADD_FAILURE() << follow.error().message();
      return nullptr;
    }
    follow_ = std::move(*follow);
    return std::move(*child);
  }
  std::vector<std::uint32_t> members() const {
    std::vector<std::uint32_t> found;
    (void)kernel::for_each_element({.fd = tree_->maps()[1].fd, .key_size = 4, .value_size = 4, .max_entries = TRC_TREE_PROCESSES},
                                   [&](std::span<const std::byte> key, std::span<const std::byte>) { std::memcpy(&found.emplace_back(), key.data(), 4); });
    return found;
  }
  trc_tree state() const {
    trc_tree state{};
    const std::uint32_t key = 0;
    const auto bytes = kernel::lookup({.fd = tree_->maps()[0].fd, .key_size = 4, .value_size = sizeof state, .max_entries = 1}, std::as_bytes(std::span(&key, 1)));
    if (bytes && bytes->size() >= sizeof state) std::memcpy(&state, bytes->data(), sizeof state);
    return state;
  }
  /// Runs the command to its end; what it executed is in files_.
  int run(const std::string& command) {
    const auto child = start(command);
    if (!child || !child->release()) return -1;
    const auto until = std::chrono::steady_clock::now() + 20s;
    bool ended = false;
    while (!ended && std::chrono::steady_clock::now() < until) {
      pollfd fds[] = {{.fd = follow_->event_fd(), .events = POLLIN, .revents = 0}, {.fd = child->pidfd(), .events = POLLIN, .revents = 0}};
      ::poll(fds, 2, follow_->pending_ms());
      ended = fds[1].revents != 0;
      follow_->drain([&](std::int32_t pid) {
        if (const auto file = executed_.note(pid)) files_.push_back(file->exe);
        follow_->resume(pid);
      });
      follow_->resume_ancestors();
    }
    return ended ? child->status() : -1;
  }

  std::string folder_;
  std::unique_ptr<ProcessTree> tree_;
  std::unique_ptr<Follow> follow_;
  ExecutedFiles executed_;
  std::vector<std::string> files_;
};

TEST_F(FollowTest, SeesEveryExecOfAChainOfScripts) {
  const std::string inner = script("inner", "#!/bin/sh\n/bin/true\nexec sleep 0.01\n");
  const std::string outer = script("outer", "#!/usr/bin/env bash\nexec " + inner + "\n");
  EXPECT_EQ(run(outer), 0);
  EXPECT_THAT(files_, testing::ElementsAre(EndsWith("/env"), EndsWith("/bash"), testing::AnyOf(EndsWith("/dash"), EndsWith("/sh"), EndsWith("/bash")),
                                           EndsWith("/true"), EndsWith("/sleep")));
  EXPECT_THAT(executed_.other_file_named("inner"), testing::StartsWith(inner + " (a script that "));
  EXPECT_EQ(executed_.other_file_named("nothing"), "");
}

TEST_F(FollowTest, HoldsTheProcessUntilItIsResumed) {
  const std::string mark = folder_ + "/mark";
  const auto child = start("sh -c 'echo x > " + mark + "'");
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->release());
  pollfd ready{.fd = follow_->event_fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&ready, 1, 5000), 1);
  ::usleep(50000);
  EXPECT_EQ(process_status(child->pid())->state, 'T');
  EXPECT_NE(::access(mark.c_str(), F_OK), 0);
  follow_->drain([&](std::int32_t pid) {
    EXPECT_EQ(pid, child->pid());
    follow_->resume(pid);
  });
  pollfd gone{.fd = child->pidfd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&gone, 1, 5000), 1);
  EXPECT_EQ(::access(mark.c_str(), F_OK), 0);
}

TEST_F(FollowTest, LeavesOtherProcessesAlone) {
  // Another child of ours, and a process whose parent is gone.
  const auto child = start("sleep 10");
  ASSERT_TRUE(child);
  const pid_t first = ::fork();
  if (first == 0) {
    if (::fork() == 0) {
      ::setsid();
      ::usleep(100000);
      ::execl("/bin/sh", "sh", "-c", ("echo x > " + folder_ + "/mark").c_str(), nullptr);
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::waitpid(first, nullptr, 0);
  for (int i = 0; i < 100 && ::access((folder_ + "/mark").c_str(), F_OK) != 0; ++i) ::usleep(20000);
  EXPECT_EQ(::access((folder_ + "/mark").c_str(), F_OK), 0);
}

TEST_F(FollowTest, ListsTheProcessesOfTheCommandWhileTheyLive) {
  const auto child = start("sh -c 'sleep 0.3 & setsid sh -c \"sleep 60 >/dev/null 2>&1 & exit\"; wait'");
  ASSERT_TRUE(child);
  EXPECT_THAT(members(), testing::IsEmpty());
  EXPECT_EQ(state().command, TRC_TREE_NOBODY);
  ASSERT_TRUE(child->release());
  const auto follow = [&](auto enough) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!enough() && std::chrono::steady_clock::now() < until) {
      pollfd fds[] = {{.fd = follow_->event_fd(), .events = POLLIN, .revents = 0}};
      ::poll(fds, 1, 20);
      follow_->drain([&](std::int32_t pid) {
        if (const auto file = executed_.note(pid)) files_.push_back(file->exe);
        if (files_.size() == 1) {   // held at its first exec, it is alone
          EXPECT_THAT(members(), testing::ElementsAre(child->pid()));
          EXPECT_EQ(state().command, static_cast<unsigned>(child->pid()));
          EXPECT_EQ(state().state, static_cast<unsigned>(TRC_TREE_COMMAND_ALONE));
        }
        follow_->resume(pid);
      });
      follow_->resume_ancestors();
    }
    return enough();
  };
  // The shell, the short sleep, setsid, its shell, and the long sleep, whose parent is gone.
  EXPECT_TRUE(follow([&] { return files_.size() == 5 && child->status() >= 0; }));
  EXPECT_EQ(state().state, static_cast<unsigned>(TRC_TREE_FORKED));
  const auto left = members();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_NE(left.front(), static_cast<std::uint32_t>(child->pid()));
  ::kill(static_cast<pid_t>(left.front()), SIGKILL);
  EXPECT_TRUE(follow([&] { return members().empty(); }));
  EXPECT_EQ(follow_->not_followed(), 0U);
}

TEST_F(FollowTest, ResumesParentsThatStopThemselves) {
  // As sudo does: when the child stops, so does the parent.
  const std::string parent = script("parent.py",
                                    "#!/usr/bin/python3\nimport os, signal\npid = os.fork()\nif pid == 0:\n    os.execv('/bin/sleep', ['sleep', '0.2'])\n"
                                    "while True:\n    _, status = os.waitpid(pid, os.WUNTRACED)\n"
                                    "    if os.WIFSTOPPED(status):\n        os.kill(os.getpid(), signal.SIGSTOP)\n    else:\n        break\n");
  EXPECT_EQ(run(parent), 0);
  EXPECT_THAT(files_, Contains(EndsWith("/sleep")));
}

TEST_F(FollowTest, StoppedProcessesGoOnWhenFollowingEnds) {
  const auto child = start("sleep 0.01");
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->release());
  ::usleep(50000);
  ASSERT_EQ(process_status(child->pid())->state, 'T');
  follow_.reset();
  pollfd gone{.fd = child->pidfd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&gone, 1, 5000), 1);
}

}  // namespace
}  // namespace trc::runtime
