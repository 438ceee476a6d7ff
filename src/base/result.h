// Result<T>: a value, or an Error that says what was tried and why it failed.
// For failures of the environment (files, kernel, permissions). A user's mistake in a program is a Diagnostic
// (source/diagnostics.h); a bug of ours is TRC_ASSERT (base/assert.h).
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace trc {

/// A failure with its context, outermost first: "attach uprobe:/bin/x:f: open /bin/x: No such file or directory".
class Error {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}

  /// "what: strerror(errno)". Keeps the errno value, see code().
  static Error from_errno(std::string_view what, int err = errno) {
    Error e(std::string(what) + ": " + std::strerror(err));
    e.code_ = err;
    return e;
  }

  /// Puts what was being done in front of the message.
  Error context(std::string_view what) && {
    message_ = std::string(what) + ": " + message_;
    return std::move(*this);
  }

  /// Adds one sentence that tells the user what to do. Printed as "HINT: …" below the error.
  Error hint(std::string text) && {
    hint_ = std::move(text);
    return std::move(*this);
  }

  /// The exit status that trc ends with when this error reaches the command line (cli.md §6); default 1.
  Error status(int s) && {
    exit_status_ = s;
    return std::move(*this);
  }

  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }
  int code() const { return code_; }  ///< errno value, 0 if none
  int exit_status() const { return exit_status_; }

 private:
  std::string message_;
  std::string hint_;
  int code_ = 0;
  int exit_status_ = 1;
};

template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(Error e) : tl::expected<T, Error>(tl::unexpect, std::move(e)) {}
};

#define TRC_CONCAT_(a, b) a##b
#define TRC_CONCAT(a, b) TRC_CONCAT_(a, b)

/// Declares `var` from a Result, or returns its error.
#define TRC_TRY(var, expr)                                      \
  auto var##_result = (expr);                                   \
  if (!var##_result) return std::move(var##_result).error();    \
  auto var = std::move(*var##_result)

/// Returns the error of a Result<> if it has one.
#define TRC_CHECK(expr)                                                                          \
  do {                                                                                           \
    if (auto trc_check_result = (expr); !trc_check_result) return std::move(trc_check_result).error(); \
  } while (0)

}  // namespace trc
