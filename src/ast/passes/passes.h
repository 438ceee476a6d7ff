// The passes, one function each, in the order in which pipeline.cc runs them. Parameters are what a pass reads, the return value is
// what it finds out; mistakes of the user go to `diags` and the pass carries on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ast/lowering.h"
#include "ast/nodes.h"
#include "ast/passes/analyse.h"
#include "ast/typed_program.h"
#include "kernel/facts.h"
#include "lang/builtin_spec.h"
#include "probes/provider.h"
#include "source/diagnostics.h"
#include "types/library.h"

namespace trc::ast {

inline constexpr std::uint32_t kNone = 0xffffffff;

// ---- settings: config block and environment (settings.cc) ----
struct Options {
  image::Settings settings;
  std::uint32_t max_map_keys = 4096;
  std::optional<std::uint32_t> on_stack_limit;
  std::string license = "GPL";
  std::uint32_t log_size = 1'000'000;
  std::uint32_t max_bpf_progs = 1024;
  bool lazy_symbolication = true;
  bool use_blazesym = false;
  std::string unstable_dw_ustack = "warn", unstable_import_statement = "error", unstable_tseries = "warn", unstable_typeinfo = "error";
  typed::Unwinding unwinding = typed::Unwinding::Auto;   ///< of user stacks that do not say it themselves
};
/// The value of an environment variable, or nullptr; replaced in tests.
using Environment = std::function<const char*(const char*)>;
Options read_settings(const ast::Config* block, const Environment& environment, Diagnostics& diags);
/// What `config` has: every variable but those that only the environment sets.
std::vector<Setting> effective_settings(const Options& options);

// ---- macros: calls replaced by what they stand for (macros.cc) ----
/// A program without macros is returned as it is; else the probes and functions are copies, in the same arena.
Program expand_macros(const Program& program, const lang::Catalogue& catalogue, Diagnostics& diags);

// ---- named parameters: what getopt() asks for (parameters.cc) ----
struct NamedParameter {
  std::string name;
  std::string fallback;      ///< as a literal of the language
  std::string description;   ///< may be empty
  Span span;                 ///< of the first call
};
/// In the order of the script; calls of one name must agree.
std::vector<NamedParameter> find_parameters(const Program& program, Diagnostics& diags);
/// Reports what was given and nobody asks for.
void check_parameters(const std::vector<NamedParameter>& asked, const std::map<std::string, std::string>& given, Diagnostics& diags);

// ---- names: which declaration each variable and map refers to (names.cc) ----
struct VariableInfo {
  std::string name;                 ///< without '$'
  Span declared;
  const TypeName* type = nullptr;   ///< as written after `let`
  bool is_let = false;
  bool is_assigned = false;
};
struct ProbeNames {
  std::vector<VariableInfo> variables;
  bool asks_probe = false;          ///< uses `probe`
  bool compares_probe = false;      ///< … in a comparison: the text must be known when compiling
  bool asks_args = false;           ///< uses `args` or argN
  bool asks_facts = false;          ///< uses what may differ between functions: `args`, `retval`, uaddr()
};
struct MapInfo {
  std::string name;                 ///< with '@'
  Span first;                       ///< first use, or the declaration
  bool is_keyed = false;
  bool is_assigned = false;
  bool is_used = false;
  const MapDeclaration* declaration = nullptr;
};
struct Names {
  std::vector<std::uint32_t> variable;   ///< by NodeId of Variable, Let, For: index into ProbeNames::variables; kNone after a report
  std::vector<std::uint32_t> map;        ///< by NodeId of MapRef: index into maps
  std::vector<ProbeNames> probes;        ///< of Program::probes, then of Program::functions, whose first variables are their parameters
  std::vector<MapInfo> maps;             ///< in order of first use
};
Names resolve_names(const Program& program, const lang::Catalogue& catalogue, Diagnostics& diags);

// ---- refusals: what the settings do not allow (refusals.cc) ----
void refuse_unsupported(const Program& program, const Options& options, Diagnostics& diags);

// ---- flow: where control may go (flow.cc) ----
void check_flow(const Program& program, Diagnostics& diags);

// ---- probes: what the attach points offer, and which of them share a BPF program (probe_plan.cc) ----
struct PlannedProgram {
  const Probe* probe = nullptr;
  std::size_t probe_index = 0;           ///< into Program::probes
  std::string provider;
  lang::Context context;
  std::vector<typed::ProbeSpec> specs;   ///< `program` is filled in by the lowering
  bool is_exact = true;                  ///< every attach point is one known place
  bool filters_pid = false;              ///< -p: leaves at once in other processes
  bool filters_tree = false;             ///< -c: leaves at once in processes that are not the command's
  bool is_broken = false;                ///< reported already: the body is looked at for its types only
};
struct ProbePlan {
  std::vector<PlannedProgram> programs;
};
/// The probe types there are; replaced in tests.
struct ProbeTypes {
  std::function<Result<probes::ParsedTarget>(std::string_view, const probes::Scope&)> parse_attach_point;
  std::function<bool(std::string_view)> is_provider;      ///< a provider's name or alias
};
ProbePlan expand_probes(const Program& program, const Names& names, const Options& options, const ProbeTypes& types,
                        const kernel::Facts& facts, const probes::Scope& scope, Diagnostics& diags);

// ---- bodies: infer the types to a fixed point, then check and lower (bodies.cc, lower_*.cc) ----
struct BodyInput {
  const Program& program;
  const Names& names;
  const ProbePlan& plan;
  const Options& settings;
  const lang::Catalogue& catalogue;
  const AnalyseOptions& options;
  types::Library& types;
  const kernel::Facts& facts;
};
typed::TypedProgram lower_bodies(const BodyInput& input, Diagnostics& diags);

// ---- verification of our own work (verify.cc) ----
/// What is wrong with a typed program by the conventions of ast/typed_program.h; empty when nothing is. For tests and debug builds.
std::vector<std::string> verify(const typed::TypedProgram& program);

/// What the outside world gives to an analysis; replaced in tests.
struct World {
  const kernel::Facts& facts;
  ProbeTypes probe_types;
  Environment environment;
};
std::optional<Analysis> run_passes(const Program& program, const std::vector<const SourceFile*>& files, const lang::Catalogue& catalogue,
                                   const World& world, const AnalyseOptions& options, Diagnostics& diags);

}  // namespace trc::ast
