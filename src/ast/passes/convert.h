// Conversions between types: which are implicit, and the typed operations that carry them out (language.md §10).
#pragma once

#include "ast/typed_program.h"
#include "lang/type.h"

namespace trc::ast {

/// A value of `from` may stand where `to` is wanted without a cast.
bool converts_implicitly(const lang::Type& from, const lang::Type& to);
/// The same for a value at hand: a record as it is being made may name its members in another order.
bool converts_implicitly(const typed::Value& value, const lang::Type& to);
/// Carries out a conversion that is allowed. Literals are converted here and now.
typed::ValuePtr convert_to(typed::ValuePtr value, const lang::Type& to);
/// To 64 bits, by the value's own sign.
typed::ValuePtr widen_to_64(typed::ValuePtr value);
/// Types that can be true or false: integers, bools, pointers.
bool is_condition(const lang::Type& type);
typed::ValuePtr to_bool(typed::ValuePtr value);
/// Pointers in a value that was read say where they point only if they differ from where they were found.
void give_space(lang::Type& type, lang::AddressSpace space);
/// The integer that an aggregate is read as; None when it cannot be read (stats, hist, lhist).
lang::Type readable_as(const lang::Type& aggregate);

}  // namespace trc::ast
