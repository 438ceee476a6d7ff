#include "parser/parser.h"

#include <gtest/gtest.h>

#include <random>

#include "ast/print.h"

namespace trc {
namespace {

struct Parsed {
  std::string text;
  Diagnostics diags;
  ast::Program program;
  std::string messages() const {
    const SourceFile file("x", text);
    return render_text(diags, {&file}, false);
  }
  std::string at(Span span) const { return text.substr(span.begin, span.end - span.begin); }
};

Parsed parse(std::string text, std::vector<std::string> positionals = {}) {
  Parsed parsed{std::move(text), {}, {}};
  const SourceFile file("x", parsed.text);
  parsed.program = parser::parse(file, {std::move(positionals), 0}, parsed.diags);
  return parsed;
}

// ---- places ----

TEST(Spans, NodesKnowTheirText) {
  const Parsed p = parse("kprobe:f /pid == 1/ { $x = foo(1 + 2, @m[3]); if ($x) { a() } else if b { c() } }");
  ASSERT_EQ(p.messages(), "");
  const ast::Probe& probe = *p.program.probes.at(0);
  EXPECT_EQ(p.at(probe.span), p.text);
  EXPECT_EQ(p.at(probe.attach_points.at(0)->span), "kprobe:f");
  EXPECT_EQ(p.at(ast::span_of(*probe.predicate)), "pid == 1");
  const auto& assign = *std::get<ast::Assign*>(probe.body->statements.at(0));
  EXPECT_EQ(p.at(assign.span), "$x = foo(1 + 2, @m[3])");
  const auto& call = *std::get<ast::Call*>(assign.value);
  EXPECT_EQ(p.at(call.span), "foo(1 + 2, @m[3])");
  EXPECT_EQ(p.at(call.callee_span), "foo");
  EXPECT_EQ(p.at(std::get<ast::Binary*>(call.args.at(0))->op_span), "+");
  EXPECT_EQ(p.at(ast::span_of(call.args.at(1))), "@m[3]");
  const auto& choice = *std::get<ast::If*>(probe.body->statements.at(1));
  EXPECT_EQ(p.at(choice.span), "if ($x) { a() } else if b { c() }");
  EXPECT_EQ(p.at(choice.otherwise->span), "if b { c() }");
}

TEST(Spans, CarryTheFileIndex) {
  Diagnostics diags;
  const SourceFile file("x", "begin { 1 + }");
  const ast::Program program = parser::parse(file, {{}, 7}, diags);
  ASSERT_EQ(diags.all().size(), 1u);
  EXPECT_EQ(diags.all()[0].span.file, 7u);
  ASSERT_EQ(program.probes.size(), 1u);
  EXPECT_EQ(program.probes[0]->span.file, 7u);
}

TEST(Spans, BehindAShebangLine) {
  const Parsed p = parse("#!/usr/bin/env trc\nbegin { x y }");
  ASSERT_EQ(p.diags.all().size(), 1u);
  EXPECT_EQ(p.at(p.diags.all()[0].span), "y");
}

// ---- parameters ----

TEST(Positionals, ReplaceTextInAttachPoints) {
  const Parsed p = parse("$1 { } uprobe:\"$2\":f$2g { } k$3:x { }", {"begin", "/bin/x", "probe"});
  ASSERT_EQ(p.messages(), "");
  EXPECT_EQ(p.program.probes.at(0)->attach_points.at(0)->text, "begin");
  EXPECT_EQ(p.program.probes.at(1)->attach_points.at(0)->text, "uprobe:\"/bin/x\":f/bin/xg");
  EXPECT_EQ(p.program.probes.at(2)->attach_points.at(0)->text, "kprobe:x");
}

TEST(Positionals, AnUnsetOneIsEmptyAndSaidSo) {
  const Parsed p = parse("kprobe:$9 { }");
  EXPECT_EQ(p.program.probes.at(0)->attach_points.at(0)->text, "kprobe:");
  ASSERT_EQ(p.diags.all().size(), 1u);
  EXPECT_EQ(p.diags.all()[0].code, Diag::MissingParameter);
  EXPECT_TRUE(p.diags.ok());
}

TEST(Positionals, AProviderFromAParameterDecidesAboutTemplates) {
  EXPECT_EQ(parse("$1:/bin/x:f<int> { }", {"uprobe"}).program.probes.at(0)->attach_points.at(0)->text, "uprobe:/bin/x:f<int>");
  EXPECT_TRUE(parse("$1:a:b<exit()>", {"tracepoint"}).program.probes.at(0)->angle);
}

// ---- what is returned in spite of errors ----

TEST(Recovery, KeepsWhatCouldBeParsed) {
  const Parsed p = parse("begin { print(; } kprobe:f { good() } end { ] }");
  EXPECT_EQ(p.diags.all().size(), 2u);
  EXPECT_EQ(p.program.probes.size(), 3u);
}

TEST(Recovery, OneMistakeIsOneReport) {
  for (const char* text : {
           "begin { print((1; f(); } end { }",
           "begin { if (x { a; b; } else { c } d(); } end { }",
           "begin { $x = = 1; f(2); }",
           "begin { @a[1 = 2; f(); }",
           "begin { f(1,); { g(); } }",
           "begin { f({ 1 + }, 2); g() }",
           "begin < $x = (1; exit() >",
           "begin < @x = $a > 3 && $b > 4 > 5; >",
           "begin { while x) { } g() }",
           "begin /pid = 1/ { exit() }",
           "begin { printf(\"abc); }\nend { exit() }",
           "macro f(1) { a(); b(); } begin { }",
           "begin { foo bar; }",
           "begin { let x = 1; }",
           "begin { let $x: 5 = 1; f() }",
       }) {
    const std::size_t reports = parse(text).diags.all().size();
    const std::size_t expected = std::string(text).find("> 4 > 5") != std::string::npos ? 3u : 1u;
    EXPECT_EQ(reports, expected) << text << "\n" << parse(text).messages();
  }
}

TEST(Recovery, ReportsAreLimited) {
  std::string text;
  for (int i = 0; i < 1000; i++) text += "begin { 1 + ; }\n";
  const Parsed p = parse(text);
  EXPECT_LE(p.diags.all().size(), 50u);
  EXPECT_FALSE(p.diags.ok());
}

// ---- nonsense ----

std::string repeat(std::string_view piece, int times) {
  std::string text;
  for (int i = 0; i < times; i++) text += piece;
  return text;
}

TEST(Nonsense, DeepNestingIsRefused) {
  constexpr int kDeep = 10000;
  for (const auto& [open, close] : std::vector<std::pair<std::string, std::string>>{
           {"(", ")"}, {"{", "}"}, {"@a[", "]"}, {"f(", ")"}, {"-", ""}, {"!", ""}, {"1 + ", ""}, {"1 ? 2 : ", ""}, {"(u8)", ""},
           {"if 1 { } else ", "{ }"}, {"x.", "y"}, {"(typeof(", ")"}, {"comptime ", "1"}, {"$x++", "++"}, {"1 ?: ", "1"}}) {
    const std::string middle = close.empty() ? "1" : "";
    const Parsed p = parse("begin { $x = " + repeat(open, kDeep) + middle + repeat(close, kDeep) + "; }");
    EXPECT_FALSE(p.diags.ok()) << open;
    ast::print(p.program);  // what is left can be walked
  }
  EXPECT_FALSE(parse("begin { " + repeat("if 1 { } else ", kDeep) + "{ } }").diags.ok());
  EXPECT_FALSE(parse("begin { let $x: u8" + repeat("*", kDeep) + "; }").diags.ok());
}

TEST(Nonsense, ReasonableNestingIsAccepted) {
  EXPECT_EQ(parse("begin { $x = " + repeat("(", 200) + "1" + repeat(")", 200) + "; }").messages(), "");
  EXPECT_EQ(parse("begin { $x = 0" + repeat(" + 1", 800) + "; }").messages(), "");
  EXPECT_EQ(parse("begin { " + repeat("if 1 { f() } else ", 200) + "{ } }").messages(), "");
}

TEST(Nonsense, NulBytesAndEmptyScripts) {
  EXPECT_TRUE(parse("").diags.ok());
  EXPECT_TRUE(parse(" \n\t// nothing\n/* at all */").diags.ok());
  EXPECT_TRUE(parse("#!/bin/trc").diags.ok());
  EXPECT_FALSE(parse(std::string("begin { \0 }", 11)).diags.ok());
  EXPECT_FALSE(parse(std::string("\0", 1)).diags.ok());
  EXPECT_FALSE(parse(std::string("begin { \"\0", 10)).diags.ok());
  EXPECT_EQ(parse(std::string("begin { print(\"a\0b\"); }", 23)).messages(), "");
}

TEST(Nonsense, EndsAnywhere) {
  const std::string text =
      "#include <x>\nstruct s { int a; } __attribute__((packed));\nconfig = { a = \"b\"; }\nimport \"x\";\nlet @m = hash(1);\n"
      "macro m($a) { if $a { 1 } else { 2 } }\nfn f($a: u8*): u8 { return (u8)1; }\n"
      "a=uprobe:\"/x\":f<int>, $1 /pid > 1/ < $x = @m[1] >> 2; /* c */ for $i : 0..5 { } (typeof($x))1; (a=1, b=(2,)); \"s\\n\" >";
  for (std::size_t length = 0; length <= text.size(); length++) {
    const Parsed p = parse(text.substr(0, length));
    ast::dump(p.program);
  }
}

TEST(Nonsense, RandomTokens) {
  const std::vector<std::string> tokens = {
      "begin", "kprobe:f", "uprobe:x:f<", "{", "}", "<", ">", ">>", "(", ")", "[", "]", ";", ",", "/", "=", "+", "-", "*", "&", "!", "?", ":", "?:",
      "..", ".", "->", "++", "--", "if", "else", "for", "while", "unroll", "let", "macro", "fn", "import", "config", "struct", "sizeof", "typeof",
      "offsetof", "comptime", "return", "$x", "@m", "@", "$1", "$0", "$#", "1", "5s", "0x", "\"s\"", "\"", "'", "#", "/*", "//", "\n", " ", " ", " ",
      "\x80", std::string(1, '\0'), "_", "pid", "x"};
  std::mt19937 random(20260101);
  for (int round = 0; round < 3000; round++) {
    std::string text;
    const std::size_t count = random() % 40;
    for (std::size_t i = 0; i < count; i++) text += tokens[random() % tokens.size()] + (random() % 3 == 0 ? " " : "");
    const Parsed p = parse(text);
    if (!p.diags.ok()) continue;
    bool printable = true;
    for (const ast::Probe* probe : p.program.probes) {
      for (const ast::AttachPoint* a : probe->attach_points) printable = printable && !a->text.empty();
    }
    if (!printable) continue;
    const std::string printed = ast::print(p.program);
    const Parsed again = parse(printed);
    EXPECT_TRUE(again.diags.ok()) << text << "\n---\n" << printed << "\n" << again.messages();
    EXPECT_EQ(ast::dump(again.program), ast::dump(p.program)) << text << "\n---\n" << printed;
  }
}

TEST(Nonsense, TooLargeIsRefused) {
  const Parsed p = parse(std::string((std::size_t{4} << 20) + 1, ' '));
  ASSERT_EQ(p.diags.all().size(), 1u);
  EXPECT_EQ(p.diags.all()[0].code, Diag::LimitExceeded);
}

}  // namespace
}  // namespace trc
