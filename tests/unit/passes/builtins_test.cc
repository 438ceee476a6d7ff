// The rows of the builtins: sound, documented, and none that the checker would not understand.
#include "ast/passes/lower_call.h"
#include "fixture.h"

namespace trc::ast {
namespace {

template <class F>
void for_each_row(F&& f) {
  for (auto family : builtins::catalogue().families()) {
    for (const lang::BuiltinSpec& row : family) f(row);
  }
}

TEST(Builtins, ParametersAreWordsThatTheCheckerKnows) {
  for_each_row([](const lang::BuiltinSpec& row) {
    for (std::size_t i = 0; i < row.params.size(); ++i) {
      EXPECT_TRUE(is_parameter_word(row.params[i].type)) << row.name << ": " << row.params[i].type;
      const bool follows_optional = i > 0 && row.params[i - 1].optional;
      EXPECT_TRUE(row.params[i].optional || !follows_optional) << row.name << ": a required parameter after an optional one";
      EXPECT_TRUE(!row.params[i].repeated || i + 1 == row.params.size()) << row.name;
    }
  });
}

TEST(Builtins, ResultsAreTypesOfTheLanguage) {
  for_each_row([](const lang::BuiltinSpec& row) {
    const bool says_it_itself = row.result.empty() && std::holds_alternative<lang::Custom>(row.lower);
    EXPECT_TRUE(says_it_itself || result_type(row.result)) << row.name << ": " << row.result;
  });
}

TEST(Builtins, EveryRowIsDocumented) {
  for_each_row([](const lang::BuiltinSpec& row) {
    EXPECT_TRUE(row.doc.ends_with('.')) << row.name;
    EXPECT_EQ(row.doc == "Not supported yet.", row.example.empty()) << row.name;
  });
}

TEST(Builtins, ExamplesAreSoundScripts) {
  for_each_row([](const lang::BuiltinSpec& row) {
    // Tracepoint examples name fields of real events, which the invented one lacks, as it lacks the kernel's types and kprobes.
    if (row.example.empty() || row.example.find("args.") != std::string_view::npos || row.example.find("ctx.") != std::string_view::npos) return;
    if (row.example.starts_with("kprobe:")) return;
    if (row.name == "uaddr") return;   // asks the traced file
    AnalyseOptions options;
    options.unsafe = !row.unsafe.empty();
    const Outcome outcome = analyse_text(std::string(row.example), options);
    EXPECT_TRUE(outcome.analysis.has_value()) << row.example << "\n" << outcome.messages();
  });
}

TEST(Builtins, WhatIsMissingIsRefusedByItsName) {
  for_each_row([](const lang::BuiltinSpec& row) {
    if (!row.example.empty()) return;
    const std::string call = std::string(row.name) + "(1)";
    const std::string messages = complaints("begin { " + call + "; }");
    EXPECT_TRUE(messages.starts_with("not-supported-yet: " + std::string(row.name))) << call << ": " << messages;
  });
}

}  // namespace
}  // namespace trc::ast
