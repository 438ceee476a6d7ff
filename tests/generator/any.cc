#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "generator/script.h"

namespace trc::test {
namespace {

enum class Kind { Integer, Text, Pair, Stack };

/// What a probe offers to expressions.
struct Probe {
  std::string header;
  std::vector<std::string> integers, addresses;   // addresses: user memory, or the kernel's
};

struct Map {
  std::string name;
  std::vector<Kind> key;    // empty: scalar
  Kind value = Kind::Integer;
  std::string aggregate;    // "count" …; empty: a plain value
};

class Grammar {
 public:
  Grammar(Choices& choices, const Machine& machine) : choices_(choices), machine_(machine) {}

  std::string script() {
    has_stacks_ = yes(40);   // the walkers make a program large, and compiling it slow
    std::string text = settings();
    make_maps();
    probe_ = {"begin", {}, {}};
    text += first_block();
    do {
      text += block();
    } while (++blocks_ < 6 && yes(100));
    return text;
  }

 private:
  struct Variable {
    std::string name;
    Kind kind = Kind::Integer;
    bool is_writable = true;
  };

  bool yes(unsigned in_256) { return choices_.yes(in_256); }
  std::size_t below(std::size_t n) { return choices_.below(n); }
  template <std::size_t N>
  std::string one_of(const std::array<const char*, N>& all) {
    return all[below(N)];
  }
  const std::string& one_of(const std::vector<std::string>& all) { return all[below(all.size())]; }
  std::string fresh(const char* prefix) { return prefix + std::to_string(++names_); }

  std::string settings() {
    std::string text;
    if (yes(64)) {
      const std::string most = one_of(std::array{"64", "100", "256", "1000", "2048", "4096", "16384", "65536"});
      text += "max_strlen = " + most + "; ";
      longest_ = std::min<std::size_t>(longest_, std::stoul(most));
    }
    if (yes(40)) text += "on_stack_limit = " + one_of(std::array{"16", "32", "64", "128"}) + "; ";
    return text.empty() ? "" : "config = { " + text + "}\n";
  }

  // ---- maps: one shape each, for the whole script ----
  void make_maps() {
    for (std::size_t i = 0, count = 2 + below(5); i < count; ++i) {
      Map map{.name = "@m" + std::to_string(i), .key = {}, .value = Kind::Integer, .aggregate = ""};
      for (std::size_t parts = below(4); parts > 0; --parts) map.key.push_back(any_kind());
      if (yes(128)) {
        map.aggregate = one_of(std::array{"count", "sum", "min", "max", "avg", "stats", "hist", "lhist"});
      } else {
        map.value = any_kind();
      }
      maps_.push_back(std::move(map));
    }
  }
  Kind any_kind() {
    const std::size_t kind = below(10);
    return kind < 6 ? Kind::Integer : kind < 8 ? Kind::Text : kind < 9 || !has_stacks_ ? Kind::Pair : Kind::Stack;
  }

  std::string key_of(const Map& map, unsigned depth) {
    std::string text;
    for (const Kind part : map.key) text += (text.empty() ? "" : ", ") + value(part, depth);
    return text;
  }
  std::string place(const Map& map, unsigned depth) { return map.key.empty() ? map.name : map.name + "[" + key_of(map, depth) + "]"; }
  /// The key as an argument.
  std::string key_argument(const Map& map, unsigned depth) {
    const std::string key = key_of(map, depth);
    return map.key.size() > 1 ? "(" + key + ")" : key;
  }
  template <class Predicate>
  const Map* some_map(Predicate fits) {
    std::vector<const Map*> all;
    for (const Map& map : maps_) {
      if (fits(map)) all.push_back(&map);
    }
    return all.empty() ? nullptr : all[below(all.size())];
  }

  /// Every map has its shape from the start, and is there when a script only reads it.
  std::string first_block() {
    std::string text = "begin {";
    for (const Map& map : maps_) text += " " + place(map, 0) + " = " + first_value(map) + ";";
    return text + " }\n";
  }
  std::string first_value(const Map& map) {
    if (map.aggregate.empty()) return map.value == Kind::Integer ? "(int64)0" : value(map.value, 0);
    return map.aggregate == "count" ? "count()" : map.aggregate == "lhist" ? "lhist((int64)0, 0, 1000, 10)" : map.aggregate + "((int64)0)";
  }

  // ---- probes ----
  Probe any_probe() {
    std::vector<Probe> all = {{"begin", {}, {}},
                              {"interval:ms:" + std::to_string(1 + below(200)), {}, {}},
                              {"profile:hz:99", {}, {}},
                              {"end", {}, {}}};
    if (!machine_.program.empty()) {
      const std::string place = machine_.program + ":work_add";
      all.push_back({"uprobe:" + place, {"arg0", "arg1", "arg5", "reg(\"ip\")"}, {"arg0", "arg1"}});
      all.push_back({"uretprobe:" + place, {"retval"}, {"retval"}});
    }
    if (machine_.has_tracepoints) {
      all.push_back({"tracepoint:syscalls:sys_enter_openat", {"args.flags", "args.dfd", "args.mode"}, {"args.filename"}});
      all.push_back({"tracepoint:sched:sched_switch", {"args.prev_pid", "args.next_prio", "args.prev_state"}, {}});
      all.push_back({"rawtracepoint:sched_switch", {"arg0", "arg1"}, {"arg1"}});
    }
    return all[below(all.size())];
  }

  std::string block() {
    probe_ = any_probe();
    variables_.clear();
    in_callback_ = loops_ = 0;
    statements_ = 0;
    most_statements_ = yes(16) ? 120 : 25;
    std::string text = probe_.header;
    if (yes(60)) text += " /(" + condition(2) + ")/";
    return text + " " + braces(3) + "\n";
  }

  // ---- expressions ----
  bool has_context() const { return in_callback_ == 0; }

  std::string value(Kind kind, unsigned depth) {
    switch (kind) {
      case Kind::Integer: return integer(depth);
      case Kind::Text: return text(depth);
      case Kind::Pair: return pair(depth);
      case Kind::Stack: return stack();
    }
    return "";
  }

  std::string variable(Kind kind) {
    std::vector<std::string> all;
    for (const Variable& v : variables_) {
      if (v.kind == kind) all.push_back(v.name);
    }
    return all.empty() ? "" : one_of(all);
  }

  std::string number() {
    switch (below(4)) {
      case 0: return std::to_string(below(10));
      case 1: return std::to_string(below(256) * 1000);
      case 2: return std::to_string((std::uint64_t{1} << below(64)) - below(2));
      default: return "-" + std::to_string(1 + below(256));
    }
  }

  std::string integer(unsigned depth) {
    const std::size_t kind = below(depth == 0 ? 5 : 16);
    switch (kind) {
      case 1:
        if (std::string name = variable(Kind::Integer); !name.empty()) return name;
        return number();
      case 2: return one_of(std::array{"pid", "tid", "uid", "cpu", "nsecs", "elapsed", "rand", "gid"});
      case 3:
      case 4: return has_context() && !probe_.integers.empty() ? one_of(probe_.integers) : number();
      case 5:
      case 6: {
        const std::string op = one_of(std::array{"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"});
        // A literal zero after / and an arithmetic of literals that overflows are errors: a builtin stands on the right.
        const std::string right = op == "/" || op == "%" || op == "<<" || op == ">>" ? "(uint8)(" + integer(depth - 1) + ")" : integer(depth - 1);
        return "((int64)(" + integer(depth - 1) + ") " + op + " " + (op == "/" || op == "%" ? "(" + right + " | cpu)" : right) + ")";
      }
      case 7: return one_of(std::array{"-", "~"}) + ("((int32)(" + integer(depth - 1) + "))");
      case 8: return "(" + one_of(std::array{"int8", "uint16", "int32", "uint64", "int64"}) + ")(" + integer(depth - 1) + ")";
      case 9: return "(" + condition(depth - 1) + " ? " + integer(depth - 1) + " : " + integer(depth - 1) + ")";
      case 10: return "strlen(" + text(depth - 1) + ")";
      case 11: {
        const Map* map = some_map([](const Map& m) { return m.value == Kind::Integer && is_readable(m); });
        if (map == nullptr) return number();
        return "(int64)" + place(*map, depth - 1);
      }
      case 12: {
        const Map* map = some_map([](const Map& m) { return !m.key.empty(); });
        return map == nullptr ? number() : "len(" + map->name + ")";
      }
      case 13: return pair(depth - 1) + ".0";
      case 14: return has_context() && has_stacks_ && yes(128) ? "len(ustack(8))" : memory(depth);
      case 15: {
        const std::string name = fresh("$b");
        return "{ let " + name + ": int64 = (int64)(" + integer(depth - 1) + "); " + name + " + 1 }";
      }
      default: return number();
    }
  }

  static bool is_readable(const Map& map) { return map.aggregate != "stats" && map.aggregate != "hist" && map.aggregate != "lhist"; }

  std::string address(unsigned depth) {
    if (has_context() && !probe_.addresses.empty() && yes(160)) return one_of(probe_.addresses);
    return one_of(std::array{"kptr", "uptr"}) + "((uint64)(" + integer(depth) + "))";
  }
  std::string memory(unsigned depth) {
    const std::string type = one_of(std::array{"int8", "uint16", "int32", "uint64"});
    const std::string pointer = "((" + type + " *)" + address(depth - 1) + ")";
    return yes(128) ? "*" + pointer : pointer + "[" + std::to_string(below(100)) + "]";
  }

  std::string text(unsigned depth) {
    switch (below(depth == 0 ? 3 : 8)) {
      case 1: return "comm";
      case 2:
        if (std::string name = variable(Kind::Text); !name.empty()) return name;
        return "comm";
      case 3: return "str(" + address(depth - 1) + ")";
      case 4: return "str(" + address(depth - 1) + ", " + (yes(128) ? std::to_string(1 + below(200)) : "(uint16)(" + integer(depth - 1) + ")") + ")";
      case 5: return "(" + condition(depth - 1) + " ? " + text(depth - 1) + " : " + text(depth - 1) + ")";
      case 6: return pair(depth - 1) + ".1";
      case 7: {
        const Map* map = some_map([](const Map& m) { return m.value == Kind::Text && m.aggregate.empty(); });
        return map == nullptr ? "comm" : place(*map, depth - 1);
      }
      default: break;
    }
    std::string letters;
    for (std::size_t i = below(yes(16) ? longest_ : 12); i > 0; --i) letters += static_cast<char>('a' + i % 26);
    return "\"" + letters + "\"";
  }

  /// (integer, text, (integer, integer))
  std::string pair(unsigned depth) {
    const std::size_t kind = below(5);
    if (kind == 1) {
      if (std::string name = variable(Kind::Pair); !name.empty()) return name;
    }
    if (kind == 2 && depth > 0) return "(" + condition(depth - 1) + " ? " + pair(depth - 1) + " : " + pair(depth - 1) + ")";
    if (kind == 3 && depth > 0) {
      const Map* map = some_map([](const Map& m) { return m.value == Kind::Pair && m.aggregate.empty(); });
      if (map != nullptr) return place(*map, depth - 1);
    }
    const unsigned inner = depth == 0 ? 0 : depth - 1;
    return "((int64)(" + integer(inner) + "), " + text(inner) + ", (1, (int64)(" + integer(0) + ")))";
  }

  /// Every one of a limit, so that all are of one type.
  std::string stack() {
    if (std::string name = variable(Kind::Stack); !name.empty() && (!has_context() || yes(64))) return name;
    return "ustack(8)";
  }

  std::string condition(unsigned depth) {
    const unsigned inner = depth == 0 ? 0 : depth - 1;
    switch (below(depth == 0 ? 2 : 8)) {
      case 1: return integer(inner);
      case 2: return "(" + condition(inner) + one_of(std::array{" && ", " || "}) + condition(inner) + ")";
      case 3: return "!(" + condition(inner) + ")";
      case 4: return "(" + text(inner) + one_of(std::array{" == ", " != "}) + text(inner) + ")";
      case 5: return "(" + pair(inner) + one_of(std::array{" == ", " != "}) + pair(inner) + ")";
      case 6: return "(strncmp(" + text(inner) + ", " + text(inner) + ", " + std::to_string(1 + below(40)) + ") == 0)";
      case 7: {
        const Map* map = some_map([](const Map& m) { return !m.key.empty(); });
        if (map != nullptr) return one_of(std::array{"has_key(", "delete("}) + map->name + ", " + key_argument(*map, inner) + ")";
        break;
      }
      default: break;
    }
    return "(" + integer(inner) + " " + one_of(std::array{"==", "!=", "<", "<=", ">", ">="}) + " " + integer(inner) + ")";
  }

  // ---- statements ----
  std::string braces(unsigned depth) {
    const std::size_t outer = variables_.size();
    std::string all = "{";
    do {
      all += "\n" + std::string(2 * (4 - depth), ' ') + statement(depth);
    } while (yes(depth == 3 ? 235 : 130) && ++statements_ < most_statements_);
    variables_.resize(outer);
    return all + "\n" + std::string(2 * (3 - depth), ' ') + "}";
  }

  std::string statement(unsigned depth) {
    constexpr unsigned kDepth = 3;   // of expressions
    switch (below(depth == 0 ? 9 : 16)) {
      case 1: return assignment(kDepth);
      case 2: return change(kDepth);
      case 3:
      case 4:
      case 5: return to_map(kDepth);
      case 6: return print(kDepth);
      case 7: {
        const Map* map = some_map([](const Map& m) { return !m.key.empty(); });
        if (map == nullptr) return "time();";
        return yes(128) ? "delete(" + map->name + ", " + key_argument(*map, 1) + ");" : one_of(std::array{"clear(", "zero("}) + map->name + ");";
      }
      case 8: {
        const std::string word = loops_ == 0 ? one_of(std::array{"return", "exit()"}) : one_of(std::array{"break", "continue", "return", "exit()"});
        return "if (" + condition(2) + ") { " + word + "; }";
      }
      case 9:
      case 10: {
        std::string all = "if (" + condition(kDepth) + ") " + braces(depth - 1);
        if (yes(60)) all += " else if (" + condition(1) + ") " + braces(depth - 1);
        if (yes(100)) all += " else " + braces(depth - 1);
        return all;
      }
      case 11: return callback([&] { return range_loop(depth); });
      case 12: return callback([&] { return map_loop(depth); });
      case 13: return while_loop(depth);
      case 14: {
        const auto outside = std::exchange(loops_, 0u);
        std::string all = "unroll (" + std::to_string(1 + below(5)) + ") " + braces(depth - 1);
        loops_ = outside;
        return all;
      }
      case 15: return braces(depth - 1);
      default: return formatted(kDepth);
    }
  }

  template <class Make>
  std::string callback(const Make& make) {
    ++in_callback_;
    ++loops_;
    std::string all = make();
    --loops_;
    --in_callback_;
    return all;
  }

  std::string formatted(unsigned depth) {
    std::string format, values;
    for (std::size_t i = below(5); i > 0; --i) {
      const bool is_text = yes(100);
      format += is_text ? one_of(std::array{" %s", " %-20s", " %.5s"}) : one_of(std::array{" %d", " %x", " %5u", " %llx", " %c"});
      values += ", " + (is_text ? text(depth) : integer(depth));
    }
    return "printf(\"v" + format + "\\n\"" + values + ");";
  }

  std::string print(unsigned depth) {
    switch (below(4)) {
      case 1: return "print(" + value(any_kind_here(), depth) + ");";
      case 2: return "print(" + maps_[below(maps_.size())].name + ");";
      case 3: return "print((1, " + pair(depth) + ", (" + text(depth) + ", " + integer(depth) + ")));";
      default: return "print(" + integer(depth) + ");";
    }
  }

  Kind any_kind_here() {
    const Kind kind = any_kind();
    return kind == Kind::Stack && !has_context() ? Kind::Integer : kind;
  }

  std::string assignment(unsigned depth) {
    Kind kind = any_kind_here();
    const std::string old = yes(100) ? variable(kind) : "";
    const auto known = std::find_if(variables_.begin(), variables_.end(), [&](const Variable& v) { return v.name == old; });
    if (known != variables_.end() && known->is_writable) return old + " = " + cast(kind) + "(" + value(kind, depth) + ");";
    std::string right = value(kind, depth);
    const std::string name = fresh("$v");
    variables_.push_back({name, kind});
    return name + " = " + cast(kind) + "(" + right + ");";
  }
  static std::string cast(Kind kind) { return kind == Kind::Integer ? "(int64)" : ""; }

  std::string change(unsigned depth) {
    for (const Variable& v : variables_) {
      if (v.kind != Kind::Integer || !v.is_writable) continue;
      if (yes(128)) return v.name + one_of(std::array{"++", "--"}) + ";";
      return v.name + " " + one_of(std::array{"+=", "-=", "*=", "&=", "|=", "^="}) + " (int64)(" + integer(depth) + ");";
    }
    return formatted(depth);
  }

  std::string to_map(unsigned depth) {
    const Map& map = maps_[below(maps_.size())];
    const bool needs_stack = map.value == Kind::Stack || std::find(map.key.begin(), map.key.end(), Kind::Stack) != map.key.end();
    if (needs_stack && !has_context() && variable(Kind::Stack).empty()) return formatted(depth);
    const std::string to = place(map, depth) + " = ";
    if (map.aggregate == "count") return to + "count();";
    if (map.aggregate == "lhist") return to + "lhist((int64)(" + integer(depth) + "), 0, 1000, 10);";
    if (!map.aggregate.empty()) return to + map.aggregate + "((int64)(" + integer(depth) + "));";
    if (map.value == Kind::Integer) {
      switch (below(4)) {
        case 1: return place(map, depth) + "++;";
        case 2: return place(map, depth) + " += (int64)(" + integer(depth) + ");";
        case 3: return place(map, depth) + " |= (int64)(" + integer(depth) + ");";
        default: break;
      }
    }
    return to + cast(map.value) + "(" + value(map.value, depth) + ");";
  }

  std::string range_loop(unsigned depth) {
    const std::string end = yes(128) ? "((int64)(" + integer(1) + ") & 15)" : std::to_string(below(20));
    const std::string i = fresh("$i");
    variables_.push_back({i, Kind::Integer, false});
    std::string all = "for (" + i + " : 0.." + end + ") " + braces(depth - 1);
    variables_.pop_back();
    return all;
  }

  std::string map_loop(unsigned depth) {
    const Map* map = some_map([](const Map& m) { return !m.key.empty() && is_readable(m); });
    if (map == nullptr) return "time();";
    const std::string kv = fresh("$kv");
    const std::size_t outer = variables_.size();
    if (map->key.size() == 1) {
      variables_.push_back({kv + ".0", map->key[0], false});
    } else {
      for (std::size_t i = 0; i < map->key.size(); ++i) variables_.push_back({kv + ".0." + std::to_string(i), map->key[i], false});
    }
    variables_.push_back({kv + ".1", map->value, false});
    std::string all = "for (" + kv + " : " + map->name + ") " + braces(depth - 1);
    variables_.resize(outer);
    return all;
  }

  std::string while_loop(unsigned depth) {
    const std::string w = fresh("$w");
    variables_.push_back({w, Kind::Integer, false});
    ++loops_;
    std::string all = "let " + w + ": int64 = 0; while (" + w + "++ < " + std::to_string(1 + below(5)) + ") " + braces(depth - 1);
    --loops_;
    variables_.pop_back();
    return all;
  }

  Choices& choices_;
  const Machine& machine_;
  std::vector<Map> maps_;
  Probe probe_;
  bool has_stacks_ = false;
  std::vector<Variable> variables_;
  std::size_t longest_ = 250;   // of a text that is written out, its NUL included
  unsigned names_ = 0, blocks_ = 0, statements_ = 0, most_statements_ = 25;
  unsigned in_callback_ = 0;   // loop bodies open that have no context
  unsigned loops_ = 0;
};

}  // namespace

std::string any_script(Choices& choices, const Machine& machine) { return Grammar(choices, machine).script(); }

}  // namespace trc::test
