#include "ast/lowering.h"

#include <utility>

#include "ast/build.h"

namespace trc::ast {

void CallLowering::emit(lang::ActionKind action, std::string text, std::vector<typed::ValuePtr> fields, std::uint32_t map) {
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
