#include "generator/compile.h"

#include "ast/passes/analyse.h"
#include "builtins/catalogue.h"
#include "codegen/codegen.h"
#include "kernel/facts.h"
#include "parser/parser.h"
#include "runtime/engine.h"
#include "runtime/unwind/unwind_maps.h"

namespace trc::test {

Compiled compile(const std::string& script) {
  const SourceFile file("generated", script);
  Diagnostics diagnostics;
  const auto tree = parser::parse(file, {}, diagnostics);
  std::optional<ast::Analysis> analysis;
  if (diagnostics.ok()) analysis = ast::analyse(tree, {&file}, builtins::catalogue(), kernel::system_facts(), {}, diagnostics);
  if (!analysis) return {std::nullopt, render_text(diagnostics, {&file}, false)};
  auto made = codegen::generate(analysis->program, {});
  if (!made) return {std::nullopt, made.error().message()};
  made->image.settings = std::move(analysis->settings);
  made->image.sources.push_back({file.name(), script});
  return {std::move(made->image), ""};
}

std::string load(const image::ProgramImage& image) {
  runtime::EngineOptions options;
  options.ring_bytes = 4096;
  const auto engine = runtime::make_kernel_engine(options);
  static const auto tables = runtime::UnwindMaps::create();
  if (!tables) return tables.error().message();
  for (const auto& map : (*tables)->maps()) engine->provide_map(map.name, map.fd);
  const std::vector<std::uint64_t> constants(image.constants.size(), 1);
  auto loaded = engine->load(image, constants);
  if (loaded) return "";
  const std::string log = engine->verifier_log();
  return loaded.error().message() + "\n" + log.substr(log.size() - std::min<std::size_t>(log.size(), 3000));
}

}  // namespace trc::test
