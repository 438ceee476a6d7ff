// The second run of a script does without LLVM's passes and makes the same image.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "codegen/codegen.h"
#include "codegen/typed_builder.h"
#include "image/program_image.h"

namespace trc::codegen {
namespace {

using namespace trc::test;
using lang::TypeKind;

class ObjectCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "object_cache_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    cache_ = FileCache::open(folder_);
    ASSERT_NE(cache_, nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Counts by comm; then prints by `format`.
  CodegenResult made(const std::string& format, std::int64_t printed, bool keep_ir = false) {
    Builder b;
    const MapId m = b.map("@", comm()->type, lang::make_aggregate(TypeKind::Count, false));
    const EventId e = b.event(lang::ActionKind::Printf, {lang::make_string(16), lang::make_int64()}, format);
    b.add(body(MapAggregate{m, comm(), nullptr}, Emit{e, list(comm(), number(printed))}));
    auto result = generate(b.program, {.keep_ir = keep_ir, .cache = cache_.get()});
    EXPECT_TRUE(result);
    return std::move(*result);
  }

  std::filesystem::path folder_;
  std::unique_ptr<FileCache> cache_;
};

TEST_F(ObjectCacheTest, TheSameModuleIsNotCompiledTwice) {
  const CodegenResult first = made("%s %d\n", 4), second = made("%s %d\n", 4);
  EXPECT_FALSE(first.from_cache);
  EXPECT_TRUE(second.from_cache);
  EXPECT_EQ(image::save(first.image), image::save(second.image));
}

TEST_F(ObjectCacheTest, AnotherModuleIsCompiled) {
  made("%s %d\n", 4);
  EXPECT_FALSE(made("%s %d\n", 5).from_cache);
}

TEST_F(ObjectCacheTest, WhatTheObjectDoesNotHoldIsTheScripts) {
  made("%s %d\n", 4);
  const CodegenResult second = made("%s: %d\n", 4);   // the format is the printer's, not the kernel's
  EXPECT_TRUE(second.from_cache);
  EXPECT_EQ(second.image.events.front().text, "%s: %d\n");
}

TEST_F(ObjectCacheTest, DamageIsNoticedAndMended) {
  const std::string object = made("%s %d\n", 4).image.object;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2000);
    file.put('!');
  }
  const CodegenResult second = made("%s %d\n", 4);
  EXPECT_FALSE(second.from_cache);
  EXPECT_EQ(second.image.object, object);
  EXPECT_TRUE(made("%s %d\n", 4).from_cache);
}

TEST_F(ObjectCacheTest, WhoWantsTheStagesGetsThem) {
  made("%s %d\n", 4);
  const CodegenResult second = made("%s %d\n", 4, true);
  EXPECT_FALSE(second.from_cache);
  EXPECT_NE(second.optimized_ir, "");
}

}  // namespace
}  // namespace trc::codegen
