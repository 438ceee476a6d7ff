#include "lang/event.h"

#include <gtest/gtest.h>

namespace trc::lang {
namespace {

TEST(Event, FieldsFollowTheHeaderAligned) {
  EventSchema schema;
  schema.fields = {{make_integer(32, true)}, {make_uint64()}, {make_string(3)}};
  lay_out(schema);
  EXPECT_EQ(schema.fields[0].offset, 8u);
  EXPECT_EQ(schema.fields[1].offset, 16u);
  EXPECT_EQ(schema.fields[2].offset, 24u);
  EXPECT_EQ(schema.size, 32u);
}

TEST(Event, WithoutFieldsOnlyTheHeader) {
  EventSchema schema;
  lay_out(schema);
  EXPECT_EQ(schema.size, kEventHeaderSize);
}

}  // namespace
}  // namespace trc::lang
