// usdt: probe points that a program's author put into it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/glob.h"
#include "base/strings.h"
#include "probes/forms.h"
#include "probes/registry.h"
#include "probes/usdt_arguments.h"
#include "probes/user_files.h"

namespace trc::probes {
namespace {

constexpr std::string_view kAliases[] = {"U"};

/// What the fields of a target say: [file, name], [file, provider, name], and of ours [file, provider, name, operands]: only the sites
/// whose operands are written so. A body is compiled for one way to find its arguments; the fourth field carries it to the runner.
struct Parts {
  std::string file, provider = "*", name;
  std::optional<std::string> operands;
};

Parts parts_of(const Target& target) {
  Parts parts;
  parts.file = target.fields.front();
  parts.name = target.fields.size() == 2 ? target.fields[1] : target.fields[2];
  if (target.fields.size() > 2) parts.provider = target.fields[1];
  if (target.fields.size() > 3) parts.operands = target.fields[3];
  return parts;
}

struct Site {
  const UserFile* file;
  const symbols::UsdtNote* note;
  std::string full_name() const { return canonical_text("usdt", {file->path, note->provider, note->name}); }
};

std::vector<Site> matching(const UserFiles& resolved, const Parts& parts) {
  std::vector<Site> sites;
  for (const UserFile& file : resolved.files) {
    for (const symbols::UsdtNote& note : file.elf->usdt()) {
      const bool is_match = glob_match(parts.provider, note.provider) && glob_match(parts.name, note.name) &&
                            (!parts.operands || *parts.operands == note.arguments);
      if (is_match) sites.push_back({&file, &note});
    }
  }
  return sites;
}

class Usdt final : public Provider {
 public:
  std::string_view name() const override { return "usdt"; }
  std::span<const std::string_view> aliases() const override { return kAliases; }
  PidScope pid_scope() const override { return PidScope::Attach; }
  bool newest_runs_first() const override { return true; }
  std::string_view doc() const override { return "probe points that a program's author put into it"; }
  std::string_view example() const override { return "usdt:/usr/bin/python3:python:function__entry"; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.size() < 2 || fields.size() > 4) return wrong_field_count(*this, "2 or 3 arguments", fields.size());
    for (std::size_t i = 0; i < std::min<std::size_t>(fields.size(), 3); ++i) {
      if (fields[i].empty()) return Error("usdt needs a file and the name of a probe").hint(fmt::format("for example {}", example()));
    }
    return Target{std::string(name()), fields, canonical_text(name(), fields)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    std::vector<std::string> pattern = fields;
    while (pattern.size() < 2) pattern.emplace_back("*");
    return parse(pattern);
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts&, const Scope& scope, bool needs_args) const override {
    const Parts parts = parts_of(target);
    TRC_TRY(resolved, resolve_user_files(name(), parts.file, scope));
    if (!resolved.deferred) TRC_CHECK(find(target, resolved));
    if (!needs_args) return single_group(context_of(""), target);
    if (resolved.deferred) {
      // Operands differ from build to build. The file of that name on PATH tells them; another one that runs is held against them.
      auto reference = resolve_user_files(name(), parts.file, Scope());
      if (!reference) {
        return Error(fmt::format("the arguments of {} are not known before the command executes {}", target.text, parts.file))
            .hint("name the file by its path");
      }
      resolved = std::move(*reference);
    }
    TRC_TRY(sites, find(target, resolved));
    return groups_of(target, parts, sites);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    const Parts parts = parts_of(target);
    TRC_TRY(resolved, resolve_user_files(name(), parts.file, scope));
    Expansion expansion;
    expansion.deferred = resolved.deferred;
    expansion.notes = resolved.notes;
    if (resolved.deferred) return expansion;
    TRC_TRY(sites, find(target, resolved));
    std::map<std::string, UserProbes> by_path;
    std::set<std::pair<std::string, std::uint64_t>> seen;
    for (const Site& site : sites) {
      const auto offset = site.file->elf->is_code(site.note->address) ? site.file->elf->file_offset(site.note->address) : std::nullopt;
      if (!offset || !seen.emplace(site.full_name(), *offset).second) continue;
      const auto semaphore = site.note->semaphore == 0 ? std::nullopt : site.file->elf->file_offset(site.note->semaphore);
      UserProbes& probes = by_path[site.file->path];
      probes.path = site.file->path;
      probes.pid = scope.attach_pid();
      const symbols::Function* function = site.file->elf->at(site.note->address);
      probes.sites.push_back({*offset, semaphore.value_or(0), site.full_name(), function ? std::string(function->name) : ""});
    }
    for (auto& [path, probes] : by_path) expansion.specs.push_back({target.text, std::move(probes)});
    if (expansion.specs.empty()) return Error(fmt::format("No matches for {}: its places lie outside of the code (damaged notes)", target.text));
    return expansion;
  }

  bool wants_exec(const Target& target, const std::string& exe, const std::vector<std::string>& names) const override {
    return user_files_want_exec(parts_of(target).file, exe, names);
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    const Parts parts = parts_of(target);
    TRC_TRY(resolved, resolve_user_files(name(), parts.file, scope));
    std::vector<std::string> names;
    for (const Site& site : matching(resolved, parts)) names.push_back(site.full_name());
    return names;
  }

 private:
  static lang::Context context_of(std::string_view operands) {
    lang::Context context;
    context.kind = lang::ProgramKind::UserProbe;
    context.space = lang::AddressSpace::User;
    context.has_registers = true;
    context.positional = parse_usdt_arguments(operands);
    context.why_no_args = "arguments of usdt probes have no names; use arg0, arg1, …";
    return context;
  }

  /// One group for each way that the operands are written.
  static std::vector<ContextGroup> groups_of(const Target& target, const Parts& parts, const std::vector<Site>& sites) {
    std::vector<ContextGroup> groups;
    std::set<std::string> known;
    for (const Site& site : sites) {
      const std::string& operands = site.note->arguments;
      if (!known.insert(operands).second) continue;
      Target part{target.provider, {parts.file, parts.provider, parts.name, operands}, ""};
      part.text = canonical_text(part.provider, part.fields);
      groups.push_back({context_of(operands), {std::move(part)}, false});
    }
    return groups;
  }

  /// At least one.
  static Result<std::vector<Site>> find(const Target& target, const UserFiles& resolved) {
    const Parts parts = parts_of(target);
    std::vector<Site> sites = matching(resolved, parts);
    if (sites.empty()) return no_match(target, parts, resolved);
    if (target.fields.size() == 2 && !has_glob(parts.name)) {
      std::set<std::string> providers;
      for (const Site& site : sites) providers.insert(site.note->provider);
      if (providers.size() > 1) {
        return Error(fmt::format("{} is ambiguous: the providers {} have such a probe", target.text, join({providers.begin(), providers.end()}, ", ")))
            .hint("write usdt:FILE:PROVIDER:NAME");
      }
    }
    return sites;
  }

  static Error no_match(const Target& target, const Parts& parts, const UserFiles& resolved) {
    std::vector<std::string> paths, names;
    bool has_notes = false;
    for (const UserFile& file : resolved.files) {
      paths.push_back(file.path);
      for (const symbols::UsdtNote& note : file.elf->usdt()) {
        has_notes = true;
        if (glob_match(parts.provider, note.provider)) names.push_back(note.name);
      }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    const std::string where = resolved.is_mapped ? "the mapped files of the process" : join(paths, ", ");
    if (!has_notes) return Error(fmt::format("No matches for {}: {} has no usdt probes", target.text, where));
    if (parts.operands) {
      return Error(fmt::format("No matches for {}: in {} the arguments of that probe lie elsewhere than in the file that the script was compiled for",
                               target.text, where))
          .hint("name the file by its path");
    }
    const std::string near = did_you_mean(parts.name, names);
    return Error(fmt::format("No matches for {}: no such usdt probe in {}", target.text, where))
        .hint(near.empty() ? fmt::format("list them with: trc -l 'usdt:{}:*'", parts.file) : near);
  }
};

const Usdt kUsdt{};

}  // namespace

const Provider& usdt_provider() { return kUsdt; }

}  // namespace trc::probes
