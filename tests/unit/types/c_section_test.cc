#include "types/c_section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "types/c_headers.h"
#include "types/library.h"
#include "unit/types/type_facts.h"

namespace trc::types {
namespace {

using ::testing::HasSubstr;
using lang::TypeKind;

class CSection : public ::testing::Test {
 protected:
  /// Reads lines that start with '#' and what stands between them as a script's texts.
  void read(const std::string& text) {
    text_ = text;
    std::vector<CText> texts;
    std::size_t begin = 0;
    auto add = [&](std::size_t end) {
      if (end > begin) texts.push_back({std::string_view(text_).substr(begin, end - begin), Span{0, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)}});
      begin = end;
    };
    unsigned depth = 0;
    for (std::size_t at = 0; at < text_.size(); ++at) {
      if (text_[at] == '{') ++depth;
      if (text_[at] == '}') --depth;
      if (text_[at] == '#' && depth == 0 && (at == 0 || text_[at - 1] == '\n')) {
        add(at);
        std::size_t end = text_.find('\n', at);
        while (end != std::string::npos && text_[end - 1] == '\\') end = text_.find('\n', end + 1);
        at = std::min(end, text_.size());
        add(at);
      }
    }
    add(text_.size());
    read_c_section(texts, {}, library, diags);
  }
  std::string messages() const {
    std::string all;
    for (const auto& one : diags.all()) all += text_.substr(one.span.begin, one.span.end - one.span.begin) + ": " + one.message + "\n";
    return all;
  }
  /// "name@offset:size" of each member, bit fields with ".first+width" behind; then "=size/align" of the whole.
  std::string layout(const std::string& spelled) {
    EXPECT_EQ(messages(), "");
    const lang::Type type = library.resolved(lang::make_struct(spelled));
    std::string all;
    for (const std::string& name : library.member_names(type)) {
      const auto field = library.member(type, name).value();
      all += name + "@" + std::to_string(field.offset) + ":" + std::to_string(field.type.size);
      if (field.bit_size != 0) all += "." + std::to_string(field.bit_offset) + "+" + std::to_string(field.bit_size);
      all += " ";
    }
    return all + "=" + std::to_string(type.size) + "/" + std::to_string(type.align);
  }
  lang::Type type_of(const std::string& spelled, const std::string& member) {
    EXPECT_EQ(messages(), "");
    return library.member(lang::make_struct(spelled), member).value_or(lang::Field{}).type;
  }
  std::int64_t number(const std::string& name) {
    EXPECT_EQ(messages(), "");
    const auto constant = library.find_own_constant(name);
    return constant ? static_cast<std::int64_t>(constant->bits) : -987654321;
  }

  TypeFacts facts{task_btf().bytes()};
  Library library{facts};
  Diagnostics diags;
  std::string text_;
};

TEST_F(CSection, LayoutAsTheCompilerDoesIt) {
  read("struct s { char c; int i; short s; long l; char tail; };");
  EXPECT_EQ(layout("struct s"), "c@0:1 i@4:4 s@8:2 l@16:8 tail@24:1 =32/8");
  EXPECT_EQ(facts.asked, 0);
}

TEST_F(CSection, PackedAndAligned) {
  read("struct __attribute__((packed)) a { char c; int i; };\n"
       "struct b { char c; long l; } __attribute__((__packed__));\n"
       "struct c { char c; int i; } __attribute__((aligned(16)));\n"
       "struct d { char c; int i __attribute__((packed)); struct c x; };");
  EXPECT_EQ(layout("struct a"), "c@0:1 i@1:4 =5/1");
  EXPECT_EQ(layout("struct b"), "c@0:1 l@1:8 =9/1");
  EXPECT_EQ(layout("struct c"), "c@0:1 i@4:4 =16/16");
  EXPECT_EQ(layout("struct d"), "c@0:1 i@1:4 x@16:16 =32/16");
}

TEST_F(CSection, BitFields) {
  read("struct s { int a:3; unsigned b:5, c:30; int :0; char d:4; unsigned long e:40; };\n"
       "struct p { int a:3; unsigned b:30; char c; } __attribute__((packed));");
  EXPECT_EQ(layout("struct s"), "a@0:1.0+3 b@0:1.3+5 c@4:4.0+30 d@8:1.0+4 e@8:8.4+40 =16/8");
  EXPECT_EQ(layout("struct p"), "a@0:1.0+3 b@0:8.3+30 c@5:1 =6/1");
  EXPECT_TRUE(type_of("struct s", "a").is_signed);
  EXPECT_FALSE(type_of("struct s", "b").is_signed);
}

TEST_F(CSection, BitFieldsAtTheEnd) {
  // As gcc lays them out: ":0" makes room at the end too.
  read("struct a { unsigned b:22; short :0; } __attribute__((packed));\n"
       "struct c { long d; char e; unsigned long f:35; } __attribute__((packed));\n"
       "struct g { char h; int :0; };");
  EXPECT_EQ(layout("struct a"), "b@0:4.0+22 =4/1");
  EXPECT_EQ(layout("struct c"), "d@0:8 e@8:1 f@6:8.24+35 =14/1");
  EXPECT_EQ(layout("struct g"), "h@0:1 =4/1");
}

TEST_F(CSection, UnionsAndNamelessMembers) {
  read("union u { char c[5]; struct { short a; struct { long deep; } inner; }; int i; };");
  EXPECT_EQ(layout("union u"), "c@0:5 a@0:2 inner@8:8 i@0:4 =16/8");
  EXPECT_EQ(library.completed(lang::make_struct("union u"))->fields[2].type.fields[0].name, "deep");
}

TEST_F(CSection, TypesOfMembers) {
  read("typedef unsigned long long big; typedef struct { int x; } point_t, *point_p;\n"
       "enum e { A, B = A + 4, C };\n"
       "struct n { struct n *next; big b; unsigned long long int u; uint32_t w; const volatile char *text; char name[4 * 4]; unsigned char raw[2][3];\n"
       "  int (*call)(int, void *); int (*table[3])(void); point_t p; point_p pp; enum e kind; _Bool yes; float f; struct task *t; struct pair pr; long double ld; int last[]; };");
  EXPECT_EQ(lang::type_name(type_of("struct n", "next")), "struct n *");
  EXPECT_EQ(type_of("struct n", "b"), lang::make_uint64());
  EXPECT_EQ(type_of("struct n", "u"), lang::make_uint64());
  EXPECT_EQ(type_of("struct n", "w"), lang::make_integer(32, false));
  EXPECT_EQ(lang::type_name(type_of("struct n", "text")), "int8 *");
  EXPECT_EQ(type_of("struct n", "name"), lang::make_string(16));
  EXPECT_EQ(lang::type_name(type_of("struct n", "raw")), "uint8[3][2]");
  EXPECT_EQ(lang::type_name(type_of("struct n", "call")), "void *");
  EXPECT_EQ(lang::type_name(type_of("struct n", "table")), "void *[3]");
  EXPECT_EQ(lang::type_name(type_of("struct n", "p")), "point_t");
  EXPECT_EQ(lang::type_name(type_of("struct n", "pp")), "struct (anonymous) *");
  EXPECT_EQ(lang::type_name(type_of("struct n", "kind")), "enum e");
  EXPECT_TRUE(type_of("struct n", "yes").is(TypeKind::Bool));
  EXPECT_TRUE(type_of("struct n", "f").is(TypeKind::Void));
  EXPECT_EQ(type_of("struct n", "t").element(), library.find(Tag::Struct, "task").value());
  EXPECT_EQ(type_of("struct n", "pr").size, 8u);   // the kernel's
  EXPECT_EQ(type_of("struct n", "last").size, 0u);
  EXPECT_EQ(number("C"), 5);
}

TEST_F(CSection, OwnTypesComeBeforeTheKernels) {
  read("struct pair { long only; }; enum { RED = 40 };");
  EXPECT_EQ(library.find(Tag::Struct, "pair")->size, 8u);
  EXPECT_TRUE(library.member(lang::make_struct("struct pair"), "only").has_value());
  EXPECT_EQ(library.find_constant("RED")->bits, 40u);
  EXPECT_EQ(library.find_constant("BLUE")->bits, 7u);
}

TEST_F(CSection, Macros) {
  read("#define N 5\n#define M (N + \\\n 3) * 2\n#define TEXT \"a\\tb\" \"c\"\n#define F(x) x\n#define LOOP LOOP\n#define MASK (1ULL << 63)\n#define SIZE sizeof(struct s)\n#define EMPTY\n"
       "struct s { int a[N]; };\n#undef N\n#define NEGATIVE -4\n#define LETTER 'a'\n#define COND (2 > 1 ? 0x10 : 0)");
  EXPECT_EQ(layout("struct s"), "a@0:20 =20/4");
  EXPECT_EQ(number("N"), -987654321);
  EXPECT_EQ(number("NEGATIVE"), -4);
  EXPECT_EQ(number("LETTER"), 97);
  EXPECT_EQ(number("COND"), 16);
  EXPECT_EQ(number("SIZE"), 20);
  EXPECT_EQ(static_cast<std::uint64_t>(number("MASK")), 1ull << 63);
  EXPECT_EQ(library.find_own_constant("TEXT")->text, "a\tbc");
  EXPECT_FALSE(library.find_own_constant("F").has_value());
  EXPECT_FALSE(library.find_own_constant("LOOP").has_value());
  EXPECT_FALSE(library.find_own_constant("EMPTY").has_value());
}

TEST_F(CSection, Conditions) {
  read("#define ON 1\n#if defined(ON) && ON > 0\n#define A 1\n#elif 1\n#define A 2\n#else\n#define A 3\n#endif\n"
       "#ifndef ON\n#define B 1\n#error never\n#else\n#define B 2\n#endif\n"
       "#ifdef BPFTRACE_HAVE_BTF\n#define BTF TRC_HAVE_BTF\n#endif\n"
       "#if UNKNOWN\n#if 1\n#define C 1\n#endif\n#elif !UNKNOWN\n#define C 2\n#endif\n"
       "struct s { int a;\n#ifdef OFF\n int b;\n#endif\n int c; };");
  EXPECT_EQ(number("A"), 1);
  EXPECT_EQ(number("B"), 2);
  EXPECT_EQ(number("BTF"), 1);
  EXPECT_EQ(number("C"), 2);
  EXPECT_EQ(layout("struct s"), "a@0:4 c@4:4 =8/4");
}

TEST(Headers, PartsOfAPreprocessorsOutput) {
  const auto parts = split_preprocessed(
      "# 1 \"<built-in>\" 1\n#define __x86_64__ 1\n# 1 \"trc-script\" 1\nint own;\n# 2 \"trc-script\"\n# 1 \"/usr/include/a.h\" 1 3\nint a;\n"
      "# 1 \"/usr/include/b.h\" 1\nint b;\n# 9 \"trc-script\" 2\nint c;\n# 3 \"x.h\"\nint d;");
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts.at(0), "#define __x86_64__ 1\n");
  EXPECT_EQ(parts.at(2), "int a;\nint b;\n");
  EXPECT_EQ(parts.at(9), "int d;\n");
}

TEST(Headers, TheCompilersOwnWords) {
  const HeaderError missing = first_error("trc-script:3:10: fatal error: 'no/such.h' file not found\n    3 | #include <no/such.h>\n");
  EXPECT_EQ(missing.text, 3u);
  EXPECT_EQ(missing.message, "'no/such.h' file not found");
  const HeaderError inside = first_error("In file included from trc-script:2:\n/usr/include/a.h:7:2: error: \"not for you\"\n");
  EXPECT_EQ(inside.text, 2u);
  EXPECT_EQ(inside.message, "/usr/include/a.h: \"not for you\"");
  EXPECT_EQ(first_error("it went wrong\nsomehow").message, "it went wrong");
}

struct Mistake { const char* text; const char* message; };

TEST(CSectionMistakes, AreReportedAtTheirPlace) {
  const Mistake rows[] = {
      {"struct s { int a }", "}: syntax: expected ';'"},
      {"struct s { nope_t a; };", "nope_t: Unknown type: nope_t"},
      {"struct s { int a; int a; };", "a: duplicate member 'a'"},
      {"struct s { struct none x; };", "x: the member 'x' has the incomplete type 'struct none'"},
      {"struct s { int a:40; };", "40: a bit field of type 'int32' has between 1 and 32 bits"},
      {"struct s { int *p:4; };", "4: a bit field cannot have the type 'int32 *'"},
      {"struct s { int a[x]; };", "x: this is not an integer constant expression"},
      {"struct s { void v; };", "v: the member 'v' has no size"},
      {"struct s { int a; } ; struct s { int b; };", "s: redefinition of 'struct s'"},
      {"enum e { 5 };", "5: syntax: expected a name in this enum"},
      {"#if 1\nstruct s { int a; };", "if 1: syntax: this #if has no #endif"},
      {"#endif", "endif: syntax: #endif without #if"},
      {"#if 1 +\n#endif", "if 1 +: this condition is not an integer expression"},
      {"#error too old", "error too old: #error too old"},
      {"#frob", "frob: syntax: unknown directive #frob"},
      {"struct s { int a[1000000000]; };", "an array is larger than a type may be"},
      {"struct s { int a __attribute__((aligned(3))); };", "aligned: an alignment is a power of two"},
  };
  class Reader : public CSection {
   public:
    void TestBody() override {}
    using CSection::messages;
    using CSection::read;
  };
  for (const Mistake& row : rows) {
    Reader reader;
    reader.read(row.text);
    EXPECT_THAT(reader.messages(), HasSubstr(row.message)) << row.text;
  }
}

}  // namespace
}  // namespace trc::types
