// A buffer in front of a file descriptor, with the buffering that -B asks for; used by every sink. Remembers the first failed write.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "output/sink.h"

namespace trc::output {

class Writer {
 public:
  Writer(int fd, Buffering buffering);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer();

  /// Append here, then call commit().
  std::string& buffer() { return buffer_; }
  /// One piece of output is complete: writes it out if the buffering says so.
  void commit();
  /// A part of one that may be large: writes it out if there is much of it.
  void relieve();
  /// The ring is drained, or something is about to be written to another stream.
  void flush();
  /// Writes everything out; the first error of all writes.
  Result<> finish();
  bool failed() const { return error_ != 0; }
  bool is_terminal() const { return terminal_; }

 private:
  void write_out();

  int fd_;
  Buffering buffering_;
  bool terminal_;
  int error_ = 0;          ///< errno of the first failed write; what comes after it is dropped
  std::size_t seen_ = 0;   ///< bytes of the buffer already searched for a newline
  std::string buffer_;
};

/// Writes all of `text`, waiting where the descriptor does not block. Returns 0 or errno.
int write_all(int fd, std::string_view text);

}  // namespace trc::output
