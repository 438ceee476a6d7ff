#include "kernel/tracefs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/read_file.h"
#include "base/strings.h"

namespace trc::kernel {
namespace {

namespace fs = std::filesystem;

/// tracefs, if it lies at `directory`: an unmounted mount point is an empty folder.
bool holds_events(const std::string& directory) {
  struct stat st {};
  return ::stat((directory + "/events").c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

/// Mount points may have spaces and the like written as \040.
std::string unescape_mount(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string mounted_elsewhere() {
  std::ifstream mounts("/proc/mounts");
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<std::string> words = split_words(line);
    if (words.size() < 3 || (words[2] != "tracefs" && words[2] != "debugfs")) continue;
    const std::string directory = unescape_mount(words[1]) + (words[2] == "debugfs" ? "/tracing" : "");
    if (holds_events(directory)) return directory;
  }
  return "";
}

/// A mount that hangs in no mount table: it is reached through its descriptor alone.
Result<Tracefs> mount_privately() {
  const char* const hint = "mount it with: mount -t tracefs tracefs /sys/kernel/tracing";
  Fd filesystem(::fsopen("tracefs", FSOPEN_CLOEXEC));
  if (!filesystem) return Error::from_errno("tracefs is not mounted, and mounting a private one failed").hint(hint);
  Fd mount;
  if (::fsconfig(filesystem.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    mount.reset(::fsmount(filesystem.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  }
  if (!mount) return Error::from_errno("tracefs is not mounted, and mounting a private one failed").hint(hint);
  std::string directory = fmt::format("/proc/self/fd/{}", mount.get());
  if (!holds_events(directory)) {
    return Error("tracefs is not mounted, and a private one has no events (a kernel built without tracing, or locked down)").hint(hint);
  }
  return Tracefs{std::move(directory), std::move(mount)};
}

/// One "field:TYPE NAME[N]; offset:O; size:S; signed:B;" line.
std::optional<TracepointField> parse_field(std::string_view line) {
  TracepointField field;
  bool has_declaration = false, has_size = false;
  for (const std::string& part : split(line, ';')) {
    const std::string_view item = trim(part);
    const std::size_t colon = item.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = item.substr(0, colon), value = item.substr(colon + 1);
    if (key == "field") {
      // "const char * filename", "char comm[16]", "__data_loc char[] name": the name is the last word; an array suffix belongs to the type.
      std::string_view declaration = trim(value);
      std::string_view suffix;
      if (!declaration.empty() && declaration.back() == ']') {
        const std::size_t bracket = declaration.rfind('[');
        if (bracket == std::string_view::npos) return std::nullopt;
        suffix = declaration.substr(bracket);
        declaration = declaration.substr(0, bracket);
      }
      std::size_t start = declaration.size();
      while (start > 0 && is_identifier_char(declaration[start - 1])) --start;
      field.name = declaration.substr(start);
      field.type = std::string(trim(declaration.substr(0, start))) + std::string(suffix);
      has_declaration = !field.name.empty();
    } else if (key == "offset" || key == "size") {
      const auto number = parse_unsigned(value);
      if (!number || *number > UINT32_MAX) return std::nullopt;
      (key == "size" ? field.size : field.offset) = static_cast<std::uint32_t>(*number);
      has_size |= key == "size";
    } else if (key == "signed") {
      field.is_signed = value == "1";
    }
  }
  if (!has_declaration || !has_size) return std::nullopt;
  return field;
}

Result<std::string> read_event_file(const std::string& directory, const std::string& category, const std::string& event, const char* file) {
  // Names come from scripts: one that climbs out of events/ names no event.
  for (const std::string& name : {category, event}) {
    if (name.empty() || name[0] == '.' || name.find('/') != std::string::npos) {
      return Error::from_errno(fmt::format("tracepoint {}:{}", category, event), ENOENT);
    }
  }
  return read_file(fmt::format("{}/events/{}/{}/{}", directory, category, event, file));
}

}  // namespace

Result<Tracefs> find_tracefs() {
  for (const char* directory : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"})
    if (holds_events(directory)) return Tracefs{directory, Fd()};
  if (std::string directory = mounted_elsewhere(); !directory.empty()) return Tracefs{std::move(directory), Fd()};
  return mount_privately();
}

Result<std::vector<std::string>> read_tracepoints(const std::string& directory) {
  std::vector<std::string> names;
  // One file has them all; it leaves out the few pseudo events of tracefs that cannot be attached to.
  if (auto text = read_file(directory + "/available_events")) {
    for (std::string& line : split(*text, '\n'))
      if (line.find(':') != std::string::npos) names.push_back(std::move(line));
  } else {
    std::error_code failure;
    for (const fs::directory_entry& category : fs::directory_iterator(directory + "/events", failure)) {
      if (!category.is_directory()) continue;
      for (const fs::directory_entry& event : fs::directory_iterator(category.path(), failure)) {
        if (fs::exists(event.path() / "format")) names.push_back(category.path().filename().string() + ":" + event.path().filename().string());
      }
    }
    if (failure) return Error::from_errno("read " + directory + "/events", failure.value());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<TracepointFormat> read_tracepoint_format(const std::string& directory, const std::string& category, const std::string& event) {
  TRC_TRY(text, read_event_file(directory, category, event, "format"));
  auto format = parse_tracepoint_format(text);
  if (!format) return std::move(format).error().context(fmt::format("tracepoint {}:{}", category, event));
  return format;
}

Result<std::uint32_t> read_tracepoint_id(const std::string& directory, const std::string& category, const std::string& event) {
  TRC_TRY(text, read_event_file(directory, category, event, "id"));
  const auto id = parse_unsigned(trim(text));
  if (!id || *id > UINT32_MAX) return Error(fmt::format("tracepoint {}:{} has a bad id", category, event));
  return static_cast<std::uint32_t>(*id);
}

Result<TracepointFormat> parse_tracepoint_format(std::string_view text) {
  TracepointFormat format;
  bool has_id = false;
  for (const std::string& line : split(text, '\n')) {
    const std::string_view item = trim(line);
    if (item.starts_with("print fmt:")) break;
    if (item.starts_with("ID:")) {
      const auto id = parse_unsigned(trim(item.substr(3)));
      if (!id || *id > UINT32_MAX) return Error("the format file has a bad ID line");
      format.id = static_cast<std::uint32_t>(*id);
      has_id = true;
    } else if (item.starts_with("field:")) {
      auto field = parse_field(item);
      if (!field) return Error(fmt::format("the format file has a field that cannot be understood: {}", item));
      if (!field->name.starts_with("common_")) format.fields.push_back(std::move(*field));
    }
  }
  if (!has_id) return Error("the format file has no ID line");
  return format;
}

}  // namespace trc::kernel
