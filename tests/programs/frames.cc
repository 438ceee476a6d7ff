// frames DEPTH [plain | signal | altstack | thread]: goes DEPTH levels down through frames of every shape and calls frames_bottom() once,
// there. Each level takes one of: a virtual call, alloca, a qsort callback, a frame that is realigned to 64 bytes. Without frame pointers.
// signal: halfway down a signal interrupts, and its handler goes down the other half; altstack: on a stack of its own; thread: all of it
// happens in a thread.
#include <alloca.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#define KEPT __attribute__((noinline, noclone))

volatile long sink;
static const char *mode = "plain";
static long half = -1, rest;

extern "C" KEPT void frames_bottom() { sink = sink + 1; }

KEPT long down(long depth);

struct Base {
  virtual ~Base() = default;
  virtual long go(long depth) = 0;
};
struct Virtual : Base {
  KEPT long go(long depth) override { return down(depth - 1) + sink; }
};

KEPT long by_alloca(long depth) {
  volatile char *room = static_cast<volatile char *>(alloca(static_cast<size_t>(17 + depth % 5 * 40)));
  room[0] = 1;
  return down(depth - 1) + room[0];
}

static long sort_depth, sort_result;
KEPT int compare(const void *, const void *) {
  const long depth = sort_depth;
  if (depth >= 0) {
    sort_depth = -1;   // once for each qsort
    sort_result = down(depth - 1) + sink;
  }
  return 0;
}
KEPT long by_qsort(long depth) {
  int pair[2] = {1, 2};
  sort_depth = depth;
  qsort(pair, 2, sizeof pair[0], compare);
  return sort_result + pair[0];
}

KEPT long by_realignment(long depth) {
  alignas(64) volatile char room[128];
  room[depth & 127] = 1;
  return down(depth - 1) + room[depth & 127];
}

KEPT long down(long depth) {
  if (depth == half) {
    half = -1;
    rest = depth;
    raise(SIGUSR1);
    return sink;
  }
  if (depth <= 0) {
    frames_bottom();
    return sink;
  }
  static Virtual object;
  Base *volatile base = &object;
  switch (depth & 3) {
    case 0: return base->go(depth) + 1;
    case 1: return by_alloca(depth) + 1;
    case 2: return by_qsort(depth) + 1;
    default: return by_realignment(depth) + 1;
  }
}

KEPT void handler(int) {
  down(rest - 1);
  sink = sink + 1;
}

KEPT void *run(void *argument) {
  const long depth = *static_cast<long *>(argument);
  if (std::strcmp(mode, "signal") == 0 || std::strcmp(mode, "altstack") == 0) {
    struct sigaction action = {};
    action.sa_handler = handler;
    if (std::strcmp(mode, "altstack") == 0) {
      static char other[1 << 20];
      stack_t stack = {};
      stack.ss_sp = other;
      stack.ss_size = sizeof other;
      sigaltstack(&stack, nullptr);
      action.sa_flags = SA_ONSTACK;
    }
    sigaction(SIGUSR1, &action, nullptr);
    half = depth / 2;
  }
  down(depth);
  sink = sink + 1;
  return nullptr;
}

int main(int argc, char **argv) {
  long depth = argc > 1 ? std::atol(argv[1]) : 10;
  if (argc > 2) mode = argv[2];
  if (std::strcmp(mode, "thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, nullptr, run, &depth);
    pthread_join(thread, nullptr);
  } else {
    run(&depth);
  }
  std::printf("depth %ld\n", depth);
  return 0;
}
