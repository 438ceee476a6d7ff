// Questions about values and statements that decide how they may be emitted.
#pragma once

#include <set>

#include "ast/typed_program.h"

namespace trc::codegen {

/// Whether evaluating `value` may change a variable or a map.
bool writes(const typed::Value& value);

/// How much code it becomes, roughly: one for each operation, more for those that are known to be long.
std::size_t weight(const typed::Statement& statement);

/// Whether one of the statements walks a stack, which is many calls deep.
bool take_stacks(const typed::Statements& body);

/// The variables that a round of a loop may change.
std::set<typed::SlotId> changed_slots(const typed::Statements& body, const typed::Value* condition = nullptr);

/// Whether it holds a break or continue for a loop around it.
bool leaves_loop(const typed::Statement& statement);

/// Whether it ends the program that calls the function it stands in.
bool leaves_program(const typed::Statement& statement);

}  // namespace trc::codegen
