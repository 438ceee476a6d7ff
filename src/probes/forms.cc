#include "probes/forms.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/glob.h"
#include "base/strings.h"
#include "source/diagnostics.h"

namespace trc::probes {

Error wrong_field_count(const Provider& provider, std::string_view wanted, std::size_t found) {
  return Error(fmt::format("{} probe type requires {}, found {}", provider.name(), wanted, found))
      .hint(fmt::format("for example {}", provider.example()));
}

std::string quote_field(std::string_view field) {
  if (!field.empty() && field.find_first_of(":\"\\") == std::string_view::npos) return std::string(field);
  std::string quoted = "\"";
  for (char c : field) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string canonical_text(std::string_view provider, const std::vector<std::string>& fields) {
  std::string text(provider);
  for (const std::string& field : fields) text += ':' + quote_field(field);
  return text;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') digits += text[i];
    else if (i == 0 || i + 1 == text.size()) return std::nullopt;
  }
  const bool scientific = digits.size() >= 3 && digits[0] >= '1' && digits[0] <= '9' && digits[1] == 'e' && digits[2] != '0';
  if (!scientific) return parse_unsigned(digits);
  const std::optional<std::uint64_t> exponent = parse_unsigned(std::string_view(digits).substr(2));
  if (!exponent || *exponent > 19) return std::nullopt;
  std::uint64_t value = static_cast<std::uint64_t>(digits[0] - '0');
  for (std::uint64_t i = 0; i < *exponent; ++i)
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value)) return std::nullopt;
  return value;
}

std::vector<ContextGroup> single_group(lang::Context context, const Target& target) {
  // A pattern, or a demangled name with its overloads, stands for several places: which one fired is known by the cookie only.
  const bool several = std::any_of(target.fields.begin(), target.fields.end(), [](const std::string& f) { return has_glob(f) || f == "cpp"; });
  std::vector<ContextGroup> groups;
  groups.push_back({std::move(context), {target}, several});
  return groups;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates, std::string_view prefix) {
  const std::vector<std::string> near = nearest_list(word, candidates, 3);
  if (near.empty()) return "";
  std::string text = "did you mean ";
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (i != 0) text += i + 1 == near.size() ? " or " : ", ";
    text += std::string(prefix) + near[i];
  }
  return text + "?";
}

}  // namespace trc::probes
