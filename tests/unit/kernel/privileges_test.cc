#include "kernel/privileges.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace trc::kernel {
namespace {

constexpr std::uint64_t bit(unsigned n) { return std::uint64_t{1} << n; }
constexpr std::uint64_t kAdmin = bit(21), kPerfmon = bit(38), kBpf = bit(39);

PrivilegeFacts root() { return {.capabilities = kAdmin | kPerfmon | kBpf, .lockdown = "[none] integrity confidentiality"}; }

TEST(Privileges, RootMayTrace) { EXPECT_TRUE(judge_privileges(root())); }

TEST(Privileges, BpfAndPerfmonSuffice) {
  PrivilegeFacts facts = root();
  facts.capabilities = kPerfmon | kBpf;
  EXPECT_TRUE(judge_privileges(facts));
}

TEST(Privileges, SysAdminStandsForBoth) {
  PrivilegeFacts facts = root();
  facts.capabilities = kAdmin;
  EXPECT_TRUE(judge_privileges(facts));
}

TEST(Privileges, NamesExactlyWhatIsMissing) {
  PrivilegeFacts facts = root();
  facts.capabilities = kBpf;
  facts.bpf_errno = EPERM;
  const auto one = judge_privileges(facts);
  ASSERT_FALSE(one);
  EXPECT_NE(one.error().message().find("CAP_PERFMON"), std::string::npos);
  EXPECT_EQ(one.error().message().find("CAP_BPF"), std::string::npos);
  facts.capabilities = 0;
  const auto both = judge_privileges(facts);
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().message().find("CAP_BPF and CAP_PERFMON"), std::string::npos);
  EXPECT_NE(both.error().hint().find("sudo"), std::string::npos);
  EXPECT_EQ(both.error().exit_status(), 1);
}

TEST(Privileges, ConfidentialityLockdownForbids) {
  PrivilegeFacts facts = root();
  facts.lockdown = "none integrity [confidentiality]";
  const auto result = judge_privileges(facts);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find("locked down"), std::string::npos);
  facts.lockdown = "none [integrity] confidentiality";
  EXPECT_TRUE(judge_privileges(facts));
}

TEST(Privileges, RootOfAUserNamespaceIsNotEnough) {
  PrivilegeFacts facts = root();
  facts.initial_user_namespace = false;
  const auto result = judge_privileges(facts);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find("user namespace"), std::string::npos);
}

TEST(Privileges, SaysWhoForbidsTheSystemCall) {
  PrivilegeFacts facts = root();
  facts.bpf_errno = ENOSYS;
  EXPECT_NE(judge_privileges(facts).error().message().find("no bpf()"), std::string::npos);
  facts.bpf_errno = EPERM;
  EXPECT_NE(judge_privileges(facts).error().message().find("the kernel refuses"), std::string::npos);
  facts.seccomp = true;
  EXPECT_NE(judge_privileges(facts).error().message().find("seccomp"), std::string::npos);
}

}  // namespace
}  // namespace trc::kernel
