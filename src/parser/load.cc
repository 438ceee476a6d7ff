#include "parser/load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "ast/walk.h"
#include "base/owned.h"
#include "base/read_file.h"
#include "parser/parser.h"

namespace trc::parser {
namespace {

constexpr std::size_t kMaxFiles = 1000;
constexpr std::size_t kMaxImportDepth = 100;

/// The library that other tools bring as files is part of trc itself: importing it is allowed and changes nothing. The names of its parts.
constexpr std::string_view kLibraryParts[] = {"arch", "base", "cgroups", "hash", "kfunc", "map", "meta", "network", "path", "process", "socket", "stack", "strings",
                                              "system", "task", "test", "usdt"};

bool is_bundled(std::string_view path) { return path == "stdlib" || path.starts_with("stdlib/"); }

/// "stdlib", "stdlib/strings", "stdlib/strings.bt", "stdlib/strings/…": the part; empty: all of it.
std::string_view library_part(std::string_view path) {
  path.remove_prefix(std::min(path.size(), std::string_view("stdlib/").size()));
  path = path.substr(0, path.find('/'));
  return path.substr(0, path.find('.'));
}

enum class FileKind : std::uint8_t { Script, Header, BpfSource, Other };

FileKind kind_of(std::string_view path) {
  if (path.ends_with(".bt") || path.ends_with(".trc")) return FileKind::Script;
  if (path.ends_with(".bpf.c") || path.ends_with(".bpf.o")) return FileKind::BpfSource;
  return path.ends_with(".h") ? FileKind::Header : FileKind::Other;
}

template <class T>
void append(std::vector<T>& to, std::vector<T>&& from) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

struct ImportFinder : ast::Walker<ImportFinder> {
  void enter(const ast::ImportStmt& n) { found.push_back(&n); }
  std::vector<const ast::ImportStmt*> found;
};

class Loader {
 public:
  Loader(const LoadOptions& options, Diagnostics& diags) : options_(options), diags_(diags) {}

  LoadedScript run(SourceFile script) {
    if (struct stat status {}; !options_.path.empty() && ::stat(options_.path.c_str(), &status) == 0) seen_.insert({status.st_dev, status.st_ino});
    const std::string folder = std::filesystem::path(options_.path).parent_path();
    ast::Program program = parse_file(std::move(script), folder, 0);
    append(loaded_.program.c_definitions, std::move(program.c_definitions));
    loaded_.program.config = program.config;
    take(std::move(program));
    return std::move(loaded_);
  }

 private:
  /// Parses one file and loads what it imports. The imports' parts are in loaded_ then, its own are returned.
  ast::Program parse_file(SourceFile file, const std::string& folder, std::size_t depth) {
    const auto index = static_cast<std::uint32_t>(loaded_.sources.size());
    loaded_.sources.push_back(std::make_unique<SourceFile>(std::move(file)));
    ast::Program program = parse(*loaded_.sources.back(), {options_.positionals, index, loaded_.program.arena}, diags_);
    for (const ast::Import* import : program.imports) load_import(*import, folder, depth);
    program.imports.clear();
    ImportFinder inner;
    if (!diags_.ok()) return program;   // then it may have holes
    for (const ast::Probe* probe : program.probes) inner.walk(*probe);
    for (const ast::Function* function : program.functions) inner.walk(*function->body);
    for (const ast::Macro* macro : program.macros) inner.walk(*macro->body);
    for (const ast::ImportStmt* statement : inner.found) load_inner_import(*statement, folder, depth);
    return program;
  }

  void take(ast::Program program) {
    append(loaded_.program.map_declarations, std::move(program.map_declarations));
    append(loaded_.program.macros, std::move(program.macros));
    append(loaded_.program.functions, std::move(program.functions));
    append(loaded_.program.probes, std::move(program.probes));
  }

  /// Inside a block only what declares types.
  void load_inner_import(const ast::ImportStmt& statement, const std::string& folder, std::size_t depth) {
    auto* import = loaded_.program.arena->make<ast::Import>(statement.span);
    import->path = statement.path;
    if (!is_bundled(import->path) && kind_of(import->path) == FileKind::Script) {
      diags_.report(Diag::InvalidImport, import->span, "a script cannot be imported inside a block").with_hint("import it at the top; inside blocks stand C headers");
      return;
    }
    load_import(*import, folder, depth);
  }

  void check_library(const ast::Import& import) {
    const std::string_view part = library_part(import.path);
    if (part.empty() || std::ranges::count(kLibraryParts, part) != 0) return;
    std::vector<std::string> names(std::begin(kLibraryParts), std::end(kLibraryParts));
    const std::string near = nearest(std::string(part), names);
    diags_.report(Diag::InvalidImport, import.span, fmt::format("the library has no part named {}", part))
        .with_hint(near.empty() ? "everything in it is known without an import" : "did you mean stdlib/" + near + "? It is known without an import");
  }

  void load_import(const ast::Import& import, const std::string& folder, std::size_t depth) {
    if (is_bundled(import.path)) return check_library(import);
    const std::filesystem::path wanted(import.path);
    const std::string path = wanted.is_absolute() || folder.empty() ? import.path : (std::filesystem::path(folder) / wanted).string();
    if (!load_path(path, import, depth)) {
      diags_.report(Diag::InvalidImport, import.span, fmt::format("Unable to find suitable path for import: {}", import.path))
          .with_hint("looked for: " + path);
    }
  }

  /// False when nothing can be imported from there.
  bool load_path(const std::string& path, const ast::Import& import, std::size_t depth) {
    // Not blocking: a pipe of that name must not hold trc.
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return false;
    if ((status.st_mode & S_IWOTH) != 0) {
      diags_.report(Diag::UnsafeImport, import.span, fmt::format("{}: skipping due to global write permissions", path))
          .with_hint("whoever may write there decides what runs here as root: chmod o-w " + path);
      return false;
    }
    if (S_ISDIR(status.st_mode)) return load_folder(path, import, depth);
    if (!S_ISREG(status.st_mode)) return false;
    if (!seen_.insert({status.st_dev, status.st_ino}).second) return true;
    if (loaded_.sources.size() >= kMaxFiles || depth >= kMaxImportDepth) {
      diags_.report(Diag::LimitExceeded, import.span, fmt::format("more than {} files, or {} levels of files that import one another", kMaxFiles, kMaxImportDepth));
      return true;
    }
    load_file(file.get(), path, import, depth);
    return true;
  }

  void load_file(int file, const std::string& path, const ast::Import& import, std::size_t depth) {
    switch (kind_of(path)) {
      case FileKind::Script: break;
      case FileKind::Header: return include(path, import);
      case FileKind::BpfSource:
        diags_.report(Diag::NotSupportedYet, import.span, fmt::format("importing BPF programs ({}) is not supported yet", path));
        return;
      case FileKind::Other:
        diags_.report(Diag::InvalidImport, import.span, fmt::format("{} is nothing that can be imported", path))
            .with_hint("scripts end in .bt or .trc, C headers in .h");
        return;
    }
    Result<std::string> text = read_all(file, path);
    if (!text) {
      diags_.report(Diag::InvalidImport, import.span, text.error().message());
      return;
    }
    ast::Program program = parse_file(SourceFile(path, std::move(*text)), std::filesystem::path(path).parent_path(), depth + 1);
    if (program.config) {
      diags_.report(Diag::InvalidImport, program.config->span, "invalid `config` within import")
          .with_note(import.span, "imported here").with_hint("only the script itself has settings");
    }
    append(loaded_.program.c_definitions, std::move(program.c_definitions));
    take(std::move(program));
  }

  /// The C front end reads it, as for #include.
  void include(const std::string& path, const ast::Import& import) {
    std::error_code failure;
    const std::filesystem::path absolute = std::filesystem::absolute(path, failure);
    auto* definition = loaded_.program.arena->make<ast::CDefinition>(import.span);
    definition->text = fmt::format("#include \"{}\"", failure ? path : absolute.string());
    loaded_.program.c_definitions.push_back(definition);
  }

  /// What is in it and can be imported, by name; not what is in its folders.
  bool load_folder(const std::string& path, const ast::Import& import, std::size_t depth) {
    std::error_code failure;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(path, failure), end; !failure && it != end; it.increment(failure)) {
      if (kind_of(it->path().native()) != FileKind::Other) names.push_back(it->path().native());
    }
    if (failure) return false;
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) load_path(name, import, depth);
    return true;
  }

  const LoadOptions& options_;
  Diagnostics& diags_;
  LoadedScript loaded_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

std::vector<const SourceFile*> LoadedScript::files() const {
  std::vector<const SourceFile*> all;
  for (const auto& source : sources) all.push_back(source.get());
  return all;
}

LoadedScript load(SourceFile script, const LoadOptions& options, Diagnostics& diags) { return Loader(options, diags).run(std::move(script)); }

}  // namespace trc::parser
