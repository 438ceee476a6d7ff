#include "source/diagnostics.h"

#include <gtest/gtest.h>

#include "source/suggest.h"

namespace trc {
namespace {

std::string render(const Diagnostics& diags, const SourceFile& file, bool color = false) { return render_text(diags, {&file}, color); }

TEST(SourceFile, LinesAndColumns) {
  const SourceFile file("x", "ab\ncd\n");
  EXPECT_EQ(file.line_column(0).line, 1u);
  EXPECT_EQ(file.line_column(2).column, 3u);  // the newline belongs to its line
  EXPECT_EQ(file.line_column(3).line, 2u);
  EXPECT_EQ(file.line_column(3).column, 1u);
  EXPECT_EQ(file.line_column(6).line, 3u);    // behind the last newline
  EXPECT_EQ(file.line_column(1000).line, 3u);
  EXPECT_EQ(file.line(2), "cd");
  EXPECT_EQ(file.line(3), "");
  EXPECT_EQ(file.line(0), "");
  EXPECT_EQ(file.line(9), "");
}

TEST(RenderText, PositionSourceUnderlineHint) {
  const SourceFile file("script.bt", "begin\n{\n  print($b);\n}\n");
  Diagnostics diags;
  diags.report(Diag::UndefinedVariable, {0, 16, 18}, "undefined variable: $b").with_hint("assign it first");
  EXPECT_EQ(render(diags, file),
            "script.bt:3:9-11: ERROR: undefined variable: $b\n"
            "  print($b);\n"
            "        ~~\n"
            "HINT: assign it first\n");
}

TEST(RenderText, TabsAreFourSpacesAndTheUnderlineFollows) {
  const SourceFile file("x", "\ta\tb");
  Diagnostics diags;
  diags.report(Diag::SyntaxError, {0, 1, 4}, "m");
  EXPECT_EQ(render(diags, file), "x:1:2-5: ERROR: m\n    a    b\n    ~~~~~~\n");
}

TEST(RenderText, EmptyRangeHasAnEmptyUnderline) {
  const SourceFile file("x", "ab");
  Diagnostics diags;
  diags.report(Diag::SyntaxError, {0, 2, 2}, "m");
  EXPECT_EQ(render(diags, file), "x:1:3-3: ERROR: m\nab\n\n");
}

TEST(RenderText, SeveralLinesHaveNoUnderline) {
  const SourceFile file("x", "a\nbc\nde\nf");
  Diagnostics diags;
  diags.report(Diag::SyntaxError, {0, 2, 7}, "m");
  EXPECT_EQ(render(diags, file), "x:2-3: ERROR: m\nbc\nde\n");
}

TEST(RenderText, NotesAreReportsOfTheirOwn) {
  const SourceFile file("x", "abc def");
  Diagnostics diags;
  diags.report(Diag::UnusedMap, {0, 0, 3}, "first").with_note({0, 4, 7}, "second");
  EXPECT_EQ(render(diags, file), "x:1:1-4: WARNING: first\nabc def\n~~~\nx:1:5-8: NOTE: second\nabc def\n    ~~~\n");
}

TEST(RenderText, ErrorsFirstThenWarningsInSourceOrder) {
  const SourceFile file("x", "abc");
  Diagnostics diags;
  diags.report(Diag::UnusedMap, {0, 0, 1}, "w");
  diags.report(Diag::SyntaxError, {0, 2, 3}, "late");
  diags.report(Diag::SyntaxError, {0, 1, 2}, "early");
  const std::string text = render(diags, file);
  EXPECT_LT(text.find("early"), text.find("late"));
  EXPECT_LT(text.find("late"), text.find("WARNING: w"));
}

TEST(RenderText, ColourAndMultibyteAndControlBytes) {
  const SourceFile file("x", "\xC3\xA4\x1b" "b");
  Diagnostics diags;
  diags.report(Diag::SyntaxError, {0, 3, 4}, "m");
  EXPECT_EQ(render(diags, file, true), "x:1:4-5: \033[31mERROR\033[0m: m\n\xC3\xA4.b\n  ~\n");
}

TEST(RenderText, AFileThatIsNotGivenLeavesOnlyTheMessage) {
  Diagnostics diags;
  diags.report(Diag::SyntaxError, {3, 0, 1}, "m");
  EXPECT_EQ(render_text(diags, {}, false), "ERROR: m\n");
}

TEST(Diagnostics, KeepsARepeatedReportOnce) {
  Diagnostics diags;
  diags.report(Diag::SyntaxError, {0, 0, 1}, "m").with_hint("h");
  diags.report(Diag::SyntaxError, {0, 0, 1}, "m").with_hint("other");
  ASSERT_EQ(diags.all().size(), 1u);
  EXPECT_EQ(diags.all()[0].hint, "h");
  EXPECT_FALSE(diags.ok());
}

TEST(Diagnostics, SaysFromWhichCallsAnExpansionComes) {
  Diagnostics diags;
  const std::uint32_t outer = diags.expanded_at({0, 20, 25});
  const std::uint32_t inner = diags.expanded_at({0, 10, 15, outer});
  const Diagnostic& report = diags.report(Diag::SyntaxError, {0, 1, 2, inner}, "m");
  ASSERT_EQ(report.notes.size(), 2u);
  EXPECT_EQ(report.notes[0].span.begin, 10u);
  EXPECT_EQ(report.notes[1].span.begin, 20u);
  EXPECT_EQ(report.notes[1].text, "expanded from");
  EXPECT_TRUE(diags.report(Diag::SyntaxError, {0, 20, 25}, "m").notes.empty());
}

TEST(Diagnostics, WarningsAreNotErrors) {
  Diagnostics diags;
  diags.report(Diag::Deprecated, {}, "m");
  EXPECT_TRUE(diags.ok());
  EXPECT_STREQ(slug_of(Diag::Deprecated), "deprecated");
}

TEST(Nearest, FindsTyposAndLeavesStrangersAlone) {
  const std::vector<std::string> names{"printf", "print", "pid", "kstack", "sys_enter_openat", "strftime"};
  EXPECT_EQ(nearest("pritnf", names), "printf");
  EXPECT_EQ(nearest("PID", names), "pid");
  EXPECT_EQ(nearest("sys_enter_open", names), "sys_enter_openat");
  EXPECT_EQ(nearest("zzz", names), "");
  EXPECT_EQ(nearest("x", names), "");
  EXPECT_EQ(nearest_list("printt", names, 5), (std::vector<std::string>{"print", "printf"}));
  EXPECT_EQ(nearest_list("printt", names, 1).size(), 1u);
}

TEST(Suggest, OnlyWhatIsNearerThanAllOthersIsAnEdit) {
  Diagnostics diags;
  Diagnostic& certain = diags.report(Diag::UnknownFunction, {0, 0, 6}, "m");
  EXPECT_TRUE(suggest(certain, certain.span, "pritnf", {"printf", "print", "pid"}));
  EXPECT_EQ(certain.hint, "did you mean printf?");
  ASSERT_EQ(certain.edits.size(), 1u);
  EXPECT_EQ(certain.edits[0].text, "printf");
  Diagnostic& either = diags.report(Diag::UnknownFunction, {0, 7, 10}, "m");
  EXPECT_TRUE(suggest(either, either.span, "foo", {"fox", "fob"}));
  EXPECT_TRUE(either.edits.empty());
  Diagnostic& strange = diags.report(Diag::UnknownFunction, {0, 11, 14}, "m");
  EXPECT_FALSE(suggest(strange, strange.span, "zzz", {"printf"}));
  EXPECT_TRUE(strange.hint.empty());
}

TEST(Edits, TheMendedLineIsShownAndTheTextMended) {
  const SourceFile file("x.bt", "begin {\n\tpritnf(1)\n\tprint(2)\n}\n");
  Diagnostics diags;
  diags.report(Diag::UnknownFunction, {0, 9, 15}, "m").with_edit({0, 9, 15}, "printf");
  diags.report(Diag::SyntaxError, {0, 20, 25}, "n").with_edit({0, 18, 18}, ";");
  EXPECT_EQ(render(diags, file),
            "x.bt:2:2-8: ERROR: m\n    pritnf(1)\n    ~~~~~~\nFIX:     printf(1)\n"
            "x.bt:3:2-7: ERROR: n\n    print(2)\n    ~~~~~\nFIX:     pritnf(1);\n");
  std::size_t count = 0;
  EXPECT_EQ(mended(diags, {&file}, 0, count), "begin {\n\tprintf(1);\n\tprint(2)\n}\n");
  EXPECT_EQ(count, 2u);
}

TEST(Edits, OfThoseThatOverlapTheFirstCounts) {
  const SourceFile file("x.bt", "abcdef");
  Diagnostics diags;
  diags.report(Diag::SyntaxError, {0, 1, 3}, "m").with_edit({0, 1, 3}, "X");
  diags.report(Diag::SyntaxError, {0, 2, 4}, "n").with_edit({0, 2, 4}, "Y");
  diags.report(Diag::SyntaxError, {0, 1, 3}, "o").with_edit({0, 1, 3}, "Z");
  diags.report(Diag::SyntaxError, {0, 4, 5}, "in a macro").with_edit({0, 4, 5, 1}, "M");
  diags.report(Diag::SyntaxError, {0, 9, 12}, "beyond the text").with_edit({0, 9, 12}, "B");
  std::size_t count = 0;
  EXPECT_EQ(mended(diags, {&file}, 0, count), "aXdef");
}

TEST(Edits, AreObjectsInJson) {
  const SourceFile file("x.bt", "ab\ncd\n");
  Diagnostics diags;
  diags.report(Diag::SyntaxError, {0, 3, 4}, "m").with_edit({0, 4, 4}, ";");
  const std::string json = render_json(diags, {&file});
  EXPECT_NE(json.find("\"edits\": [{\"file\": \"x.bt\", \"line\": 2, \"column\": 2, \"end_line\": 2, \"end_column\": 2, \"text\": \";\"}]"), std::string::npos) << json;
}

}  // namespace
}  // namespace trc
