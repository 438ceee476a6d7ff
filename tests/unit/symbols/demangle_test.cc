#include <gtest/gtest.h>

#include "symbols/symbolizer.h"

namespace trc::symbols {
namespace {

TEST(Demangle, Cpp) {
  EXPECT_EQ(demangle("_ZN3foo3barEi"), "foo::bar(int)");
  EXPECT_EQ(demangle("_ZNKSt6vectorIiSaIiEE4sizeEv"), "std::vector<int, std::allocator<int>>::size() const");
  EXPECT_EQ(demangle("_Z4mainv"), "main()");
}

TEST(Demangle, RustLegacy) {
  EXPECT_EQ(demangle("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
  EXPECT_EQ(demangle("_ZN4core3fmt5write17h0123456789abcdefE.llvm.1234567"), "core::fmt::write");
  const std::string type = "_$LT$T$u20$as$u20$alloc..string..ToString$GT$";
  EXPECT_EQ(demangle("_ZN" + std::to_string(type.size()) + type + "9to_string17h0123456789abcdefE"), "<T as alloc::string::ToString>::to_string");
  EXPECT_EQ(demangle("_ZN4main4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE"), "main::main::{{closure}}");
}

TEST(Demangle, RustV0) { EXPECT_EQ(demangle("_RNvC6_123foo3bar"), "123foo::bar"); }

TEST(Demangle, D) {
  EXPECT_EQ(demangle("_D3foo3barFiZv"), "foo.bar");
  EXPECT_EQ(demangle("_D8demangle4testi"), "demangle.test");
  EXPECT_EQ(demangle("_D99999999999999999999foo"), "_D99999999999999999999foo");
  EXPECT_EQ(demangle("_D9foo"), "_D9foo");
}

TEST(Demangle, OtherNamesStay) {
  for (const char* name : {"main", "", "_Z", "_R", "_D", "_ZN", "__libc_start_main", "_ZN4core17h0123456789abcdefX", "_Rust", "_Dmany"}) {
    EXPECT_EQ(demangle(name), name);
  }
}

}  // namespace
}  // namespace trc::symbols
