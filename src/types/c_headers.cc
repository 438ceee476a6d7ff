#include "types/c_headers.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "base/owned.h"
#include "base/read_file.h"
#include "base/strings.h"

extern char** environ;

namespace trc::types {
namespace {

/// The name that the section goes by in line markers; each text is the line of its number.
constexpr std::string_view kName = "trc-script";

struct Run { int status = -1; std::string output, errors; };

/// Runs a program from PATH; status 127 if there is none of this name.
Run run(const std::vector<std::string>& words, const std::string& input) {
  Run result;
  const Fd in(::memfd_create("trc-c-input", MFD_CLOEXEC)), out(::memfd_create("trc-c-output", MFD_CLOEXEC)), err(::memfd_create("trc-c-errors", MFD_CLOEXEC));
  if (!in || !out || !err) return result;
  for (std::size_t at = 0; at < input.size();) {
    const ssize_t written = ::write(in.get(), input.data() + at, input.size() - at);
    if (written <= 0) return result;
    at += static_cast<std::size_t>(written);
  }
  ::lseek(in.get(), 0, SEEK_SET);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, argv.front(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    result.status = failed == ENOENT ? 127 : -1;
    return result;
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  for (const auto& [fd, text] : {std::pair{out.get(), &result.output}, std::pair{err.get(), &result.errors}}) {
    ::lseek(fd, 0, SEEK_SET);
    if (auto bytes = read_all(fd, "output of the C preprocessor")) *text = std::move(*bytes);
  }
  return result;
}

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// Options for the headers of the running kernel, when they are installed; otherwise those for programs are what there is.
std::vector<std::string> kernel_headers() {
  utsname name{};
  ::uname(&name);
  const std::string build = fmt::format("/lib/modules/{}/build", name.release);
  std::string source = fmt::format("/lib/modules/{}/source", name.release);
  if (!is_folder(build + "/include")) return {};
  if (!is_folder(source + "/include")) source = build;
  std::vector<std::string> words{"-nostdinc", "-D__KERNEL__", "-D__BPF_TRACING__"};
  for (const std::string& folder : {source, build}) {
    for (const char* part : {"/arch/x86/include", "/arch/x86/include/generated", "/include", "/arch/x86/include/uapi", "/arch/x86/include/generated/uapi",
                             "/include/uapi", "/include/generated/uapi"}) {
      if (is_folder(folder + part)) words.push_back("-I" + folder + part);
    }
    if (source == build) break;
  }
  words.insert(words.end(), {"-include", "linux/kconfig.h"});
  return words;
}

std::string source_of(std::span<const CText> texts) {
  std::string source;
  for (std::size_t i = 0; i < texts.size(); ++i) source += fmt::format("#line {} \"{}\"\n{}\n", i + 1, kName, texts[i].text);
  return source;
}

/// "# 12 "name" 2" and "#line 12 "name"": the number and the name.
struct Marker { std::size_t line = 0; std::string_view name; };
std::optional<Marker> marker_in(std::string_view line) {
  if (!line.starts_with("# ")) return std::nullopt;
  line.remove_prefix(2);
  const std::size_t space = line.find(' ');
  const auto number = parse_unsigned(line.substr(0, space));
  const std::size_t open = line.find('"'), close = line.rfind('"');
  if (!number || open == std::string_view::npos || close <= open) return std::nullopt;
  return Marker{*number, line.substr(open + 1, close - open - 1)};
}

}  // namespace

std::map<std::size_t, std::string> split_preprocessed(std::string_view output) {
  std::map<std::size_t, std::string> parts;
  std::size_t text = 0;      // whose turn it is
  bool in_script = false;
  while (!output.empty()) {
    const std::string_view line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(line.size() + 1, output.size()));
    if (const auto marker = marker_in(line)) {
      in_script = marker->name == kName;
      if (in_script) text = std::max(text, marker->line);
      continue;
    }
    if (in_script) continue;   // the script itself is read as it was written
    parts[text].append(line).push_back('\n');
  }
  return parts;
}

HeaderError first_error(std::string_view messages) {
  HeaderError found;
  const std::string place = std::string(kName) + ":";
  for (const std::string& line : split(messages, '\n')) {
    if (const std::size_t at = line.find(place); at != std::string::npos && found.text == 0) {
      std::size_t digits = 0;
      const std::string_view rest = std::string_view(line).substr(at + place.size());
      while (digits < rest.size() && is_digit(rest[digits])) ++digits;
      found.text = static_cast<std::size_t>(parse_unsigned(rest.substr(0, digits)).value_or(0));
    }
    const std::size_t error = line.find("error: ");
    if (error == std::string::npos) continue;
    found.message = line.substr(error + std::string_view("error: ").size());
    // A mistake inside a header: name the header.
    if (line.find(place) == std::string::npos && !line.starts_with("error")) found.message = line.substr(0, line.find(':')) + ": " + found.message;
    return found;
  }
  found.message = trim(messages.substr(0, messages.find('\n')));
  return found;
}

Headers read_headers(std::span<const CText> texts, const HeaderOptions& options, const std::vector<std::string>& defined) {
  std::vector<std::string> words{"", "-E", "-dD", "-x", "c", "-std=gnu11"};
  for (const std::string& folder : options.folders) words.push_back("-I" + folder);
  for (std::string& word : kernel_headers()) words.push_back(std::move(word));
  for (const std::string& name : defined) words.push_back("-D" + name + "=1");
  for (const std::string& file : options.files) words.insert(words.end(), {"-include", file});
  words.push_back("-");
  Headers headers;
  for (const char* compiler : {"clang", "clang-19", "gcc", "cc"}) {
    words.front() = compiler;
    Run done = run(words, source_of(texts));
    if (done.status == 127) continue;
    if (done.status == 0) headers.texts = split_preprocessed(done.output);
    else headers.error = first_error(done.errors);
    if (headers.error && headers.error->message.empty()) headers.error->message = fmt::format("{} could not read the headers", compiler);
    return headers;
  }
  headers.error = HeaderError{0, "#include needs a C compiler, and there is neither clang nor gcc on PATH", "install one: apt-get install clang"};
  return headers;
}

}  // namespace trc::types
