#include "output/writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace trc::output {
namespace {

constexpr std::size_t kBufferSize = 64 * 1024;

}  // namespace

int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Somebody made the descriptor (often shared with our parent's) non-blocking.
      pollfd ready{fd, POLLOUT, 0};
      if (::poll(&ready, 1, -1) < 0 && errno != EINTR) return errno;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

Writer::Writer(int fd, Buffering buffering) : fd_(fd), buffering_(buffering), terminal_(::isatty(fd) == 1) { buffer_.reserve(kBufferSize); }

Writer::~Writer() { write_out(); }

void Writer::write_out() {
  if (error_ == 0) error_ = write_all(fd_, buffer_);
  buffer_.clear();
  seen_ = 0;
}

void Writer::commit() {
  const bool per_line = buffering_ == Buffering::Line && terminal_;
  const bool line_done = per_line && buffer_.find('\n', seen_) != std::string::npos;
  if (buffering_ == Buffering::None || line_done || buffer_.size() >= kBufferSize) return write_out();
  seen_ = buffer_.size();
}

void Writer::relieve() {
  if (buffer_.size() >= kBufferSize) write_out();
}

void Writer::flush() {
  if (buffering_ != Buffering::Full) write_out();
}

Result<> Writer::finish() {
  write_out();
  if (error_ != 0) return Error::from_errno("write output", error_);
  return {};
}

}  // namespace trc::output
