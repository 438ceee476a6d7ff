#include "types/c_section.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "types/c_headers.h"
#include "types/c_lexer.h"
#include "types/library.h"

namespace trc::types {
namespace {

using lang::AddressSpace;
using lang::Field;
using lang::Type;
using lang::TypeKind;

constexpr unsigned kMaxNesting = 32;           // of definitions and declarators
constexpr std::uint32_t kMaxSize = 1 << 20;    // bytes of one type
constexpr unsigned kBitsOfByte = 8;

constexpr std::array<std::string_view, 23> kQualifiers = {
    "const", "volatile", "restrict", "__restrict", "__restrict__", "static", "extern", "register", "inline", "__inline", "_Atomic",
    "__user", "__percpu", "__rcu", "__iomem", "__force", "__bitwise", "__extension__", "_Noreturn", "__const", "__volatile__", "__inline__", "auto"};

constexpr std::array<std::string_view, 2> kHaveBtf = {"BPFTRACE_HAVE_BTF", "TRC_HAVE_BTF"};

bool is_qualifier(const CToken& token) {
  return token.kind == CToken::Kind::Word && std::find(kQualifiers.begin(), kQualifiers.end(), token.text) != kQualifiers.end();
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t align) { return (value + align - 1) / align * align; }

/// Thrown away parts of a text: a mistake has been reported.
struct Failed {};

struct Attributes {
  bool packed = false;
  std::uint32_t align = 0;   // 0: not given
};

struct Declarator {
  std::string name;
  Span span;
  Type type;
};

/// A member as it was declared.
struct Declared {
  Declarator declarator;
  std::optional<std::uint32_t> bits;   // a bit field's width
  Attributes attributes;
};

class CReader {
 public:
  CReader(std::span<const CText> texts, const HeaderOptions& options, Library& library, Diagnostics& diags)
      : texts_(texts), options_(options), library_(library), diags_(&diags), preprocessor_([&library](std::string_view name) {
          const bool says_btf = std::find(kHaveBtf.begin(), kHaveBtf.end(), name) != kHaveBtf.end();
          return says_btf && library.why_no_kernel_types().empty();
        }, words(), [this](Span span) { include(span); }, diags) {}

  void read() {
    if (!options_.files.empty()) include({});
    for (text_ = 0; text_ < texts_.size() && !has_failed_; ++text_) {
      // A header's declarations come before what stands behind it in the same text.
      std::vector<CToken> tokens = preprocessor_.read(texts_[text_]);
      if (!has_failed_) declarations(std::move(tokens));
    }
    if (!has_failed_) preprocessor_.finish();
    texts_ = {};   // macros are looked at later, when the texts may be gone
  }

 private:
  // ---- headers ----
  /// What an #include stands for. The first one asks the compiler for all.
  void include(Span span) {
    if (in_headers_ || has_failed_) return;
    if (!headers_) {
      std::vector<std::string> defined;
      if (library_.why_no_kernel_types().empty()) defined.assign(kHaveBtf.begin(), kHaveBtf.end());
      headers_ = read_headers(texts_, options_, defined);
      if (headers_->error) return report(*headers_->error, span);
      read_header(0);
    }
    if (span.end != 0) read_header(text_ + 1);
  }

  void report(const HeaderError& error, Span span) {
    has_failed_ = true;   // what follows would only complain about what is missing
    if (error.text >= 1 && error.text <= texts_.size()) span = texts_[error.text - 1].span;
    std::string hint = error.hint;
    if (hint.empty() && library_.why_no_kernel_types().empty()) {
      hint = "the kernel's types are known without headers: leave the line out, or put it into #ifndef BPFTRACE_HAVE_BTF";
    }
    diags_->report(Diag::NoMatch, span, error.message).with_hint(std::move(hint));
  }

  void read_header(std::size_t number) {
    const auto part = headers_->texts.find(number);
    if (part == headers_->texts.end()) return;
    Diagnostics thrown_away;   // headers have much that is of no use here: functions, variables, types of the compiler's own
    Diagnostics* const own = std::exchange(diags_, &thrown_away);
    in_headers_ = true;
    declarations(preprocessor_.read({part->second, Span{}}, true));
    in_headers_ = false;
    diags_ = own;
    headers_->texts.erase(part);
  }

  void declarations(std::vector<CToken> tokens) {
    tokens_ = std::move(tokens);
    at_ = 0;
    while (at_ < tokens_.size()) {
      const std::size_t start = at_;
      try {
        declaration();
      } catch (const Failed&) {
        if (!in_headers_) return;
        skip_declaration(start);
      }
    }
  }

  /// Behind the ';' of the declaration at `start`, or the body of the function.
  void skip_declaration(std::size_t start) {
    unsigned depth = 0;
    bool is_body = false;
    depth_ = 0;
    for (at_ = start; at_ < tokens_.size(); ++at_) {
      const CToken& token = tokens_[at_];
      if (token.is("(") || token.is("[")) ++depth;
      if ((token.is(")") || token.is("]")) && depth > 0) --depth;
      if (token.is("{")) {
        if (depth == 0) is_body = at_ > start && tokens_[at_ - 1].is(")");
        ++depth;
      }
      if (token.is("}") && depth > 0 && --depth == 0 && is_body) break;
      if (token.is(";") && depth == 0) break;
    }
    at_ = std::min(at_ + 1, tokens_.size());
  }

  // ---- tokens ----
  const CToken& peek(std::size_t ahead = 0) const {
    static const CToken kEnd;
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : kEnd;
  }
  bool accept(std::string_view text) {
    if (!peek().is(text)) return false;
    ++at_;
    return true;
  }
  Span here() const { return at_ < tokens_.size() ? tokens_[at_].span : tokens_.empty() ? Span{} : tokens_.back().span; }
  [[noreturn]] void fail(Diag code, Span span, std::string message, std::string hint = "") {
    diags_->report(code, span, std::move(message)).with_hint(std::move(hint));
    throw Failed{};
  }
  void expect(std::string_view text) {
    if (!accept(text)) fail(Diag::SyntaxError, here(), fmt::format("syntax: expected '{}' in this C definition", text));
  }
  void skip_parentheses() {
    expect("(");
    for (unsigned depth = 1; depth > 0; ++at_) {
      if (at_ >= tokens_.size()) fail(Diag::SyntaxError, here(), "syntax: expected ')' in this C definition");
      if (peek().is("(")) ++depth;
      if (peek().is(")")) --depth;
    }
  }

  CWords words() {
    CWords words;
    words.constant = [this](const std::string& name) -> std::optional<CValue> {
      const auto constant = library_.find_constant(name);
      if (!constant || constant->type.is_string()) return std::nullopt;
      return CValue{constant->bits, !constant->type.is_signed && constant->type.size == 8};
    };
    words.size = [this](std::span<const CToken> tokens, std::size_t& at) -> std::optional<std::uint64_t> {
      // The reader's own tokens stand aside while those of the expression are read.
      std::vector<CToken> own = std::exchange(tokens_, std::vector<CToken>(tokens.begin(), tokens.end()));
      const std::size_t own_at = std::exchange(at_, at);
      std::optional<std::uint64_t> size;
      try {
        const Declarator type = declarator(specifiers(), 0);
        size = library_.resolved(type.type).size;
      } catch (const Failed&) {
      }
      at = std::exchange(at_, own_at);
      tokens_ = std::move(own);
      return size;
    };
    return words;
  }

  std::uint64_t constant_expression() {
    const Span span = here();
    const auto value = preprocessor_.evaluate(tokens_, at_);
    if (!value) fail(Diag::InvalidLiteral, span, "this is not an integer constant expression");
    return value->bits;
  }

  // ---- attributes ----
  Attributes attributes() {
    Attributes found;
    while (true) {
      if (accept("__packed")) {
        found.packed = true;
      } else if (accept("__attribute__") || accept("__attribute")) {
        expect("(");
        expect("(");
        while (!peek().is(")")) one_attribute(found);
        expect(")");
        expect(")");
      } else {
        return found;
      }
    }
  }

  void one_attribute(Attributes& found) {
    const CToken name = peek();
    if (name.kind == CToken::Kind::End) fail(Diag::SyntaxError, here(), "syntax: expected ')' in this C definition");
    ++at_;
    if (name.is("packed") || name.is("__packed__")) {
      found.packed = true;
    } else if ((name.is("aligned") || name.is("__aligned__")) && peek().is("(")) {
      ++at_;
      const std::uint64_t align = constant_expression();
      if (align == 0 || align > 4096 || (align & (align - 1)) != 0) fail(Diag::InvalidLiteral, name.span, "an alignment is a power of two up to 4096");
      found.align = std::max(found.align, static_cast<std::uint32_t>(align));
      expect(")");
    } else if (peek().is("(")) {
      skip_parentheses();   // says nothing about the layout
    }
  }

  static void merge(Attributes& into, const Attributes& more) {
    into.packed = into.packed || more.packed;
    into.align = std::max(into.align, more.align);
  }

  // ---- declarations ----
  void declaration() {
    if (accept(";")) return;
    const bool is_typedef = accept("typedef");
    const Type base = specifiers();
    attributes();
    if (accept(";") || peek().kind == CToken::Kind::End) return;   // a tag alone; the last ';' may be missing
    do {
      const Declarator declared = declarator(base, 0);
      attributes();
      if (declared.name.empty()) fail(Diag::SyntaxError, declared.span, "syntax: expected a name in this C definition");
      if (!is_typedef && in_headers_) {
        if (!peek().is(";") && !peek().is(",")) throw Failed{};   // a body, a value
        continue;
      }
      if (!is_typedef) fail(Diag::SyntaxError, declared.span, "syntax: a C definition defines types, not variables or functions");
      Type type = declared.type;
      // A nameless structure or enumeration goes by the name that it gets here.
      if (type.name.ends_with("(anonymous)")) type.name = declared.name;
      library_.define_typedef(declared.name, std::move(type));
    } while (accept(","));
    if (peek().kind != CToken::Kind::End) expect(";");
  }

  Type specifiers() {
    unsigned shorts = 0, longs = 0;
    std::optional<bool> is_signed;
    std::optional<Type> type;
    bool is_char = false, is_int = false, is_float = false;
    const Span start = here();
    while (true) {
      const CToken& token = peek();
      if (token.kind != CToken::Kind::Word) break;
      if (is_qualifier(token)) {
        ++at_;
      } else if (token.is("__attribute__")) {
        attributes();
      } else if (token.is("signed") || token.is("__signed__") || token.is("unsigned")) {
        is_signed = !token.is("unsigned");
        ++at_;
      } else if (token.is("short")) {
        ++shorts, ++at_;
      } else if (token.is("long")) {
        ++longs, ++at_;
      } else if (token.is("char")) {
        is_char = true, ++at_;
      } else if (token.is("int")) {
        is_int = true, ++at_;
      } else if (token.is("float") || token.is("double")) {
        is_float = true;
        type = lang::make_void();
        type->size = token.is("float") ? 4 : longs != 0 ? 16 : 8;
        type->align = type->size;
        ++at_;
      } else if (token.is("void")) {
        type = lang::make_void(), ++at_;
      } else if (token.is("_Bool") || token.is("bool")) {
        type = lang::make_bool(), ++at_;
      } else if (token.is("__builtin_va_list")) {
        type = lang::make_pointer(lang::make_void(), AddressSpace::None), ++at_;
      } else if (token.is("__int128")) {
        type = lang::make_array(lang::make_uint64(), 2), ++at_;
        type->align = 16;
      } else if (token.is("struct") || token.is("union")) {
        type = structure();
      } else if (token.is("enum")) {
        type = enumeration();
      } else if (type || is_signed || shorts || longs || is_char || is_int) {
        break;   // a declarator's name
      } else {
        type = named_type(token);
        ++at_;
      }
    }
    if (type && (!is_float || longs == 0)) return *type;
    if (type) {
      type->size = type->align = 16;
      return *type;
    }
    if (is_char) return lang::make_integer(8, is_signed.value_or(true));
    if (shorts != 0) return lang::make_integer(16, is_signed.value_or(true));
    if (longs != 0) return lang::make_integer(64, is_signed.value_or(true));
    if (is_int || is_signed) return lang::make_integer(32, is_signed.value_or(true));
    fail(Diag::SyntaxError, start, "syntax: expected a type in this C definition");
  }

  Type named_type(const CToken& token) {
    if (auto type = library_.find_own_typedef(token.text)) return *type;
    if (auto type = lang::find_named_type(token.text)) return *type;
    if (auto type = library_.find_typedef(token.text)) return *type;
    const std::string why = library_.why_no_kernel_types();
    fail(Diag::UnknownIdentifier, token.span, "Unknown type: " + token.text, why.empty() ? "define it before it is used" : why + "; define the type in the script");
  }

  /// Pointers, arrays and functions around a name, which may be missing.
  Declarator declarator(Type base, unsigned depth) {
    if (depth > kMaxNesting) fail(Diag::LimitExceeded, here(), "this C definition is nested too deep");
    while (true) {
      if (accept("*")) base = lang::make_pointer(std::move(base), AddressSpace::None);
      else if (is_qualifier(peek())) ++at_;
      else break;
    }
    Declarator found{.span = here()};
    std::optional<std::size_t> inner;   // of (*name): read once what is around it is known
    if (peek().is("(") && (peek(1).is("*") || peek(1).is("("))) {
      inner = at_ + 1;
      skip_parentheses();
    } else if (peek().kind == CToken::Kind::Word && !peek().is("__attribute__") && !peek().is("__packed")) {
      found.name = peek().text;
      ++at_;
    }
    std::vector<std::uint32_t> counts;
    bool is_function = false;
    while (peek().is("[") || peek().is("(")) {
      if (peek().is("(")) {
        is_function = true;
        skip_parentheses();
        continue;
      }
      ++at_;
      std::uint64_t count = 0;
      if (!peek().is("]")) count = constant_expression();
      if (count > kMaxSize) fail(Diag::LimitExceeded, found.span, "an array is larger than a type may be");
      expect("]");
      counts.push_back(static_cast<std::uint32_t>(count));
    }
    if (is_function) base = lang::make_void();
    for (auto count = counts.rbegin(); count != counts.rend(); ++count) base = array(std::move(base), *count, found.span);
    if (inner) {
      const std::size_t behind = std::exchange(at_, *inner);
      found = declarator(std::move(base), depth + 1);
      at_ = behind;
      return found;
    }
    found.type = std::move(base);
    return found;
  }

  Type array(Type element, std::uint32_t count, Span span) {
    element = library_.resolved(std::move(element));
    if (element.size == 0 && !element.is(TypeKind::Struct)) fail(Diag::InvalidOperand, span, "an array of something that has no size");
    if (element.size != 0 && count > kMaxSize / element.size) fail(Diag::LimitExceeded, span, "an array is larger than a type may be");
    if (count != 0 && element.is_integer() && element.size == 1 && element.is_signed && !element.is_enumeration()) return lang::make_string(count);
    return lang::make_array(std::move(element), count);
  }

  // ---- structures ----
  Type structure() {
    const std::string tag = peek().text;
    ++at_;
    Attributes found = attributes();
    std::string name;
    Span name_span = here();
    if (peek().kind == CToken::Kind::Word) {
      name = peek().text;
      ++at_;
      merge(found, attributes());
    }
    const std::string spelled = tag + " " + (name.empty() ? "(anonymous)" : name);
    if (!peek().is("{")) {
      if (name.empty()) fail(Diag::SyntaxError, here(), fmt::format("syntax: expected a name or '{{' behind {}", tag));
      return library_.resolved(lang::make_struct(spelled));
    }
    if (!name.empty() && library_.find_own_tag(spelled)) fail(Diag::Redeclared, name_span, fmt::format("redefinition of '{}'", spelled));
    if (++depth_ > kMaxNesting) fail(Diag::LimitExceeded, here(), "this C definition is nested too deep");
    ++at_;
    std::vector<Declared> members;
    while (!accept("}")) {
      if (peek().kind == CToken::Kind::End) fail(Diag::SyntaxError, here(), "syntax: expected '}' in this C definition");
      add_members(members);
    }
    --depth_;
    merge(found, attributes());
    return lay_out(spelled, tag == "union", members, found);
  }

  void add_members(std::vector<Declared>& members) {
    if (accept(";")) return;
    const Type base = specifiers();
    if (peek().is(";")) {   // anonymous: its members are those of this one; a plain declaration of a tag adds nothing
      if (base.is(TypeKind::Struct) && base.name.ends_with("(anonymous)")) members.push_back({{"", here(), base}, std::nullopt, {}});
      ++at_;
      return;
    }
    do {
      Declared member{.declarator = declarator(base, 0)};
      if (accept(":")) member.bits = bit_width(member);
      member.attributes = attributes();
      check(member, members);
      members.push_back(std::move(member));
    } while (accept(","));
    expect(";");
  }

  std::uint32_t bit_width(const Declared& member) {
    const Span span = here();
    const std::uint64_t bits = constant_expression();
    const Type& type = member.declarator.type;
    if (!type.is_integer() && !type.is(TypeKind::Bool)) fail(Diag::InvalidOperand, span, fmt::format("a bit field cannot have the type '{}'", lang::type_name(type)));
    const std::uint32_t most = type.is(TypeKind::Bool) ? 1 : type.size * kBitsOfByte;
    if (bits > most || (bits == 0 && !member.declarator.name.empty())) {
      fail(Diag::InvalidLiteral, span, fmt::format("a bit field of type '{}' has between 1 and {} bits", lang::type_name(type), most));
    }
    return static_cast<std::uint32_t>(bits);
  }

  void check(const Declared& member, const std::vector<Declared>& others) {
    const Declarator& declarator = member.declarator;
    if (declarator.name.empty() && !member.bits) fail(Diag::SyntaxError, declarator.span, "syntax: expected a name in this C definition");
    for (const Declared& other : others) {
      if (!declarator.name.empty() && other.declarator.name == declarator.name) {
        fail(Diag::Redeclared, declarator.span, fmt::format("duplicate member '{}'", declarator.name));
      }
    }
    const Type& type = declarator.type;
    if (type.is(TypeKind::Void) && type.size == 0) fail(Diag::InvalidOperand, declarator.span, fmt::format("the member '{}' has no size", declarator.name));
    if (type.is(TypeKind::Struct) && library_.resolved(type).definition == 0) {
      fail(Diag::UnknownIdentifier, declarator.span, fmt::format("the member '{}' has the incomplete type '{}'", declarator.name, lang::type_name(type)),
           "define it before it is used, or use a pointer");
    }
  }

  Type lay_out(const std::string& spelled, bool is_union, const std::vector<Declared>& members, const Attributes& whole) {
    struct Placed { Field field; std::uint64_t bit_offset; std::uint32_t bits; };
    std::vector<Placed> placed;
    std::uint64_t bit = 0, size = 0;
    std::uint32_t align = 1;
    for (const Declared& member : members) {
      const Type& type = member.declarator.type;
      const bool packed = whole.packed || member.attributes.packed;
      const std::uint32_t natural = library_.alignment(type);
      const std::uint32_t own = std::max(packed ? 1 : natural, member.attributes.align);
      if (is_union) bit = 0;
      if (member.bits && *member.bits == 0) {   // ends the unit
        bit = round_up(bit, std::uint64_t{type.size} * kBitsOfByte);
        size = std::max(size, bit / kBitsOfByte);
        continue;
      }
      if (member.bits) {
        const std::uint64_t unit = std::uint64_t{type.size} * kBitsOfByte;
        if (!packed && bit / unit != (bit + *member.bits - 1) / unit) bit = round_up(bit, unit);
        if (!member.declarator.name.empty()) align = std::max(align, own);
        placed.push_back({{.name = member.declarator.name, .type = type}, bit, *member.bits});
        bit += *member.bits;
      } else {
        bit = round_up(bit, std::uint64_t{own} * kBitsOfByte);
        align = std::max(align, own);
        placed.push_back({{.name = member.declarator.name, .type = type, .offset = static_cast<std::uint32_t>(bit / kBitsOfByte)}, bit, 0});
        bit += std::uint64_t{type.size} * kBitsOfByte;
      }
      size = std::max(size, (bit + kBitsOfByte - 1) / kBitsOfByte);
      if (size > kMaxSize) fail(Diag::LimitExceeded, member.declarator.span, fmt::format("'{}' is larger than a type may be", spelled));
    }
    align = std::max(align, whole.align);
    Type type = lang::make_struct(spelled);
    type.align = align;
    type.size = static_cast<std::uint32_t>(round_up(size, align));
    std::vector<Field> fields;
    for (Placed& one : placed) {
      if (one.bits != 0 && (one.field.name.empty() || !place_bit_field(one.field, one.bit_offset, one.bits, type.size))) continue;
      fields.push_back(std::move(one.field));
    }
    return library_.define_structure(std::move(type), std::move(fields));
  }

  // ---- enumerations ----
  Type enumeration() {
    ++at_;
    attributes();
    std::string name;
    const Span name_span = here();
    if (peek().kind == CToken::Kind::Word) {
      name = peek().text;
      ++at_;
    }
    if (!peek().is("{")) {
      if (name.empty()) fail(Diag::SyntaxError, here(), "syntax: expected a name or '{' behind enum");
      if (auto known = library_.find(Tag::Enum, name)) return *known;
      fail(Diag::UnknownIdentifier, name_span, fmt::format("Cannot resolve unknown type \"enum {}\"", name));
    }
    const std::string spelled = "enum " + (name.empty() ? "(anonymous)" : name);
    if (!name.empty() && library_.find_own_tag(spelled)) fail(Diag::Redeclared, name_span, fmt::format("redefinition of '{}'", spelled));
    ++at_;
    std::vector<lang::Enumerator> all;
    std::uint64_t next = 0;
    while (!accept("}")) {
      const CToken token = peek();
      if (token.kind != CToken::Kind::Word) fail(Diag::SyntaxError, here(), "syntax: expected a name in this enum");
      ++at_;
      attributes();
      if (accept("=")) next = constant_expression();
      all.push_back({token.text, static_cast<std::int64_t>(next)});
      // Later values may be made of earlier ones.
      library_.define_constant(token.text, {lang::make_int64(), next, {}});
      ++next;
      if (!accept(",") && !peek().is("}")) expect(",");
    }
    attributes();
    const bool negative = std::any_of(all.begin(), all.end(), [](const auto& one) { return one.value < 0; });
    const bool wide = std::any_of(all.begin(), all.end(), [&](const auto& one) {
      return negative ? one.value != static_cast<std::int32_t>(one.value) : one.value != static_cast<std::int64_t>(static_cast<std::uint32_t>(one.value));
    });
    const Type type = lang::make_enumeration(spelled, lang::make_integer(wide ? 64 : 32, negative), all);
    for (const lang::Enumerator& one : all) library_.define_constant(one.name, {type, static_cast<std::uint64_t>(one.value), {}});
    if (!name.empty()) library_.define_tag(spelled, type);
    return type;
  }

  // ---- macros ----
 public:
  /// A macro as a constant: an integer expression or a text. Nothing for others, which are used in definitions only.
  std::optional<Constant> macro(std::string_view name) {
    if (is_evaluating_) return std::nullopt;   // a body has no macros left but those that contain themselves
    is_evaluating_ = true;
    Diagnostics thrown_away;   // what is wrong in it is no mistake before it is used, and then it is no constant
    Diagnostics* const own = std::exchange(diags_, &thrown_away);
    auto constant = constant_of(name);
    diags_ = own;
    is_evaluating_ = false;
    return constant;
  }

 private:
  std::optional<Constant> constant_of(std::string_view name) const {
    const auto macro = preprocessor_.macros().find(name);
    if (macro == preprocessor_.macros().end() || macro->second.is_function || macro->second.body.empty()) return std::nullopt;
    const std::vector<CToken> body = preprocessor_.expanded(macro->second.body);
    Constant constant;
    if (std::all_of(body.begin(), body.end(), [](const CToken& token) { return token.kind == CToken::Kind::Text; })) {
      for (const CToken& token : body) constant.text += token.text;
      constant.type = lang::make_string(static_cast<std::uint32_t>(constant.text.size()) + 1);
      return constant;
    }
    std::size_t at = 0;
    const auto value = preprocessor_.evaluate(body, at);
    if (!value || at != body.size()) return std::nullopt;
    constant.bits = value->bits;
    constant.is_negative = !value->is_unsigned && static_cast<std::int64_t>(value->bits) < 0;
    return constant;
  }

  std::span<const CText> texts_;
  const HeaderOptions options_;
  Library& library_;
  Diagnostics* diags_;
  CPreprocessor preprocessor_;
  std::optional<Headers> headers_;
  std::size_t text_ = 0;        // which one is being read
  bool in_headers_ = false;
  bool is_evaluating_ = false;
  bool has_failed_ = false;     // headers are missing
  std::vector<CToken> tokens_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
};

}  // namespace

void read_c_section(std::span<const CText> texts, const HeaderOptions& options, Library& library, Diagnostics& diags) {
  if (texts.empty() && options.files.empty()) return;
  const auto reader = std::make_shared<CReader>(texts, options, library, diags);
  reader->read();
  // Macros are looked at when they are used: headers define thousands.
  library.define_macros([reader](std::string_view name) { return reader->macro(name); });
}

}  // namespace trc::types
