// Whole runs on the kernel engine, without the compiler: what only the runner can get right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "engine_image.h"
#include "kernel/facts.h"
#include "output/sink.h"
#include "runtime/session.h"

namespace trc::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;
using std::chrono::steady_clock;

struct Dump : output::Sink {
  void attached(std::size_t probes) override { attached_probes = probes; }
  void text(std::string_view) override {}
  void value(const output::Value& value) override { values.push_back(output::to_text(value)); }
  void map(const output::MapDump& map) override {
    if (map.name != "@hits") return;
    for (const auto& [key, value] : map.entries) hits[output::to_text(key)] = std::stoull(output::to_text(value));
  }
  void map_value(std::string_view, const output::Value&) override {}
  void time(std::string_view) override {}
  void join(std::string_view) override {}
  void cat(std::string_view) override {}
  void system(std::string_view) override {}
  void said(const output::Origin&, Severity, std::string_view) override {}
  void test_end(const output::TestResult&) override {}
  void benchmarks(const std::vector<output::BenchmarkResult>&) override {}
  void lost(std::uint64_t) override {}
  void error(const output::Origin&, std::string_view, std::string_view, std::int64_t) override {}
  void end_of_run() override {}
  void flush() override {}
  Result<> finish() override { return {}; }
  std::size_t attached_probes = 0;
  std::vector<std::string> values;
  std::map<std::string, std::uint64_t> hits;   ///< by the name of the probe
};

class RunTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
    char name[] = "/tmp/trc_run_XXXXXX";
    folder_ = ::mkdtemp(name);
    image_.settings.ring_pages = 16;
    image_.maps[kHits].key = lang::make_probe_name();
    image_.maps[kHits].value = lang::make_aggregate(lang::TypeKind::Count, false);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  void probe(const std::string& text, std::uint32_t program = kUser) {
    image_.probes.push_back({.provider = text.substr(0, text.find(':')), .text = text, .program = program});
  }
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0755);
    return path;
  }
  /// Runs; what was said on stderr is in said_.
  int run(const std::string& command = {}) {
    std::unique_ptr<Child> child;
    if (!command.empty()) {
      auto started = Child::start(command);
      EXPECT_TRUE(started) << started.error().message();
      child = std::move(*started);
    }
    testing::internal::CaptureStderr();
    EndSignals signals;
    const auto result = trc::runtime::run(image_, options_, kernel::system_facts(), signals, std::move(child), dump_);
    said_ = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(result) << result.error().message();
    return result.value_or(-1);
  }
  std::uint64_t hits_of(const std::string& part) const {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : dump_.hits) {
      if (name.find(part) != std::string::npos) sum += count;
    }
    return sum;
  }

  std::string folder_, said_;
  image::ProgramImage image_ = make_image();
  RunOptions options_;
  Dump dump_;
};

TEST_F(RunTest, ABareNameIsTheProgramBehindScripts) {
  // A program of that name exists nowhere but behind two scripts, the inner of which has the name itself.
  std::filesystem::create_directories(folder_ + "/real");
  std::filesystem::copy_file("/bin/bash", folder_ + "/real/trc_target");
  const std::string shim = file("trc_target", "#!/usr/bin/env bash\nexec '" + folder_ + "/real/trc_target' \"$@\"\n");
  probe("uprobe:trc_target:main");
  EXPECT_EQ(run("sh -c 'PATH=" + folder_ + ":$PATH; trc_target -c :; :'"), 0);
  EXPECT_EQ(hits_of("/real/trc_target:main"), 1U) << said_;
  EXPECT_EQ(dump_.hits.size(), 1U);
}

TEST_F(RunTest, AProgramThatNeverRanIsTold) {
  file("trc_target", "#!/bin/sh\n:\n");
  probe("uprobe:trc_target:main");
  EXPECT_EQ(run("sh -c '" + folder_ + "/trc_target; :'"), 0);
  EXPECT_THAT(said_, HasSubstr("uprobe:trc_target:main was never attached: no process of the command executed a program named trc_target; " + folder_ +
                               "/trc_target (a script that "));
}

TEST_F(RunTest, TheFirstInstructionIsTraced) {
  probe("uprobe:/bin/bash:main");
  EXPECT_EQ(run("/bin/bash -c :"), 0);
  EXPECT_EQ(hits_of(":main"), 1U);
  EXPECT_EQ(dump_.attached_probes, 1U);
}

/// The first python3 on PATH that is a script (a version manager's shim); empty if there is none.
std::string python_script() {
  std::istringstream path(std::getenv("PATH") ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(path, folder, ':');) {
    const std::string file = folder + "/python3";
    char start[2] = {};
    if (std::ifstream(file).read(start, 2) && start[0] == '#' && start[1] == '!') return file;
  }
  return "";
}

TEST_F(RunTest, PythonBehindAShim) {
  const std::string script = python_script();
  if (script.empty()) GTEST_SKIP() << "there is no python3 on PATH that is a script";
  probe("uprobe:python3:Py_*");
  EXPECT_EQ(run(script + " -c 'print(1)'"), 0);
  EXPECT_GT(hits_of(":Py_"), 10U) << said_;
}

TEST_F(RunTest, BlocksOnOneFunctionRunAsWritten) {
  for (const char* provider : {"uprobe", "uretprobe"}) {
    image_.probes.clear();
    dump_.values.clear();
    for (int i = 0; i < 3; ++i) probe(std::string(provider) + ":/bin/bash:initialize_shell_builtins", kTell);
    EXPECT_EQ(run("/bin/bash -c :"), 0);
    EXPECT_THAT(dump_.values, testing::ElementsAre("0", "1", "2")) << provider;
  }
}

TEST_F(RunTest, CtrlCWithManySlowAttachmentsIsQuick) {
  image_.frozen_offset = 4;
  options_.no_features = {"uprobe_multi"};
  probe("uprobe:/bin/bash:sh_*");   // some dozens of perf events, 100 ms each to close
  const pid_t self = ::getpid();
  steady_clock::time_point stop;
  std::thread interrupt([&] {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (dump_.attached_probes == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    stop = steady_clock::now();
    ::kill(self, SIGINT);
  });
  sigset_t interrupts, before;   // the other thread must not be where the signal goes
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &interrupts, &before);
  EXPECT_EQ(run(), 0);
  const auto took = steady_clock::now() - stop;
  interrupt.join();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_GT(dump_.attached_probes, 20U);
  EXPECT_LT(took, std::chrono::milliseconds(1000));
}

}  // namespace
}  // namespace trc::runtime
