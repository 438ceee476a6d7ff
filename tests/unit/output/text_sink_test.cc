#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <csignal>

#include "output/histogram.h"
#include "unit/output/capture.h"
#include "unit/output/values.h"

namespace trc::output {
namespace {

Value histogram_value(std::vector<std::uint64_t> words) {
  return {lang::TypeKind::Histogram, make_histogram(lang::make_histogram(0), words)};
}

std::string map_text(const MapDump& dump) {
  Capture out("text");
  out->map(dump);
  return out.finish();
}

TEST(TextSink, PrintfTimeAndJoin) {
  Capture out("text");
  out->text("a 5");
  out->text("\n");
  out->time("01:56:38\n");
  out->join("ls -l /");
  EXPECT_EQ(out.finish(), "a 5\n01:56:38\nls -l /\n");
}

TEST(TextSink, PrintAddsANewline) {
  Capture out("text");
  out->value(integer(7));
  out->value(string(""));
  out->value(kernel_stack("\n        f+1\n"));
  EXPECT_EQ(out.finish(), "7\n\n\n        f+1\n\n");
}

TEST(TextSink, MapLines) {
  EXPECT_EQ(map_text(scalar("@a", integer(1))), "@a: 1\n");
  EXPECT_EQ(map_text(keyed("@b", {{integer(2), integer(3)}, {integer(4), integer(5)}})), "@b[2]: 3\n@b[4]: 5\n");
  EXPECT_EQ(map_text(keyed("@c", {{tuple({tuple({integer(1), integer(2)}), integer(3)}), integer(4)}})), "@c[(1, 2), 3]: 4\n");
  EXPECT_EQ(map_text(keyed("@d", {{record({{"a", integer(1)}, {"b", integer(2)}}), integer(5)}})), "@d[{ .a = 1, .b = 2 }]: 5\n");
  EXPECT_EQ(map_text(keyed("@q", {{array({integer(7), integer(8), integer(9)}), integer(1)}})), "@q[[7,8,9]]: 1\n");
  EXPECT_EQ(map_text(keyed("@c", {{string("(z)"), integer(1)}})), "@c[z]: 1\n");
  EXPECT_EQ(map_text(scalar("@t", tuple({integer(0), string("")}))), "@t: (0, )\n");
  EXPECT_EQ(map_text(scalar("@m", stats(0, 0, 0))), "@m: { .count = 0, .average = 0, .total = 0 }\n");
}

TEST(TextSink, StacksInMaps) {
  const Value stack = kernel_stack("\n        perf_syscall_enter+397\n        syscall_trace_enter+384\n");
  EXPECT_EQ(map_text(keyed("@", {{stack, integer(4)}})), "@[\n        perf_syscall_enter+397\n        syscall_trace_enter+384\n]: 4\n");
  EXPECT_EQ(map_text(keyed("@", {{tuple({kernel_stack("\n        leaf+0\n        mid+9\n"), string("comm")}), integer(1)}})),
            "@[\n        leaf+0\n        mid+9\n, comm]: 1\n");
  EXPECT_EQ(map_text(scalar("@s", kernel_stack("\n        leaf+0\n        mid+9\n"))), "@s: \n        leaf+0\n        mid+9\n\n");
}

TEST(TextSink, HistogramsHaveAHeadingAndAnEmptyLine) {
  const std::string row = "[0]                    1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n";
  EXPECT_EQ(map_text(scalar("@h", histogram_value({0, 1}))), "@h:\n" + row + "\n");
  EXPECT_EQ(map_text(keyed("@h", {{tuple({string("k"), integer(1)}), histogram_value({0, 1})}})), "@h[k, 1]:\n" + row + "\n");
  EXPECT_EQ(map_text(scalar("@h", histogram_value({}))), "@h:\n\n");
}

TEST(TextSink, ValueOfAScalarMap) {
  Capture out("text");
  out->map_value("@x", integer(-1));
  EXPECT_EQ(out.finish(), "@x: -1\n");
}

TEST(TextSink, TwoNewlinesBeforeTheMapsAtTheEnd) {
  Capture out("text");
  out->end_of_run();
  out->map(scalar("@a", integer(1)));
  out->map(keyed("@b", {{integer(2), integer(3)}}));
  EXPECT_EQ(out.finish(), "\n\n@a: 1\n@b[2]: 3\n");

  Capture none("text");
  none->end_of_run();
  EXPECT_EQ(none.finish(), "\n\n");
}

TEST(TextSink, QuietLeavesThemOutWhenNoMapFollows) {
  Capture none("text", true);
  none->end_of_run();
  none->map(keyed("@empty", {}));
  EXPECT_EQ(none.finish(), "");

  Capture some("text", true);
  some->end_of_run();
  some->map(scalar("@a", integer(1)));
  some->map(scalar("@b", integer(2)));
  EXPECT_EQ(some.finish(), "\n\n@a: 1\n@b: 2\n");
}

TEST(TextSink, EmptyMapsPrintNothing) { EXPECT_EQ(map_text(keyed("@x", {})), ""); }

TEST(TextSink, AttachedGoesToTheMessages) {
  Capture out("text");
  out->attached(1);
  out->attached(2);
  EXPECT_EQ(out.messages(), "Attached 1 probe\nAttached 2 probes\n");
  EXPECT_EQ(out.finish(), "");
  Capture quiet("text", true);
  quiet->attached(1);
  EXPECT_EQ(quiet.messages(), "");
}

TEST(TextSink, TheEmptyLinesAtTheEndAreLeftOutOnlyWhenQuietAndNotCompatible) {
  const auto end = [](bool quiet, bool compat) {
    Capture out("text", quiet, Buffering::Line, compat);
    out->end_of_run();
    return out.finish();
  };
  EXPECT_EQ(end(false, false), "\n\n");
  EXPECT_EQ(end(true, false), "");
  EXPECT_EQ(end(true, true), "\n\n");
}

TEST(TextSink, LostEvents) {
  Capture out("text");
  out->lost(12);
  out->lost(3);
  out->end_of_run();
  EXPECT_EQ(out.messages(), "Lost 12 events\nLost 3 events\n");
  EXPECT_EQ(out.finish(), "\n\n");
}

TEST(TextSink, CallsOfMacrosFollowWhatHappenedInThem) {
  Capture out("text");
  const Origin in_macro{"stdin:1:9-28", "line", "~~", {{"stdin:2:1-4", "m();", "~~~"}, {"stdin:3:1-4", "n();", "~~~"}}};
  out->said(in_macro, Severity::Error, "bad 5");
  out->error(in_macro, "words", "", 0);
  EXPECT_EQ(out.messages(),
            "stdin:1:9-28: ERROR: bad 5\nstdin:2:1-4: ERROR: expanded from\nm();\n~~~\nstdin:3:1-4: ERROR: expanded from\nn();\n~~~\n"
            "stdin:1:9-28: WARNING: words\nline\n~~\nstdin:2:1-4: WARNING: expanded from\nm();\n~~~\nstdin:3:1-4: WARNING: expanded from\nn();\n~~~\n");
}

TEST(TextSink, HelperErrors) {
  Capture out("text");
  out->error({"stdin:1:9-28", "begin { @a[1] = 1 }", "        ~~~~~"}, "Map full; can't update element.", "map_update_elem", -7);
  out->error({"stdin:1:9-28", "begin { $a / $b }", "        ~~~~~~~"}, "Divide or modulo by 0 detected.", "", 0);
  out->error({}, "words", "", 0);
  EXPECT_EQ(out.messages(),
            "stdin:1:9-28: WARNING: Map full; can't update element.\n"
            "Additional Info - helper: map_update_elem, retcode: -7\n"
            "begin { @a[1] = 1 }\n"
            "        ~~~~~\n"
            "stdin:1:9-28: WARNING: Divide or modulo by 0 detected.\n"
            "begin { $a / $b }\n"
            "        ~~~~~~~\n"
            "WARNING: words\n");
}

TEST(TextSink, MessagesComeAfterWhatWasPrintedBefore) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  auto sink = find_format("text")->make({.fd = pipe_ends[1], .message_fd = pipe_ends[1]});
  sink->text("first\n");
  sink->lost(1);
  char text[64];
  const ssize_t got = ::read(pipe_ends[0], text, sizeof text);
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(got)), "first\nLost 1 events\n");
  sink.reset();
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST(TextSink, OffATerminalLinesWaitForTheRingToBeDrained) {
  Capture out("text");
  out->text("a\n");
  EXPECT_EQ(out.written(), "");
  out->flush();
  EXPECT_EQ(out.written(), "a\n");
}

TEST(TextSink, BufferingNoneWritesAtOnceAndFullOnlyWhenFull) {
  Capture none("text", false, Buffering::None);
  none->text("a");
  EXPECT_EQ(none.written(), "a");

  Capture full("text", false, Buffering::Full);
  full->text("a\n");
  full->flush();
  EXPECT_EQ(full.written(), "");
  full->text(std::string(64 * 1024, 'b'));
  EXPECT_EQ(full.written().size(), 64U * 1024 + 2);
  full->text("c");
  EXPECT_EQ(full.finish().back(), 'c');
}

TEST(TextSink, OnATerminalEachLineIsWrittenAndControlBytesAreEscaped) {
  const Fd terminal(::posix_openpt(O_RDWR | O_NOCTTY));
  if (!terminal || ::grantpt(terminal.get()) != 0 || ::unlockpt(terminal.get()) != 0) GTEST_SKIP() << "no pseudo terminals here";
  const Fd user(::open(::ptsname(terminal.get()), O_RDWR | O_NOCTTY));
  ASSERT_TRUE(user);
  auto sink = find_format("text")->make({.fd = user.get()});
  sink->text("\033[1mbold");  // the script's own text
  sink->text("\n");
  sink->value(string("a\033b\tc"));
  // One read may give both lines or only a part of them.
  std::string seen;
  char part[64];
  for (pollfd ready{terminal.get(), POLLIN, 0}; !seen.ends_with("c\r\n") && ::poll(&ready, 1, 2000) > 0;) {
    const ssize_t got = ::read(terminal.get(), part, sizeof part);
    ASSERT_GT(got, 0);
    seen.append(part, static_cast<std::size_t>(got));
  }
  EXPECT_EQ(seen, "\033[1mbold\r\na\\x1bb\tc\r\n");
}

TEST(TextSink, FailedWritesShowAtTheEnd) {
  const Fd full(::open("/dev/full", O_WRONLY));
  ASSERT_TRUE(full);
  auto sink = find_format("text")->make({.fd = full.get()});
  sink->text("x\n");
  sink->flush();
  sink->text("y\n");
  const auto result = sink->finish();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ENOSPC);
  EXPECT_EQ(result.error().message(), "write output: No space left on device");
}

TEST(TextSink, ClosedPipe) {
  const auto old = std::signal(SIGPIPE, SIG_IGN);
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  ::close(pipe_ends[0]);
  auto sink = find_format("text")->make({.fd = pipe_ends[1]});
  sink->text("x\n");
  const auto result = sink->finish();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), EPIPE);
  ::close(pipe_ends[1]);
  std::signal(SIGPIPE, old);
}

TEST(TextSink, WaitsForADescriptorThatDoesNotBlock) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_NONBLOCK), 0);
  const std::string large(1 << 20, 'x');
  std::size_t received = 0;
  const pid_t writer = ::fork();
  if (writer == 0) {
    auto sink = find_format("text")->make({.fd = pipe_ends[1]});
    sink->text(large);
    ::_exit(sink->finish() ? 0 : 1);
  }
  ::close(pipe_ends[1]);
  ::fcntl(pipe_ends[0], F_SETFL, 0);
  std::vector<char> part(4096);
  for (ssize_t got; (got = ::read(pipe_ends[0], part.data(), part.size())) > 0;) received += static_cast<std::size_t>(got);
  EXPECT_EQ(received, large.size());
  ::close(pipe_ends[0]);
  int status = -1;
  EXPECT_EQ(::waitpid(writer, &status, 0), writer);
  EXPECT_EQ(status, 0);
}

TEST(Formats, AreFoundByName) {
  EXPECT_NE(find_format("text"), nullptr);
  EXPECT_NE(find_format("json"), nullptr);
  EXPECT_EQ(find_format("yaml"), nullptr);
  EXPECT_EQ(formats().front().name, "text");
}

}  // namespace
}  // namespace trc::output
