#include "types/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "unit/types/type_facts.h"

namespace trc::types {
namespace {

using ::testing::ElementsAre;
using lang::TypeKind;

class LibraryTest : public ::testing::Test {
 protected:
  TypeFacts facts{task_btf().bytes()};
  Library library{facts};
  lang::Type task() { return library.find(Tag::Struct, "task").value(); }
};

TEST_F(LibraryTest, NothingIsOpenedBeforeTheFirstQuestion) { EXPECT_EQ(facts.asked, 0); }

TEST_F(LibraryTest, StructuresByName) {
  EXPECT_EQ(lang::type_name(task()), "struct task");
  EXPECT_EQ(task().size, 88u);
  EXPECT_TRUE(task().fields.empty());
  EXPECT_FALSE(library.find(Tag::Union, "task").has_value());
  EXPECT_FALSE(library.find(Tag::Struct, "tas").has_value());
  EXPECT_EQ(library.find_typedef("task_t"), task());
  EXPECT_EQ(library.resolved(lang::make_struct("struct task")).size, 88u);
  EXPECT_EQ(library.resolved(lang::make_struct("struct none")).definition, 0u);
}

TEST_F(LibraryTest, Members) {
  const auto pid = library.member(task(), "pid");
  ASSERT_TRUE(pid.has_value());
  EXPECT_EQ(pid->type, lang::make_integer(32, true));
  EXPECT_EQ(library.member(task(), "comm")->type, lang::make_string(16));
  EXPECT_EQ(library.member(task(), "key")->type, lang::make_array(lang::make_integer(8, false), 4));   // bytes, no text
  EXPECT_EQ(library.member(task(), "parent")->type.element(), task());
  EXPECT_EQ(library.member(task(), "c")->offset, 36u);   // of a nameless structure in a nameless union
  EXPECT_EQ(library.member(task(), "name")->type.space, lang::AddressSpace::User);
  EXPECT_EQ(library.member(task(), "f")->type.kind, TypeKind::Void);
  EXPECT_FALSE(library.member(task(), "nothing").has_value());
  EXPECT_FALSE(library.member(task(), "").has_value());
  EXPECT_THAT(library.member_names(task()), ElementsAre("pid", "comm", "key", "parent", "a", "b", "c", "up", "down", "paint", "h", "two", "f", "name"));
}

TEST_F(LibraryTest, BitFieldsLieInTheSmallestUnit) {
  const auto up = library.member(task(), "up"), down = library.member(task(), "down");
  ASSERT_TRUE(up && down);
  EXPECT_EQ(up->offset, 40u);
  EXPECT_EQ(up->bit_offset, 0);
  EXPECT_EQ(up->bit_size, 3);
  EXPECT_EQ(up->type, lang::make_integer(8, true));
  EXPECT_EQ(down->bit_offset, 3);
  EXPECT_EQ(down->type, lang::make_integer(8, false));
}

TEST(PlaceBitField, UnitsStayInsideTheStructure) {
  lang::Field field{.type = lang::make_integer(32, false)};
  EXPECT_TRUE(place_bit_field(field, 30, 4, 8));    // over a boundary of 4 bytes
  EXPECT_EQ(field.offset, 0u);
  EXPECT_EQ(field.type.size, 8u);
  EXPECT_TRUE(place_bit_field(field, 70, 20, 12));  // in the last 4 bytes
  EXPECT_EQ(field.offset, 8u);
  EXPECT_EQ(field.bit_offset, 6);
  EXPECT_TRUE(place_bit_field(field, 72, 35, 14));  // the last 8 bytes hold it
  EXPECT_EQ(field.offset, 6u);
  EXPECT_EQ(field.bit_offset, 24);
  EXPECT_TRUE(place_bit_field(field, 4, 17, 3));    // smaller than its unit
  EXPECT_EQ(field.offset, 0u);
  EXPECT_EQ(field.type.size, 4u);
  EXPECT_FALSE(place_bit_field(field, 5, 60, 9));   // 64 bits of it lie in 9 bytes
}

TEST_F(LibraryTest, EnumeratorsAndTheirNames) {
  const auto blue = library.find_constant("BLUE");
  ASSERT_TRUE(blue.has_value());
  EXPECT_EQ(blue->bits, 7u);
  EXPECT_EQ(lang::type_name(blue->type), "enum colour");
  const auto paint = library.member(task(), "paint")->type;
  EXPECT_EQ(paint, blue->type);
  ASSERT_NE(lang::enumerator_name(paint, 7), nullptr);
  EXPECT_EQ(*lang::enumerator_name(paint, 7), "BLUE");
  EXPECT_EQ(lang::enumerator_name(paint, 1), nullptr);
  EXPECT_FALSE(library.find_constant("GREEN").has_value());
}

TEST_F(LibraryTest, ValuesHaveAllMembers) {
  const auto whole = library.completed(task());
  ASSERT_TRUE(whole.has_value());
  std::vector<std::string> names;
  for (const auto& field : whole->fields) names.push_back(field.name + "@" + std::to_string(field.offset));
  EXPECT_THAT(names, ElementsAre("pid@0", "comm@4", "key@20", "parent@24", "a@32", "b@32", "c@36", "up@40", "down@40", "paint@44", "h@48", "two@56",
                                 "f@72", "name@80"));
  EXPECT_EQ(whole->fields[11].type.element().fields.size(), 2u);
  EXPECT_TRUE(whole->fields[3].type.element().fields.empty());   // behind a pointer
  EXPECT_EQ(*whole, task());
  EXPECT_FALSE(library.completed(lang::make_struct("struct hidden")).has_value());
}

TEST_F(LibraryTest, ModulesContinueTheKernel) {
  const std::string base = task_btf().bytes();
  btf_header header;
  std::memcpy(&header, base.data(), sizeof header);
  facts.add_module(BtfBuilder(header.str_len).structure("driver", BTF_KIND_STRUCT, {{"", 18, 0}}).bytes());
  const auto driver = library.find(Tag::Struct, "driver");
  ASSERT_TRUE(driver.has_value());
  EXPECT_NE(driver->definition, task().definition);
  const auto kernels = library.find(Tag::Struct, "task");
  EXPECT_EQ(kernels->definition, task().definition);
}

TEST(Library, StructuresThatGoInCircles) {
  TypeFacts facts(BtfBuilder().structure("self", BTF_KIND_STRUCT, {{"", 1, 0}, {"a", 2, 8}}).array(2, 3).bytes());
  Library library(facts);
  const auto self = library.find(Tag::Struct, "self");
  ASSERT_TRUE(self.has_value());
  EXPECT_FALSE(library.member(*self, "b").has_value());
  EXPECT_FALSE(library.completed(*self).has_value());
}

}  // namespace
}  // namespace trc::types
