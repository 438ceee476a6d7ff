#include "kernel/btf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/btf.h>

#include <cstring>

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
    const btf_type header{name_offset, kind << 24 | vlen, {target}};
    types_.append(reinterpret_cast<const char*>(&header), sizeof header);
    types_.append(trailing, '\0');
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

TEST(Btf, RefusesDamage) {
  const std::string good = tracepoint_btf();
  EXPECT_FALSE(Btf::parse("").has_value());
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(Btf::parse(good.substr(0, size)).has_value()) << size;
  EXPECT_FALSE(Btf::parse(Builder().type("x", 31, 0, 0, 0).bytes()).has_value());
  EXPECT_FALSE(Btf::parse(Builder().type("x", BTF_KIND_STRUCT, 5, 0, 0).bytes()).has_value());
}

}  // namespace
}  // namespace trc::kernel
