// dump(): the tree, one node a line.
#include <fmt/format.h>

#include "ast/print.h"
#include "ast/spelling.h"

namespace trc::ast {

namespace {

class Dumper {
 public:
  std::string run(const Program& program) {
    line("Program");
    Indent in(*this);
    for (auto* d : program.c_definitions) line("CDefinition {}", quoted(d->text));
    if (program.config != nullptr) config(*program.config);
    for (auto* i : program.imports) line("Import {}", quoted(i->path));
    for (auto* m : program.map_declarations) line("MapDeclaration @{} {}({})", m->name, m->kind, m->max_entries);
    for (auto* m : program.macros) macro(*m);
    for (auto* f : program.functions) function(*f);
    for (auto* p : program.probes) probe(*p);
    return std::move(out_);
  }

  // expressions
  void operator()(Integer* n) { line("Integer {}{}", n->value, n->suffix); }
  void operator()(StringLiteral* n) { line("String {}", quoted(n->value)); }
  void operator()(BoolLiteral* n) { line("Bool {}", n->value); }
  void operator()(Identifier* n) { line("Identifier {}", n->name); }
  void operator()(Variable* n) { line("Variable ${}", n->name); }
  void operator()(MapRef* n) {
    line("Map @{}{}", n->name, n->has_keys ? " keys" : "");
    children(n->keys);
  }
  void operator()(Positional* n) { line("Positional ${}", n->number); }
  void operator()(PositionalCount*) { line("PositionalCount"); }
  void operator()(Call* n) {
    line("Call {}", n->callee);
    children(n->args);
  }
  void operator()(Unary* n) {
    line("Unary {}{}", is_postfix(n->op) ? "postfix " : "", spelling(n->op));
    children(n->operand);
  }
  void operator()(Binary* n) {
    line("Binary {}", spelling(n->op));
    children(n->left, n->right);
  }
  void operator()(Ternary* n) {
    line("Ternary{}", n->then ? "" : " ?:");
    children(n->condition, n->then, n->otherwise);
  }
  void operator()(Cast* n) {
    line("Cast");
    children(n->type, n->operand);
  }
  void operator()(FieldAccess* n) {
    line("Field {}{}", n->arrow ? "->" : ".", n->field);
    children(n->base);
  }
  void operator()(TupleAccess* n) {
    line("TupleElement .{}", n->index);
    children(n->base);
  }
  void operator()(Index* n) {
    line("Index");
    children(n->base, n->indexes);
  }
  void operator()(TupleExpr* n) {
    line("Tuple");
    children(n->elements);
  }
  void operator()(RecordExpr* n) {
    line("Record");
    Indent in(*this);
    for (const RecordField& f : n->fields) {
      line(".{}", f.name);
      children(f.value);
    }
  }
  void operator()(BlockExpr* n) {
    line("BlockExpr");
    children(n->block);
  }
  void operator()(IfExpr* n) {
    line("IfExpr{}", n->comptime ? " comptime" : "");
    children(n->condition, n->then, n->otherwise);
  }
  void operator()(SizeOf* n) { operation("SizeOf", n->type, n->operand); }
  void operator()(TypeOf* n) { operation("TypeOf", n->type, n->operand); }
  void operator()(TypeInfo* n) { operation("TypeInfo", n->type, n->operand); }
  void operator()(OffsetOf* n) {
    std::string path;
    for (const std::string& field : n->path) path += "." + field;
    operation("OffsetOf " + path, n->type, n->operand);
  }
  void operator()(Comptime* n) {
    line("Comptime");
    children(n->operand);
  }

  // statements
  void operator()(ExprStmt* n) {
    line("ExprStmt");
    children(n->expr);
  }
  void operator()(Let* n) {
    line("Let ${}", n->name);
    children(n->type, n->init);
  }
  void operator()(Assign* n) {
    line("Assign {}=", n->op ? spelling(*n->op) : "");
    children(n->target, n->value);
  }
  void operator()(Discard* n) {
    line("Discard");
    children(n->value);
  }
  void operator()(If* n) {
    line("If{}", n->comptime ? " comptime" : "");
    children(n->condition, n->then, n->otherwise);
  }
  void operator()(While* n) {
    line("While");
    children(n->condition, n->body);
  }
  void operator()(For* n) {
    line("For ${}{}", n->variable, n->over ? " over" : " range");
    children(n->over, n->from, n->to, n->body);
  }
  void operator()(Unroll* n) {
    line("Unroll");
    children(n->count, n->body);
  }
  void operator()(Block* n) {
    line("Block");
    Indent in(*this);
    for (const Stmt& s : n->statements) std::visit(*this, s);
    if (n->value) {
      line("value");
      children(*n->value);
    }
  }
  void operator()(Break*) { line("Break"); }
  void operator()(Continue*) { line("Continue"); }
  void operator()(Return* n) {
    line("Return");
    children(n->value);
  }
  void operator()(ImportStmt* n) { line("Import {}", quoted(n->path)); }

 private:
  struct Indent {
    explicit Indent(Dumper& dumper) : d(dumper) { d.depth_++; }
    ~Indent() { d.depth_--; }
    Dumper& d;
  };

  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    out_.append(2 * depth_, ' ');
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  template <class... Parts>
  void children(const Parts&... parts) {
    Indent in(*this);
    (part(parts), ...);
  }
  void part(const Expr& e) { std::visit(*this, e); }
  void part(const std::optional<Expr>& e) { if (e) std::visit(*this, *e); }
  void part(const std::vector<Expr>& list) { for (const Expr& e : list) std::visit(*this, e); }
  void part(Block* block) { if (block != nullptr) (*this)(block); }
  void part(TypeName* type) {
    if (type == nullptr) return;
    std::string suffixes;
    for (const TypeSuffix& s : type->suffixes) suffixes += spelling(s);
    line("Type {}{}{}{}", type->tag.empty() ? "" : type->tag + " ", type->of || type->of_type ? "typeof" : type->name,
         suffixes.empty() ? "" : " ", suffixes);
    children(type->of_type, type->of);
  }
  void operation(const std::string& name, TypeName* type, const std::optional<Expr>& operand) {
    line("{}", name);
    children(type, operand);
  }

  void config(const Config& config) {
    line("Config");
    Indent in(*this);
    for (const ConfigEntry& e : config.entries) line("{} = {}", e.key, e.is_string ? quoted(e.value) : e.value);
  }
  void macro(const Macro& macro) {
    static constexpr const char* kSigils[] = {"", "$", "@"};
    line("Macro {}", macro.name);
    Indent in(*this);
    for (const MacroParameter& p : macro.parameters) line("Parameter {}{}", kSigils[static_cast<std::size_t>(p.kind)], p.name);
    (*this)(macro.body);
  }
  void function(const Function& function) {
    line("Function {}", function.name);
    Indent in(*this);
    for (const FunctionParameter& p : function.parameters) {
      line("Parameter ${}", p.name);
      children(p.type);
    }
    part(function.result);
    (*this)(function.body);
  }
  void probe(const Probe& probe) {
    line("Probe{}", probe.angle ? " <>" : "");
    Indent in(*this);
    for (auto* a : probe.attach_points) line("AttachPoint {}{}{}", a->name, a->name.empty() ? "" : "=", a->text);
    if (probe.predicate) {
      line("Predicate");
      children(*probe.predicate);
    }
    (*this)(probe.body);
  }

  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string dump(const Program& program) { return Dumper().run(program); }

}  // namespace trc::ast
