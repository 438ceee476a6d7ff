// Programs that are given maps of the runner (image::MapRole::Given).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <cstring>

#include "base/read_file.h"
#include "kernel/bpf_map.h"
#include "kernel/facts.h"
#include "runtime/engine.h"

namespace trc::runtime {
namespace {

using image::MapRole;

image::ProgramImage make_image() {
  image::ProgramImage image;
  image.object = read_file(TRC_GIVEN_MAPS_OBJECT).value();
  image.maps = {{.name = "ring", .role = MapRole::Ring, .bpf_type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096},
                {.name = "given_hash", .role = MapRole::Given, .bpf_type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 8, .max_entries = 16},
                {.name = "given_arrays", .role = MapRole::Given, .bpf_type = BPF_MAP_TYPE_ARRAY_OF_MAPS, .key_size = 4, .value_size = 4, .max_entries = 4}};
  image.programs = {{.name = "read_given", .kind = lang::ProgramKind::TestRun}};
  return image;
}

class GivenMapsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
    engine_ = make_kernel_engine({.online_cpus = {0}});
  }
  image::ProgramImage image_ = make_image();
  std::unique_ptr<Engine> engine_;
};

TEST_F(GivenMapsTest, ProgramsReadThem) {
  auto hash = kernel::create_map({.name = "given_hash", .type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 8, .max_entries = 16});
  ASSERT_TRUE(hash) << hash.error().message();
  auto inner = kernel::MappedArray::create("inner", 8, 8);
  ASSERT_TRUE(inner) << inner.error().message();
  auto outer = kernel::create_map({.name = "given_arrays", .type = BPF_MAP_TYPE_ARRAY_OF_MAPS, .value_size = 4, .max_entries = 4, .inner = inner->fd()});
  ASSERT_TRUE(outer) << outer.error().message();
  engine_->provide_map("given_hash", hash->get());
  engine_->provide_map("given_arrays", outer->get());
  const auto loaded = engine_->load(image_, {});
  ASSERT_TRUE(loaded) << loaded.error().message() << "\n" << engine_->verifier_log();

  const std::uint64_t key = 7, value = 40, in_memory = 2;
  const int inners[] = {inner->fd(), inner->fd()};
  const auto bytes = [](const auto& v) { return std::as_bytes(std::span(&v, 1)); };
  ASSERT_TRUE(kernel::update({.fd = hash->get(), .key_size = 8, .value_size = 8, .max_entries = 16}, bytes(key), bytes(value), false));
  ASSERT_EQ(inner->bytes().size(), 64U);
  std::memcpy(&inner->bytes()[3 * 8], &in_memory, 8);
  ASSERT_TRUE(kernel::put_maps(outer->get(), 1, inners));   // the program looks at the second

  ASSERT_TRUE(engine_->run(0));
  std::uint64_t seen[2] = {};
  const auto drained = engine_->drain([&](std::span<const std::byte> record) {
    if (record.size() >= sizeof seen) std::memcpy(seen, record.data(), sizeof seen);
    return true;
  });
  EXPECT_EQ(drained.value(), 1U);
  EXPECT_THAT(seen, testing::ElementsAre(40, 2));
}

TEST_F(GivenMapsTest, AMapThatNobodyGivesIsNamed) {
  const auto loaded = engine_->load(image_, {});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message(), testing::HasSubstr("given_hash"));
}

}  // namespace
}  // namespace trc::runtime
