// Questions about a value that decide how it may be emitted.
#pragma once

#include "ast/typed_program.h"

namespace trc::codegen {

/// Whether evaluating `value` may change a variable or a map.
bool writes(const typed::Value& value);

}  // namespace trc::codegen
