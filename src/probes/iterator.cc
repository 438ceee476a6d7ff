// iter: a program runs over everything of a kind that the kernel has: tasks, their files and mappings, maps, sockets …; then it is over.
// The kernel's type information tells which kinds there are: for KIND there is a function bpf_iter_KIND and a struct bpf_iter__KIND, the context.
#include <fmt/format.h>

#include "base/glob.h"
#include "base/strings.h"
#include "kernel/btf.h"
#include "probes/forms.h"
#include "probes/registry.h"
#include "types/btf_types.h"

namespace trc::probes {
namespace {

constexpr std::string_view kAliases[] = {"it"};
constexpr std::string_view kFunctionPrefix = "bpf_iter_";
constexpr std::string_view kContextPrefix = "bpf_iter__";
constexpr std::string_view kPinFolder = "/sys/fs/bpf/";
/// Kinds that go through the elements of one map, which a script cannot name.
constexpr std::string_view kOfOneMap[] = {"bpf_map_elem", "bpf_sk_storage_map", "sockmap"};

bool is_of_one_map(std::string_view kind) { return std::find(std::begin(kOfOneMap), std::end(kOfOneMap), kind) != std::end(kOfOneMap); }

struct Kind {
  std::string name;
  std::uint32_t context = 0;   ///< the structure's BTF id
};

class Iterator final : public Provider {
 public:
  std::string_view name() const override { return "iter"; }
  std::span<const std::string_view> aliases() const override { return kAliases; }
  PidScope pid_scope() const override { return PidScope::None; }   // those of tasks keep to the process when they are attached
  std::string_view doc() const override { return "everything of a kind that the kernel has, once"; }
  std::string_view example() const override { return "iter:task"; }

  /// Fields: [kind], [kind, where to pin].
  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.empty() || fields.size() > 2) return wrong_field_count(*this, "1 or 2 arguments", fields.size());
    if (has_glob(fields[0])) return Error("iter probes take no wildcard").hint("list the kinds with: trc -l 'iter:*'");
    if (fields[0].empty()) return Error("iter needs a kind").hint("list the kinds with: trc -l 'iter:*'");
    if (fields.size() == 2 && (fields[1].empty() || fields[1].ends_with('/'))) {
      return Error("iter needs a file name to be pinned to").hint(fmt::format("for example {}:name, for the file {}name", canonical_text(name(), {fields[0]}), kPinFolder));
    }
    return Target{std::string(name()), fields, canonical_text(name(), fields)};
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    std::vector<std::string> pattern = {fields.empty() ? "*" : fields.front()};
    std::string text = canonical_text(name(), pattern);
    return Target{std::string(name()), std::move(pattern), std::move(text)};
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts& facts, const Scope&, bool) const override {
    const std::string& wanted = target.fields[0];
    if (is_of_one_map(wanted)) {
      return Error(fmt::format("No matches for {}: it goes through the elements of one map, which a script cannot name", target.text))
          .hint("iter:bpf_map goes through the maps themselves");
    }
    TRC_TRY(btf, facts.btf(0));
    std::vector<std::string> names;
    for (const Kind& kind : all_kinds(*btf)) {
      if (kind.name == wanted) return single_group(context(*btf, kind, target.fields.size() == 2), target);
      names.push_back(kind.name);
    }
    const std::string near = did_you_mean(wanted, names);
    return Error(fmt::format("No matches for {}: this kernel has no such iterator", target.text))
        .hint(near.empty() ? "list the kinds with: trc -l 'iter:*'" : near);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    IteratorAttach how{.kind = target.fields[0]};
    if (how.kind.starts_with("task")) how.pid = scope.pid;
    if (target.fields.size() == 2) how.pin = target.fields[1].starts_with('/') ? target.fields[1] : std::string(kPinFolder) + target.fields[1];
    Expansion expansion;
    expansion.specs.push_back({target.text, std::move(how)});
    return expansion;
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts& facts, const Scope&) const override {
    std::vector<std::string> names;
    const auto btf = facts.btf(0);
    if (!btf) return names;
    for (const Kind& kind : all_kinds(**btf))
      if (glob_match(target.fields[0], kind.name)) names.push_back(canonical_text(name(), {kind.name}));
    return names;
  }

  std::vector<std::string> describe(const Target& target, const kernel::Facts& facts, const Scope& scope) const override {
    std::vector<std::string> lines;
    const auto groups = contexts(target, facts, scope, false);
    if (!groups) return lines;
    for (const lang::ContextValue& member : groups->front().context.ctx_members) lines.push_back(lang::type_name(member.type) + " " + member.name);
    return lines;
  }

 private:
  static std::vector<Kind> all_kinds(const kernel::Btf& btf) {
    std::vector<Kind> kinds;
    btf.functions();   // each kind is looked up among them
    for (std::uint32_t id = btf.first_own_id(); id < btf.end_id(); ++id) {
      const kernel::BtfType type = btf.type(id);
      if (type.kind != kernel::BtfKind::Struct || !type.name.starts_with(kContextPrefix)) continue;
      const std::string kind(type.name.substr(kContextPrefix.size()));
      if (!is_of_one_map(kind) && btf.find(kernel::BtfKind::Function, std::string(kFunctionPrefix) + kind)) kinds.push_back({kind, id});
    }
    return kinds;
  }

  static lang::Context context(const kernel::Btf& btf, const Kind& kind, bool is_pinned) {
    lang::Context context;
    context.kind = lang::ProgramKind::Iterator;
    context.space = lang::AddressSpace::Kernel;
    context.bound_to = kind.name;
    context.prints_to_file = is_pinned;
    context.why_no_args = "iter probes have no args; read the members of ctx";
    const types::BtfSource source{&btf, 0, 0};
    for (const lang::Field& field : types::btf_members(source, kind.context)) {
      // Pointers lie in unions without a name, which give them 8 bytes on every machine.
      if (field.name.empty() && field.type.is(lang::TypeKind::Struct)) {
        for (const lang::Field& inner : types::btf_members(source, types::unpack(field.type.definition).id)) add(context, inner, field.offset);
      } else {
        add(context, field, 0);
      }
    }
    return context;
  }

  static void add(lang::Context& context, const lang::Field& field, std::uint32_t offset) {
    lang::Type type = field.type;
    const bool is_word = type.is_integer() || type.is(lang::TypeKind::Bool) || type.is(lang::TypeKind::Pointer);
    if (!is_word || field.name.empty()) return;
    if (type.is(lang::TypeKind::Pointer) && type.space == lang::AddressSpace::None) type.space = lang::AddressSpace::Kernel;
    context.ctx_members.push_back({field.name, std::move(type), lang::ContextSource{offset + field.offset}, ""});
  }
};

const Iterator kIterator{};

}  // namespace

const Provider& iterator_provider() { return kIterator; }

}  // namespace trc::probes
