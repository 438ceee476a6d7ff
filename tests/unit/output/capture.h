// What a sink writes, caught in memory files.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/owned.h"
#include "output/sink.h"

namespace trc::output {

class Capture {
 public:
  explicit Capture(std::string_view format, bool quiet = false, Buffering buffering = Buffering::Line, bool compat = false)
      : out_(::memfd_create("out", 0)), messages_(::memfd_create("messages", 0)) {
    sink_ = find_format(format)->make({.fd = out_.get(), .buffering = buffering, .quiet = quiet, .compat = compat, .message_fd = messages_.get()});
  }
  Sink& sink() { return *sink_; }
  Sink* operator->() { return sink_.get(); }
  /// Everything written so far, without flushing.
  std::string written() const { return content(out_); }
  /// Ends the output; what was written in all.
  std::string finish() {
    const auto result = sink_->finish();
    return result ? content(out_) : "ERROR " + result.error().message();
  }
  std::string messages() const { return content(messages_); }

 private:
  static std::string content(const Fd& fd) {
    std::string text(static_cast<std::size_t>(::lseek(fd.get(), 0, SEEK_END)), '\0');
    text.resize(static_cast<std::size_t>(::pread(fd.get(), text.data(), text.size(), 0)));
    return text;
  }
  Fd out_, messages_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace trc::output
