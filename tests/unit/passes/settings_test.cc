#include "fixture.h"

namespace trc::ast {
namespace {

image::Settings settings_of(const std::string& block, const std::map<std::string, std::string>& environment = {}) {
  const Outcome outcome = analyse_text(block + "begin { print(1); }", {}, environment);
  EXPECT_TRUE(outcome.analysis.has_value()) << outcome.messages();
  return outcome.analysis ? outcome.analysis->settings : image::Settings{};
}

TEST(Settings, DefaultsAreThoseOfTheLanguage) {
  const image::Settings settings = settings_of("");
  EXPECT_EQ(settings.max_strlen, 1024u);
  EXPECT_TRUE(settings.print_maps_on_exit);
  EXPECT_EQ(settings.missing_probes, "error");
}

TEST(Settings, KeysMayHaveTheirOldPrefixAndAnyCase) {
  const image::Settings settings = settings_of("config = { BPFTRACE_MAX_STRLEN = 77; Print_Maps_On_Exit = false; stack_mode = perf }");
  EXPECT_EQ(settings.max_strlen, 77u);
  EXPECT_FALSE(settings.print_maps_on_exit);
  EXPECT_EQ(settings.stack_mode, "perf");
}

TEST(Settings, TheEnvironmentBeatsTheBlockAndOurNameBeatsTheOlderOne) {
  EXPECT_EQ(settings_of("config = { max_strlen = 5 }", {{"BPFTRACE_MAX_STRLEN", "6"}}).max_strlen, 6u);
  EXPECT_EQ(settings_of("config = { max_strlen = 5 }", {{"BPFTRACE_MAX_STRLEN", "6"}, {"TRC_MAX_STRLEN", "7"}}).max_strlen, 7u);
}

TEST(Settings, HowStacksAreWalked) {
  const std::string script = "begin { print(len(ustack)); print(len(ustack(fp))); print(len(ustack(dwarf, 5))); }";
  const auto walked_by = [&](const std::string& block, const std::map<std::string, std::string>& environment = {}) {
    const Outcome outcome = analyse_text(block + script, {}, environment);
    EXPECT_TRUE(outcome.analysis.has_value()) << outcome.messages();
    return outcome.analysis ? outcome.analysis->program.unwinding : typed::Unwinding::Setting;
  };
  EXPECT_EQ(walked_by(""), typed::Unwinding::Auto);
  EXPECT_EQ(walked_by("config = { stack_unwind = fp }"), typed::Unwinding::FramePointers);
  EXPECT_EQ(walked_by("config = { stack_unwind = dwarf }"), typed::Unwinding::Tables);
  EXPECT_EQ(walked_by("config = { stack_unwind = fp }", {{"TRC_STACK_UNWIND", "auto"}}), typed::Unwinding::Auto);
  EXPECT_EQ(complaints("config = { stack_unwind = orc } begin { print(1); }"),
            "invalid-config: invalid value for stack_unwind: 'orc', expected auto, fp or dwarf\n");
  EXPECT_NE(complaints("begin { print(ustack(fp, dwarf)); }"), "");
  EXPECT_NE(complaints("begin { print(kstack(fp)); }"), "");
}

TEST(Settings, CompatComesFromTheCommandLineTheBlockOrTheEnvironment) {
  EXPECT_FALSE(settings_of("").compat);
  EXPECT_TRUE(settings_of("config = { compat = true }").compat);
  EXPECT_TRUE(settings_of("", {{"TRC_COMPAT", "1"}}).compat);
  AnalyseOptions options;
  options.compat = true;
  const Outcome outcome = analyse_text("config = { compat = false } begin { print(1); }", options);
  ASSERT_TRUE(outcome.analysis.has_value()) << outcome.messages();
  EXPECT_TRUE(outcome.analysis->settings.compat);
}

TEST(Settings, ABadVariableIsNamed) {
  EXPECT_EQ(analyse_text("begin { print(1); }", {}, {{"TRC_MAX_STRLEN", "many"}}).messages(),
            "invalid-config: invalid value for environment variable TRC_MAX_STRLEN: 'many', expected a number from 1 to 65536\n");
}

TEST(Settings, KeysOfLaterFeaturesAreAccepted) {
  EXPECT_EQ(complaints("config = { unstable_tseries = true; log_size = 5; lazy_symbolication = false } begin { print(1); }"), "");
}

}  // namespace
}  // namespace trc::ast
