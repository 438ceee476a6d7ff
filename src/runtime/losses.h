// Events that could not be delivered: noticed while the run goes on, explained when it ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "image/program_image.h"
#include "output/sink.h"
#include "runtime/engine.h"
#include "runtime/messages.h"

namespace trc::runtime {

class LossReport {
 public:
  /// `reads_are_reported`: -k, each place where a read failed has been shown.
  LossReport(const image::ProgramImage& image, Engine& engine, output::Sink& sink, Messages& messages, bool reads_are_reported)
      : image_(image), engine_(engine), sink_(sink), messages_(messages), reads_are_reported_(reads_are_reported) {}

  /// Of a program's stacks that ended TRC_STACK_PythonNotLoaded, at most how many really lack something; the others met no interpreter.
  void set_late_stacks(std::function<std::uint64_t(std::uint32_t program)> late) { late_ = std::move(late); }
  /// The name of an address of the kernel; whether a kernel stack of as many frames as the kernel gives was all there is depends on it.
  void set_kernel_symbols(std::function<std::string(std::uint64_t address)> symbol) { kernel_symbol_ = std::move(symbol); }
  /// Tells the sink about events lost since the last look; looks at most twice a second.
  void look();
  /// Records that were read but not printed, because the run had to end in time.
  void add_unread(std::uint64_t records) { unread_ += records; }
  /// The rest, the total, and for each program and cause what can be done.
  void summarize();
  bool any() const { return reported_ != 0; }

 private:
  void report_new();
  void summarize_stacks();
  std::vector<std::uint64_t> whole_at_the_limit();
  std::string name_of(std::size_t program) const;
  struct Cause { std::string one, many; };   // behind "1" and behind other numbers
  void explain(std::size_t program, std::uint64_t events, const Cause& cause, const std::string& hint);
  std::vector<std::string> full_maps();

  const image::ProgramImage& image_;
  Engine& engine_;
  output::Sink& sink_;
  Messages& messages_;
  bool reads_are_reported_;
  std::function<std::uint64_t(std::uint32_t program)> late_;
  std::function<std::string(std::uint64_t address)> kernel_symbol_;
  std::uint64_t reported_ = 0, unread_ = 0;
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace trc::runtime
