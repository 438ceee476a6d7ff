// The tables of the sources as JSON: what docs/coverage.md, the manual pages, completions and syntax files are made of.
#include "ast/passes/config_variables.h"
#include "base/json_writer.h"
#include "base/version.h"
#include "builtins/catalogue.h"
#include "builtins/families.h"
#include "cli/commands.h"
#include "lang/type.h"
#include "output/sink.h"
#include "parser/parser.h"
#include "probes/provider.h"
#include "source/diagnostics.h"

namespace trc::cli {
namespace {

std::string_view form_name(lang::BuiltinForm form) {
  switch (form) {
    case lang::BuiltinForm::Function: return "function";
    case lang::BuiltinForm::Value: return "value";
    case lang::BuiltinForm::Aggregate: return "aggregate";
  }
  return "";
}

void write_builtin(JsonWriter& json, const lang::BuiltinSpec& row, bool missing) {
  json.begin_object().key("name").string(row.name).key("form").string(form_name(row.form));
  json.key("parameters").begin_array();
  for (const lang::Param& parameter : row.params) {
    json.begin_object().key("name").string(parameter.name).key("type").string(parameter.type);
    json.key("optional").boolean(parameter.optional).key("repeated").boolean(parameter.repeated).end_object();
  }
  json.end_array().key("result").string(row.result).key("doc").string(row.doc);
  json.key("example").string(row.example).key("prints").string(row.prints).key("unsafe").string(row.unsafe).key("missing").boolean(missing).end_object();
}

void write_builtins(JsonWriter& json) {
  json.key("builtins").begin_array();
  const auto missing = builtins::not_yet_builtins();
  for (const auto& family : builtins::catalogue().families()) {
    for (const lang::BuiltinSpec& row : family) write_builtin(json, row, family.data() == missing.data());
  }
  json.end_array();
}

void write_probes(JsonWriter& json) {
  json.key("probes").begin_array();
  for (const probes::Provider* provider : probes::registry()) {
    json.begin_object().key("name").string(provider->name()).key("aliases").begin_array();
    for (const std::string_view alias : provider->aliases()) json.string(alias);
    json.end_array().key("doc").string(provider->doc()).key("example").string(provider->example()).end_object();
  }
  json.end_array();
}

void write_config(JsonWriter& json) {
  json.key("config").begin_array();
  for (const ast::ConfigVariable& variable : ast::config_variables()) {
    json.begin_object().key("name").string(variable.key).key("default").string(variable.standard).key("doc").string(variable.doc);
    json.key("environment").boolean(variable.from_environment).end_object();
  }
  json.end_array();
}

void write_options(JsonWriter& json) {
  json.key("options").begin_array();
  for (const OptionRow& row : option_table()) {
    json.begin_object().key("names").begin_array();
    for (const std::string& name : row.names) json.string(name);
    json.end_array().key("value").string(row.value).key("doc").string(row.doc).key("group").string(row.group).end_object();
  }
  json.end_array();
}

void write_diagnostics(JsonWriter& json) {
  json.key("diagnostics").begin_array();
  for (const Diag code : all_diagnostics()) {
    json.begin_object().key("name").string(slug_of(code)).key("severity").string(severity_of(code) == Severity::Error ? "error" : "warning");
    const Explanation& explanation = explanation_of(code);
    json.key("doc").string(explanation.text).key("fails").string(explanation.fails).key("mended").string(explanation.mended).end_object();
  }
  json.end_array();
}

template <class Names>
void write_names(JsonWriter& json, std::string_view key, const Names& names) {
  json.key(key).begin_array();
  for (const auto& name : names) json.string(name);
  json.end_array();
}

}  // namespace

std::string tables_text() {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("version").string(kVersion);
  write_builtins(json);
  write_probes(json);
  write_config(json);
  write_options(json);
  json.key("formats").begin_array();
  for (const output::Format& format : output::formats()) {
    json.begin_object().key("name").string(format.name).key("doc").string(format.doc).end_object();
  }
  json.end_array();
  write_diagnostics(json);
  write_names(json, "keywords", parser::keywords());
  write_names(json, "types", lang::named_types());
  json.end_object();
  return out + "\n";
}

}  // namespace trc::cli
