// Owned<T, Close, None>: the move-only owner of an operating-system or library handle. Fd is the common case.
#pragma once

#include <unistd.h>

#include <utility>

namespace trc {

template <class T, auto Close, T None>
class [[nodiscard]] Owned {
 public:
  Owned() = default;
  explicit Owned(T handle) : handle_(handle) {}
  Owned(Owned&& other) noexcept : handle_(other.release()) {}
  Owned& operator=(Owned&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~Owned() { reset(); }

  T get() const { return handle_; }
  explicit operator bool() const { return handle_ != None; }
  T release() { return std::exchange(handle_, None); }
  /// Closes what is held. Errors of close are ignored: nothing useful can be done about them.
  void reset(T handle = None) {
    if (handle_ != None) Close(handle_);
    handle_ = handle;
  }

 private:
  T handle_ = None;
};

using Fd = Owned<int, ::close, -1>;

}  // namespace trc
