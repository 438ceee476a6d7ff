#include "kernel/btf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/btf.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "base/read_file.h"
#include "unit/btf_builder.h"

namespace trc::kernel {
namespace {

using ::testing::ElementsAre;

using Builder = BtfBuilder;

/// int; func(void*, a, b); pointer to it; typedef btf_trace_NAME of the pointer.
std::string tracepoint_btf() {
  return Builder()
      .type("int", BTF_KIND_INT, 0, 4, 4)
      .type("", BTF_KIND_FUNC_PROTO, 3, 0, 3 * sizeof(btf_param))
      .type("", BTF_KIND_PTR, 0, 2, 0)
      .type("btf_trace_one", BTF_KIND_TYPEDEF, 0, 3, 0)
      .type("btf_trace_broken", BTF_KIND_TYPEDEF, 0, 99, 0)
      .type("other", BTF_KIND_TYPEDEF, 0, 3, 0)
      .bytes();
}

/// "name/arguments" of each.
std::vector<std::string> names(const Btf& btf) {
  std::vector<std::string> out;
  for (const RawTracepoint& event : btf.raw_tracepoints()) out.push_back(event.name + "/" + std::to_string(event.arguments));
  return out;
}

TEST(Btf, RawTracepoints) {
  const auto btf = Btf::parse(tracepoint_btf());
  ASSERT_TRUE(btf.has_value());
  // "broken" points at a type that is not there, "other" is another typedef.
  EXPECT_THAT(names(*btf), ElementsAre("one/2"));
}

TEST(Btf, AModuleContinuesItsBase) {
  const std::string base_bytes = tracepoint_btf();
  const auto base = Btf::parse(base_bytes);
  btf_header header;
  std::memcpy(&header, base_bytes.data(), sizeof header);
  const auto module = Btf::parse(Builder(header.str_len).type("btf_trace_two", BTF_KIND_TYPEDEF, 0, 3, 0).bytes(), &*base);
  ASSERT_TRUE(module.has_value());
  EXPECT_THAT(names(*module), ElementsAre("two/2"));
}

TEST(Btf, FunctionsAreSortedAndFoundTheSameWay) {
  const auto btf = Btf::parse(Builder()
                                  .type("int", BTF_KIND_INT, 0, 4, 4)
                                  .type("", BTF_KIND_FUNC_PROTO, 0, 1, 0)
                                  .type("two", BTF_KIND_FUNC, 0, 2, 0)
                                  .type("two", BTF_KIND_TYPEDEF, 0, 1, 0)
                                  .type("one", BTF_KIND_FUNC, 0, 2, 0)
                                  .bytes());
  ASSERT_TRUE(btf.has_value());
  const auto before = btf->find(BtfKind::Function, "two");
  ASSERT_EQ(btf->functions().size(), 2u);
  EXPECT_EQ(btf->functions()[0].name, "one");
  EXPECT_EQ(btf->functions()[0].id, 5u);
  EXPECT_EQ(before, 3u);
  EXPECT_EQ(btf->find(BtfKind::Function, "two"), 3u);      // now among the sorted ones
  EXPECT_EQ(btf->find(BtfKind::Function, "three"), std::nullopt);
  EXPECT_EQ(btf->find(BtfKind::Typedef, "two"), 4u);
}

std::vector<std::optional<std::uint64_t>> offsets(const std::string& bytes, const std::vector<std::string>& members) {
  const auto btf = Btf::parse(bytes);
  if (!btf) throw std::runtime_error(btf.error().message());
  return btf->member_offsets(members);
}

TEST(Btf, MemberOffsets) {
  const std::string bytes = Builder()
                                .type("int", BTF_KIND_INT, 0, 4, 4)                                            // 1
                                .structure("inner", BTF_KIND_STRUCT, {{"x", 1, 0}, {"y", 1, 32}})              // 2
                                .type("inner_t", BTF_KIND_TYPEDEF, 0, 2, 0)                                    // 3
                                .type("", BTF_KIND_CONST, 0, 3, 0)                                             // 4
                                .structure("", BTF_KIND_UNION, {{"in_union", 1, 0}, {"deep", 4, 0}})           // 5
                                .structure("", BTF_KIND_STRUCT, {{"first", 1, 0}, {"", 5, 64}})                // 6
                                .structure("outer", BTF_KIND_STRUCT, {{"a", 1, 0}, {"b", 3, 64}, {"", 6, 128}, {"p", 7, 320}})
                                .structure("flags", BTF_KIND_STRUCT, {{"bit", 1, 1u << 24 | 3}, {"whole", 1, 64}}, true)
                                .bytes();
  EXPECT_THAT(offsets(bytes, {"outer.a", "outer.b", "outer.b.y", "outer.first", "outer.in_union", "outer.deep.y", "inner.y", "flags.whole"}),
              ElementsAre(0u, 8u, 12u, 16u, 24u, 28u, 4u, 8u));
  EXPECT_THAT(offsets(bytes, {"outer.none", "outer.a.x", "outer", "out.a", "outer.", ".a", "flags.bit", "outer.b.y.z"}),
              ::testing::Each(std::nullopt));
}

TEST(Btf, MembersThatGoInCircles) {
  // A structure whose anonymous member is itself, and typedefs of each other.
  const std::string bytes = Builder()
                                .structure("self", BTF_KIND_STRUCT, {{"", 1, 0}, {"a", 2, 8}})
                                .type("t", BTF_KIND_TYPEDEF, 0, 3, 0)
                                .type("u", BTF_KIND_TYPEDEF, 0, 2, 0)
                                .bytes();
  EXPECT_THAT(offsets(bytes, {"self.b", "self.a.x"}), ::testing::Each(std::nullopt));
}

/// A structure behind `before` others, whose member's type comes behind `after` more.
std::string far_apart(std::uint32_t before, std::uint32_t after) {
  Builder builder;
  for (std::uint32_t i = 0; i < before; ++i) builder.structure("", BTF_KIND_STRUCT, {{"filler", 1, 0}});
  builder.structure("wanted", BTF_KIND_STRUCT, {{"inner", before + after + 2, 64}});
  for (std::uint32_t i = 0; i < after; ++i) builder.type("filler", BTF_KIND_INT, 0, 4, 4);
  return builder.structure("", BTF_KIND_STRUCT, {{"a", 1, 0}, {"b", 1, 32}}).bytes();
}

TEST(Btf, TypesAreFoundWhereverTheyLie) {
  for (std::uint32_t before = 0; before < 70; ++before) {
    for (const std::uint32_t after : {0u, 1u, 30u, 31u, 32u, 33u, 64u}) {
      EXPECT_THAT(offsets(far_apart(before, after), {"wanted.inner.b"}), ElementsAre(12u)) << before << " " << after;
    }
  }
}

TEST(Btf, StructuresOfAModuleHaveTypesOfTheirBase) {
  const auto base = Btf::parse(Builder().structure("of_base", BTF_KIND_STRUCT, {{"a", 2, 0}, {"b", 2, 32}}).bytes());
  ASSERT_TRUE(base.has_value());
  const auto module = Btf::parse(Builder(static_cast<std::uint32_t>(1 + sizeof "of_base" + 2 + 2)).structure("mine", BTF_KIND_STRUCT, {{"", 1, 64}}).bytes(), &*base);
  ASSERT_TRUE(module.has_value());
  EXPECT_THAT(module->member_offsets(std::vector<std::string>{"mine.b", "of_base.b", "mine.c"}), ElementsAre(12u, std::nullopt, std::nullopt));
}

TEST(Btf, AnyByteMayBeAnything) {
  const std::string good = far_apart(3, 40);
  const std::vector<std::string> asked{"wanted.inner.b", "wanted.inner", "filler.x", ".", ""};
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const unsigned char byte : {0x00, 0x01, 0x04, 0x7f, 0x80, 0xff}) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(byte);
      const auto btf = Btf::parse(std::move(bytes));
      if (!btf) continue;
      EXPECT_EQ(btf->member_offsets(asked).size(), asked.size());   // whatever it says: nothing is read outside (asan looks at that)
      EXPECT_TRUE(btf->raw_tracepoints().empty());
    }
  }
}

TEST(Btf, FilesAreReadOrMapped) {
  const auto written = std::filesystem::temp_directory_path() / ("trc_btf_test." + std::to_string(::getpid()));
  std::ofstream(written, std::ios::binary) << tracepoint_btf();
  const auto btf = Btf::open(written);
  std::filesystem::remove(written);
  ASSERT_TRUE(btf.has_value());
  EXPECT_THAT(names(*btf), ElementsAre("one/2"));
  EXPECT_FALSE(Btf::open(written).has_value());
  EXPECT_FALSE(Btf::open("/sys/kernel/uevent_seqnum").has_value());   // of the kernel's, and not BTF
  const auto kernels = Btf::open("/sys/kernel/btf/vmlinux");
  if (!kernels) GTEST_SKIP() << "SKIP: lacks /sys/kernel/btf/vmlinux";
  auto bytes = read_file("/sys/kernel/btf/vmlinux");
  ASSERT_TRUE(bytes.has_value());
  const auto copy = Btf::parse(std::move(*bytes));
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(names(*kernels), names(*copy));
  const std::vector<std::string> members{"task_struct.mm", "mm_struct.start_stack", "vm_area_struct.vm_file"};
  EXPECT_EQ(kernels->member_offsets(members), copy->member_offsets(members));
}

TEST(Btf, KernelMembersAreWhereTheyHaveToBe) {
  const auto found = kernel_member_offsets(std::vector<std::string>{"list_head.next", "list_head.prev", "task_struct.mm", "task_struct.no_such"});
  if (!found) GTEST_SKIP() << "SKIP: lacks /sys/kernel/btf/vmlinux";
  EXPECT_EQ((*found)[0], 0u);
  EXPECT_EQ((*found)[1], 8u);
  EXPECT_NE((*found)[2].value_or(0), 0u);
  EXPECT_EQ((*found)[3], std::nullopt);
}

/// A bit of each kind: 1 int, 2 a pointer to it, 3 an array, 4 an enumeration, 5 one of 64 bits, 6 a prototype, 7 a typedef, 8 bit fields.
BtfBuilder all_kinds() {
  BtfBuilder builder;
  builder.integer("int", 4, BTF_INT_SIGNED)
      .type("", BTF_KIND_PTR, 0, 1, 0)
      .array(1, 7)
      .enumeration("colour", {{"RED", 0}, {"GREEN", -2}}, true)
      .enumeration64("wide", {{"HIGH", 0x1234567890abcdef}})
      .prototype(1, {{"first", 2}, {"", 0}})
      .type("number_t", BTF_KIND_TYPEDEF, 0, 1, 0)
      .structure("bits", BTF_KIND_UNION, {{"low", 1, 3u << 24 | 1}, {"whole", 7, 32}}, true);
  return builder;
}

TEST(Btf, SingleTypes) {
  const auto btf = Btf::parse(all_kinds().bytes());
  ASSERT_TRUE(btf.has_value());
  EXPECT_EQ(btf->type(1).kind, BtfKind::Integer);
  EXPECT_TRUE(btf->type(1).is_signed);
  EXPECT_EQ(btf->type(1).name, "int");
  EXPECT_EQ(btf->type(2).target, 1u);
  EXPECT_EQ(btf->array(3).count, 7u);
  EXPECT_EQ(btf->array(3).element, 1u);
  EXPECT_EQ(btf->array(2).count, 0u);
  EXPECT_TRUE(btf->type(4).is_signed);
  ASSERT_EQ(btf->enumerators(4).size(), 2u);
  EXPECT_EQ(btf->enumerators(4)[1].value, -2);
  EXPECT_EQ(btf->enumerators(5).at(0).value, 0x1234567890abcdef);
  ASSERT_EQ(btf->parameters(6).size(), 2u);
  EXPECT_EQ(btf->parameters(6)[0].name, "first");
  EXPECT_EQ(btf->parameters(6)[1].type, 0u);
  const auto members = btf->members(8);
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].bit_offset, 1u);
  EXPECT_EQ(members[0].bit_size, 3u);
  EXPECT_EQ(members[1].bit_offset, 32u);
  EXPECT_EQ(members[1].bit_size, 0u);
  EXPECT_EQ(btf->type(0).kind, BtfKind::Unknown);
  EXPECT_EQ(btf->type(99).kind, BtfKind::Unknown);
  EXPECT_TRUE(btf->members(1).empty());
}

TEST(Btf, TypesAndEnumeratorsByName) {
  const auto btf = Btf::parse(all_kinds().bytes());
  ASSERT_TRUE(btf.has_value());
  EXPECT_EQ(btf->find(BtfKind::Typedef, "number_t"), 7u);
  EXPECT_EQ(btf->find(BtfKind::Union, "bits"), 8u);
  EXPECT_EQ(btf->find(BtfKind::Struct, "bits"), std::nullopt);
  EXPECT_EQ(btf->find(BtfKind::Typedef, "ber_t"), std::nullopt);   // only ends so
  EXPECT_EQ(btf->find(BtfKind::Typedef, ""), std::nullopt);
  const auto green = btf->find_enumerator("GREEN");
  ASSERT_TRUE(green.has_value());
  EXPECT_EQ(green->type, 4u);
  EXPECT_EQ(green->value, -2);
  EXPECT_FALSE(btf->find_enumerator("int").has_value());
}

TEST(Btf, SingleTypesOfDamagedFiles) {
  const std::string good = all_kinds().bytes();
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const unsigned char byte : {0x00, 0x01, 0x04, 0x7f, 0x80, 0xff}) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(byte);
      const auto btf = Btf::parse(std::move(bytes));
      if (!btf) continue;
      for (std::uint32_t id = 0; id < 12; ++id) {   // whatever it says: nothing is read outside (asan looks at that)
        std::size_t length = btf->type(id).name.size() + btf->array(id).count;
        for (const auto& member : btf->members(id)) length += member.name.size();
        for (const auto& one : btf->enumerators(id)) length += one.name.size();
        for (const auto& one : btf->parameters(id)) length += one.name.size();
        EXPECT_LT(length, SIZE_MAX);
      }
      btf->find(BtfKind::Typedef, "number_t");
      btf->find_enumerator("GREEN");
    }
  }
}

TEST(Btf, RefusesDamage) {
  const std::string good = tracepoint_btf();
  EXPECT_FALSE(Btf::parse("").has_value());
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(Btf::parse(good.substr(0, size)).has_value()) << size;
  EXPECT_FALSE(Btf::parse(Builder().type("x", 31, 0, 0, 0).bytes()).has_value());
  EXPECT_FALSE(Btf::parse(Builder().type("x", BTF_KIND_STRUCT, 5, 0, 0).bytes()).has_value());
}

}  // namespace
}  // namespace trc::kernel
