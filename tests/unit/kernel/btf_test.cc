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

namespace trc::kernel {
namespace {

using ::testing::ElementsAre;

/// Writes BTF byte by byte, as a kernel build would.
class Builder {
 public:
  explicit Builder(std::uint32_t first_string = 0) : first_string_(first_string) {
    if (first_string == 0) strings_ += '\0';
  }
  Builder& type(const char* name, std::uint32_t kind, std::uint32_t vlen, std::uint32_t target, std::size_t trailing) {
    std::uint32_t name_offset = 0;
    if (*name) {
      name_offset = first_string_ + static_cast<std::uint32_t>(strings_.size());
      strings_ += name;
      strings_ += '\0';
    }
    const btf_type header{name_offset, kind << 24 | vlen, {target}};   // vlen may bring the top bit
    types_.append(reinterpret_cast<const char*>(&header), sizeof header);
    types_.append(trailing, '\0');
    return *this;
  }
  struct Member { const char* name; std::uint32_t type, offset; };
  /// A structure or union; `with_widths`: offsets have the width of a bit field in their high byte.
  Builder& structure(const char* name, std::uint32_t kind, const std::vector<Member>& members, bool with_widths = false) {
    type(name, kind, static_cast<std::uint32_t>(members.size()) | (with_widths ? 1u << 31 : 0), 64, 0);
    for (const Member& member : members) {
      const btf_member raw{*member.name ? static_cast<std::uint32_t>(strings_.size()) : 0, member.type, member.offset};
      if (*member.name) strings_.append(member.name).push_back('\0');
      types_.append(reinterpret_cast<const char*>(&raw), sizeof raw);
    }
    return *this;
  }
  std::string bytes() const {
    btf_header header{};
    header.magic = BTF_MAGIC;
    header.version = BTF_VERSION;
    header.hdr_len = sizeof header;
    header.type_len = static_cast<std::uint32_t>(types_.size());
    header.str_off = header.type_len;
    header.str_len = static_cast<std::uint32_t>(strings_.size());
    return std::string(reinterpret_cast<const char*>(&header), sizeof header) + types_ + strings_;
  }

 private:
  std::uint32_t first_string_;
  std::string types_, strings_;
};

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

TEST(Btf, RefusesDamage) {
  const std::string good = tracepoint_btf();
  EXPECT_FALSE(Btf::parse("").has_value());
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(Btf::parse(good.substr(0, size)).has_value()) << size;
  EXPECT_FALSE(Btf::parse(Builder().type("x", 31, 0, 0, 0).bytes()).has_value());
  EXPECT_FALSE(Btf::parse(Builder().type("x", BTF_KIND_STRUCT, 5, 0, 0).bytes()).has_value());
}

}  // namespace
}  // namespace trc::kernel
