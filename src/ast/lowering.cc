#include "ast/lowering.h"

#include <utility>

#include <fmt/format.h>

#include "ast/build.h"

namespace trc::ast {

bool CallLowering::may_emit() {
  if (surroundings().context == nullptr || !surroundings().context->prints_to_file) return true;
  report(Diag::NotAvailableHere, span(), fmt::format("{} can not be used in an iterator that is pinned", name()))
      .with_hint("whoever reads the file gets what printf says; trc is gone by then");
  return false;
}

void CallLowering::emit(lang::ActionKind action, std::string text, std::vector<typed::ValuePtr> fields, std::uint32_t map) {
  if (!may_emit()) return;
  lang::EventSchema schema;
  schema.action = action;
  schema.text = std::move(text);
  schema.map = map;
  schema.span = span();
  for (const auto& field : fields) schema.fields.push_back({field->type});
  const typed::EventId id = event(std::move(schema));
  statement(typed::make_statement(span(), typed::Emit{id, std::move(fields)}));
}

}  // namespace trc::ast
