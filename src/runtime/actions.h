// What user space does for each kind of record that programs send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "image/program_image.h"
#include "lang/format_string.h"
#include "output/sink.h"
#include "runtime/decode.h"
#include "runtime/engine.h"
#include "runtime/map_reader.h"
#include "runtime/messages.h"

namespace trc::runtime {

struct ActionOptions {
  bool all_warnings = false;   ///< -k: also failed reads and look-ups
  bool no_warnings = false;
  // Records that are not the script's but the runner's own go here; without a function they are dropped.
  std::function<void(std::span<const std::byte>)> stack_frames = {};   ///< ActionKind::StackFrames
  std::function<void(std::span<const std::byte>)> unwind_file = {};    ///< ActionKind::UnwindFile
  std::function<void(std::span<const std::byte>)> interpreter_file = {};   ///< ActionKind::InterpreterFile
  std::function<void(std::span<const std::byte>)> interpreter_code = {};   ///< ActionKind::InterpreterCode
};

class Actions {
 public:
  Actions(const image::ProgramImage& image, Engine& engine, output::Sink& sink, const DecodeContext& decode, Messages& messages,
          const ActionOptions& options);

  /// Carries a record out. After exit() records are counted and dropped, until reopen().
  void handle(std::span<const std::byte> record);
  /// Carries out a record that is the runner's own, at any time, also after exit(). False: it is the script's, nothing was done.
  bool handle_own(std::span<const std::byte> record);
  bool exited() const { return exited_; }
  int exit_code() const { return exit_code_; }
  /// errorf() and failures while running, so far.
  std::uint64_t errors() const { return errors_; }
  /// End programs are heard although the script has called exit().
  void reopen() { open_ = true; }
  /// Is this the record of an exit()? For looking ahead.
  bool is_exit(std::span<const std::byte> record) const;

  /// Records that were carried out.
  std::uint64_t handled() const { return handled_; }
  /// As read_map() says.
  void print_map(std::uint32_t map, const MapPrint& print);
  /// How often each place that failed did so, for those that did more than once.
  void report_repetitions();

 private:
  using Record = std::span<const std::byte>;
  using Schema = lang::EventSchema;
  const Schema* schema_of(Record record, std::uint32_t& event) const;
  std::uint64_t number(Record record, const Schema& schema, std::size_t field) const;
  /// The text of a record with a format; valid until the next one.
  const std::string& formatted(Record record, const Schema& schema, std::uint32_t event);
  void report(std::uint32_t event, const Schema& schema, const std::string& message, const std::string& helper, std::int64_t code);
  output::Origin origin(Span span) const;   ///< with the calls of macros
  output::Origin place(Span span) const;
  void check(const Result<>& result);

  // One for each row of lang/actions.def.
#define TRC_ACTION(kind) void do_##kind(Record record, const Schema& schema, std::uint32_t event);
#include "lang/actions.def"
#undef TRC_ACTION

  const image::ProgramImage& image_;
  Engine& engine_;
  output::Sink& sink_;
  const DecodeContext& decode_;
  Messages& messages_;
  ActionOptions options_;
  std::vector<lang::FormatString> formats_;   // by event; empty but for printf
  std::string buffer_;                        // of printf, kept for its memory
  struct Failure { std::string message; std::uint64_t times = 0; };
  std::map<std::uint32_t, Failure> failures_; // by event, that is by place in the script
  std::uint64_t handled_ = 0, errors_ = 0;
  int exit_code_ = 0;
  bool exited_ = false, open_ = true;
};

}  // namespace trc::runtime
