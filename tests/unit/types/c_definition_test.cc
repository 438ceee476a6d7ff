#include "types/c_definition.h"

#include <gtest/gtest.h>

#include "unit/types/type_facts.h"

namespace trc::types {
namespace {

std::string definition(const kernel::Btf& btf, std::string_view spelled) {
  const auto found = find_tags(btf, spelled);
  return found.size() == 1 ? c_definition(btf, found.front().id) : "";
}

TEST(CDefinition, MembersOfEveryKind) {
  const auto btf = kernel::Btf::parse(task_btf().bytes()).value();
  EXPECT_EQ(definition(btf, "struct task"),
            "struct task {\n\tint pid;\n\tchar comm[16];\n\tunsigned char key[4];\n\tstruct task *parent;\n"
            "\tunion {\n\t\tint a;\n\t\tstruct {\n\t\t\tint b;\n\t\t\tint c;\n\t\t};\n\t};\n"
            "\tint up: 3;\n\tunsigned int down: 5;\n\tenum colour paint;\n\tstruct hidden *h;\n\tstruct pair two[2];\n\tfloat f;\n\tchar *name;\n};");
  EXPECT_EQ(definition(btf, "enum colour"), "enum colour {\n\tRED = 0,\n\tBLUE = 7,\n};");
}

TEST(CDefinition, DeclaratorsAreWrittenFromTheInsideOut) {
  BtfBuilder builder;
  builder.integer("int", 4, BTF_INT_SIGNED)                                      // 1
      .type("", BTF_KIND_CONST, 0, 1, 0)                                         // 2: const int
      .type("", BTF_KIND_PTR, 0, 2, 0)                                           // 3: const int *
      .type("", BTF_KIND_VOLATILE, 0, 3, 0)                                      // 4: const int *volatile
      .array(1, 2)                                                               // 5
      .array(5, 3)                                                               // 6: int [3][2]
      .type("", BTF_KIND_PTR, 0, 5, 0)                                           // 7: int (*)[2]
      .structure("s", BTF_KIND_STRUCT, {{"a", 4, 0}, {"b", 6, 64}, {"c", 7, 256}, {"v", 9, 320}}, false, 48)   // 8
      .type("", BTF_KIND_PTR, 0, 0, 0);                                          // 9: void *
  const auto btf = kernel::Btf::parse(builder.bytes()).value();
  EXPECT_EQ(definition(btf, "struct s"), "struct s {\n\tconst int *volatile a;\n\tint b[3][2];\n\tint (*c)[2];\n\tvoid *v;\n};");
}

TEST(CDefinition, DamagedTypesThatGoInCirclesEnd) {
  BtfBuilder builder;
  builder.type("", BTF_KIND_PTR, 0, 1, 0).structure("s", BTF_KIND_STRUCT, {{"p", 1, 0}, {"n", 77, 64}}, false, 16);
  const auto btf = kernel::Btf::parse(builder.bytes()).value();
  const std::string text = definition(btf, "struct s");
  EXPECT_TRUE(text.starts_with("struct s {\n\t? *")) << text;
  EXPECT_TRUE(text.ends_with("*p;\n\t? n;\n};")) << text;
}

TEST(CDefinition, PatternsFindNamesOfThatKind) {
  const auto btf = kernel::Btf::parse(task_btf().bytes()).value();
  const auto structures = find_tags(btf, "struct *");
  ASSERT_EQ(structures.size(), 2U);
  EXPECT_EQ(structures[0].spelled, "struct pair");
  EXPECT_EQ(structures[1].spelled, "struct task");
  EXPECT_EQ(find_tags(btf, "enum c*").size(), 1U);
  EXPECT_TRUE(find_tags(btf, "struct nothing").empty());
}

}  // namespace
}  // namespace trc::types
