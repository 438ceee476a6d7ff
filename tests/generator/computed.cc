// Every expression is made as its text and as a function that computes it; the rules of widths and signs are written down here once more,
// from the language's definition, so that a mistake of the compiler is not made twice.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "generator/script.h"

namespace trc::test {
namespace {

__extension__ using Wide = __int128;
constexpr Wide kLargest = (Wide{1} << 64) - 1;
constexpr Wide kSmallest = -(Wide{1} << 63);

struct Number {
  unsigned bits = 64;
  bool is_signed = true;
};

std::string name_of(Number type) { return (type.is_signed ? "int" : "uint") + std::to_string(type.bits); }

/// A 64-bit pattern cut to a type and extended by its sign.
std::uint64_t fit(std::uint64_t value, Number type) {
  const unsigned unused = 64 - type.bits;
  const std::uint64_t cut = value << unused;
  return type.is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(cut) >> unused) : cut >> unused;
}

std::string decimal(std::uint64_t value, bool is_signed) {
  return is_signed ? std::to_string(static_cast<std::int64_t>(value)) : std::to_string(value);
}

enum class Leaving { No, Break, Continue, Return };

using Key = std::pair<std::int64_t, std::string>;
struct Pair {
  std::uint64_t number = 0;
  std::string text;
  bool operator==(const Pair&) const = default;
};
struct Aggregate {
  std::uint64_t total = 0, count = 0;
  std::int64_t least = 0, largest = 0;
};

struct State {
  std::map<std::string, std::uint64_t> numbers;   // variables and scalar maps
  std::map<std::string, std::string> texts;
  std::map<std::string, Pair> pairs;
  std::map<std::string, std::map<Key, std::uint64_t>> maps;
  std::map<std::string, Aggregate> aggregates;
  std::string printed;
  Leaving leaving = Leaving::No;
};

struct Term {
  std::string text;
  Number type;
  std::optional<Wide> literal;   // written out, or folded from such
  std::function<std::uint64_t(State&)> value;
  /// A literal takes the sign of the other operand.
  bool is_flexible() const { return literal && *literal >= 0; }
  bool counts_as_unsigned(const Term& other) const { return !type.is_signed || (is_flexible() && !other.type.is_signed); }
};
struct Truth {
  std::string text;
  std::function<bool(State&)> value;
};
struct Text {
  std::string text;
  std::function<std::string(State&)> value;
};
struct PairTerm {
  std::string text;
  std::function<Pair(State&)> value;
};
struct Code {
  std::string text;
  std::function<void(State&)> run;
};

Term literal(Wide value) {
  Number type{64, value <= (Wide{1} << 63) - 1};
  for (const unsigned bits : {8u, 16u, 32u}) {
    if (value >= -(Wide{1} << (bits - 1)) && value < (Wide{1} << (bits - 1))) {
      type.bits = bits;
      break;
    }
  }
  const auto bits = static_cast<std::uint64_t>(value);
  return {decimal(bits, value < 0), type, value, [bits](State&) { return bits; }};
}

/// Arithmetic on literals alone is exact; what does not fit is an error, so there is no such script.
std::optional<Wide> folded(const std::string& op, Wide a, Wide b) {
  std::optional<Wide> result;
  const bool both_small = a <= kLargest / 2 && b <= kLargest / 2, both_positive = a >= 0 && b >= 0;
  if (op == "+") result = a + b;
  if (op == "-") result = a - b;
  if (op == "*" && (a == 0 || b == 0 || (both_small && a > -(Wide{1} << 62) && b > -(Wide{1} << 62)))) result = a * b;
  if (op == "/" && b != 0) result = a / b;
  if (op == "%" && b != 0) result = a % b;
  if (both_small || both_positive) {
    if (op == "&") result = a & b;
    if (op == "|") result = a | b;
    if (op == "^") result = a ^ b;
  }
  if (b >= 0 && b < 64) {
    if (op == "<<" && a >= 0) result = static_cast<Wide>(static_cast<std::uint64_t>(a) << static_cast<unsigned>(b));
    if (op == ">>") result = a >> static_cast<unsigned>(b);
  }
  if (result && (*result > kLargest || *result < kSmallest)) return std::nullopt;
  return result;
}

std::uint64_t computed(char op, std::uint64_t a, std::uint64_t b, bool is_signed) {
  const auto x = static_cast<std::int64_t>(a), y = static_cast<std::int64_t>(b);
  switch (op) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '&': return a & b;
    case '|': return a | b;
    case '^': return a ^ b;
    case '<': return a << (b & 63);
    case '>': return is_signed ? static_cast<std::uint64_t>(x >> (b & 63)) : a >> (b & 63);
    default: break;
  }
  if (b == 0) return 1;   // with a warning
  if (!is_signed) return op == '/' ? a / b : a % b;
  if (y == -1) return op == '/' ? 0 - a : 0;   // the smallest number wraps
  return static_cast<std::uint64_t>(op == '/' ? x / y : x % y);
}

bool compared(const std::string& op, std::uint64_t a, std::uint64_t b, bool is_signed) {
  const auto x = static_cast<std::int64_t>(a), y = static_cast<std::int64_t>(b);
  if (op == "==") return a == b;
  if (op == "!=") return a != b;
  if (op == "<") return is_signed ? x < y : a < b;
  if (op == "<=") return is_signed ? x <= y : a <= b;
  if (op == ">") return is_signed ? x > y : a > b;
  return is_signed ? x >= y : a >= b;
}

/// Every map has its type from the start, and is there when a script only reads it.
constexpr const char* kMaps = R"(  @one[0] = (int64)1; @two[(int64)0, ""] = (uint64)1;
  @count = count(); @sum = sum((int64)0); @min = min((int64)0); @max = max((int64)0); @avg = avg((int64)0);
)";

class Grammar {
 public:
  explicit Grammar(Choices& choices) : choices_(choices) {}

  ComputedScript script() {
    const Code body = block(3);
    ComputedScript result;
    result.text = "config = { print_maps_on_exit = false }\nbegin {\n" + std::string(kMaps) + "  " + body.text + "\n}\n";
    State state;
    for (const char* map : {"@count", "@sum", "@min", "@max", "@avg"}) state.aggregates[map] = {.total = 0, .count = 1};
    state.maps["@one"][{0, ""}] = 1;
    state.maps["@two"][{0, ""}] = 1;
    body.run(state);
    result.prints = std::move(state.printed);
    return result;
  }

 private:
  struct Variable {
    std::string name;
    Number type;
    bool is_writable = true;
  };

  bool yes(unsigned in_256) { return choices_.yes(in_256); }
  std::size_t below(std::size_t n) { return choices_.below(n); }
  template <std::size_t N>
  auto one_of(const std::array<const char*, N>& all) { return std::string(all[below(N)]); }

  Number any_type() { return {std::array{64u, 8u, 16u, 32u}[below(4)], !yes(128)}; }

  // ---- integers ----
  Term any_literal() {
    Wide value = 0;
    switch (below(4)) {
      case 0: value = static_cast<Wide>(below(10)); break;
      case 1: value = static_cast<Wide>(below(256)); break;
      case 2: value = std::max(Wide{0}, (Wide{1} << below(65)) - static_cast<Wide>(below(3))); break;   // at the edges of types
      default:
        for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<Wide>(choices_.next());
    }
    value = std::min(value, kLargest);
    if (value <= -kSmallest && yes(64)) value = -value;
    return literal(value);
  }

  static Term cast(Number type, const Term& e) {
    return {"(" + name_of(type) + ")(" + e.text + ")", type, std::nullopt, [type, v = e.value](State& s) { return fit(v(s), type); }};
  }

  Term leaf() {
    const std::size_t kind = below(4);
    if (kind != 0 && !variables_.empty()) {
      const Variable v = variables_[below(std::min<std::size_t>(variables_.size(), 256))];
      return {v.name, v.type, std::nullopt, [v](State& s) { return s.numbers[v.name]; }};
    }
    return any_literal();
  }

  Term number(unsigned depth) {
    if (depth == 0) return leaf();
    switch (below(12)) {
      case 1:
      case 2:
      case 3: return binary(depth);
      case 4: return unary(depth);
      case 5: return cast(any_type(), number(depth - 1));
      case 6: return choice(depth);
      case 7: return map_value(depth);
      case 8: return increment();
      case 9: return of_text(depth);
      case 10: return member(depth);
      case 11: return aggregate();
      default: return leaf();
    }
  }

  Term binary(unsigned depth) {
    const auto op = one_of(std::array{"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"});
    const Term a = number(depth - 1), b = number(depth - 1);
    if (a.literal && b.literal) {
      const auto value = folded(op, *a.literal, *b.literal);
      if (!value) return a;
      Term result = literal(*value);
      result.text = "(" + a.text + " " + op + " " + b.text + ")";
      return result;
    }
    if ((op == "/" || op == "%") && b.literal && *b.literal == 0) return a;   // an error
    const bool shifts = op == "<<" || op == ">>";
    const bool is_unsigned = shifts ? !a.type.is_signed : a.counts_as_unsigned(b) && b.counts_as_unsigned(a);
    const Number type{64, op == "-" || !is_unsigned};
    return {"(" + a.text + " " + op + " " + b.text + ")", type, std::nullopt, [a, b, c = op[0], is_unsigned](State& s) {
              const std::uint64_t left = a.value(s);
              return computed(c, left, b.value(s), !is_unsigned);
            }};
  }

  Term unary(unsigned depth) {
    const Term e = number(depth - 1);
    if (yes(128)) {
      if (e.literal) {
        Term result = literal(static_cast<Wide>(~static_cast<std::uint64_t>(*e.literal)));
        result.text = "~(" + e.text + ")";
        return result;
      }
      const Number type{e.type.bits, false};
      return {"~(" + e.text + ")", type, std::nullopt, [type, v = e.value](State& s) { return fit(~v(s), type); }};
    }
    if (e.literal) {
      if (-*e.literal < kSmallest || -*e.literal > kLargest) return e;
      Term result = literal(-*e.literal);
      result.text = "-(" + e.text + ")";
      return result;
    }
    return {"-(" + e.text + ")", e.type, std::nullopt, [type = e.type, v = e.value](State& s) { return fit(0 - v(s), type); }};
  }

  Term choice(unsigned depth) {
    const Number type = any_type();
    const Term a = cast(type, number(depth - 1)), b = cast(type, number(depth - 1));
    if (yes(64)) {
      return {"(" + a.text + " ?: " + b.text + ")", type, std::nullopt, [a, b](State& s) {
                const std::uint64_t value = a.value(s);
                return value != 0 ? value : b.value(s);
              }};
    }
    const Truth test = condition(depth - 1);
    const bool as_statement = yes(64);
    const std::string text = as_statement ? "{ if (" + test.text + ") { " + a.text + " } else { " + b.text + " } }"
                                          : "(" + test.text + " ? " + a.text + " : " + b.text + ")";
    return {text, type, std::nullopt, [test, a, b](State& s) { return test.value(s) ? a.value(s) : b.value(s); }};
  }

  Term increment() {
    const auto writable = writable_variables();
    if (writable.empty()) return any_literal();
    const Variable v = writable[below(writable.size())];
    const bool is_prefix = yes(128), is_minus = yes(128);
    const std::string op = is_minus ? "--" : "++";
    const Term changed{is_prefix ? op + v.name : v.name + op, v.type, std::nullopt, [v, is_prefix, is_minus](State& s) {
                         std::uint64_t& at = s.numbers[v.name];
                         const std::uint64_t old = at;
                         at = fit(is_minus ? old - 1 : old + 1, v.type);
                         return is_prefix ? at : old;
                       }};
    return cast(v.type, changed);
  }

  Term of_text(unsigned depth) {
    const Text a = any_text(depth - 1);
    return {"strlen(" + a.text + ")", {64, false}, std::nullopt, [a](State& s) { return static_cast<std::uint64_t>(a.value(s).size()); }};
  }

  Term member(unsigned depth) {
    const PairTerm p = any_pair(depth - 1);
    return {p.text + ".0", {32, true}, std::nullopt, [p](State& s) { return p.value(s).number; }};
  }

  // ---- maps ----
  struct Keyed {
    std::string text;
    std::function<Key(State&)> value;
  };
  Keyed key(const std::string& map, unsigned depth) {
    const Term n = cast({64, true}, number(depth));
    if (map == "@one") return {n.text, [n](State& s) { return Key{static_cast<std::int64_t>(n.value(s)), ""}; }};
    const Text t = any_text(depth);
    return {n.text + ", " + t.text, [n, t](State& s) {
              const auto first = static_cast<std::int64_t>(n.value(s));
              return Key{first, t.value(s)};
            }};
  }
  static Number value_type(const std::string& map) { return {64, map == "@one"}; }

  Term map_value(unsigned depth) {
    const auto name = one_of(std::array{"@one", "@two"});
    if (yes(64)) {
      return {"len(" + name + ")", {64, true}, std::nullopt, [name](State& s) { return static_cast<std::uint64_t>(s.maps[name].size()); }};
    }
    const Keyed k = key(name, depth - 1);
    return {name + "[" + k.text + "]", value_type(name), std::nullopt, [name, k](State& s) -> std::uint64_t {
              const Key wanted = k.value(s);
              const auto found = s.maps[name].find(wanted);
              return found == s.maps[name].end() ? 0 : found->second;
            }};
  }

  Term aggregate() {
    switch (below(5)) {
      case 0: return {"(int64)@count", {64, true}, std::nullopt, [](State& s) { return s.aggregates["@count"].count; }};
      case 1: return {"(int64)@sum", {64, true}, std::nullopt, [](State& s) { return s.aggregates["@sum"].total; }};
      case 2: return {"(int64)@min", {64, true}, std::nullopt, [](State& s) { return static_cast<std::uint64_t>(s.aggregates["@min"].least); }};
      case 3: return {"(int64)@max", {64, true}, std::nullopt, [](State& s) { return static_cast<std::uint64_t>(s.aggregates["@max"].largest); }};
      default:
        return {"(int64)@avg", {64, true}, std::nullopt, [](State& s) -> std::uint64_t {
                  const Aggregate& a = s.aggregates["@avg"];
                  return a.count == 0 ? 0 : static_cast<std::uint64_t>(static_cast<std::int64_t>(a.total) / static_cast<std::int64_t>(a.count));
                }};
    }
  }

  // ---- truths ----
  Truth truth(unsigned depth) {
    if (depth == 0) return comparison(0);
    switch (below(7)) {
      case 1: {
        const Truth a = condition(depth - 1), b = condition(depth - 1);
        const bool is_and = yes(128);
        return {"(" + a.text + (is_and ? " && " : " || ") + b.text + ")",
                [a, b, is_and](State& s) { return is_and ? a.value(s) && b.value(s) : a.value(s) || b.value(s); }};
      }
      case 2: {
        const Truth a = condition(depth - 1);
        return {"!(" + a.text + ")", [a](State& s) { return !a.value(s); }};
      }
      case 3: {
        const Text a = any_text(depth - 1), b = any_text(depth - 1);
        const bool equal = yes(128);
        return {"(" + a.text + (equal ? " == " : " != ") + b.text + ")", [a, b, equal](State& s) {
                  const std::string left = a.value(s);
                  return (left == b.value(s)) == equal;
                }};
      }
      case 4: {
        const PairTerm a = any_pair(depth - 1), b = any_pair(depth - 1);
        const bool equal = yes(128);
        return {"(" + a.text + (equal ? " == " : " != ") + b.text + ")", [a, b, equal](State& s) {
                  const Pair left = a.value(s);
                  return (left == b.value(s)) == equal;
                }};
      }
      case 5: {
        const auto name = one_of(std::array{"@one", "@two"});
        const bool removes = yes(128);
        const Keyed k = key(name, depth - 1);
        const std::string text = name == "@one" ? k.text : "(" + k.text + ")";
        return {(removes ? "delete(" : "has_key(") + name + ", " + text + ")", [name, k, removes](State& s) {
                  const Key wanted = k.value(s);
                  return removes ? s.maps[name].erase(wanted) != 0 : s.maps[name].contains(wanted);
                }};
      }
      default: return comparison(depth);
    }
  }

  Truth comparison(unsigned depth) {
    const auto op = one_of(std::array{"==", "!=", "<", "<=", ">", ">="});
    const unsigned inner = depth == 0 ? 0 : depth - 1;
    const Term a = number(inner), b = number(inner);
    if (a.literal && b.literal) {   // exact
      const bool less = *a.literal < *b.literal, equal = *a.literal == *b.literal;
      const bool value = compared(op, equal ? 1 : less ? 0 : 2, 1, false);
      return {"(" + a.text + " " + op + " " + b.text + ")", [value](State&) { return value; }};
    }
    const bool is_signed = !(a.counts_as_unsigned(b) && b.counts_as_unsigned(a));
    return {"(" + a.text + " " + op + " " + b.text + ")", [a, b, op, is_signed](State& s) {
              const std::uint64_t left = a.value(s);
              return compared(op, left, b.value(s), is_signed);
            }};
  }

  /// What may stand in an `if`.
  Truth condition(unsigned depth) {
    if (!yes(64)) return truth(depth);
    const Term e = number(depth);
    return {e.text, [e](State& s) { return e.value(s) != 0; }};
  }

  // ---- texts and pairs ----
  Text any_text(unsigned depth) {
    const std::size_t kind = below(4);
    if (kind == 1 && !texts_.empty()) {
      const std::string name = texts_[below(texts_.size())];
      return {name, [name](State& s) { return s.texts[name]; }};
    }
    if (kind == 2 && depth > 0) {
      const Truth test = condition(depth - 1);
      const Text a = any_text(depth - 1), b = any_text(depth - 1);
      return {"(" + test.text + " ? " + a.text + " : " + b.text + ")", [test, a, b](State& s) { return test.value(s) ? a.value(s) : b.value(s); }};
    }
    if (kind == 3 && depth > 0) {
      const PairTerm p = any_pair(depth - 1);
      return {p.text + ".1", [p](State& s) { return p.value(s).text; }};
    }
    std::string text;
    for (std::size_t i = below(yes(16) ? 120 : 10); i > 0; --i) text += static_cast<char>('a' + below(3));
    return {"\"" + text + "\"", [text](State&) { return text; }};
  }

  PairTerm any_pair(unsigned depth) {
    const std::size_t kind = below(3);
    if (kind == 1 && !pairs_.empty()) {
      const std::string name = pairs_[below(pairs_.size())];
      return {name, [name](State& s) { return s.pairs[name]; }};
    }
    const Term n = cast({32, true}, number(depth));
    const Text t = any_text(depth);
    return {"(" + n.text + ", " + t.text + ")", [n, t](State& s) {
              Pair p;
              p.number = n.value(s);
              p.text = t.value(s);
              return p;
            }};
  }

  // ---- statements ----
  std::vector<Variable> writable_variables() const {
    std::vector<Variable> result;
    std::copy_if(variables_.begin(), variables_.end(), std::back_inserter(result), [](const Variable& v) { return v.is_writable; });
    return result;
  }

  std::string fresh(const char* prefix) { return prefix + std::to_string(++names_); }

  Code block(unsigned depth) {
    const std::size_t variables = variables_.size(), texts = texts_.size(), pairs = pairs_.size();
    std::vector<Code> all;
    std::string text = "{";
    do {
      all.push_back(statement(depth));
      text += "\n" + std::string(2 * (4 - depth), ' ') + all.back().text;
    } while (yes(depth == 3 ? 230 : 120) && ++statements_ < 60);
    variables_.resize(variables);
    texts_.resize(texts);
    pairs_.resize(pairs);
    return {text + "\n" + std::string(2 * (3 - depth), ' ') + "}", [all](State& s) {
              for (const Code& one : all) {
                if (s.leaving != Leaving::No) return;
                one.run(s);
              }
            }};
  }

  Code statement(unsigned depth) {
    constexpr unsigned kDepth = 3;   // of expressions
    switch (below(depth == 0 ? 9 : 15)) {
      case 1: {
        const Variable v{fresh("$n"), any_type()};
        const Term e = cast(v.type, number(kDepth));
        variables_.push_back(v);
        return {"let " + v.name + ": " + name_of(v.type) + " = " + e.text + ";", [v, e](State& s) { s.numbers[v.name] = e.value(s); }};
      }
      case 2: return assignment(kDepth);
      case 3: {
        const Text e = any_text(kDepth);
        const bool is_new = texts_.empty() || yes(128);
        const std::string name = is_new ? fresh("$s") : texts_[below(texts_.size())];
        if (is_new) texts_.push_back(name);
        return {name + " = " + e.text + ";", [name, e](State& s) { s.texts[name] = e.value(s); }};
      }
      case 4: {
        const PairTerm e = any_pair(kDepth);
        const bool is_new = pairs_.empty() || yes(128);
        const std::string name = is_new ? fresh("$p") : pairs_[below(pairs_.size())];
        if (is_new) pairs_.push_back(name);
        return {name + " = " + e.text + ";", [name, e](State& s) { s.pairs[name] = e.value(s); }};
      }
      case 5: return map_assignment(kDepth);
      case 6: return aggregate_assignment(kDepth);
      case 7: {
        const Truth e = truth(kDepth);
        return {"print(" + e.text + ");", [e](State& s) { s.printed += e.value(s) ? "true\n" : "false\n"; }};
      }
      case 8: {
        const PairTerm e = any_pair(kDepth);
        return {"print(" + e.text + ");", [e](State& s) {
                  const Pair p = e.value(s);
                  s.printed += "(" + decimal(p.number, true) + ", " + p.text + ")\n";
                }};
      }
      case 9:
      case 10: return branch(depth);
      case 11: return range_loop(depth);
      case 12: return counted_loop(depth);
      case 13: return map_loop();
      case 14: return leave();
      default: {
        const Term e = number(kDepth);
        return {"print(" + e.text + ");", [e](State& s) { s.printed += decimal(e.value(s), e.type.is_signed) + "\n"; }};
      }
    }
  }

  Code assignment(unsigned depth) {
    const auto writable = writable_variables();
    if (writable.empty()) return {"print(0);", [](State& s) { s.printed += "0\n"; }};
    const Variable v = writable[below(writable.size())];
    const Term e = cast(v.type, number(depth));
    if (yes(128)) return {v.name + " = " + e.text + ";", [v, e](State& s) { s.numbers[v.name] = e.value(s); }};
    const auto op = one_of(std::array{"+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%"});
    return {v.name + " " + op + "= " + e.text + ";", [v, e, c = op[0]](State& s) {
              const std::uint64_t old = s.numbers[v.name];
              s.numbers[v.name] = fit(computed(c, old, e.value(s), v.type.is_signed), v.type);
            }};
  }

  Code map_assignment(unsigned depth) {
    const auto name = one_of(std::array{"@one", "@two"});
    const Number type = value_type(name);
    const Keyed k = key(name, depth - 1);
    const Term e = cast(type, number(depth));
    const std::string place = name + "[" + k.text + "]";
    switch (below(3)) {
      case 0:
        return {place + " = " + e.text + ";", [name, k, e](State& s) {
                  const Key at = k.value(s);
                  const std::uint64_t value = e.value(s);
                  s.maps[name][at] = value;
                }};
      case 1: return {place + "++;", [name, k](State& s) { s.maps[name][k.value(s)] += 1; }};
      default:
        return {place + " += " + e.text + ";", [name, k, e](State& s) {
                  const Key at = k.value(s);
                  const std::uint64_t value = e.value(s);
                  s.maps[name][at] += value;
                }};
    }
  }

  Code aggregate_assignment(unsigned depth) {
    const auto kind = one_of(std::array{"count", "sum", "min", "max", "avg"});
    const std::string name = "@" + kind;
    const Term e = cast({64, true}, number(depth));
    const bool counts = kind == "count";
    return {name + " = " + kind + "(" + (counts ? "" : e.text) + ");", [name, e, counts](State& s) {
              Aggregate& a = s.aggregates[name];
              const std::uint64_t value = counts ? 0 : e.value(s);
              const auto n = static_cast<std::int64_t>(value);
              a.least = a.count == 0 ? n : std::min(a.least, n);
              a.largest = a.count == 0 ? n : std::max(a.largest, n);
              a.total += value;
              a.count += 1;
            }};
  }

  Code branch(unsigned depth) {
    const Truth test = condition(3);
    const Code then = block(depth - 1);
    if (!yes(128)) {
      return {"if (" + test.text + ") " + then.text, [test, then](State& s) {
                if (test.value(s)) then.run(s);
              }};
    }
    const Code otherwise = block(depth - 1);
    return {"if (" + test.text + ") " + then.text + " else " + otherwise.text, [test, then, otherwise](State& s) {
              if (test.value(s)) {
                then.run(s);
              } else {
                otherwise.run(s);
              }
            }};
  }

  Code loop_body(unsigned depth) {
    ++loops_;
    Code body = block(depth - 1);
    --loops_;
    return body;
  }

  /// True when the loop goes on.
  static bool after_round(State& s) {
    if (s.leaving == Leaving::Continue) s.leaving = Leaving::No;
    if (s.leaving != Leaving::Break) return s.leaving == Leaving::No;
    s.leaving = Leaving::No;
    return false;
  }

  Code range_loop(unsigned depth) {
    const Term from = literal(static_cast<Wide>(below(3)));
    Term to = literal(static_cast<Wide>(below(5)));
    if (yes(128)) {   // an end that is not known before it runs
      const Term e = number(2);
      to = {"((int64)(" + e.text + ") & 3)", {64, true}, std::nullopt, [e](State& s) { return e.value(s) & 3; }};
    }
    const Variable v{fresh("$i"), {64, true}, false};
    variables_.push_back(v);
    const Code body = loop_body(depth);
    variables_.pop_back();
    return {"for (" + v.name + " : " + from.text + ".." + to.text + ") " + body.text, [v, from, to, body](State& s) {
              const auto first = from.value(s), end = to.value(s);
              for (std::uint64_t i = first; i < end; ++i) {
                s.numbers[v.name] = i;
                body.run(s);
                if (!after_round(s)) return;
              }
            }};
  }

  Code counted_loop(unsigned depth) {
    const std::uint64_t rounds = 1 + below(4);
    if (yes(100)) {
      const std::size_t outside = std::exchange(loops_, 0);   // break and continue are not for unroll
      const Code body = block(depth - 1);
      loops_ = outside;
      return {"unroll (" + std::to_string(rounds) + ") " + body.text, [rounds, body](State& s) {
                for (std::uint64_t i = 0; i < rounds && s.leaving == Leaving::No; ++i) body.run(s);
              }};
    }
    const Variable v{fresh("$w"), {64, true}, false};
    variables_.push_back(v);
    const Code body = loop_body(depth);
    variables_.pop_back();
    return {"{ let " + v.name + ": int64 = 0; while (" + v.name + "++ < " + std::to_string(rounds) + ") " + body.text + " }",
            [v, rounds, body](State& s) {
              s.numbers[v.name] = 0;
              while (s.numbers[v.name]++ < rounds) {
                body.run(s);
                if (!after_round(s)) return;
              }
            }};
  }

  /// The order is any, so only a sum tells.
  Code map_loop() {
    const auto name = one_of(std::array{"@one", "@two"});
    const Variable v{fresh("$n"), {64, true}};
    variables_.push_back(v);
    const std::string pair = fresh("$kv"), first = name == "@one" ? pair + ".0" : pair + ".0.0";
    return {"let " + v.name + ": int64 = 0; for (" + pair + " : " + name + ") { " + v.name + " += " + first + " * 3 + (int64)" + pair + ".1; }",
            [v, name](State& s) {
              std::uint64_t sum = 0;
              for (const auto& [at, value] : s.maps[name]) sum += static_cast<std::uint64_t>(at.first) * 3 + value;
              s.numbers[v.name] = sum;
            }};
  }

  Code leave() {
    const Truth test = condition(2);
    const std::size_t kind = below(loops_ == 0 ? 1 : 3);
    const auto how = kind == 0 ? Leaving::Return : kind == 1 ? Leaving::Break : Leaving::Continue;
    const std::string word = kind == 0 ? "return" : kind == 1 ? "break" : "continue";
    return {"if (" + test.text + ") { " + word + "; }", [test, how](State& s) {
              if (test.value(s)) s.leaving = how;
            }};
  }

  Choices& choices_;
  std::vector<Variable> variables_;
  std::vector<std::string> texts_, pairs_;
  unsigned names_ = 0, statements_ = 0;
  std::size_t loops_ = 0;
};

}  // namespace

ComputedScript computed_script(Choices& choices) { return Grammar(choices).script(); }

}  // namespace trc::test
