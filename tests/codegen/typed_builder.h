// Makes typed programs by hand, as the passes would, for tests of code generation.
#pragma once

#include <linux/bpf.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ast/typed_program.h"

namespace trc::test {

using namespace typed;

template <class Op>
ValuePtr value(lang::Type type, Op op) {
  auto made = std::make_unique<Value>();
  made->type = std::move(type);
  made->op = std::move(op);
  return made;
}
template <class Op>
Statement statement(Op op) {
  Statement made;
  made.op = std::move(op);
  return made;
}

template <class... V>
std::vector<ValuePtr> list(V... values) {
  std::vector<ValuePtr> made;
  (made.push_back(std::move(values)), ...);
  return made;
}
template <class... S>
Statements body(S... statements) {
  Statements made;
  (made.push_back(statement(std::move(statements))), ...);
  return made;
}

inline ValuePtr number(std::int64_t n) { return value(lang::make_int64(), Constant{static_cast<std::uint64_t>(n)}); }
inline ValuePtr unsigned_number(std::uint64_t n) { return value(lang::make_uint64(), Constant{n}); }
inline ValuePtr text(std::string s) {
  const auto size = static_cast<std::uint32_t>(s.size()) + 1;
  return value(lang::make_string(size), StringConstant{std::move(s)});
}
inline ValuePtr binary(BinaryOp op, ValuePtr left, ValuePtr right, lang::Type type = lang::make_int64()) {
  return value(std::move(type), Binary{op, std::move(left), std::move(right)});
}
inline ValuePtr convert(lang::Type type, ValuePtr operand) { return value(std::move(type), Convert{std::move(operand)}); }
inline ValuePtr load(SlotId slot, lang::Type type = lang::make_int64()) { return value(std::move(type), LoadSlot{slot}); }
inline ValuePtr call(int helper, lang::Type type = lang::make_uint64()) { return value(std::move(type), CallHelper{helper, {}}); }
inline ValuePtr pid() {
  return value(lang::make_integer(32, false),
               Binary{BinaryOp::ShiftRightLogical, call(BPF_FUNC_get_current_pid_tgid), unsigned_number(32)});
}
inline ValuePtr comm() { return value(lang::make_string(16), Comm{}); }

/// A program under construction.
class Builder {
 public:
  TypedProgram program;

  Builder() {
    source_ = std::make_unique<SourceFile>("test.trc", "begin { first line }\nsecond line\n");
    program.files.push_back(source_.get());
  }

  MapId map(std::string name, std::optional<lang::Type> key, lang::Type type, std::uint32_t entries = 64) {
    Map made;
    made.name = std::move(name);
    made.key = std::move(key);
    made.value = std::move(type);
    made.max_entries = made.key ? entries : 0;
    program.maps.push_back(std::move(made));
    return static_cast<MapId>(program.maps.size() - 1);
  }
  EventId event(lang::ActionKind action, std::vector<lang::Type> types, std::string words = "") {
    lang::EventSchema schema;
    schema.action = action;
    schema.text = std::move(words);
    for (lang::Type& type : types) schema.fields.push_back({std::move(type), 0});
    lang::lay_out(schema);
    program.events.push_back(std::move(schema));
    return static_cast<EventId>(program.events.size() - 1);
  }
  Program& add(Statements statements, lang::ProgramKind kind = lang::ProgramKind::TestRun, std::vector<lang::Type> slots = {}) {
    Program made;
    made.name = "probe_" + std::to_string(program.programs.size());
    made.probe = static_cast<std::uint32_t>(program.probes.size());
    made.context.kind = kind;
    made.slots = std::move(slots);
    made.body = std::move(statements);
    ProbeSpec spec;
    spec.provider = "begin";
    spec.text = "begin";
    spec.program = static_cast<std::uint32_t>(program.programs.size());
    spec.span = {0, 0, 5};
    program.probes.push_back(std::move(spec));
    program.programs.push_back(std::move(made));
    return program.programs.back();
  }

 private:
  std::unique_ptr<SourceFile> source_;
};

}  // namespace trc::test
