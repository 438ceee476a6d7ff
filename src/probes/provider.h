// A probe type. Everything about one provider stands in one file of this folder plus one line in registry.cc: its grammar, what its
// probes offer a body, what they match, and how the engine is to attach them. Providers say what to attach as data (AttachSpec); they
// know no libbpf, so another engine can carry it out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "kernel/facts.h"
#include "lang/context.h"

namespace trc::probes {

/// A parsed attach point.
struct Target {
  std::string provider;               ///< canonical provider name
  std::vector<std::string> fields;    ///< what followed the provider, split at ':' outside quotes, unquoted
  std::string text;                   ///< canonical text: "uprobe:/bin/bash:readline"
};

/// What to attach, as the engine understands it. `id` is the attach point id that the program sees as its cookie.
/// The runner runs the program itself: before all others, after all others, when it gets SIGUSR1, with --test, with --bench.
enum class RunWhen : std::uint8_t { Begin, End, Signal, Test, Bench };
struct RunByUs { RunWhen when = RunWhen::Begin; };
struct UserSite {
  std::uint64_t offset = 0;           ///< bytes into the file
  std::uint64_t semaphore = 0;        ///< file offset of the USDT reference counter, 0: none
  std::string name;                   ///< full attach point text of this site, what `probe` prints
  std::string function;               ///< symbol, for messages
};
struct UserProbes {
  std::string path;                   ///< the ELF file
  std::vector<UserSite> sites;
  bool is_return = false;
  std::int32_t pid = -1;              ///< -1: every process
};
/// A place in the kernel: `function` is said in messages, and attached to by name where the kernel hides addresses.
struct KernelSite {
  std::uint64_t address = 0;          ///< of the function, or of the instruction when there is no function
  std::uint64_t offset = 0;           ///< bytes into the function
  std::string name;                   ///< full attach point text of this site, what `probe` prints
  std::string function;
};
struct KernelProbes {
  std::vector<KernelSite> sites;
  bool is_return = false;
};
struct TracepointAttach { std::string category, event; std::uint32_t id = 0; };
struct RawTracepointAttach { std::string event; };
struct PerfEventAttach {
  std::uint32_t type = 0;             ///< PERF_TYPE_*
  std::uint64_t config = 0;           ///< PERF_COUNT_*
  std::uint64_t period = 0;           ///< events or ns per sample, when frequency == 0
  std::uint64_t frequency = 0;        ///< samples a second
  bool every_cpu = true;              ///< false: one CPU only (interval)
  std::int32_t pid = -1;              ///< this process and the threads that it will create
  bool with_children = false;         ///< and the processes that it will create
  std::uint64_t address = 0;          ///< PERF_TYPE_BREAKPOINT: watched, with `length` bytes
  std::uint32_t length = 0;
  std::uint32_t access = 0;           ///< HW_BREAKPOINT_*
};
/// The program is bound to its function (lang::Context::bound_to) when it is loaded.
struct FunctionAttach {};
/// The program is run over everything there is of its kind.
struct IteratorAttach {
  std::string kind;
  std::int32_t pid = -1;              ///< what belongs to this process only, for kinds that know processes
  std::string pin;                    ///< not run, but put into this file of a bpf file system, to be run whenever that is read
};
struct AttachSpec {
  std::string name;                   ///< full attach point text
  std::variant<RunByUs, UserProbes, KernelProbes, TracepointAttach, RawTracepointAttach, PerfEventAttach, FunctionAttach, IteratorAttach> how;
};

/// What the process options of this run say about whom to trace.
struct Scope {
  std::int32_t pid = -1;              ///< -p, or the -c child; -1: none
  bool is_child = false;              ///< pid is the -c child
  std::string command_path;           ///< -c: file that will be executed first ("" without -c), for bare names
  bool unsafe = false;                ///< --unsafe
  bool executed = false;              ///< following: command_path is what `pid` has just executed and wants_exec() accepted
  bool tree_known = false;            ///< -c: programs know themselves which processes are the command's (stdlib/process_tree_abi.h)

  /// The process to attach to, -1: all. Of a command, all: a process that it forks is not another one to the programs, but it is to the kernel.
  std::int32_t attach_pid() const { return tree_known ? -1 : pid; }
};

/// How -p restricts a provider (language.md §16.1). Those of Attach see only the command's processes with -c.
enum class PidScope : std::uint8_t { None, Attach, Filter };

/// A target that cannot be found yet but may appear when the -c command runs: the runner asks again at each exec (see Follow).
struct Deferred { std::string bare_name; };

/// What one attach point comes to, for one scope.
struct Expansion {
  std::vector<AttachSpec> specs;      ///< empty if deferred
  std::optional<Deferred> deferred;
  std::vector<std::string> notes;     ///< for the user, e.g. "python3: 1 function in /…/python3.11, 1,444 in /…/libpython3.11.so.1.0"
  std::size_t skipped = 0;            ///< functions a wildcard passed over because they cannot be probed
};

/// Attach points of one block that share a context, and so one program.
struct ContextGroup {
  lang::Context context;
  std::vector<Target> targets;
  bool needs_cookie = false;
  std::string note = {};   ///< for the user, when it is attached: what a wildcard passed over
};

class Provider {
 public:
  virtual ~Provider() = default;
  virtual std::string_view name() const = 0;
  virtual std::span<const std::string_view> aliases() const { return {}; }
  virtual PidScope pid_scope() const { return PidScope::None; }
  /// Of a provider whose programs the runner runs itself.
  virtual std::optional<RunWhen> run_when() const { return std::nullopt; }
  /// The kernel runs the program that was attached last before the others, so a script's are attached in reverse to run as they stand.
  virtual bool newest_runs_first() const { return false; }
  virtual std::string_view doc() const = 0;       ///< one line, for --help and the manual
  virtual std::string_view example() const = 0;   ///< an attach point

  /// Checks the form only. The error is one sentence; hints as Error::hint.
  virtual Result<Target> parse(const std::vector<std::string>& fields) const = 0;
  /// The contexts a target offers: one for most, several when matches differ (tracepoint wildcards, USDT sites).
  /// Needs the target to exist, unless it may be deferred. Error: no match, with the nearest names as a hint.
  virtual Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts& facts, const Scope& scope,
                                                     bool needs_args) const = 0;
  /// What to attach now. Called by the runner (again for each new process when following a command).
  virtual Result<Expansion> expand(const Target& target, const kernel::Facts& facts, const Scope& scope) const = 0;
  /// A user target only: does executing `exe` (real path) make this target attachable there? `names[0]` is the base name of argv[0];
  /// others (comm, base name of the executed path) may follow, but do not count: while a script runs they are the script's, not exe's.
  /// If true, the runner calls expand() with scope {pid, is_child, command_path = exe, executed = true}; a site that is already
  /// attached for that process may come again.
  virtual bool wants_exec(const Target&, const std::string& /*exe*/, const std::vector<std::string>& /*names*/) const { return false; }
  /// Like parse, for -l: fields that are left out mean "*".
  virtual Result<Target> parse_pattern(const std::vector<std::string>& fields) const { return parse(fields); }
  /// For -lv: what a listed probe offers, a line each, as its declaration is written. Nothing where that is not known.
  virtual std::vector<std::string> describe(const Target& target, const kernel::Facts& facts, const Scope& scope) const;
  /// Names for -l, full attach points.
  virtual Result<std::vector<std::string>> list(const Target& target, const kernel::Facts& facts, const Scope& scope) const = 0;
};

/// The providers, in the order of registry.cc.
std::span<const Provider* const> registry();
/// By exact name or alias (case-insensitive but for "u" and "U"); null if there is none.
const Provider* find_provider(std::string_view name);

/// Splits raw attach-point text at ':' outside quotes, unquotes, finds the provider, lets it parse. Errors: unknown provider (with the
/// nearest), wrong form.
struct ParsedTarget { const Provider* provider; Target target; };
Result<ParsedTarget> parse_attach_point(std::string_view text, const Scope& scope);

/// -l: what `pattern` matches, sorted within each provider, without duplicates. "a:*,b:*" lists both; a pattern without ':' is matched
/// against the last field of every kernel event; "" and "*" mean all of those.
Result<std::vector<std::string>> list_probes(std::string_view pattern, const kernel::Facts& facts, const Scope& scope);

}  // namespace trc::probes
