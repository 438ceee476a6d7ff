// Output for people, and for the many scripts that parse it: the bytes are specified.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "output/sinks.h"
#include "output/writer.h"

namespace trc::output {
namespace {

/// Has lines of its own.
bool is_plot(const Value& value) {
  return std::holds_alternative<std::shared_ptr<Histogram>>(value.data) || std::holds_alternative<std::shared_ptr<TimeSeries>>(value.data);
}

class TextSink final : public Sink {
 public:
  explicit TextSink(const SinkOptions& options)
      : writer_(options.fd, options.buffering), message_fd_(options.message_fd), quiet_(options.quiet), compat_(options.compat), trailer_(options.trailer) {}

  void attached(std::size_t probes) override {
    if (!quiet_) message(fmt::format("Attached {} probe{}\n", probes, probes == 1 ? "" : "s"));
  }

  void text(std::string_view formatted) override {
    writer_.buffer() += formatted;
    writer_.commit();
  }

  void value(const Value& value) override {
    append_value(value);
    writer_.buffer() += '\n';
    writer_.commit();
  }

  void map(const MapDump& map) override {
    if (!map.entries.empty()) separate();
    for (const auto& [key, value] : map.entries) {
      writer_.buffer() += map.name;
      if (map.has_key) {
        writer_.buffer() += '[';
        append_printable(key_to_text(key, trailer_));
        writer_.buffer() += ']';
      }
      append_map_value(value);
      writer_.commit();
    }
  }

  void map_value(std::string_view name, const Value& value) override {
    writer_.buffer() += name;
    append_map_value(value);
    writer_.commit();
  }

  void time(std::string_view formatted) override { text(formatted); }

  void join(std::string_view joined) override {
    append_printable(joined);
    writer_.buffer() += '\n';
    writer_.commit();
  }

  void cat(std::string_view content) override { text(content); }
  void system(std::string_view output) override { text(output); }

  void said(const Origin& at, Severity severity, std::string_view what) override {
    const std::string place = at.position.empty() ? "" : at.position + ": ";
    const char* kind = severity == Severity::Error ? "ERROR" : "WARNING";
    message(fmt::format("{}{}: {}\n", place, kind, what) + expansions(at, kind));
  }

  void lost(std::uint64_t events) override {
    message(fmt::format("Lost {} events\n", events));
  }

  void error(const Origin& at, std::string_view what, std::string_view helper, std::int64_t code) override {
    std::string out = at.position.empty() ? "" : at.position + ": ";
    out += fmt::format("WARNING: {}\n", what);
    if (!helper.empty()) out += fmt::format("Additional Info - helper: {}, retcode: {}\n", helper, code);
    message(out + source(at) + expansions(at, "WARNING"));
  }

  void tests_begin(std::size_t count) override { put(mark("[==========]", true) + fmt::format(" Running {}.\n", tests(count))); }
  void test_begin(const std::string& name) override { put(mark("[ RUN      ]", true) + " " + name + "\n"); }

  void test_end(const TestResult& result) override {
    if (!result.passed) put(result.output);
    put(mark(result.passed ? "[       OK ]" : "[  FAILED  ]", result.passed) + fmt::format(" {} ({})\n", result.name, duration(result.ns)));
  }

  void tests_end(const std::vector<TestResult>& results) override {
    const auto passed = static_cast<std::size_t>(std::count_if(results.begin(), results.end(), [](const TestResult& result) { return result.passed; }));
    const std::size_t failed = results.size() - passed;
    put(mark("[==========]", true) + fmt::format(" {} ran.\n", tests(results.size())));
    put(mark("[  PASSED  ]", true) + fmt::format(" {}.\n", tests(passed)));
    if (failed == 0) return;
    put(mark("[  FAILED  ]", false) + fmt::format(" {}, listed below:\n", tests(failed)));
    for (const TestResult& result : results) {
      if (!result.passed) put(mark("[  FAILED  ]", false) + " " + result.name + "\n");
    }
  }

  void benchmarks(const std::vector<BenchmarkResult>& results) override {
    std::size_t width = kBenchmarkName;
    for (const BenchmarkResult& result : results) width = std::max(width, result.name.size());
    ++width;
    constexpr std::size_t kTime = 15;
    const std::string heading = fmt::format("{:<{}}{:<{}}Iterations", "Benchmark", width, "Time(ns)", kTime);
    put(heading + "\n" + std::string(heading.size(), '-') + "\n");
    for (const BenchmarkResult& result : results) put(fmt::format("{:<{}}{:<{}}{}\n", result.name, width, result.average_ns, kTime, result.iterations));
  }

  void end_of_run() override {
    separator_due_ = true;
    if (!quiet_ || compat_) separate();
  }

  void flush() override { writer_.flush(); }
  bool is_terminal() const override { return writer_.is_terminal(); }
  bool failed() const override { return writer_.failed(); }
  Result<> finish() override { return writer_.finish(); }

 private:
  static constexpr std::size_t kBenchmarkName = 40;

  void put(std::string_view text) {
    writer_.buffer() += text;
    writer_.commit();
  }

  /// Green for what is well, red for what is not, where people look at it.
  std::string mark(const char* text, bool is_well) const {
    return writer_.is_terminal() ? fmt::format("\033[{}m{}\033[0m", is_well ? 32 : 31, text) : text;
  }

  static std::string tests(std::size_t count) { return fmt::format("{} test{}", count, count == 1 ? "" : "s"); }

  static std::string duration(std::uint64_t ns) {
    constexpr std::pair<std::uint64_t, const char*> kUnits[] = {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "\u03bcs"}};
    for (const auto& [size, unit] : kUnits) {
      if (ns >= size) return fmt::format("{} {}", ns / size, unit);
    }
    return fmt::format("{} ns", ns);
  }

  /// The two newlines before the maps at the end. With -q they are left out when no map follows.
  void separate() {
    if (!separator_due_) return;
    separator_due_ = false;
    writer_.buffer() += "\n\n";
    writer_.commit();
  }

  static std::string source(const Origin& at) {
    std::string out;
    if (!at.source_line.empty()) out += at.source_line + "\n";
    if (!at.underline.empty()) out += at.underline + "\n";
    return out;
  }

  static std::string expansions(const Origin& at, const char* kind) {
    std::string out;
    for (const Origin& call : at.expanded_from) out += fmt::format("{}: {}: expanded from\n", call.position, kind) + source(call);
    return out;
  }

  /// What was printed before a message should also be seen before it.
  void message(std::string_view text) {
    writer_.flush();
    write_all(message_fd_, text);
  }

  void append_map_value(const Value& value) {
    // A plot starts on a line of its own and ends with an empty one.
    writer_.buffer() += is_plot(value) ? ":\n" : ": ";
    append_value(value);
    writer_.buffer() += '\n';
  }

  void append_value(const Value& value) {
    if (writer_.is_terminal()) append_printable(to_text(value, trailer_));
    else append_text(writer_.buffer(), value, trailer_);
  }

  /// A string of a traced process must not be able to drive the terminal; elsewhere bytes pass as they are.
  void append_printable(std::string_view text) {
    if (!writer_.is_terminal()) {
      writer_.buffer() += text;
      return;
    }
    append_harmless(writer_.buffer(), text);
  }

  Writer writer_;
  int message_fd_;
  bool quiet_;
  bool compat_;
  std::string trailer_;
  bool separator_due_ = false;
};

}  // namespace

std::unique_ptr<Sink> make_text_sink(const SinkOptions& options) { return std::make_unique<TextSink>(options); }

}  // namespace trc::output
