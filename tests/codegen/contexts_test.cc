// Reading what each kind of probe offers: the kernel's verifier must accept every kind of place.
#include <gtest/gtest.h>

#include "codegen/kernel.h"
#include "codegen/typed_builder.h"

namespace trc::test {
namespace {

using namespace lang;

class Contexts : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_bpf(); !why.empty()) GTEST_SKIP() << why;
  }

  ValuePtr read(Type type, ValueSource source) { return value(type, typed::ReadContext{{.name = "x", .type = type, .source = source}}); }

  void loads(ProgramKind kind, std::vector<ValuePtr> values, bool cookie = false) {
    Builder b;
    Statements statements;
    for (ValuePtr& v : values) {
      const EventId e = b.event(ActionKind::PrintValue, {v->type});
      std::vector<ValuePtr> fields;
      fields.push_back(std::move(v));
      statements.push_back(statement(Emit{e, std::move(fields)}));
    }
    typed::Program& program = b.add(std::move(statements), kind);
    program.context.space = AddressSpace::User;
    b.program.probes.back().needs_cookie = cookie;
    Loaded k(b.program);
    EXPECT_TRUE(k.ok());
    EXPECT_EQ(k.image().programs[0].uses_cookie, cookie);
  }
};

TEST_F(Contexts, UserProbe) {
  using Mode = UsdtSource::Mode;
  std::vector<ValuePtr> v;
  v.push_back(read(make_uint64(), RegisterSource{112}));
  v.push_back(read(make_integer(8, true), RegisterSource{104}));
  v.push_back(read(make_integer(32, true), UsdtSource{.mode = Mode::Constant, .constant_or_displacement = -7}));
  v.push_back(read(make_integer(16, false), UsdtSource{.mode = Mode::Register, .base_register = 80}));
  v.push_back(read(make_integer(32, true), UsdtSource{.mode = Mode::Memory, .constant_or_displacement = -8, .base_register = 32, .index_register = 96, .scale = 4}));
  v.push_back(value(make_probe_name(), typed::ProbeId{}));
  v.push_back(value(make_stack(true, 127, ""), typed::CaptureStack{}));
  v.push_back(value(make_stack(false, 1024, ""), typed::CaptureStack{}));
  v.push_back(value(make_int64(), typed::StackLength{.user = true}));
  loads(ProgramKind::UserProbe, std::move(v), true);
}

TEST_F(Contexts, Tracepoint) {
  std::vector<ValuePtr> v;
  v.push_back(read(make_integer(32, true), ContextSource{8}));
  v.push_back(read(make_integer(8, false), ContextSource{13}));
  v.push_back(read(make_uint64(), ContextSource{20}));                    // not aligned
  v.push_back(read(make_string(16), ContextSource{24}));
  v.push_back(read(make_array(make_uint64(), 4), ContextSource{40}));
  v.push_back(read(make_string(64), DataLocSource{16}));
  v.push_back(read(make_uint64(), DataLocSource{16}));
  v.push_back(value(make_stack(false, 20, ""), typed::CaptureStack{}));
  v.push_back(value(make_stack(true, 1024, ""), typed::CaptureStack{}));
  loads(ProgramKind::Tracepoint, std::move(v), true);
}

TEST_F(Contexts, RawTracepoint) {
  std::vector<ValuePtr> v;
  v.push_back(read(make_uint64(), ContextSource{0}));
  v.push_back(read(make_integer(32, true), ContextSource{8}));
  v.push_back(value(make_stack(false, 20, ""), typed::CaptureStack{}));
  v.push_back(value(make_stack(true, 16384, ""), typed::CaptureStack{}));
  v.push_back(value(make_stack(true, 20, ""), typed::CaptureStack{.unwinding = typed::Unwinding::FramePointers}));
  loads(ProgramKind::RawTracepoint, std::move(v));
}

TEST_F(Contexts, PerfEvent) {
  std::vector<ValuePtr> v;
  v.push_back(read(make_uint64(), RegisterSource{128}));
  v.push_back(read(make_integer(32, false), RegisterSource{120}));
  v.push_back(value(make_stack(true, 127, ""), typed::CaptureStack{}));
  v.push_back(value(make_probe_name(), typed::ProbeId{}));
  loads(ProgramKind::PerfEvent, std::move(v), true);
}

TEST_F(Contexts, AreReadableInsideLoops) {
  Builder b;
  const EventId e = b.event(ActionKind::PrintValue, {make_uint64()});
  const EventId s = b.event(ActionKind::PrintValue, {make_string(200)});
  const Type big = make_string(200);
  const Type pointer = make_pointer(make_integer(8, true), AddressSpace::User);
  auto argument = [&](Type type) { return read(std::move(type), RegisterSource{112}); };
  Statements inside;
  inside.push_back(statement(Emit{e, list(argument(make_uint64()))}));
  inside.push_back(statement(StoreSlot{1, value(big, typed::ReadString{argument(pointer), nullptr})}));
  inside.push_back(statement(Emit{s, list(load(1, big))}));
  b.add(body(ForRange{0, number(0), number(3), std::move(inside)}), ProgramKind::UserProbe, {make_int64(), big});
  Loaded k(b.program);
  EXPECT_TRUE(k.ok());
}

}  // namespace
}  // namespace trc::test
