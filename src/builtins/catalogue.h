// Every builtin of the language.
#pragma once
#include "lang/builtin_spec.h"
namespace trc::builtins {
const lang::Catalogue& catalogue();
}
