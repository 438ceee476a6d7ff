// print(): canonical source. Parentheses appear where the tree needs them, where the parser would read something else without them, and
// where people expect them (around compared conditions).
#include "ast/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "ast/spelling.h"
#include "base/strings.h"

namespace trc::ast {

namespace {

// How tightly expressions bind; binary operators take 1 to 10 (precedence()).
constexpr int kLoosest = 0, kUnary = 11, kPostfix = 12, kPrimary = 13;

/// Is the block used for its value? Then a final if or block would be that value, were it not ended by a ';'.
enum class Use : std::uint8_t { Statements, Value };

class Printer {
 public:
  Printer() = default;
  /// Keeps what a tree does not hold: see format().
  Printer(const SourceFile& source, const std::vector<Span>& comments) : source_(source.text()), comments_(comments) {}

  /// Everything in the order of the source.
  std::string run_in_order(const Program& program) {
    std::vector<std::pair<Span, std::function<void()>>> items;
    for (auto* d : program.c_definitions) items.emplace_back(d->span, [this, d] { out_ += d->text; });
    if (program.config != nullptr) items.emplace_back(program.config->span, [this, &program] { config(*program.config); });
    for (auto* i : program.imports) items.emplace_back(i->span, [this, i] { out_ += fmt::format("import {};", quoted(i->path)); });
    for (auto* m : program.map_declarations) items.emplace_back(m->span, [this, m] { map_declaration(*m); });
    for (auto* m : program.macros) items.emplace_back(m->span, [this, m] { macro(*m); });
    for (auto* f : program.functions) items.emplace_back(f->span, [this, f] { function(*f); });
    for (auto* p : program.probes) items.emplace_back(p->span, [this, p] { probe(*p); });
    std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.first.begin < b.first.begin; });
    if (source_.starts_with("#!")) {
      out_ = source_.substr(0, source_.find('\n'));
      done_ = static_cast<std::uint32_t>(out_.size());
    }
    for (const auto& [span, print_item] : items) {
      lead(span.begin);
      if (!out_.empty()) newline();
      print_item();
      while (out_.ends_with('\n')) out_.pop_back();
      done_ = std::max(done_, span.end);
    }
    lead(static_cast<std::uint32_t>(source_.size()), Blank::Drop);
    if (!out_.empty()) out_ += "\n";
    return std::move(out_);
  }

  std::string run(const Program& program) {
    for (auto* d : program.c_definitions) out_ += d->text + "\n";
    if (program.config != nullptr) config(*program.config);
    for (auto* i : program.imports) out_ += fmt::format("import {};\n", quoted(i->path));
    for (auto* m : program.map_declarations) out_ += fmt::format("let @{} = {}({});\n", m->name, m->kind, m->max_entries);
    for (auto* m : program.macros) macro(*m);
    for (auto* f : program.functions) function(*f);
    for (auto* p : program.probes) probe(*p);
    return std::move(out_);
  }

  // ---- expressions: each visitor appends one, without parentheses around it ----
  void operator()(Integer* n) {
    if (!source_.empty()) out_ += written(n->span);
    else out_ += std::to_string(n->value) + n->suffix;
  }
  void operator()(StringLiteral* n) {
    const std::string_view text = written(n->span);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') out_ += text;
    else out_ += quoted(n->value);
  }
  void operator()(BoolLiteral* n) { out_ += n->value ? "true" : "false"; }
  void operator()(Identifier* n) { out_ += n->name; }
  void operator()(Variable* n) { out_ += "$" + n->name; }
  void operator()(MapRef* n) {
    out_ += "@" + n->name;
    if (n->has_keys) list("[", n->keys, "]");
  }
  void operator()(Positional* n) { out_ += fmt::format("${}", n->number); }
  void operator()(PositionalCount*) { out_ += "$#"; }
  void operator()(Call* n) {
    out_ += n->callee;
    list("(", n->args, ")");
  }
  void operator()(Unary* n) {
    if (is_postfix(n->op)) {
      expr(n->operand, kPostfix);
      out_ += spelling(n->op);
      return;
    }
    out_ += spelling(n->op);
    // "- -x" must not become "--x".
    auto* const* inner = std::get_if<Unary*>(&n->operand);
    const bool would_merge = inner != nullptr && !is_postfix((*inner)->op) && spelling(n->op)[0] == spelling((*inner)->op)[0] &&
                             n->op != UnaryOp::Not && n->op != UnaryOp::BitNot && n->op != UnaryOp::Dereference;
    expr(n->operand, would_merge ? kPrimary : kUnary);
  }
  void operator()(Binary* n) {
    const int level = precedence(n->op);
    expr(n->left, level);
    out_ += fmt::format(" {} ", spelling(n->op));
    expr(n->right, level + 1);
  }
  void operator()(Ternary* n) {
    expr(n->condition, std::holds_alternative<Binary*>(n->condition) ? kPrimary : 1);
    if (n->then) {
      out_ += " ? ";
      expr(*n->then);
      out_ += " : ";
    } else {
      out_ += " ?: ";
    }
    expr(n->otherwise);
  }
  void operator()(Cast* n) {
    out_ += "(";
    type(*n->type);
    out_ += ")";
    // A name in capitals in front of an operator reads as a value, so "(FOO)-1" would be a subtraction.
    const std::string& name = n->type->name;
    const bool capitals = !name.empty() && std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    expr(n->operand, capitals && std::holds_alternative<Unary*>(n->operand) ? kPrimary : kUnary);
  }
  void operator()(FieldAccess* n) {
    expr(n->base, kPostfix);
    out_ += (n->arrow ? "->" : ".") + n->field;
  }
  void operator()(TupleAccess* n) {
    expr(n->base, kPostfix);
    out_ += fmt::format(".{}", n->index);
  }
  void operator()(Index* n) {
    auto* const* map = std::get_if<MapRef*>(&n->base);
    const bool would_be_key = map != nullptr && !(*map)->has_keys;
    expr(n->base, would_be_key ? kPrimary + 1 : kPostfix);
    list("[", n->indexes, "]");
  }
  void operator()(TupleExpr* n) { list("(", n->elements, n->elements.size() == 1 ? ",)" : ")"); }
  void operator()(RecordExpr* n) {
    Enclosed inside(*this);
    out_ += "(";
    for (std::size_t i = 0; i < n->fields.size(); i++) {
      out_ += (i > 0 ? ", " : "") + n->fields[i].name + "=";
      expr(n->fields[i].value);
    }
    out_ += ")";
  }
  void operator()(BlockExpr* n) { block(*n->block, Use::Value); }
  void operator()(IfExpr* n) { choice(n->comptime, n->condition, n->then, n->otherwise, Use::Value); }
  void operator()(SizeOf* n) { operation("sizeof", n->type, n->operand, ""); }
  void operator()(TypeOf* n) { operation("typeof", n->type, n->operand, ""); }
  void operator()(TypeInfo* n) { operation("typeinfo", n->type, n->operand, ""); }
  void operator()(OffsetOf* n) {
    std::string path;
    for (const std::string& field : n->path) path += (path.empty() ? ", " : ".") + field;
    operation("offsetof", n->type, n->operand, path);
  }
  void operator()(Comptime* n) {
    out_ += "comptime ";
    expr(n->operand, kUnary);
  }

  // ---- statements: each appends one without its ';' ----
  void operator()(ExprStmt* n) { expr_at_start(n->expr); }
  void operator()(Let* n) {
    out_ += "let $" + n->name;
    if (n->type != nullptr) {
      out_ += ": ";
      type(*n->type);
    }
    if (n->init) {
      out_ += " = ";
      expr(*n->init);
    }
  }
  void operator()(Assign* n) {
    expr(n->target, kPostfix);
    out_ += fmt::format(" {}= ", n->op ? spelling(*n->op) : "");
    expr(n->value);
  }
  void operator()(Discard* n) {
    out_ += "_ = ";
    expr(n->value);
  }
  void operator()(If* n) { choice(n->comptime, n->condition, n->then, n->otherwise, Use::Statements); }
  void operator()(While* n) {
    out_ += "while ";
    condition(n->condition);
    out_ += " ";
    block(*n->body, Use::Statements);
  }
  void operator()(For* n) {
    out_ += fmt::format("for ${} : ", n->variable);
    if (n->over) expr(*n->over, kPostfix);
    if (n->from && n->to) {
      expr(*n->from, kPostfix);
      out_ += "..";
      expr(*n->to, kPostfix);
    }
    out_ += " ";
    block(*n->body, Use::Statements);
  }
  void operator()(Unroll* n) {
    out_ += "unroll ";
    parenthesised(n->count);
    out_ += " ";
    block(*n->body, Use::Statements);
  }
  void operator()(Block* n) { block(*n, Use::Statements); }
  void operator()(Break*) { out_ += "break"; }
  void operator()(Continue*) { out_ += "continue"; }
  void operator()(Return* n) {
    out_ += "return";
    if (!n->value) return;
    out_ += " ";
    expr(*n->value);
  }
  void operator()(ImportStmt* n) { out_ += "import " + quoted(n->path); }

 private:
  /// Between brackets: a '>' there does not close an angle block.
  struct Enclosed {
    explicit Enclosed(Printer& printer) : p(printer), before(std::exchange(printer.bare_in_angle_, false)) {}
    ~Enclosed() { p.bare_in_angle_ = before; }
    Printer& p;
    bool before;
  };

  void newline() { out_ += "\n" + std::string(2 * depth_, ' '); }

  // ---- what only the source has: comments, blank lines, spellings. Without a source these do nothing ----

  enum class Blank : std::uint8_t { Keep, Drop };

  std::string_view written(Span span) const { return source_.substr(std::min<std::size_t>(span.begin, source_.size()), span.end - span.begin); }

  /// To be called where something that begins at `begin` gets a line of its own: puts the comments in front of it, behind the line before or on
  /// their own lines, and keeps the empty lines between.
  void lead(std::uint32_t begin, Blank blank = Blank::Keep) {
    if (source_.empty()) return;
    for (; next_comment_ < comments_.size() && comments_[next_comment_].begin < begin; next_comment_++) {
      const Span comment = comments_[next_comment_];
      if (behind_line(comment)) {
        out_ += "  ";
      } else {
        blank_lines(done_, comment.begin);
        if (!out_.empty()) newline();
      }
      out_ += written(comment);
      line_is_closed_ = written(comment).starts_with("//");
      opened_ = false;
      done_ = std::max(done_, comment.end);
    }
    if (blank == Blank::Keep) blank_lines(done_, begin);
    opened_ = line_is_closed_ = false;
  }
  /// Does the comment go on with the line that was printed last, as it does in the source?
  bool behind_line(Span comment) const {
    if (out_.empty() || line_is_closed_) return false;
    return comment.begin < done_ || source_.substr(done_, comment.begin - done_).find('\n') == std::string_view::npos;
  }
  void blank_lines(std::uint32_t from, std::uint32_t to) {
    if (opened_ || out_.empty() || from >= to) return;   // none at the start of a block
    const std::string_view between = source_.substr(from, to - from);
    const auto lines = std::count(between.begin(), between.end(), '\n');
    for (auto i = lines; i > 1; i--) out_ += "\n";
  }
  std::size_t column() const { return out_.size() - (out_.rfind('\n') + 1); }   // npos + 1 is 0
  void map_declaration(const MapDeclaration& m) {
    const std::string_view text = written(m.span);
    const std::size_t open = text.find('('), close = text.rfind(')');
    const std::string count = open < close && close != std::string_view::npos ? std::string(trim(text.substr(open + 1, close - open - 1)))
                                                                              : std::to_string(m.max_entries);
    out_ += fmt::format("let @{} = {}({});", m.name, m.kind, count);
  }

  int level_of(const Expr& e) const {
    if (std::holds_alternative<Ternary*>(e) || std::holds_alternative<BlockExpr*>(e) || std::holds_alternative<IfExpr*>(e)) return kLoosest;
    if (auto* const* binary = std::get_if<Binary*>(&e)) {
      const bool closes = (*binary)->op == BinaryOp::Greater || (*binary)->op == BinaryOp::ShiftRight;
      return closes && bare_in_angle_ ? -1 : precedence((*binary)->op);
    }
    if (auto* const* unary = std::get_if<Unary*>(&e)) return is_postfix((*unary)->op) ? kPostfix : kUnary;
    if (std::holds_alternative<Cast*>(e) || std::holds_alternative<Comptime*>(e)) return kUnary;
    return kPrimary;
  }

  void expr(const Expr& e, int at_least = kLoosest) {
    if (level_of(e) < at_least) parenthesised(e);
    else std::visit(*this, e);
  }
  void parenthesised(const Expr& e) {
    Enclosed inside(*this);
    out_ += "(";
    std::visit(*this, e);
    out_ += ")";
  }
  /// Where a '{' or 'if' would start a statement.
  void expr_at_start(const Expr& e) {
    if (std::holds_alternative<BlockExpr*>(e) || std::holds_alternative<IfExpr*>(e)) parenthesised(e);
    else expr(e);
  }
  void list(const char* open, const std::vector<Expr>& items, const char* close) {
    Enclosed inside(*this);
    out_ += open;
    const std::size_t indent = column();
    for (std::size_t i = 0; i < items.size(); i++) {
      const std::size_t before = out_.size(), comments_before = next_comment_;
      const std::uint32_t done_before = done_;
      if (i > 0) out_ += ", ";
      expr(items[i]);
      if (i == 0 || source_.empty() || column() <= kWidth || *open != '(') continue;
      out_.resize(before);
      next_comment_ = comments_before;
      done_ = done_before;
      out_ += ",\n" + std::string(indent, ' ');
      expr(items[i]);
    }
    out_ += close;
  }

  void type(const TypeName& t) {
    if (t.of || t.of_type != nullptr) operation("typeof", t.of_type, t.of, "");
    else out_ += t.tag + (t.tag.empty() ? "" : " ") + t.name;
    for (const TypeSuffix& suffix : t.suffixes) out_ += spelling(suffix);
  }
  void operation(const char* name, const TypeName* of_type, const std::optional<Expr>& operand, const std::string& tail) {
    Enclosed inside(*this);
    out_ += fmt::format("{}(", name);
    if (of_type != nullptr) type(*of_type);
    if (operand) {
      // What could be read as a type is one, unless it stands in parentheses.
      const bool like_type = std::holds_alternative<Identifier*>(*operand) || std::holds_alternative<Index*>(*operand) ||
                             std::holds_alternative<TypeOf*>(*operand);
      if (like_type) parenthesised(*operand);
      else expr(*operand);
    }
    out_ += tail + ")";
  }

  /// Bare when it is simple, so that it reads well; in parentheses otherwise.
  void condition(const Expr& e) {
    const bool complex = level_of(e) < kUnary || std::holds_alternative<Cast*>(e) || std::holds_alternative<Comptime*>(e);
    if (complex) parenthesised(e);
    else expr(e);
  }
  void choice(bool comptime, const Expr& test, const Block* then, const Block* otherwise, Use use) {
    out_ += comptime ? "if comptime " : "if ";
    condition(test);
    out_ += " ";
    block(*then, use);
    if (otherwise == nullptr) return;
    out_ += " else ";
    if (otherwise->statements.size() == 1 && !otherwise->value) {
      if (auto* const* next = std::get_if<If*>(&otherwise->statements.front())) return (*this)(*next);
    }
    if (otherwise->statements.empty() && otherwise->value) {
      auto* const* next = std::get_if<IfExpr*>(&*otherwise->value);
      if (next != nullptr && yields(**next)) return (*this)(*next);
    }
    block(*otherwise, use);
  }
  static bool yields(const IfExpr& e) { return e.then->value && e.otherwise != nullptr && e.otherwise->value; }

  void block(const Block& b, Use use) {
    Enclosed inside(*this);
    out_ += "{";
    body(b, use);
    out_ += "}";
  }
  /// The statements, each on its line, and the line break in front of the closer.
  void body(const Block& b, Use use) {
    depth_++;
    done_ = std::max(done_, b.span.begin + 1);
    opened_ = true;
    for (const Stmt& s : b.statements) {
      lead(span_of(s).begin);
      newline();
      std::visit(*this, s);
      const bool last = &s == &b.statements.back() && !b.value;
      const bool may_be_value = std::holds_alternative<If*>(s) || std::holds_alternative<Block*>(s);
      if (!ends_with_block(s) || (last && may_be_value && use == Use::Value)) out_ += ";";
      done_ = std::max(done_, span_of(s).end);
    }
    if (b.value) {
      lead(span_of(*b.value).begin);
      newline();
      value(*b.value, use);
      done_ = std::max(done_, span_of(*b.value).end);
    }
    lead(b.span.end - 1, Blank::Drop);
    depth_--;
    newline();
    done_ = std::max(done_, b.span.end);
  }
  void value(const Expr& e, Use use) {
    auto* const* choice_value = std::get_if<IfExpr*>(&e);
    if (use == Use::Value && choice_value != nullptr && yields(**choice_value)) (*this)(*choice_value);
    else expr_at_start(e);
  }
  static bool ends_with_block(const Stmt& s) {
    return std::holds_alternative<If*>(s) || std::holds_alternative<While*>(s) || std::holds_alternative<For*>(s) ||
           std::holds_alternative<Unroll*>(s) || std::holds_alternative<Block*>(s);
  }

  // ---- top level ----
  void blank_line() { if (!out_.empty() && source_.empty()) out_ += "\n"; }
  void config(const Config& config) {
    out_ += "config = {";
    depth_++;
    if (source_.find('{', config.span.begin) != std::string_view::npos) done_ = std::max(done_, static_cast<std::uint32_t>(source_.find('{', config.span.begin)) + 1);
    opened_ = true;
    for (const ConfigEntry& e : config.entries) {
      lead(e.key_span.begin);
      newline();
      out_ += fmt::format("{} = {};", e.key, source_.empty() ? e.is_string ? quoted(e.value) : e.value : written(e.value_span));
      done_ = std::max(done_, e.value_span.end);
    }
    lead(config.span.end - 1, Blank::Drop);
    depth_--;
    newline();
    out_ += "}\n";
  }
  void macro(const Macro& macro) {
    static constexpr const char* kSigils[] = {"", "$", "@"};
    blank_line();
    out_ += fmt::format("macro {}(", macro.name);
    for (const MacroParameter& p : macro.parameters) {
      out_ += fmt::format("{}{}{}", &p == &macro.parameters.front() ? "" : ", ", kSigils[static_cast<std::size_t>(p.kind)], p.name);
    }
    out_ += ")\n";
    block(*macro.body, Use::Value);
    out_ += "\n";
  }
  void function(const Function& function) {
    blank_line();
    out_ += fmt::format("fn {}(", function.name);
    for (const FunctionParameter& p : function.parameters) {
      out_ += fmt::format("{}${}: ", &p == &function.parameters.front() ? "" : ", ", p.name);
      type(*p.type);
    }
    out_ += "): ";
    type(*function.result);
    out_ += "\n";
    block(*function.body, Use::Statements);
    out_ += "\n";
  }
  void probe(const Probe& probe) {
    blank_line();
    for (auto* a : probe.attach_points) {
      if (a != probe.attach_points.front()) {
        lead(a->span.begin, Blank::Drop);
        newline();
      }
      if (source_.empty()) out_ += fmt::format("{}{}{}", a->name, a->name.empty() ? "" : "=", a->text);
      else out_ += trim(written(a->span));
      if (a != probe.attach_points.back()) out_ += ",";
      done_ = std::max(done_, a->span.end);
    }
    if (probe.predicate) {
      lead(span_of(*probe.predicate).begin, Blank::Drop);
      newline();
      predicate(*probe.predicate);
      done_ = std::max(done_, span_of(*probe.predicate).end);
    }
    lead(probe.body->span.begin, Blank::Drop);
    newline();
    bare_in_angle_ = probe.angle;
    out_ += probe.angle ? "<" : "{";
    body(*probe.body, Use::Statements);
    out_ += probe.angle ? ">\n" : "}\n";
    bare_in_angle_ = false;
  }
  void predicate(const Expr& e) {
    const std::size_t begin = out_.size();
    std::visit(*this, e);
    // A '/' in front of a '{' would close the predicate.
    if (out_.find('{', begin) != std::string::npos) out_.insert(begin, "(").append(")");
    out_.insert(begin, "/");
    out_ += "/";
  }

  static constexpr std::size_t kWidth = 80;

  std::string out_;
  std::string_view source_;                // empty: none
  std::vector<Span> comments_;
  std::size_t next_comment_ = 0;
  std::uint32_t done_ = 0;                 // so far the source has been printed
  bool opened_ = false;                    // a block has just been opened
  bool line_is_closed_ = false;            // by a comment to the end of the line
  std::size_t depth_ = 0;
  bool bare_in_angle_ = false;  // a '>' here would close the block of an angle probe
};

}  // namespace

std::string print(const Program& program) { return Printer().run(program); }
std::string format(const Program& program, const SourceFile& source) { return Printer(source, program.comments).run_in_order(program); }

}  // namespace trc::ast
