// Which probe types there are, and how attach-point text finds its own.
#include "probes/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/glob.h"
#include "base/strings.h"
#include "probes/forms.h"

namespace trc::probes {
namespace {

/// "u" and "U" are two providers, so they are compared as written; everything else in lower case.
bool same_word(std::string_view word, std::string_view name) {
  if (word.size() == 1 || name.size() == 1) return word == name || (to_lower(word) != "u" && to_lower(word) == name);
  return to_lower(word) == to_lower(name);
}

std::vector<std::string> provider_names() {
  std::vector<std::string> names;
  for (const Provider* provider : registry()) names.emplace_back(provider->name());
  return names;
}

/// The parts of the text between ':' outside quotes, without their quotes; \" and \\ stand for themselves inside quotes.
Result<std::vector<std::string>> split_fields(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) {
      fields.back() += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ':' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return Error("unterminated string in the attach point");
  return fields;
}

struct Split {
  const Provider* provider;
  std::vector<std::string> fields;
};

Result<Split> split_attach_point(std::string_view text) {
  TRC_TRY(fields, split_fields(trim(text)));
  const std::string word = fields.front();
  fields.erase(fields.begin());
  if (const Provider* provider = find_provider(word)) return Split{provider, std::move(fields)};
  if (word.empty()) return Error("an attach point must name a probe type").hint("for example uprobe:/bin/bash:readline");
  if (has_glob(word)) return Error("No probe type matched for " + word);
  return Error("Invalid probe type: " + word).hint(did_you_mean(word, provider_names()));
}

}  // namespace

std::vector<std::string> Provider::describe(const Target& target, const kernel::Facts& facts, const Scope& scope) const {
  std::vector<std::string> lines;
  const auto groups = contexts(target, facts, scope, true);
  if (!groups) return lines;
  for (const ContextGroup& group : *groups) {
    for (const lang::ContextValue& value : group.context.named) lines.push_back(lang::type_name(value.type) + " " + value.name);
    if (group.context.return_value) lines.push_back(lang::type_name(group.context.return_value->type) + " retval");
  }
  return lines;
}

std::span<const Provider* const> registry() {
  static const std::array providers = {
      &begin_provider(), &end_provider(), &self_provider(), &test_provider(), &bench_provider(), &kprobe_provider(), &kretprobe_provider(),
      &fentry_provider(), &fexit_provider(), &uprobe_provider(), &uretprobe_provider(), &usdt_provider(),
      &tracepoint_provider(), &raw_tracepoint_provider(), &profile_provider(), &interval_provider(), &software_provider(),
      &hardware_provider(), &watchpoint_provider(), &iterator_provider(),
  };
  return providers;
}

const Provider* find_provider(std::string_view name) {
  for (const Provider* provider : registry()) {
    if (same_word(name, provider->name())) return provider;
    for (std::string_view alias : provider->aliases())
      if (same_word(name, alias)) return provider;
  }
  return nullptr;
}

Result<std::vector<std::string>> expand_provider(std::string_view text, const Scope& scope) {
  const std::string_view trimmed = trim(text);
  const std::size_t colon = std::min(trimmed.find(':'), trimmed.size());
  const std::string word = to_lower(trimmed.substr(0, colon));
  if (!has_glob(word)) return std::vector<std::string>{std::string(text)};
  const std::string_view rest = trimmed.substr(colon);
  TRC_TRY(fields, split_fields(trimmed));
  fields.erase(fields.begin());
  const bool is_user_side = scope.pid >= 0 || (!fields.empty() && fields.front().find('/') != std::string::npos);
  std::vector<std::string> found;
  for (const Provider* provider : registry()) {
    const std::string_view name = provider->name();
    const bool is_user = name == "uprobe" || name == "uretprobe" || name == "usdt";
    if (name == "iter") continue;   // takes no wildcards, and is no event
    if (is_user == is_user_side && glob_match(word, name) && provider->parse(fields)) found.push_back(std::string(name) + std::string(rest));
  }
  if (found.empty()) return Error("No probe type matched for " + word).hint(is_user_side ? "types of user space: uprobe, uretprobe, usdt" : "");
  return found;
}

Result<ParsedTarget> parse_attach_point(std::string_view text, const Scope&) {
  TRC_TRY(split, split_attach_point(text));
  TRC_TRY(target, split.provider->parse(split.fields));
  return ParsedTarget{split.provider, std::move(target)};
}

namespace {

Result<> list_one(std::string_view pattern, const kernel::Facts& facts, const Scope& scope, std::vector<std::string>& names) {
  TRC_TRY(split, split_attach_point(pattern));
  TRC_TRY(target, split.provider->parse_pattern(split.fields));
  TRC_TRY(found, split.provider->list(target, facts, scope));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  names.insert(names.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  return {};
}

/// Splits at ',' outside quotes, which split_fields() removes later.
std::vector<std::string> split_patterns(std::string_view text) {
  std::vector<std::string> patterns(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
    if (text[i] == ',' && !quoted) {
      patterns.emplace_back();
    } else {
      patterns.back() += text[i];
    }
  }
  return patterns;
}

}  // namespace

Result<std::vector<std::string>> list_probes(std::string_view pattern, const kernel::Facts& facts, const Scope& scope) {
  std::vector<std::string> names;
  for (const std::string& part : split_patterns(pattern)) {
    const std::string word(trim(part));
    if (word.find(':') != std::string::npos || find_provider(word)) {
      TRC_CHECK(list_one(word, facts, scope, names));
      continue;
    }
    const std::string event = quote_field(word.empty() ? "*" : word);
    for (const char* kernel_side : {"kprobe:", "kretprobe:", "tracepoint:*:", "rawtracepoint:*:", "software:"}) {
      TRC_CHECK(list_one(kernel_side + event, facts, scope, names));
    }
    if (event == "*") {
      TRC_CHECK(list_one("profile:*", facts, scope, names));
      TRC_CHECK(list_one("interval:*", facts, scope, names));
    }
  }
  return names;
}

}  // namespace trc::probes
