// Names, types and places of the arguments of user functions, and what they return, from debug information.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lang/context.h"

namespace trc::probes {

/// A function: the file it is in and its virtual address there.
using FunctionPlace = std::pair<std::string, std::uint64_t>;

/// Facts that hold for all of the functions: arguments of the same name, type and place. Nothing is opened before somebody asks.
std::shared_ptr<lang::FunctionFacts> make_function_facts(std::vector<FunctionPlace> functions);

/// The same where it cannot be known: `why` in the words of a diagnostic.
std::shared_ptr<lang::FunctionFacts> no_function_facts(std::string why);

}  // namespace trc::probes
