#include "interpreters/python/recognise.h"

#include <elf.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "symbols/find_symbols.h"

namespace trc::interpreters::python {
namespace {

using symbols::ElfReader;
using symbols::ElfSection;
using symbols::ElfSegment;
using symbols::find_symbols;

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kCodeBytes = 64;                       // of PyThreadState_Get() that are looked at
constexpr std::uint64_t kSearchBytes = std::uint64_t{8} << 20;   // of writable data, when there are no section headers

template <class T>
std::optional<T> load(std::string_view bytes, std::size_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// Bytes at an address of the file, as the loader puts them there.
std::string bytes_at(const ElfReader& file, std::uint64_t address, std::uint64_t size) {
  for (const ElfSegment& segment : file.segments()) {
    if (segment.type != PT_LOAD || address < segment.address || address - segment.address >= segment.file_size) continue;
    const std::uint64_t inside = address - segment.address;
    return file.read(segment.offset + inside, std::min(size, segment.file_size - inside));
  }
  return "";
}

/// _PyRuntime, of which 3.13 and later can be found without any symbol or section.
std::uint64_t search_runtime(const ElfReader& file) {
  for (const ElfSegment& segment : file.segments()) {
    if (segment.type != PT_LOAD || !(segment.flags & PF_W)) continue;
    const std::string bytes = file.read(segment.offset, std::min(segment.file_size, kSearchBytes));
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      if (load<std::uint64_t>(bytes, at) == kDebugCookie) return segment.address + at;
    }
  }
  return 0;
}

/// The first executable segment: a mapping of it tells where the file is loaded.
bool set_code(const ElfReader& file, trc_py_runtime& runtime) {
  for (const ElfSegment& segment : file.segments()) {
    if (segment.type != PT_LOAD || !(segment.flags & PF_X) || segment.file_size == 0) continue;
    const std::uint64_t before = segment.offset % kPage;
    if (segment.address < before || segment.offset + segment.file_size < segment.offset) return false;
    runtime.code_offset = segment.offset - before;
    runtime.code_address = segment.address - before;
    runtime.code_end = (segment.offset + segment.file_size + kPage - 1) / kPage * kPage;
    return true;
  }
  return false;
}

bool starts_with(std::string_view code, std::initializer_list<unsigned char> bytes) {
  if (code.size() < bytes.size()) return false;
  std::size_t i = 0;
  for (const unsigned char byte : bytes) {
    if (static_cast<unsigned char>(code[i++]) != byte) return false;
  }
  return true;
}

}  // namespace

// The shapes that compilers give `return variable;`, found anywhere in the first instructions, since a prologue may come first. What is found by
// mistake does no harm: a thread's state is believed only if it holds the number of the running thread.
ThreadVariable decode_thread_variable(std::string_view code, std::uint64_t address) {
  const auto word = [&](std::size_t at) { return load<std::int32_t>(code, at).value_or(0); };
  const auto relative = [&](std::size_t at) { return address + at + 4 + static_cast<std::uint64_t>(static_cast<std::int64_t>(word(at))); };
  for (std::size_t at = 0; at + 9 <= code.size(); ++at) {
    const std::string_view here = code.substr(at);
    // mov %fs:offset,%rax: in the program itself
    if (starts_with(here, {0x64, 0x48, 0x8b, 0x04, 0x25})) return {TRC_PY_TLS_FIXED, word(at + 5), 0};
    // mov got(%rip),%rax; mov %fs:(%rax),%rax: a library that is loaded with the program
    if (starts_with(here, {0x48, 0x8b, 0x05}) && starts_with(here.substr(7), {0x64, 0x48, 0x8b, 0x00})) {
      return {TRC_PY_TLS_INITIAL, 0, relative(at + 3)};
    }
    // lea got(%rip),%rdi; call __tls_get_addr; mov offset(%rax),%rax: a library. The call is 5, 6 or 8 bytes long.
    if (!starts_with(here, {0x48, 0x8d, 0x3d})) continue;
    for (std::size_t load_at = at + 12; load_at <= at + 18 && load_at + 3 <= code.size(); ++load_at) {
      const std::string_view load_code = code.substr(load_at);
      if (starts_with(load_code, {0x48, 0x8b, 0x00})) return {TRC_PY_TLS_DYNAMIC, 0, relative(at + 3)};
      if (starts_with(load_code, {0x48, 0x8b, 0x40}) && load_code.size() >= 4) {
        return {TRC_PY_TLS_DYNAMIC, static_cast<signed char>(load_code[3]), relative(at + 3)};
      }
      if (starts_with(load_code, {0x48, 0x8b, 0x80}) && load_code.size() >= 7) {
        return {TRC_PY_TLS_DYNAMIC, word(load_at + 3), relative(at + 3)};
      }
    }
  }
  return {};
}

std::optional<Result<trc_py_runtime>> recognise(const ElfReader& file, std::string_view name) {
  if (!file.is_64bit() || !file.is_native_order() || file.machine() != EM_X86_64) return std::nullopt;
  // Every build since 3.10 puts _PyRuntime into a section of its own, which is quicker to look for than a name among thousands.
  const ElfSection* section = file.section(".PyRuntime");
  std::uint64_t address = section ? section->address : 0;
  if (address == 0 && file.sections().empty()) address = search_runtime(file);
  if (address == 0 && name.find("python") != std::string_view::npos) address = find_symbols<1>(file, {"_PyRuntime"})[0];
  if (address == 0) return std::nullopt;

  const auto [code_type, version_address, get_state] =
      find_symbols<3>(file, {"PyCode_Type", "Py_Version", "PyThreadState_Get"});
  trc_py_runtime runtime{.runtime = address, .code_type = code_type};
  const std::string start = bytes_at(file, address, kDebugWords * 8);
  std::vector<std::uint64_t> words(start.size() / 8);
  if (!words.empty()) std::memcpy(words.data(), start.data(), words.size() * 8);
  if (words.size() > 2 && words[0] == kDebugCookie) {
    runtime.version = static_cast<std::uint32_t>(words[1]);
  } else if (version_address != 0) {
    runtime.version = load<std::uint32_t>(bytes_at(file, version_address, 4), 0).value_or(0);
  }
  if (runtime.version == 0) {
    return Error("it is older than 3.11, or all of its symbols were stripped").hint("trc reads the frames of Python 3.11 to 3.14");
  }
  auto layout = layout_of(runtime.version, words);
  if (!layout) return std::move(layout).error();
  runtime.layout = *layout;
  if (!set_code(file, runtime)) return Error(version_name(runtime.version) + " in a file without code");
  // 3.11 has no thread-local variable: its current thread is in the runtime.
  if (get_state != 0 && runtime.layout.runtime_current == TRC_PY_ABSENT) {
    const ThreadVariable variable = decode_thread_variable(bytes_at(file, get_state, kCodeBytes), get_state);
    runtime.tls_kind = variable.kind;
    runtime.tls_offset = variable.offset;
    runtime.tls_got = variable.got;
  }
  return runtime;
}

std::optional<std::uint32_t> read_specific(const ElfReader& c_library) {
  const std::uint64_t address = find_symbols<1>(c_library, {"_thread_db_pthread_specific"})[0];
  if (address == 0) return std::nullopt;
  // {bits of an element, number of elements, offset}
  const auto offset = load<std::uint32_t>(bytes_at(c_library, address, 12), 8);
  if (!offset || *offset > 0x4000) return std::nullopt;
  return offset;
}

}  // namespace trc::interpreters::python
