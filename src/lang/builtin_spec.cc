#include "lang/builtin_spec.h"

#include <algorithm>
#include <utility>

namespace trc::lang {

Catalogue::Catalogue(std::vector<std::span<const BuiltinSpec>> families) : families_(std::move(families)) {}

std::vector<const BuiltinSpec*> Catalogue::find(std::string_view name) const {
  std::vector<const BuiltinSpec*> rows;
  for (auto family : families_) {
    for (const BuiltinSpec& row : family) {
      if (row.name == name) rows.push_back(&row);
    }
  }
  return rows;
}

std::vector<std::string> Catalogue::names() const {
  std::vector<std::string> names;
  for (auto family : families_) {
    for (const BuiltinSpec& row : family) names.emplace_back(row.name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace trc::lang
